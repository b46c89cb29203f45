//! The stored key: one file in the platform's config folder, readable by its owner alone.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use cometly_core::{ApiKey, BaseUrl};
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::failure::Failure;

const VERSION: u32 = 1;
const MAX_SIZE: u64 = 64 * 1024;
/// What group and others may do, in a file's mode.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// A key and the only place that it may be sent to.
pub(crate) struct Credentials {
    pub(crate) key: ApiKey,
    pub(crate) base_url: BaseUrl,
}

/// The file's JSON.
#[derive(Deserialize, Serialize)]
struct Stored<'a> {
    version: u32,
    base_url: Cow<'a, str>,
    api_key: Cow<'a, str>,
}

/// Where the key is kept, whether or not there is one.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let folders = etcetera::base_strategy::choose_native_strategy().map_err(|_| {
        Failure::local("this user has no home folder, so there is no place for the key").advise("set COMETLY_API_KEY")
    })?;
    Ok(folders.config_dir().join("cometly").join("credentials.json"))
}

/// The stored key; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Credentials>, Failure> {
    // To open a pipe would be to wait for somebody who writes to it.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Err(Failure::local(format!("{} is no file", path.display()))
            .advise("remove it and log in again: cometly auth login"));
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::file("read", path, &error).advise("make it yours again, or set COMETLY_API_KEY"));
        }
    };
    // Asked of the open file, so that it cannot be another one by then.
    check_mode(path, &file)?;
    let mut json = Zeroizing::new(Vec::new());
    io::Read::by_ref(&mut file)
        .take(MAX_SIZE)
        .read_to_end(&mut json)
        .map_err(|error| Failure::file("read", path, &error).advise("log in again: cometly auth login"))?;
    parse(&json).map(Some).ok_or_else(|| {
        // No word of the parser's: it may quote the key.
        Failure::local(format!("{} is not a whole key file of this version", path.display()))
            .advise("log in again: cometly auth login")
    })
}

fn parse(json: &[u8]) -> Option<Credentials> {
    let stored: Stored<'_> = serde_json::from_slice(json).ok()?;
    if stored.version != VERSION {
        return None;
    }
    Some(Credentials { key: ApiKey::new(stored.api_key.into_owned()).ok()?, base_url: stored.base_url.parse().ok()? })
}

/// Stores a key: a whole new file or none, never half of one.
pub(crate) fn write(path: &Path, key: &ApiKey, base_url: &BaseUrl) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("write", path, &error).advise("set COMETLY_API_KEY instead");
    let folder = path.parent().unwrap_or(Path::new("."));
    create_private(folder).map_err(failed)?;
    let stored =
        Stored { version: VERSION, base_url: base_url.to_string().into(), api_key: key.expose_secret().into() };
    let json = serde_json::to_vec(&stored).map(Zeroizing::new).map_err(|error| failed(error.into()))?;
    // Made with mode 0600, and moved into place when it is whole.
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(&json).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Forgets the stored key; whether there was one.
pub(crate) fn remove(path: &Path) -> Result<bool, Failure> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::file("remove", path, &error)),
    }
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(|error| Failure::file("read", path, &error))?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::local(format!("{path} can be read by others (mode {:03o}), and so can the key in it", mode & 0o777))
        .advise(format!("make a new key if this machine has other users, and close the file: chmod 600 {path}")))
}

/// Other platforms give each user a folder of their own.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File) -> Result<(), Failure> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_as_it_was_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/credentials.json");
        assert!(read(&path).unwrap().is_none());
        for key in ["1|first", "2|\"quoted\\"] {
            write(&path, &ApiKey::new(key).unwrap(), &BaseUrl::default()).unwrap();
            let read = read(&path).unwrap().unwrap();
            assert_eq!((read.key.expose_secret(), read.base_url), (key, BaseUrl::default()));
        }
        assert!(remove(&path).unwrap() && !remove(&path).unwrap());
    }

    #[test]
    fn half_a_file_is_refused_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        write(&path, &ApiKey::new("1|canary").unwrap(), &BaseUrl::default()).unwrap();
        let whole = fs::read(&path).unwrap();
        let newer = String::from_utf8(whole.clone()).unwrap().replace("\"version\":1", "\"version\":2");
        for bytes in [&whole[..whole.len() - 1], b"", b"{}", b"[\"1|canary\"]", newer.as_bytes()] {
            fs::write(&path, bytes).unwrap();
            let failure = read(&path).err().unwrap().to_string();
            assert!(failure.contains("auth login") && !failure.contains("canary"), "{failure}");
        }
    }
}
