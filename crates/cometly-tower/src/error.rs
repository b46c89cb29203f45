//! The error of a service, with a type of its own: a boxed error is no [`Error`](StdError).

use std::{error::Error as StdError, fmt, io, iter};

use cometly_core::{CallError, TransportError};

/// Why a call has no result: a [`CallError`]. Its [`kind`](CallError::kind) says what failed; if that was the service, its
/// source is a [`ServiceError`].
pub type Error = CallError<ServiceError>;

/// Why an attempt has no response.
pub(crate) type Failure = TransportError<ServiceError>;

/// A boxed error of any service, as tower's layers make it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The error of the service, or of the body of its response (also of a body whose length is not what its `Content-Length`
/// says), boxed: the source of an [`Error`] that the service caused. [`find`](Self::find) gives the first error of a type in
/// it, [`chain`](Self::chain) each one.
#[derive(Debug)]
pub struct ServiceError(BoxError);

/// Deeper chains of sources are cut: none is as deep.
const MAX_DEPTH: usize = 64;

impl ServiceError {
    /// Wraps an error, boxed or not, whose text becomes that of this one.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// The first error of type `T` in the [chain](Self::chain), through the boxes that layers put around it; `None` if there is
    /// none.
    #[must_use]
    pub fn find<T: StdError + 'static>(&self) -> Option<&T> {
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// The error and all of its sources, outermost first, at most 64. The error that an [`io::Error`] wraps is among them,
    /// although [`source`](StdError::source) passes over it.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        let first: &(dyn StdError + 'static) = self.0.as_ref();
        iter::successors(Some(first), |error| below(*error)).take(MAX_DEPTH)
    }
}

fn below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(within) => Some(within),
        None => error.source(),
    }
}

/// The text of the wrapped error.
impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The source is that of the wrapped error, whose text this one shows itself.
impl StdError for ServiceError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_below_boxes_and_io_errors() {
        let inner = "x".parse::<u8>().unwrap_err();
        let error = ServiceError::new(io::Error::other(io::Error::other(inner.clone())));
        assert_eq!(error.find(), Some(&inner));
        assert!(error.find::<fmt::Error>().is_none());
        assert_eq!(error.chain().count(), 3);
        assert_eq!(ServiceError::new(inner.clone()).find(), Some(&inner));
    }

    #[test]
    fn a_text_is_shown_once_and_has_the_source_of_the_error_within() {
        let error = ServiceError::new(io::Error::new(io::ErrorKind::TimedOut, fmt::Error));
        assert_eq!(error.to_string(), fmt::Error.to_string());
        assert!(error.source().is_none());
    }
}
