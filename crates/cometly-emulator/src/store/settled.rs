//! Whether what was handed over to be written is written.

use tokio::sync::oneshot;

/// What a write came to: an error says why it failed.
pub(crate) type Written = Result<(), String>;

/// The wait until everything that was handed over so far is written.
pub(crate) enum Settled {
    Now,
    Later(oneshot::Receiver<Written>),
}
