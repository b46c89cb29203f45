//! Temporary files: one without a name, and the place where a new file is written before it is moved to its own.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Where a new file is written before it is moved to its place; no other program gives such a name.
pub(crate) fn temporary(target: &Path) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(".cometly-new");
    name.into()
}

/// A file that is gone when it is closed, made with mode 0600: `tempfile()` would leave the mode to the umask.
#[cfg(unix)]
pub(crate) fn nameless() -> io::Result<File> {
    Ok(tempfile::NamedTempFile::new()?.into_file())
}

#[cfg(not(unix))]
pub(crate) fn nameless() -> io::Result<File> {
    tempfile::tempfile()
}
