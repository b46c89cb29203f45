//! A key in a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _},
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use cometly_core::ApiKey;
use zeroize::Zeroizing;

use crate::{
    content::{self, MAX_SIZE},
    problem::Problem,
};

/// How long a file that was just written must stay the same.
const SETTLE: Duration = Duration::from_millis(50);
/// A file that was not written for this long is taken as whole. Longer than the steps of any file system's clock.
const RECENT: Duration = Duration::from_secs(2);
const MAX_READS: u32 = 5;

/// The key in the file; `known` is the one that was there before, which needs no second look.
pub(crate) fn read(path: &Path, known: Option<&ApiKey>) -> Result<ApiKey, Problem> {
    for _ in 0..MAX_READS {
        let mut file = open(path)?;
        let bytes = contents(&mut file)?;
        let is_known = known.is_some_and(|key| key.expose_secret().as_bytes() == content::line(&bytes));
        if is_known || !is_recent(&file) {
            return content::key(&bytes);
        }
        thread::sleep(SETTLE);
        // The same open file: one that is renamed into its place meanwhile does not matter.
        file.rewind().map_err(problem)?;
        if *contents(&mut file)? == *bytes {
            return content::key(&bytes);
        }
    }
    Err(Problem::Changing)
}

fn problem(error: io::Error) -> Problem {
    Problem::Io(error.kind())
}

fn open(path: &Path) -> Result<File, Problem> {
    // Before it is opened, since that alone can do something to a device.
    if !path.metadata().map_err(problem)?.is_file() {
        return Err(Problem::NotAFile);
    }
    let mut options = OpenOptions::new();
    options.read(true);
    // A pipe that came into its place would block.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, nonblocking());
    let file = options.open(path).map_err(problem)?;
    // Asked of the open file, so that it cannot be another one by then.
    if !file.metadata().map_err(problem)?.is_file() {
        return Err(Problem::NotAFile);
    }
    #[cfg(unix)]
    access::check(path, &file)?;
    Ok(file)
}

#[cfg(unix)]
fn nonblocking() -> i32 {
    // The bits are those of the system's `open`, which takes an `int`.
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default()
}

fn contents(file: &mut File) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // Never grows, so that no copy is left behind.
    let mut buffer = Zeroizing::new(vec![0; MAX_SIZE]);
    let mut length = 0_usize;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Ok(read) => length = length.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(problem(error)),
        }
    }
    Err(Problem::TooLarge)
}

fn is_recent(file: &File) -> bool {
    let written = file.metadata().and_then(|found| found.modified());
    // A time in the future counts as recent, and so does none.
    written.ok().and_then(|written| SystemTime::now().duration_since(written).ok()).is_none_or(|age| age < RECENT)
}

/// Who else can read or change the file.
#[cfg(unix)]
mod access {
    use std::{
        ffi::OsString,
        fs::{File, Metadata},
        os::unix::fs::MetadataExt as _,
        path::{Component, Path, PathBuf},
    };

    use super::problem;
    use crate::problem::Problem;

    const OTHERS: u32 = 0o077;
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    const ROOT: u32 = 0;
    /// As many links as Linux follows.
    const MAX_LINKS: usize = 40;

    /// As `ssh` checks a private key, and `sshd` the folders above a file.
    pub(super) fn check(path: &Path, file: &File) -> Result<(), Problem> {
        let found = file.metadata().map_err(problem)?;
        let me = rustix::process::geteuid().as_raw();
        check_file(&found, me)?;
        check_way(path, me)
    }

    /// Checks all that decides which file the path names: each folder in which a name is looked up, and each symlink.
    fn check_way(path: &Path, me: u32) -> Result<(), Problem> {
        let path = std::path::absolute(path).map_err(problem)?;
        let (mut folder, mut rest, mut links) = (PathBuf::from("/"), names(&path), 0_usize);
        check_folder(&folder, me)?;
        while let Some(name) = rest.pop() {
            if name == ".." {
                // The folder above one without a symlink in it, and so checked already.
                folder.pop();
                continue;
            }
            let next = folder.join(&name);
            let found = next.symlink_metadata().map_err(problem)?;
            if found.is_symlink() {
                // In a sticky folder only its owner can replace it.
                if !is_trusted(&found, me) {
                    return Err(Problem::ForeignOwner);
                }
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(problem(rustix::io::Errno::LOOP.into()));
                }
                let target = next.read_link().map_err(problem)?;
                rest.extend(names(&target));
                if target.is_absolute() {
                    folder = PathBuf::from("/");
                }
            } else if found.is_dir() {
                check_folder(&next, me)?;
                folder = next;
            }
        }
        Ok(())
    }

    /// The names of a path, the last one first.
    fn names(path: &Path) -> Vec<OsString> {
        let name = |part: Component<'_>| {
            matches!(part, Component::Normal(_) | Component::ParentDir).then(|| part.as_os_str().to_owned())
        };
        path.components().filter_map(name).rev().collect()
    }

    fn check_file(found: &Metadata, me: u32) -> Result<(), Problem> {
        if !is_trusted(found, me) {
            return Err(Problem::ForeignOwner);
        }
        // What root lets this user read is root's decision.
        let refused = if found.uid() == me { OTHERS } else { OTHERS_WRITE };
        match found.mode() & 0o777 {
            mode if mode & refused != 0 => Err(Problem::OpenFile { mode }),
            _ => Ok(()),
        }
    }

    fn check_folder(folder: &Path, me: u32) -> Result<(), Problem> {
        let found = folder.metadata().map_err(problem)?;
        // In a sticky folder, as `/tmp`, others cannot replace what is not theirs.
        if !is_trusted(&found, me) || (found.mode() & OTHERS_WRITE != 0 && found.mode() & STICKY == 0) {
            return Err(Problem::OpenFolder { path: folder.to_owned() });
        }
        Ok(())
    }

    fn is_trusted(found: &Metadata, me: u32) -> bool {
        found.uid() == me || found.uid() == ROOT
    }
}
