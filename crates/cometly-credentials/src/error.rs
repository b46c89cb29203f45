//! Why there is no key.

use std::fmt;

use crate::{KeyRef, Problem};

/// Why a reference has no key: the reference, and what is wrong where it leads; from [`KeyRef::read`], [`NoKey::errors`] and
/// [`WatchStatus::last_error`](crate::WatchStatus::last_error). It never holds what was read.
#[derive(Clone)]
pub struct KeyError {
    inner: Box<(KeyRef, Problem)>,
}

impl KeyError {
    pub(crate) fn new(reference: KeyRef, problem: Problem) -> Self {
        Self { inner: Box::new((reference, problem)) }
    }

    /// The reference (a variable, a file or a command) from which no key could be read. The arguments of a command may be secret:
    /// [`KeyRef::text`] has them, `Display` leaves them out.
    #[must_use]
    pub fn reference(&self) -> &KeyRef {
        &self.inner.0
    }

    /// Why no key could be read from the [reference](Self::reference); it never holds what was read.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.inner.1
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.0, self.inner.1)
    }
}

/// Why no reference of a [`KeyChain`](crate::KeyChain) has a key; from [`KeyChain::read`](crate::KeyChain::read).
#[derive(Clone)]
pub struct NoKey {
    pub(crate) errors: Vec<KeyError>,
}

impl NoKey {
    /// One error for each reference of the chain, in its order; empty for an empty chain.
    #[must_use]
    pub fn errors(&self) -> &[KeyError] {
        &self.errors
    }
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errors.is_empty() {
            return f.write_str("there is no API key: no reference to one was given");
        }
        f.write_str("there is no API key")?;
        self.errors.iter().try_for_each(|error| write!(f, "; {error}"))
    }
}

impl std::error::Error for KeyError {}
impl std::error::Error for NoKey {}

/// `Debug` is `Display`, because `fn main() -> Result` prints the `Debug` of the error that it returns.
impl fmt::Debug for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
