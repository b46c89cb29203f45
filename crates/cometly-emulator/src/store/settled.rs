//! Whether what was handed over to be written is written.

use std::sync::mpsc;

use tokio::sync::oneshot;

/// What a write came to: an error says why it failed.
pub(crate) type Written = Result<(), String>;

/// The wait of a task until everything that was handed over so far is written.
pub(crate) enum Settled {
    Now,
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "without a folder, nothing is written"))]
    Later(oneshot::Receiver<Written>),
}

/// The same wait of a thread that may block, without the state's lock.
pub(crate) struct Wait(mpsc::Receiver<Written>);

impl Wait {
    #[cfg(feature = "sqlite")]
    pub(crate) fn new(written: mpsc::Receiver<Written>) -> Self {
        Self(written)
    }

    pub(crate) fn done(self) -> Written {
        self.0.recv().unwrap_or_else(|_| Err("the emulator ends".into()))
    }
}
