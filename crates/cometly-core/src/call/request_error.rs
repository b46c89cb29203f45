//! What is wrong with a call before it is sent.

use http::HeaderName;

use crate::Call;

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

debug_as_display!(RequestError);
