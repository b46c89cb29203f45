//! What came back: a success with its body, or an answer with its words.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{error_body::Words, rate_limit};
use crate::{ApiErrorKind, DecodeError, FieldError, KeyStatus, RateLimit};

/// A success: the status, the headers and the body as they came, not yet read.
#[derive(Clone)]
pub struct Reply<B> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) tries: u32,
    pub(crate) body: B,
}

impl<B> Reply<B> {
    /// The status: 200, 201 for something created, 202 for something queued.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The limit that this call counted against.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::read(&self.headers)
    }

    /// The headers as they came. `cf-ray`, for one, is what a support desk asks for.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How often the call was sent until it succeeded, if an [`Attempt`](crate::Attempt) counted it; else 1.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The body as it came, taken out.
    #[must_use]
    pub fn into_body(self) -> B {
        self.body
    }
}

impl<B: AsRef<[u8]>> Reply<B> {
    /// Reads the body as JSON; texts can be borrowed from it.
    ///
    /// # Errors
    /// [`DecodeError`] says what kind of thing is wrong and where, and never shows the body.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey, http};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let reply = api.read(http::Response::new(r#"{"data": [1, 2]}"#)).into_result()?;
    /// let page: std::collections::HashMap<&str, Vec<u32>> = reply.json()?;
    /// assert_eq!(page["data"], [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, DecodeError> {
        serde_json::from_slice(self.body.as_ref()).map_err(|error| DecodeError::new(&error))
    }
}

/// Shows the length of the body, not the body, nor a header.
impl<B: AsRef<[u8]>> fmt::Debug for Reply<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("rate_limit", &self.rate_limit())
            .field("tries", &self.tries)
            .field("body_len", &self.body.as_ref().len())
            .finish_non_exhaustive()
    }
}

/// An answer that is not a success: its status, its headers, and the API's words, with our key masked.
#[derive(Clone)]
pub struct Answer<B> {
    pub(crate) kind: ApiErrorKind,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) tries: u32,
    pub(crate) words: Option<Words>,
    pub(crate) body: B,
}

impl<B> Answer<B> {
    /// What it says of the key.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.kind.key_status(self.status, self.rate_limit())
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The limit that this call counted against, if it did.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::read(&self.headers)
    }

    /// The headers as they came. `cf-ray`, for one, is what a support desk asks for.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// How long the server asks to wait before the next try: seconds or a date, measured against the answer's own
    /// `Date`. At most [`RateLimit::MAX_RETRY_AFTER`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        rate_limit::retry_after(&self.headers)
    }

    /// How often the call was sent, if an [`Attempt`](crate::Attempt) counted it; else 1.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }
}

impl<B: AsRef<[u8]>> Answer<B> {
    /// The API's `message`: at most 1 KiB, our key masked, control and bidirectional characters escaped. `None` if the
    /// API did not answer or said nothing.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.words.as_ref()?.message(self.body.as_ref())
    }

    /// What the API found wrong with each field, for a 422; cleaned as the message is, at most 256, and no deeper than in
    /// eight lists or objects.
    #[must_use]
    pub fn field_errors(&self) -> Vec<FieldError<'_>> {
        self.words.as_ref().map(|words| words.field_errors(self.body.as_ref())).unwrap_or_default()
    }
}

/// Shows the message, and the length of the body.
impl<B: AsRef<[u8]>> fmt::Debug for Answer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("kind", &self.kind)
            .field("status", &self.status)
            .field("rate_limit", &self.rate_limit())
            .field("retry_after", &self.retry_after())
            .field("message", &self.message())
            .field("body_len", &self.body.as_ref().len())
            .finish_non_exhaustive()
    }
}
