//! What one try of a call may use of time and memory, on any transport.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::CallError;

/// What one try of a call may use of time and memory: the same on every adapter, whatever its HTTP stack's own limits are.
///
/// The core sets no timer and reads no socket; an adapter keeps to these. How long the whole call may take, with all of
/// its tries, is the [`RetryPolicy`](crate::RetryPolicy)'s.
///
/// ```
/// # use cometly_core::{CallError, Limits, http};
/// let limits = Limits::default();
/// let huge = http::HeaderValue::from_str(&"x".repeat(70_000))?;
/// let headers = http::HeaderMap::from_iter([(http::header::SERVER, huge)]);
/// let refused: Result<(), CallError<std::io::Error>> = limits.check_head(http::StatusCode::OK, &headers);
/// assert!(matches!(refused, Err(CallError::TooLarge { .. })));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long one try may take, connecting and the body included; 30 s by default.
    pub try_timeout: Duration,
    /// How long connecting may take; 10 s by default.
    pub connect_timeout: Duration,
    /// The most bytes of body that are read; 32 MiB by default.
    pub max_body_size: usize,
}

impl Limits {
    /// The longest time-out that makes a difference: a hundred years. Some HTTP stacks panic at [`Duration::MAX`].
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    /// The most header lines of an answer.
    pub const MAX_HEADERS: usize = 100;
    /// The most bytes of header lines of an answer.
    pub const MAX_HEADER_SIZE: usize = 64 * 1024;

    /// Checks the head of an answer.
    ///
    /// # Errors
    /// [`CallError::TooLarge`] if it has more header lines or bytes than are taken.
    pub fn check_head<T>(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), CallError<T>> {
        // As on the wire: `name: value` and a line break.
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len().saturating_add(value.len()).saturating_add(4)
        };
        let size = headers.iter().map(line).fold(0, usize::saturating_add);
        if headers.len() > Self::MAX_HEADERS || size > Self::MAX_HEADER_SIZE {
            return Err(CallError::too_large(Some(status)));
        }
        Ok(())
    }

    /// Adds what was read to a body.
    ///
    /// # Errors
    /// [`CallError::TooLarge`] if it is then longer than is taken; nothing was added.
    pub fn extend_body<T>(&self, status: StatusCode, body: &mut Vec<u8>, read: &[u8]) -> Result<(), CallError<T>> {
        if read.len() > self.max_body_size.saturating_sub(body.len()) {
            return Err(CallError::too_large(Some(status)));
        }
        body.extend_from_slice(read);
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            try_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_body_size: 32 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn is_too_large(count: usize, value_len: usize) -> bool {
        let value = HeaderValue::try_from("v".repeat(value_len)).unwrap();
        let name = |n| HeaderName::try_from(format!("x-{n:04}")).unwrap();
        let headers = (0..count).map(|n| (name(n), value.clone())).collect();
        let checked = Limits::default().check_head::<()>(StatusCode::OK, &headers);
        matches!(checked, Err(CallError::TooLarge { status: Some(StatusCode::OK), .. }))
    }

    #[test]
    fn the_limits_are_what_their_docs_say() {
        let seconds = |seconds| Duration::from_secs(seconds);
        let Limits { try_timeout, connect_timeout, max_body_size } = Limits::default();
        assert_eq!((try_timeout, connect_timeout, max_body_size), (seconds(30), seconds(10), 33_554_432));
        assert_eq!(Limits::MAX_TIMEOUT, seconds(3_153_600_000), "a hundred years of 365 days");
    }

    #[test]
    fn a_head_may_have_100_lines_and_64_kib() {
        assert!(!is_too_large(100, 1) && is_too_large(101, 1));
        assert!(!is_too_large(1, 64 * 1024 - 10) && is_too_large(1, 64 * 1024 - 9));
    }

    #[test]
    fn a_body_may_be_as_large_as_the_cap_and_no_larger() {
        let limits = Limits { max_body_size: 5, ..Limits::default() };
        let mut body = Vec::new();
        let mut extend = |read: &[u8]| limits.extend_body::<()>(StatusCode::OK, &mut body, read).is_ok();
        assert!(extend(b"abc") && extend(b"de") && extend(b"") && !extend(b"f"));
        assert_eq!(body, b"abcde");
    }
}
