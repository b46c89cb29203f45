//! An answer that is not a success, as an error.

use std::{borrow::Cow, fmt, time::Duration};

use http::{HeaderMap, StatusCode};

use super::{error_body::ErrorBody, rate_limit::Wait};
use crate::{ApiErrorKind, FieldError, KeyStatus, RateLimit, call_name::CallName};

/// The most fields that `Display` names.
const MAX_SHOWN_FIELDS: usize = 8;

/// An answer of the API, or of something in front of it, that is not a success: what happened, and what it said.
/// [`AuthOutcome::into_result`](crate::AuthOutcome::into_result), [`AuthOutcome::error`](crate::AuthOutcome::error) and
/// [`CallError::api_error`](crate::CallError::api_error) give it; [`kind`](Self::kind) says which answer it is.
///
/// It owns all that it holds and is one pointer wide. What it shows of the body, at most 8 KiB by
/// [`body_text`](Self::body_text), has the API keys of the [`Api`](crate::Api) masked, the one in use and the last four
/// before it, since a server may quote one; [`headers`](Self::headers) gives the answer's headers as they came, with nothing
/// masked. A refusal is judged by the first 64 KiB of its body, so that a longer body costs no more to read.
#[derive(Clone)]
pub struct ApiError(Box<Details>);

#[derive(Clone)]
struct Details {
    kind: ApiErrorKind,
    status: StatusCode,
    headers: HeaderMap,
    attempts: u32,
    /// Which call it answers, if an [`Operation`](crate::Operation) sent it.
    call: Option<CallName>,
    body: ErrorBody,
}

impl ApiError {
    pub(super) fn new(kind: ApiErrorKind, status: StatusCode, headers: HeaderMap, body: ErrorBody) -> Self {
        Self(Box::new(Details { kind, status, headers, attempts: 1, call: None, body }))
    }

    /// Which kind of answer this is, to branch on: the key refused, the rate limit used up, and so on, as [`ApiErrorKind`]
    /// lists.
    #[must_use]
    pub fn kind(&self) -> ApiErrorKind {
        self.0.kind
    }

    /// The HTTP status of the answer: a 4xx or 5xx; any, also a 2xx, if the kind is [`Unexpected`](ApiErrorKind::Unexpected).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The headers of the answer as they came. Cometly's support may ask for `cf-ray`.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The rate limit that this call counted against, by the `X-RateLimit-*` headers, such as how many calls are left. Each
    /// number is `None` if its header is missing or cannot be read, all of them if there are no such headers.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::read(self.headers())
    }

    /// How long the server asks to wait before the next call; a wait of more than [`RateLimit::MAX_RETRY_AFTER`], 365 days, is
    /// cut to that, and a time that is past is a wait of zero, as is `Retry-After: 0`. `None` if it names no wait, or one whose
    /// length cannot be read, such as a date in an answer without a `Date`; after a 429, retries and the
    /// [`Pacer`](crate::Pacer) then wait for one window, a minute if no other length is known.
    ///
    /// Read from `Retry-After` in seconds, with or without a fraction, or as an HTTP-date; of several values the longest. If
    /// that gives no length, from `X-RateLimit-Reset`: the second since the Unix epoch at which the window ends. A number there
    /// that is less than 10^9 is the seconds that are left, one of 10^11 or more the millisecond at which it ends. A date, and
    /// a reset that is a point in time, are measured by the answer's own `Date`, since the core has no clock.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.wait().known()
    }

    pub(crate) fn wait(&self) -> Wait {
        Wait::read(self.headers())
    }

    /// What the answer says of the key that the call carried: accepted, not allowed, refused, or nothing. The table of
    /// [`AuthOutcome`](crate::AuthOutcome) has which answer says what.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.kind().key_status(self.status(), || self.rate_limit())
    }

    /// How many attempts the call took, the first included, if a client or an [`Operation`](crate::Operation) sent it; else 1.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    pub(super) fn set_origin(&mut self, call: CallName, attempts: u32) {
        (self.0.call, self.0.attempts) = (Some(call), attempts);
    }

    pub(crate) fn call(&self) -> Option<&CallName> {
        self.0.call.as_ref()
    }

    /// The API's `message`: at most 1 KiB, with our keys masked, control and bidirectional characters escaped, and text
    /// that is not sound Unicode read lossily. Of a `message` that is a list or an object, the first text in it. `None` if
    /// the body is no JSON object or has no text there, and if the kind is [`Unexpected`](ApiErrorKind::Unexpected).
    ///
    /// For `application/problem+json` without a `message` it is the `detail`
    /// ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457#section-3.1.4)).
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.0.body.message()
    }

    /// What the API found wrong with each field of the call, by the `errors` of its answer, mostly a 422; empty if it named
    /// none. At most 256, each text at most 1 KiB and shown as [`message`](Self::message) is; texts deeper than in eight lists
    /// or objects are left out.
    #[must_use]
    pub fn field_errors(&self) -> Vec<FieldError<'_>> {
        self.0.body.field_errors()
    }

    /// The body as text, for logs: a proxy's page, or JSON of another shape. At most 8 KiB, a longer one cut off with `…`; read
    /// lossily, with our keys masked and control characters, line breaks included, escaped. Empty if the body is.
    #[must_use]
    pub fn body_text(&self) -> Cow<'_, str> {
        self.0.body.text()
    }
}

/// What happened, what to do about it, and what the API said. A 422 names its fields.
impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = self.call() {
            write!(f, "{call}: ")?;
        }
        write!(f, "{} (HTTP {}", self.kind(), self.status().as_u16())?;
        if let Some(wait) = self.retry_after() {
            write!(f, ", retry after {} s", wait.as_secs_f64().ceil())?;
        }
        if self.attempts() > 1 {
            write!(f, ", {} attempts", self.attempts())?;
        }
        f.write_str(")")?;
        let message = self.message().unwrap_or_default();
        if !message.is_empty() {
            write!(f, "; Cometly says: {message}")?;
        }
        write_fields(f, &self.field_errors(), message)
    }
}

/// Each field once with its first message, which is left out if it is the answer's own.
fn write_fields(f: &mut fmt::Formatter<'_>, errors: &[FieldError<'_>], message: &str) -> fmt::Result {
    let mut shown: Vec<&str> = Vec::new();
    for FieldError { field, message: wrong } in errors {
        if shown.contains(field) {
            continue;
        }
        if shown.len() >= MAX_SHOWN_FIELDS {
            return f.write_str(", …");
        }
        f.write_str(if shown.is_empty() { "; fields: " } else { ", " })?;
        f.write_str(if field.is_empty() { "(unnamed)" } else { field })?;
        if *wrong != message {
            write!(f, " ({wrong})")?;
        }
        shown.push(field);
    }
    Ok(())
}

debug_as_display!(ApiError);

impl std::error::Error for ApiError {}
