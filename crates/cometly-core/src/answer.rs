//! What came back. [`classify`] reads a response by status, headers and body into an [`AuthOutcome`]: a [`Reply`] for a
//! success, an [`ApiError`] for everything else. What a server wrote is shown only with our keys masked and control
//! characters escaped.

mod api_error;
mod classify;
mod decode_error;
mod error_body;
mod json;
mod outcome;
mod rate_limit;
mod redact;
mod reply;

pub use api_error::ApiError;
pub(crate) use classify::{begins_success, classify, is_blank};
pub use decode_error::{DecodeCategory, DecodeError};
pub use error_body::FieldError;
pub use outcome::{ApiErrorKind, AuthOutcome, ForbiddenReason, KeyStatus, Redirected, UnexpectedCause};
pub use rate_limit::RateLimit;
pub(crate) use rate_limit::{Wait, http_date};
pub(crate) use redact::{MAX_LEN, escape};
pub use reply::Reply;
