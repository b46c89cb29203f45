//! The stored keys: one file in the platform's config folder, readable by its owner alone, with a key for each profile.
//!
//! A change goes to a temporary file beside it, which is then moved into place: a whole new file or none. The temporary
//! file has one known name, is locked while it is written, and one that a killed command left is removed by the next
//! `login`, `status` or `logout`.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{ApiKey, BaseUrl};
use cometly_credentials::KeyRef;
use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{arguments, failure::Failure, input};

/// The profile of a login that names none.
pub(crate) const DEFAULT_PROFILE: &str = "default";
const VERSION: u32 = 1;
/// Some hundred profiles.
const MAX_SIZE: u64 = 1 << 20;
/// How long another command may hold the lock; it takes milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// What group and others may do, in a file's mode.
#[cfg(unix)]
const OTHERS: u32 = 0o077;
#[cfg(unix)]
const OTHERS_WRITE: u32 = 0o022;

/// A key, or where it is.
#[derive(Clone)]
pub(crate) enum StoredKey {
    Here(ApiKey),
    At(KeyRef),
}

/// A key and the only place that it may be sent to.
#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) key: StoredKey,
    pub(crate) base_url: BaseUrl,
}

/// All stored keys by profile, and the profile that is used if none is named.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) current: String,
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// The file's JSON.
#[derive(Deserialize, Serialize)]
struct Stored<'a> {
    version: u32,
    #[serde(borrow)]
    current: Cow<'a, str>,
    #[serde(borrow)]
    profiles: BTreeMap<Cow<'a, str>, StoredProfile<'a>>,
}

#[derive(Deserialize, Serialize)]
struct StoredProfile<'a> {
    #[serde(borrow)]
    base_url: Cow<'a, str>,
    /// This or the next one.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    api_key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key_from: Option<Cow<'a, str>>,
}

enum Content {
    Absent,
    /// Not a file that a login of this version wrote, or half of one.
    Broken,
    /// Whole, but a profile in it has a name that no command takes. Names end up in the scripts of shells.
    OddName,
    Whole(Credentials),
}

/// Where the keys are kept, whether or not there are any.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let folders = etcetera::base_strategy::choose_native_strategy().map_err(|_| {
        Failure::local("this user has no home folder, so there is no place for the key").advise("set COMETLY_API_KEY")
    })?;
    Ok(folders.config_dir().join("cometly").join("credentials.json"))
}

/// The stored keys; `None` if there are none.
pub(crate) fn read(path: &Path) -> Result<Option<Credentials>, Failure> {
    let target = resolve(path)?;
    match load(&target)? {
        Content::Absent => Ok(None),
        Content::Whole(credentials) => Ok(Some(credentials)),
        // No word of the parser's: it may quote a key.
        Content::Broken => Err(Failure::local(format!("{} is not a whole key file of this version", target.display()))
            .advise(format!("log in again: cometly auth login, which keeps it as {}", broken(&target).display()))),
        Content::OddName => Err(odd_name(&target)),
    }
}

/// Does not show the name: a key may stand there by mistake.
fn odd_name(target: &Path) -> Failure {
    Failure::local(format!(
        "{} has a profile whose name is none: {}; nothing in it was changed",
        target.display(),
        arguments::PROFILE_NAME
    ))
    .advise("change the name in that file")
}

/// The file that a login put aside since it could not be read, if it is still there. It may hold keys.
pub(crate) fn put_aside(path: &Path) -> Option<PathBuf> {
    let broken = broken(&resolve(path).ok()?);
    broken.symlink_metadata().is_ok().then_some(broken)
}

/// Removes the file that a login put aside; gives its path if there was one.
pub(crate) fn remove_put_aside(path: &Path) -> Result<Option<PathBuf>, Failure> {
    let Some(broken) = put_aside(path) else { return Ok(None) };
    fs::remove_file(&broken).map_err(|error| Failure::file("remove", &broken, &error))?;
    Ok(Some(broken))
}

