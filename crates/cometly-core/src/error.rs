//! What can go wrong beside the API's own answers.

use std::{error::Error, fmt};

use http::HeaderName;

use crate::{ApiError, ApiKey, Call, CallError};

/// Shows what a person is told, for `main` prints the `Debug` of the error that it returns.
macro_rules! debug_as_display {
    ($($error:ty),+) => {
        $(impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        })+
    };
}
pub(crate) use debug_as_display;

debug_as_display!(RequestError, InvalidUserAgent, DecodeError);

/// What is wrong with a call before anything is sent. Names the kind, never the value.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A path that would need encoding, or with an empty or dot segment.
    #[error(
        "the path is not a plain template: expected segments of letters, digits and - . _ ~, or {{name}} for a value \
         that `segment` gives, as in contacts/{{id}}"
    )]
    Path,
    /// A path value that is empty, `.` or `..`.
    #[error("a path segment is empty, '.' or '..', which would name another resource: expected an id")]
    Segment,
    /// A placeholder without its value.
    #[error("the path has a {{placeholder}} without a value: call `segment` once for each")]
    MissingSegment,
    /// A value without a placeholder.
    #[error("`segment` was called more often than the path has {{placeholders}}: write them into the path")]
    SurplusSegment,
    /// A value whose `Display` failed.
    #[error("a path or query value could not be written as text: its `Display` failed")]
    Value,
    /// Path and query together are longer than [`Call::MAX_TARGET_LEN`].
    #[error("path and query are longer than {} bytes: ask for less in one call", Call::MAX_TARGET_LEN)]
    TooLong,
    /// A method that the API does not have.
    #[error("the method is not one of the API's: expected GET, POST, PUT, PATCH or DELETE")]
    Method,
    /// A body with GET or DELETE.
    #[error("a GET or DELETE call has a body, which servers ignore: use `query`, or POST")]
    Body,
    /// A value that is not JSON.
    #[error("the body could not be written as JSON: a map key that is not text, or a failing `Serialize`")]
    Json,
    /// An idempotency key that would not arrive as meant.
    #[error(
        "the idempotency key cannot be added: expected a key that is neither empty nor padded, and a JSON object that \
         does not hold another idempotency_key"
    )]
    IdempotencyKey,
    /// A request to another place than the base URL's.
    #[error(
        "the request goes to another origin than the base URL, and does not get the key: expected the same scheme, host and port"
    )]
    Origin,
    /// A header that is ours to set, or that must not be sent.
    #[error("the request already has the header {name}, which is not the caller's to set: remove it")]
    Header {
        /// Its name.
        name: HeaderName,
    },
}

/// A `User-Agent` that cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the User-Agent is not a product name: expected 1 to 256 visible ASCII characters as in my-sdk/1.2")]
pub struct InvalidUserAgent(pub(crate) ());

/// A success whose body was not the JSON that the caller expected. Tells the place, never the content.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call succeeded, but its JSON {category} at line {line} column {column}")]
pub struct DecodeError {
    category: DecodeCategory,
    line: usize,
    column: usize,
}

/// What kind of thing is wrong with the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeCategory {
    /// It is not well-formed.
    Syntax,
    /// It is JSON, but of another shape or type.
    Data,
    /// It ends too early.
    Eof,
}

impl fmt::Display for DecodeCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "is not well-formed JSON",
            Self::Data => "has a wrong type or value",
            Self::Eof => "ends too early",
        })
    }
}

impl DecodeError {
    pub(crate) fn new(error: &serde_json::Error) -> Self {
        let category = match error.classify() {
            serde_json::error::Category::Data => DecodeCategory::Data,
            serde_json::error::Category::Eof => DecodeCategory::Eof,
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => DecodeCategory::Syntax,
        };
        Self { category, line: error.line(), column: error.column() }
    }

    /// What kind of thing is wrong.
    #[must_use]
    pub fn category(&self) -> DecodeCategory {
        self.category
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in bytes, from 1; 0 right behind a line break, or before the first byte.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

/// What is known of a call that got no answer: whether it may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The server never got it: safe to send again, whatever the method.
    NotSent,
    /// The server's certificate was refused, before anything was sent. Trying again does not help.
    Untrusted,
    /// It may have arrived and been carried out. Safe to send again only if the call is
    /// [idempotent](Call::is_idempotent).
    Unknown,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "nothing was sent, so it is safe to send it again",
            Self::Untrusted => {
                "the server's certificate was not trusted and nothing was sent; check the base URL, the clock, and for a \
                 proxy that opens TLS"
            }
            Self::Unknown => "it may have arrived; send it again only if doing it twice does no harm",
        })
    }
}

/// Asserted rather than hoped for: these cross threads in every program that uses them.
const _: () = {
    const fn assert<T: Send + Sync + Clone + 'static>() {}
    const fn assert_moved<T: Send + Sync + 'static>() {}
    const fn assert_error<T: Error + Send + Sync + 'static>() {}
    assert::<ApiKey>();
    assert::<crate::Api>();
    assert::<Call>();
    assert::<crate::AuthOutcome<bytes::Bytes>>();
    assert::<crate::RetryPolicy>();
    assert::<crate::RetryBudget>();
    assert::<crate::Pacer>();
    assert_moved::<crate::Attempt>();
    assert_moved::<crate::Step<bytes::Bytes, std::io::Error>>();
    assert_error::<ApiError>();
    assert_error::<CallError<std::io::Error>>();
};
