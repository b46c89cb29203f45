//! The two streams and the person at them: data on stdout, words and progress on stderr, Ctrl-C, and the command line as it
//! was typed, in which no key may stand.

pub(crate) mod argv;
pub(crate) mod console;
pub(crate) mod interrupt;
pub(crate) mod progress;