/// Changes the stored keys, one command at a time; a file that is broken is begun anew.
pub(crate) fn update<T>(path: &Path, change: impl FnOnce(&mut Credentials) -> T) -> Result<T, Failure> {
    let target = resolve(path)?;
    let failed = |error: io::Error| Failure::file("write", &target, &error).advise("set COMETLY_API_KEY instead");
    create_private(parent(&target)).map_err(failed)?;
    let temporary = temporary(&target);
    let mut file = lock(&temporary).map_err(failed)?;
    let mut credentials = match load(&target)? {
        Content::Whole(credentials) => credentials,
        Content::Broken => {
            // It may hold keys of other profiles, or be of a later version: kept under another name.
            fs::rename(&target, broken(&target)).map_err(failed)?;
            Credentials::default()
        }
        Content::OddName => {
            // Empty: nothing was written to it.
            fs::remove_file(&temporary).map_err(failed)?;
            return Err(odd_name(&target));
        }
        Content::Absent => Credentials::default(),
    };
    let changed = change(&mut credentials);
    if credentials.profiles.is_empty() {
        fs::remove_file(&temporary).map_err(failed)?;
        remove(&target)?;
        return Ok(changed);
    }
    let json = credentials.to_json().map_err(|error| failed(error.into()))?;
    file.write_all(&json).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, &target).map_err(failed)?;
    Ok(changed)
}

fn broken(target: &Path) -> PathBuf {
    target.with_extension("json.broken")
}

/// Removes the file, also if it cannot be read; whether there was one. A whole one of several profiles is not removed.
pub(crate) fn remove(path: &Path) -> Result<bool, Failure> {
    let target = resolve(path)?;
    if matches!(load(&target), Ok(Content::OddName)) {
        return Err(odd_name(&target));
    }
    match fs::remove_file(&target) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::file("remove", &target, &error)),
    }
}

/// Removes what a killed command left; not what one that runs is writing.
pub(crate) fn remove_leftover(path: &Path) {
    let Ok(target) = resolve(path) else { return };
    let temporary = temporary(&target);
    let is_file = temporary.symlink_metadata().is_ok_and(|found| found.is_file());
    let Some(file) = is_file.then(|| OpenOptions::new().write(true).open(&temporary).ok()).flatten() else { return };
    if fs4::FileExt::try_lock(&file).is_ok() && is_at(&file, &temporary) {
        // Failing that, the next command tries.
        let _ = fs::remove_file(&temporary);
    }
}

impl Credentials {
    fn parse(json: &[u8]) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_slice(input::without_mark(json)).ok()?;
        if stored.version != VERSION {
            return None;
        }
        let profile = |(name, stored): (Cow<'_, str>, StoredProfile<'_>)| {
            let key = match (stored.api_key, stored.key_from) {
                (Some(key), None) => StoredKey::Here(ApiKey::new(key.into_owned()).ok()?),
                (None, Some(reference)) => StoredKey::At(reference.parse().ok()?),
                _ => return None,
            };
            // Plain http is in it only after a login that was allowed it by name.
            Some((name.into_owned(), Profile { key, base_url: BaseUrl::insecure_http(&stored.base_url).ok()? }))
        };
        let profiles = stored.profiles.into_iter().map(profile).collect::<Option<_>>()?;
        Some(Self { current: stored.current.into_owned(), profiles })
    }

    /// Whether commands take each name. None is in use once that one is forgotten.
    fn has_plain_names(&self) -> bool {
        let is_plain = |name: &String| arguments::profile_name(name).is_ok();
        (self.current.is_empty() || is_plain(&self.current)) && self.profiles.keys().all(is_plain)
    }

    fn to_json(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let stored = |(name, profile): (&'_ String, &'_ Profile)| {
            let base_url = profile.base_url.to_string().into();
            let (api_key, key_from) = match &profile.key {
                StoredKey::Here(key) => (Some(key.expose_secret().to_owned().into()), None),
                StoredKey::At(reference) => (None, Some(reference.text().to_owned().into())),
            };
            (Cow::Owned(name.clone()), StoredProfile { base_url, api_key, key_from })
        };
        let profiles = self.profiles.iter().map(stored).collect();
        let stored = Stored { version: VERSION, current: self.current.as_str().into(), profiles };
        serde_json::to_vec(&stored).map(Zeroizing::new)
    }
}

