//! The two streams and the person at them: data on stdout, words and progress on stderr, Ctrl-C, and the command line as it
//! was typed, in which no key may stand. And what the clients tell of their calls, for the person and for `--trace`.

pub(crate) mod argv;
pub(crate) mod console;
mod escape;
pub(crate) mod interrupt;
mod json;
pub(crate) mod progress;
pub(crate) mod telemetry;
pub(crate) mod trace;
