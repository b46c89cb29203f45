//! What is wrong with a call before it is sent.

use std::{error::Error, fmt, sync::Arc};

use http::HeaderName;

use crate::{
    Call,
    answer::{MAX_LEN, escape},
    call_name::name_to_show,
};

/// Why a [`Call`], or a request given to [`Api::authorize`](crate::Api::authorize), cannot be sent. From [`Call::to_request`],
/// `authorize` and [`CallError::request_error`](crate::CallError::request_error). It names the kind of mistake, never the
/// value; nothing was sent.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The path of the call has an empty segment, a segment `.` or `..`, or another character than letters, digits, `-`, `.`,
    /// `_`, `~` and the braces of a `{placeholder}`.
    #[error(
        "the path is not a plain template: expected segments of letters, digits and - . _ ~, or {{name}} for a value \
         that `segment` gives and encodes, as in contacts/{{id}}"
    )]
    Path,
    /// The path is a whole URL; it should begin after the base URL.
    #[error(
        "the path is a whole URL: a path begins after the base URL, that is after /public-api/v1, as in events; where the \
         API is, is said by the `BaseUrl` that the `Api` was built with"
    )]
    PathIsUrl,
    /// The path has a `?`; the query belongs to [`Call::query`].
    #[error("the path has a query: give each name and value through `query`, which encodes them")]
    PathHasQuery,
    /// The path repeats the base URL's own path, `/public-api/v1`.
    #[error("the path repeats the base URL's: a path begins after /public-api/v1, as in events")]
    PathHasBase,
    /// A value given to [`Call::segment`] is empty, or is or holds a dot segment: `.`, `..`, `a/../b`.
    #[error(
        "a path segment is empty, '.' or '..', or has one between slashes, which would name another resource: expected an id"
    )]
    Segment,
    /// The path has a placeholder for which [`Call::segment`] gave no value.
    #[error("the path has a {{placeholder}} without a value: call `segment` once for each")]
    MissingSegment,
    /// [`Call::segment`] was called more often than the path has placeholders.
    #[error("`segment` was called more often than the path has {{placeholders}}: write them into the path")]
    SurplusSegment,
    /// The `Display` or `Serialize` of a path or query value failed.
    #[error("a path or query value could not be written as text: its `Display` or `Serialize` failed")]
    Value,
    /// A field of the struct given to [`Call::query_from`] is not one value: it holds a list, a struct or a number that is not
    /// finite.
    #[error(
        "the query field `{field}` is not one value: expected text, a finite number, a bool, or an Option of these \
         (None is left out); for a list call `query_all`, for a struct write `#[serde(flatten)]`"
    )]
    QueryField {
        /// The name of the field; `*` for a key of a map that does not look like the name of a parameter.
        field: Box<str>,
    },
    /// The value given to [`Call::query_from`] has no named fields.
    #[error(
        "`query_from` was given something without named fields: expected a struct or a map; for one pair call `query`"
    )]
    QueryShape,
    /// Path and query together are longer than [`Call::MAX_TARGET_LEN`], 8000 bytes.
    #[error("path and query are longer than {} bytes: ask for less in one call", Call::MAX_TARGET_LEN)]
    TooLong,
    /// The method is none of GET, POST, PUT, PATCH and DELETE.
    #[error("the method is not one of the API's: expected GET, POST, PUT, PATCH or DELETE")]
    Method,
    /// A GET or DELETE call has a body.
    #[error("a GET or DELETE call has a body, which servers ignore: use `query`, or POST")]
    Body,
    /// The value given to [`Call::json`] cannot be written as JSON, for instance because a number is NaN or infinite. The
    /// source says why.
    #[error("the body could not be written as JSON")]
    Json {
        /// What serde says of it.
        source: EncodeError,
    },
    /// The key given to [`Call::idempotency_key`] is empty or would be [trimmed](crate::backend_trim) by the backend; or the
    /// body is missing, is no JSON object, or holds another `idempotency_key`.
    #[error(
        "the idempotency key cannot be added: expected a key that is not empty and neither begins nor ends with white \
         space or invisible characters, which the backend removes, and a body that is a JSON object and does not hold \
         another idempotency_key"
    )]
    IdempotencyKey,
    /// The time given to [`Call::timeout`] is zero.
    #[error("the call's time-out is zero: expected a time in which it can be sent, or no `timeout` at all")]
    Timeout,
    /// The request given to [`Api::authorize`](crate::Api::authorize) goes to another scheme, host or port than the base URL's,
    /// so it does not get the key.
    #[error(
        "the request goes to another origin than the base URL, and does not get the key: expected the same scheme, host and port"
    )]
    Origin,
    /// The path of the request given to [`Api::authorize`](crate::Api::authorize) has a dot segment (`.` or `..`), plain or
    /// percent-encoded, or a backslash.
    #[error(
        "the request's path has a dot segment ('.' or '..', plain or percent-encoded) or a backslash, which HTTP clients \
         and servers resolve differently: write the path that is meant"
    )]
    DotSegment,
    /// The call or request has a header that no caller may set, such as `Authorization`, `Content-Type`, `Host` or `Cookie`;
    /// [`Call::header`] lists them.
    #[error(
        "the header {} is not the caller's to set: it belongs to this library or to the connection; leave it out",
        name_to_show(name.as_str())
    )]
    Header {
        /// The name of the header.
        name: HeaderName,
    },
    /// The name of a header given to [`Call::header`] is not one that HTTP allows: it is empty, or has a space or another
    /// character that no name has.
    #[error("a header's name is not one that HTTP allows: expected a token as in x-request-id")]
    HeaderName,
    /// The value of a header given to [`Call::header`] is not one that HTTP allows: it has a line break or another control
    /// character.
    #[error(
        "the value of the header {} is not one that HTTP allows: expected visible characters and spaces, no line breaks",
        name_to_show(name.as_str())
    )]
    HeaderValue {
        /// The name of that header.
        name: HeaderName,
    },
    /// The call has more than [`Call::MAX_HEADERS`], 64, headers of its own, or the `HeaderMap` of a request given to
    /// [`Api::authorize`](crate::Api::authorize) has no room for the headers of the API.
    #[error(
        "there are too many headers: expected at most {} of the caller's on a call, and room for ours on a request",
        Call::MAX_HEADERS
    )]
    TooManyHeaders,
    /// The names and values of the headers given to [`Call::header`] are longer than [`Call::MAX_HEADERS_LEN`], 8000 bytes,
    /// together.
    #[error(
        "the caller's headers are longer than {} bytes together: send what is long in the body",
        Call::MAX_HEADERS_LEN
    )]
    HeadersTooLong,
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

/// Why a value could not be written as JSON: the source of [`RequestError::Json`]. The words are serde's, or those of the value's
/// own `Serialize`, which may quote what it was given; what steers a terminal in them is escaped, and they are cut at 1024 bytes.
///
/// Two are equal if their texts are.
#[derive(Clone)]
pub struct EncodeError(Arc<serde_json::Error>);

impl EncodeError {
    pub(super) fn new(error: serde_json::Error) -> Self {
        Self(Arc::new(error))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(&self.0.to_string(), MAX_LEN).fmt(f)
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