fn load(path: &Path) -> Result<Content, Failure> {
    // To open a pipe would be to wait for a writer.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Err(Failure::local(format!("{} is no file", path.display()))
            .advise("remove it and log in again: cometly auth login"));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Absent),
        Err(error) => {
            return Err(Failure::file("read", path, &error).advise("make it yours again, or set COMETLY_API_KEY"));
        }
    };
    // Asked of the open file, so that it cannot be another one by then.
    check_mode(path, &file)?;
    let mut json = Zeroizing::new(Vec::new());
    file.take(MAX_SIZE)
        .read_to_end(&mut json)
        .map_err(|error| Failure::file("read", path, &error).advise("log in again: cometly auth login"))?;
    Ok(match Credentials::parse(&json) {
        None => Content::Broken,
        Some(credentials) if credentials.has_plain_names() => Content::Whole(credentials),
        Some(_) => Content::OddName,
    })
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

/// Opens the empty temporary file, and holds it alone until it is dropped.
fn lock(path: &Path) -> io::Result<File> {
    let started = Instant::now();
    loop {
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            fs::remove_file(path)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        match fs4::FileExt::try_lock(&file) {
            // Not one that another command has moved into place meanwhile.
            Ok(()) if is_at(&file, path) => {
                file.set_len(0)?;
                #[cfg(unix)]
                file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
                return Ok(file);
            }
            Err(fs4::TryLockError::Error(error)) => return Err(error),
            Ok(()) | Err(fs4::TryLockError::WouldBlock) => {}
        }
        if started.elapsed() > LOCK_TIMEOUT {
            return Err(io::Error::other("another command is changing it"));
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(open), Ok(named)) = (file.metadata(), path.symlink_metadata()) else { return false };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Where the file is: `path`, or what a symlink there points to, if no other user can change where that is.
#[cfg(unix)]
fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    let is_link = |path: &Path| path.symlink_metadata().is_ok_and(|found| found.is_symlink());
    if !is_link(path) {
        return Ok(path.to_owned());
    }
    let failed = |error: io::Error| Failure::file("follow the symlink", path, &error).advise("remove it");
    let mut target = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        check_owner(path, parent(&target))?;
        if !is_link(&target) {
            if target.exists() {
                check_owner(path, &target)?;
            }
            return Ok(target);
        }
        let next = parent(&target).join(fs::read_link(&target).map_err(failed)?);
        let name = next.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        target = parent(&next).canonicalize().map_err(failed)?.join(name);
    }
    Err(failed(io::Error::other("it leads from link to link")))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    Ok(path.to_owned())
}

