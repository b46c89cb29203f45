//! What one call and one attempt may use of time and memory, on any transport.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::TransportError;

/// How much time and memory a call and each of its attempts may take: the same on every client, whatever its HTTP stack's own
/// limits are. What goes beyond them fails with [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout) or
/// [`CallErrorKind::TooLarge`](crate::CallErrorKind::TooLarge).
///
/// The core sets no timer and reads no socket; a client keeps to what an [`Attempt`](crate::Attempt) says.
///
/// ```
/// # use cometly_core::{TransportError, TransportLimits, http};
/// let limits = TransportLimits::default();
/// let huge = http::HeaderValue::from_str(&"x".repeat(70_000))?;
/// let headers = http::HeaderMap::from_iter([(http::header::SERVER, huge)]);
/// let refused: Result<(), TransportError<std::io::Error>> = limits.check_head(http::StatusCode::OK, &headers);
/// assert!(refused.is_err());
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportLimits {
    /// How long a whole call may take, all attempts and waits included. `None`, the default, leaves it to the
    /// [`RetryPolicy`](crate::RetryPolicy), which says 60 s by default. [`Call::timeout`](crate::Call::timeout) sets another for
    /// one call. When it is over, the call fails with [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout).
    pub timeout: Option<Duration>,
    /// How long one attempt may take, connecting and the body included. `None`, the default, means as long as the call may take if
    /// `timeout` or [`Call::timeout`](crate::Call::timeout) is set, else [30 s](Self::DEFAULT_ATTEMPT_TIMEOUT). When it is over,
    /// the call is sent again if the [`RetryPolicy`](crate::RetryPolicy) says so, else it fails with
    /// [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout). More than a [hundred years](Self::MAX_TIMEOUT) counts as a
    /// hundred.
    pub attempt_timeout: Option<Duration>,
    /// How long one connection may take to be made, proxy and TLS included; 10 s by default. An attempt without a connection by
    /// then counts as one that timed out and was not sent. It has no effect on `cometly-tower`, whose service connects itself,
    /// and on a reqwest client that is built already.
    pub connect_timeout: Duration,
    /// The most bytes of body that are read of an answer; 32 MiB by default. A longer body fails the call with
    /// [`CallErrorKind::TooLarge`](crate::CallErrorKind::TooLarge). It does not bound the file of an export.
    pub max_body_size: usize,
}

impl TransportLimits {
    /// How long an attempt may take if neither `attempt_timeout` nor a time-out of the whole call or client is set: 30 s.
    pub const DEFAULT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
    /// The longest time-out of an attempt, and of connecting: a hundred years of 365 days. A longer one counts as this, since
    /// some HTTP stacks panic at [`Duration::MAX`].
    pub const MAX_TIMEOUT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    /// The most header lines that an answer may have: 100. More fail the call with
    /// [`CallErrorKind::TooLarge`](crate::CallErrorKind::TooLarge).
    pub const MAX_HEADERS: usize = 100;
    /// The most bytes that the header lines of an answer may have together: 64 KiB. More fail the call with
    /// [`CallErrorKind::TooLarge`](crate::CallErrorKind::TooLarge).
    pub const MAX_HEADER_SIZE: usize = 64 * 1024;

    /// Checks the head of an answer against [`MAX_HEADERS`](Self::MAX_HEADERS) and [`MAX_HEADER_SIZE`](Self::MAX_HEADER_SIZE).
    ///
    /// # Errors
    /// A [`TransportError`] that becomes [`CallErrorKind::TooLarge`](crate::CallErrorKind::TooLarge), if it has more than 100
    /// header lines, or more than 64 KiB of them, each counted as on the wire: name, `: `, value and line break.
    pub fn check_head<E>(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), TransportError<E>> {
        // As on the wire: `name: value` and a line break.
        let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            name.as_str().len().saturating_add(value.len()).saturating_add(4)
        };
        let size = headers.iter().map(line).fold(0, usize::saturating_add);
        if headers.len() > Self::MAX_HEADERS || size > Self::MAX_HEADER_SIZE {
            return Err(TransportError::head_too_large(Some(status)));
        }
        Ok(())
    }

    /// Appends the bytes `read` to `body`, if the limit allows it.
    ///
    /// # Errors
    /// [`TransportError::too_large`] if the body is then longer than [`max_body_size`](Self::max_body_size), 32 MiB by default;
    /// nothing is appended.
    pub fn extend_body<E>(&self, status: StatusCode, body: &mut Vec<u8>, read: &[u8]) -> Result<(), TransportError<E>> {
        if read.len() > self.max_body_size.saturating_sub(body.len()) {
            return Err(TransportError::too_large(Some(status)));
        }
        body.extend_from_slice(read);
        Ok(())
    }
}

impl Default for TransportLimits {
    fn default() -> Self {
        Self {
            timeout: None,
            attempt_timeout: None,
            connect_timeout: Duration::from_secs(10),
            max_body_size: 32 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn fits(count: usize, value_len: usize) -> bool {
        let value = HeaderValue::try_from("v".repeat(value_len)).unwrap();
        let name = |n| HeaderName::try_from(format!("x-{n:04}")).unwrap();
        let headers = (0..count).map(|n| (name(n), value.clone())).collect();
        TransportLimits::default().check_head::<()>(StatusCode::OK, &headers).is_ok()
    }

    #[test]
    fn the_limits_are_what_their_docs_say() {
        let seconds = |seconds| Duration::from_secs(seconds);
        let TransportLimits { timeout, attempt_timeout, connect_timeout, max_body_size } = TransportLimits::default();
        assert_eq!((timeout, attempt_timeout, connect_timeout, max_body_size), (None, None, seconds(10), 33_554_432));
        assert_eq!(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT, seconds(30));
        assert_eq!(TransportLimits::MAX_TIMEOUT, seconds(3_153_600_000), "a hundred years of 365 days");
    }

    #[test]
    fn a_head_may_have_100_lines_and_64_kib() {
        assert!(fits(100, 1) && !fits(101, 1));
        assert!(fits(1, 64 * 1024 - 10) && !fits(1, 64 * 1024 - 9));
    }

    #[test]
    fn a_body_may_be_as_large_as_the_cap_and_no_larger() {
        let limits = TransportLimits { max_body_size: 5, ..TransportLimits::default() };
        let mut body = Vec::new();
        let mut extend = |read: &[u8]| limits.extend_body::<()>(StatusCode::OK, &mut body, read).is_ok();
        assert!(extend(b"abc") && extend(b"de") && extend(b"") && !extend(b"f"));
        assert_eq!(body, b"abcde");
    }
}
