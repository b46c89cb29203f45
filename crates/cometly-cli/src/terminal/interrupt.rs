//! Ctrl-C and SIGTERM: once to end in order, twice to end now.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::{exit::Exit, failure::Failure};

/// Calls `notify` at the first signal. Whoever hears of it says how to go on.
pub(crate) fn listen(notify: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let is_second = AtomicBool::new(false);
    let handler = move || {
        if is_second.swap(true, Ordering::Relaxed) {
            process::exit(Exit::Interrupted.code().into());
        }
        notify();
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::local(format!("cannot listen for Ctrl-C: {error}")))
}
