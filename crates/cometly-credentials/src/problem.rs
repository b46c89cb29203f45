//! What is wrong where a key should be.

use std::{fmt, io, path::PathBuf};

use cometly_core::{ApiKey, InvalidApiKey};

use crate::key_ref::shown;

/// Why no key could be read from a reference; from [`KeyError::problem`](crate::KeyError::problem).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The environment variable is not set.
    NotSet,
    /// The text that was read is not a key: it is empty, padded, of two lines, in quotation marks, and so on.
    Key(InvalidApiKey),
    /// The text that was read is JSON, and not the key alone: it begins with `{` or `[`.
    Json,
    /// The file or the output of the program has 8 KiB or more. A shorter one that is longer than a key, 4096 bytes, is a
    /// [`Key`](Self::Key).
    TooLarge,
    /// The file cannot be opened or read, or the program cannot be started.
    Io(io::ErrorKind),
    /// The path leads to a folder, a device, a pipe or a socket, and not to a regular file.
    NotAFile,
    /// The file's mode lets other users read or write it. Only on Unix.
    OpenFile {
        /// The permission bits of the file, as `0o644`.
        mode: u32,
    },
    /// The file, or a symlink on the way to it, belongs to another user than this one and root. Only on Unix.
    ForeignOwner,
    /// Other users can change a folder above the file or above a symlink on the way to it, and so put another file in its
    /// place. Only on Unix.
    OpenFolder {
        /// The path of that folder.
        path: PathBuf,
    },
    /// The file was being written: it changed between two reads, 50 ms apart, five times in a row.
    Changing,
    /// The program did not end within ten seconds, and was killed.
    TimedOut,
    /// The program ended, and not with exit code 0.
    Failed {
        /// The exit code of the program; `None` if a signal ended it.
        code: Option<i32>,
    },
    /// The [`Watcher`](crate::Watcher) was dropped while the program ran, which was killed.
    Stopped,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str("the environment variable is not set"),
            Self::Key(error) => error.fmt(f),
            Self::Json => f.write_str("JSON, where the key alone is expected: pick the field, as with `jq -r .key`"),
            Self::TooLarge => write!(f, "more than a key, which has at most {} bytes", ApiKey::MAX_LEN),
            Self::Io(io::ErrorKind::NotFound) => f.write_str("not found"),
            Self::Io(io::ErrorKind::PermissionDenied) => f.write_str("this user may not read or run it"),
            Self::Io(kind) => write!(f, "cannot be read: {kind}"),
            Self::NotAFile => f.write_str("not a regular file: a folder, a device, a pipe or a socket"),
            Self::OpenFile { mode } => write!(
                f,
                "others can read or change the file (mode {mode:03o}): `chmod 600` it, for a Kubernetes volume set \
                 `defaultMode: 0400`; make a new key if others may have read this one"
            ),
            Self::ForeignOwner => f.write_str(
                "the file, or a symlink on the way to it, belongs to another user, who can change it: `chown` it",
            ),
            Self::OpenFolder { path } => {
                let path = shown(&path.to_string_lossy());
                write!(f, "others can change the folder {path}, and so replace the file: `chmod go-w` or `chown` it")
            }
            Self::Changing => {
                f.write_str("the file changed while it was read: write beside it and rename it into place")
            }
            Self::TimedOut => f.write_str("the program did not end within 10 seconds, and was killed"),
            Self::Failed { code: Some(code) } => {
                write!(f, "the program failed with exit code {code}: run it by hand to see what it says")
            }
            Self::Failed { code: None } => f.write_str("the program was ended by a signal"),
            Self::Stopped => f.write_str("the program was killed, since the watcher ended"),
        }
    }
}
