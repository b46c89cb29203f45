//! Where an API key comes from, as a value: an environment variable, a file, a command. And a thread that watches it, so
//! that a key which is replaced there is replaced in the [`Api`](cometly_core::Api), too.
//!
//! ```
//! use cometly_core::Api;
//! use cometly_credentials::{KeyChain, KeyRef, Watcher};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # if cfg!(not(unix)) { return Ok(()) }
//! // From a configuration: parsing reads nothing.
//! let references = ["env:COMETLY_KEY_OF_THIS_EXAMPLE", "cmd:printf 12|abcdef"];
//! let chain: KeyChain = references.iter().map(|text| text.parse()).collect::<Result<Vec<KeyRef>, _>>()?.into();
//!
//! let found = chain.read()?; // the first that has a key
//! assert_eq!(found.to_string(), "cmd:printf …; not env:COMETLY_KEY_OF_THIS_EXAMPLE: the environment variable is not set");
//!
//! let api = Api::new(found.key().clone());
//! let watcher = Watcher::start(found.reference().clone(), &api)?; // ends when it is dropped
//! assert_eq!(watcher.status().changes(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! | reference | where the key is | when it is read again |
//! | --- | --- | --- |
//! | `env:NAME` | an environment variable | never: a process keeps its environment |
//! | `file:PATH` | a file, or what a symlink there points to | each second |
//! | `cmd:PROGRAM ARGS…` | what a program prints | when the API refused the key, and before the end that [`expires_after`](WatcherBuilder::expires_after) sets; at most once a minute |
//!
//! A key is one line. One line feed at its end (`\n` or `\r\n`) and a byte order mark before it are no part of it; nothing
//! else is trimmed.
//!
//! # Files
//! On Unix, a file is refused as `ssh` refuses a private key: if it belongs to another user than this one and root, if it
//! is this user's and others may read it, if others may write it, or if others may write one of the folders above it.
//! Symlinks are followed, each one checked with the folders above it, so a Kubernetes secret works; give its volume
//! `defaultMode: 0400`. What is not a regular file is not read.
//!
//! A writer should write beside the file and rename it into place. A file that was written in the last two seconds is
//! read twice, 50 ms apart, and is not used if the two differ.
//!
//! # Commands
//! No shell: the text is split at white space, and `'…'` or `"…"` keep a part together; no other character is special. The
//! program has no stdin, ten seconds, and 8 KiB of output. Its stderr is thrown away, since a key may be in it. On Unix, it
//! leads a process group, which is killed when the time is up. Ctrl-C does not reach it: a program that handles signals calls
//! [`end_commands`] before it ends.
//!
//! # In memory
//! Each buffer that held a key is wiped. The pipe of a command is the kernel's.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod chain;
mod command;
mod content;
mod error;
mod file;
mod key_ref;
mod problem;
mod read;
mod watcher;

pub use cometly_core;

pub use chain::{FoundKey, KeyChain};
pub use command::end_commands;
pub use error::{KeyError, NoKey};
pub use key_ref::{InvalidKeyRef, KeyRef};
pub use problem::Problem;
pub use watcher::{WatchStatus, Watcher, WatcherBuilder};

/// These cross threads in every program that uses them.
const _: () = {
    const fn assert<T: Send + Sync + Clone + 'static>() {}
    const fn assert_moved<T: Send + Sync + 'static>() {}
    const fn assert_error<T: std::error::Error + Send + Sync + Clone + 'static>() {}
    assert::<KeyRef>();
    assert::<KeyChain>();
    assert::<FoundKey>();
    assert::<WatchStatus>();
    assert_moved::<Watcher>();
    assert_error::<InvalidKeyRef>();
    assert_error::<KeyError>();
    assert_error::<NoKey>();
};
