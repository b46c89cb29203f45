//! The answer of a call that failed, as an error.

use std::{fmt, time::Duration};

use http::StatusCode;

use crate::{Answer, ApiErrorKind, FieldError, KeyStatus, RateLimit};

use super::outcome::write_failure;

/// What came back when it was not a success: from [`AuthOutcome::into_result`](crate::AuthOutcome::into_result).
///
/// Owns all that it says, keeps nothing of the key and nothing of the body but the API's own words, and is one pointer
/// wide.
#[derive(Clone)]
pub struct ApiError(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ApiErrorKind,
    status: StatusCode,
    rate_limit: RateLimit,
    retry_after: Option<Duration>,
    tries: u32,
    message: Option<Box<str>>,
    field_errors: Box<[FieldError<'static>]>,
}

impl ApiError {
    pub(crate) fn new<B: AsRef<[u8]>>(answer: &Answer<B>) -> Self {
        Self(Box::new(Details {
            kind: answer.kind,
            status: answer.status,
            rate_limit: answer.rate_limit(),
            retry_after: answer.retry_after(),
            tries: answer.tries,
            message: answer.message().map(Into::into),
            field_errors: answer.field_errors().into_iter().map(FieldError::into_owned).collect(),
        }))
    }

    /// What happened: to branch on.
    #[must_use]
    pub fn kind(&self) -> ApiErrorKind {
        self.0.kind
    }

    /// What it says of the key.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.0.kind.key_status(self.0.status, self.0.rate_limit)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The limit that the call counted against, if it did.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        self.0.rate_limit
    }

    /// How long the server asks to wait: see [`Answer::retry_after`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How often the call was sent: see [`Answer::tries`].
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.0.tries
    }

    /// The API's words: see [`Answer::message`].
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// What the API found wrong with each field, for a 422.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError<'static>] {
        &self.0.field_errors
    }
}

/// What happened, and what to do about it.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_failure(f, self.0.kind, self.0.status, self.0.retry_after, self.0.tries, self.message())
    }
}

debug_as_display!(ApiError);

impl std::error::Error for ApiError {}
