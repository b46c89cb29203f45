//! What is wrong with a call before it is sent.

use std::{error::Error, fmt, sync::Arc};

use http::HeaderName;

use crate::Call;

/// What is wrong with a call before anything is sent. Names the kind, never the value.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A path with an empty or dot segment, or with a character that would need encoding.
    #[error(
        "the path is not a plain template: expected segments of letters, digits and - . _ ~, or {{name}} for a value \
         that `segment` gives and encodes, as in contacts/{{id}}"
    )]
    Path,
    /// A path that is a whole URL.
    #[error(
        "the path is a whole URL: a path begins after the base URL, that is after /public-api/v1, as in events; where the \
         API is, is said by the `BaseUrl` that the `Api` was built with"
    )]
    PathIsUrl,
    /// A path with a `?`.
    #[error("the path has a query: give each name and value through `query`, which encodes them")]
    PathHasQuery,
    /// A path that repeats the base URL's own.
    #[error("the path repeats the base URL's: a path begins after /public-api/v1, as in events")]
    PathHasBase,
    /// A path value that is empty, or is or holds a dot segment: `.`, `..`, `a/../b`.
    #[error(
        "a path segment is empty, '.' or '..', or has one between slashes, which would name another resource: expected an id"
    )]
    Segment,
    /// A placeholder without its value.
    #[error("the path has a {{placeholder}} without a value: call `segment` once for each")]
    MissingSegment,
    /// A value without a placeholder.
    #[error("`segment` was called more often than the path has {{placeholders}}: write them into the path")]
    SurplusSegment,
    /// A value whose `Display` or `Serialize` failed.
    #[error("a path or query value could not be written as text: its `Display` or `Serialize` failed")]
    Value,
    /// A field of a query struct that is not one value; see [`Call::query_from`].
    #[error(
        "the query field `{field}` is not one value: expected text, a finite number, a bool, or an Option of these \
         (None is left out); for a list call `query_all`"
    )]
    QueryField {
        /// The field's name.
        field: Box<str>,
    },
    /// What [`Call::query_from`] was given has no named fields.
    #[error(
        "`query_from` was given something without named fields: expected a struct or a map; for one pair call `query`"
    )]
    QueryShape,
    /// Path and query together are longer than [`Call::MAX_TARGET_LEN`].
    #[error("path and query are longer than {} bytes: ask for less in one call", Call::MAX_TARGET_LEN)]
    TooLong,
    /// A method that the API does not have.
    #[error("the method is not one of the API's: expected GET, POST, PUT, PATCH or DELETE")]
    Method,
    /// A body with GET or DELETE.
    #[error("a GET or DELETE call has a body, which servers ignore: use `query`, or POST")]
    Body,
    /// A value that is not JSON, a number that is NaN or infinite included. The reason is its source.
    #[error("the body could not be written as JSON")]
    Json {
        /// What serde said.
        source: EncodeError,
    },
    /// An idempotency key that would not arrive as meant.
    #[error(
        "the idempotency key cannot be added: expected a key that is not empty and neither begins nor ends with white \
         space or invisible characters, which the backend removes, and a body that is a JSON object and does not hold \
         another idempotency_key"
    )]
    IdempotencyKey,
    /// A time-out of zero.
    #[error("the call's time-out is zero: expected a time in which it can be sent, or no `timeout` at all")]
    Timeout,
    /// A request to another place than the base URL's.
    #[error(
        "the request goes to another origin than the base URL, and does not get the key: expected the same scheme, host and port"
    )]
    Origin,
    /// A request whose path has a dot segment, plain or encoded, or a backslash.
    #[error(
        "the request's path has a dot segment ('.' or '..', plain or percent-encoded) or a backslash, which HTTP clients \
         and servers resolve differently: write the path that is meant"
    )]
    DotSegment,
    /// A header that is ours to set, or that belongs to the connection.
    #[error(
        "the header {name} is not the caller's to set: it belongs to this library or to the connection; leave it out"
    )]
    Header {
        /// Its name.
        name: HeaderName,
    },
    /// A header name that HTTP does not allow.
    #[error("a header's name is not one that HTTP allows: expected a token as in x-request-id")]
    HeaderName,
    /// A header value that HTTP does not allow.
    #[error(
        "the value of the header {name} is not one that HTTP allows: expected visible characters and spaces, no line breaks"
    )]
    HeaderValue {
        /// The header's name.
        name: HeaderName,
    },
    /// More headers than [`Call::MAX_HEADERS`] on a call, or a request whose `HeaderMap` has no room for ours.
    #[error(
        "there are too many headers: expected at most {} of the caller's on a call, and room for ours on a request",
        Call::MAX_HEADERS
    )]
    TooManyHeaders,
}

/// `Debug` is `Display` and the source, because `fn main() -> Result` prints the `Debug` of the error that it returns.
impl fmt::Debug for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source() {
            Some(source) => write!(f, "{self}: {source}"),
            None => write!(f, "{self}"),
        }
    }
}

/// Why a value could not be written as JSON, in serde's words; from [`RequestError::Json`].
///
/// Two are equal if they say the same.
#[derive(Clone)]
pub struct EncodeError(Arc<serde_json::Error>);

impl EncodeError {
    pub(super) fn new(error: serde_json::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

debug_as_display!(EncodeError);

impl Error for EncodeError {}

impl PartialEq for EncodeError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for EncodeError {}

impl From<EncodeError> for RequestError {
    fn from(source: EncodeError) -> Self {
        Self::Json { source }
    }
}
