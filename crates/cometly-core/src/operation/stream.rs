//! A success whose body is read piece by piece: its start is judged, its bytes are counted, and an error names the call.

use http::{StatusCode, response::Parts};

use super::Attempt;
use crate::{
    CallError, TransportError,
    answer::{begins_success, is_blank},
    call_error::{History, ReachedLimit},
};

impl Attempt {
    /// Whether an answer is a success, by its head and a piece of its body; `None` if the piece is white space only, so that
    /// the next one decides.
    ///
    /// A client that hands bodies on in pieces asks this of each piece until the answer is `Some`. If it is true, the client
    /// gives [`finish`](Self::finish) a body whose `as_ref` is the pieces so far, and reads the rest later. If it is false,
    /// or the body ends first, the client gives `finish` the whole body.
    #[must_use]
    pub fn begins_success(&self, head: &Parts, piece: &[u8]) -> Option<bool> {
        if is_blank(piece) { None } else { Some(begins_success(head, piece)) }
    }

    /// A counter for the bytes of the body of an answer with this status; it fails beyond
    /// [`max_body_size`](crate::TransportLimits::max_body_size), 32 MiB by default.
    #[must_use]
    pub fn body_meter(&self, status: StatusCode) -> BodyMeter {
        let most = self.state.limits.max_body_size;
        BodyMeter { history: self.state.history(), status, most, left: most, is_broken: false }
    }
}

/// Counts the bytes of a body that is read piece by piece, and names its call in errors; from [`Attempt::body_meter`].
/// [`add`](Self::add) fails for a body that is too large, [`check`](Self::check) after a body broke off. For authors of
/// clients.
#[derive(Clone)]
pub struct BodyMeter {
    history: History,
    status: StatusCode,
    most: usize,
    left: usize,
    is_broken: bool,
}

impl BodyMeter {
    /// Counts a piece of `len` bytes.
    ///
    /// # Errors
    /// [`TransportError::too_large`] if the body is then longer than [`max_body_size`](crate::TransportLimits::max_body_size),
    /// 32 MiB by default; the piece is not counted then.
    pub fn add<E>(&mut self, len: usize) -> Result<(), TransportError<E>> {
        self.left = self.left.checked_sub(len).ok_or_else(|| TransportError::too_large(Some(self.status)))?;
        Ok(())
    }

    /// Checks that the body has not broken off. Call it before each read, so that a broken body is not taken for one that
    /// ended.
    ///
    /// # Errors
    /// [`CallError`] of the kind [`Transport`](crate::CallErrorKind::Transport) once [`failed`](Self::failed) was called.
    pub fn check<E>(&self) -> Result<(), CallError<E>> {
        if self.is_broken {
            return Err(CallError::transport(TransportError::broken(), None, self.history.clone()));
        }
        Ok(())
    }

    /// The error to give to the caller if the body cannot be read to its end. It has the kind of `error`
    /// ([`Timeout`](crate::CallErrorKind::Timeout), [`TooLarge`](crate::CallErrorKind::TooLarge),
    /// [`Transport`](crate::CallErrorKind::Transport)), and [`BodySize`](crate::ReachedLimit::BodySize) as its limit if the body is
    /// too large. The call is not sent again, and every later [`check`](Self::check) fails.
    #[must_use]
    pub fn failed<E>(&mut self, error: TransportError<E>) -> CallError<E> {
        self.is_broken = true;
        let limit = error.is_too_large().then_some(ReachedLimit::BodySize(self.most));
        CallError::transport(error, limit, self.history.clone())
    }
}

impl std::fmt::Debug for BodyMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyMeter").field("most", &self.most).field("left", &self.left).finish_non_exhaustive()
    }
}