/// Whether a file or folder behind a symlink is this user's, and writable by no other one.
#[cfg(unix)]
fn check_owner(link: &Path, path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    let found = path.metadata().map_err(|error| Failure::file("read", path, &error))?;
    if found.uid() == rustix::process::geteuid().as_raw() && found.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    let (link, path) = (link.display(), path.display());
    Err(Failure::local(format!("{link} is a symlink, and {path} can be changed by other users of this machine"))
        .advise(format!("make it yours alone (chown, chmod go-w {path}), or remove the symlink")))
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
    let found = file.metadata().map_err(|error| Failure::file("read", path, &error))?;
    let mode = found.permissions().mode();
    let path = path.display();
    // Its words may name a program to run.
    if std::os::unix::fs::MetadataExt::uid(&found) != rustix::process::geteuid().as_raw() {
        return Err(Failure::local(format!("{path} belongs to another user"))
            .advise("run the command as that user, or set HOME to a folder of your own"));
    }
    if mode & OTHERS == 0 {
        return Ok(());
    }
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

    fn store(path: &Path, name: &str, key: &str) {
        let profile = Profile { key: StoredKey::Here(ApiKey::new(key).unwrap()), base_url: BaseUrl::default() };
        update(path, |credentials| {
            credentials.current = name.to_owned();
            credentials.profiles.insert(name.to_owned(), profile);
        })
        .unwrap();
    }

    fn kept(profile: &Profile) -> &str {
        match &profile.key {
            StoredKey::Here(key) => key.expose_secret(),
            StoredKey::At(reference) => reference.text(),
        }
    }

    #[test]
    fn a_reference_comes_back_as_it_was_stored_and_a_profile_has_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        let text = "cmd:op read 'op://My vault/cometly/key'";
        update(&path, |credentials| {
            let key = StoredKey::At(text.parse().unwrap());
            credentials.profiles.insert("one".to_owned(), Profile { key, base_url: BaseUrl::default() });
        })
        .unwrap();
        assert_eq!(kept(&read(&path).unwrap().unwrap().profiles["one"]), text);
        let both = fs::read_to_string(&path).unwrap().replace("\"key_from\"", "\"api_key\":\"1|a\",\"key_from\"");
        for broken in [both, fs::read_to_string(&path).unwrap().replace("key_from", "other"), "cmd:".to_owned()] {
            fs::write(&path, broken).unwrap();
            assert!(read(&path).is_err());
        }
    }

    #[test]
    fn keys_come_back_as_they_were_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/credentials.json");
        assert!(read(&path).unwrap().is_none());
        for (name, key) in [("one", "1|first"), ("two", "2|\"quoted\\"), ("one", "3|third")] {
            store(&path, name, key);
            let read = read(&path).unwrap().unwrap();
            assert_eq!((kept(&read.profiles[name]), &read.current), (key, &name.to_owned()));
        }
        assert_eq!(read(&path).unwrap().unwrap().profiles.len(), 2);
        update(&path, |credentials| credentials.profiles.clear()).unwrap();
        assert!(read(&path).unwrap().is_none());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn half_a_file_is_refused_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        store(&path, "default", "1|canary");
        let whole = fs::read(&path).unwrap();
        let newer = String::from_utf8(whole.clone()).unwrap().replace("\"version\":1", "\"version\":2");
        for bytes in [&whole[..whole.len() - 1], b"", b"{}", b"[\"1|canary\"]", newer.as_bytes()] {
            fs::write(&path, bytes).unwrap();
            let failure = read(&path).err().unwrap().to_string();
            assert!(failure.contains("auth login") && !failure.contains("canary"), "{failure}");
        }
        store(&path, "default", "2|next");
        assert_eq!(read(&path).unwrap().unwrap().profiles.len(), 1);
    }

    #[test]
    fn commands_that_change_it_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || store(path, &format!("p{number}"), "1|key"));
            }
        });
        assert_eq!(read(&path).unwrap().unwrap().profiles.len(), 8);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_leftover_is_removed_unless_it_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        let held = lock(&temporary(&path)).unwrap();
        remove_leftover(&path);
        assert!(temporary(&path).exists());
        drop(held);
        remove_leftover(&path);
        assert!(!temporary(&path).exists());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_kept_beside_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        store(&path, "a", "1|canary");
        let later = fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":9");
        fs::write(&path, &later).unwrap();
        assert!(read(&path).map(drop).unwrap_err().to_string().contains("this version"));
        store(&path, "b", "2|second");
        assert_eq!(read(&path).unwrap().unwrap().profiles.len(), 1);
        assert_eq!(fs::read_to_string(broken(&path)).unwrap(), later);
    }
}
