//! A temporary file that leaves no name behind.

use std::{fs::File, io};

/// A file that is gone when it is closed, made with mode 0600: `tempfile()` would leave the mode to the umask.
#[cfg(unix)]
pub(crate) fn nameless() -> io::Result<File> {
    Ok(tempfile::NamedTempFile::new()?.into_file())
}

#[cfg(not(unix))]
pub(crate) fn nameless() -> io::Result<File> {
    tempfile::tempfile()
}
