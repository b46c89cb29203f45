//! What can go wrong beside the API's own answers.

use std::{error::Error, fmt, time::Duration};

use http::{HeaderName, StatusCode};

use crate::{ApiError, ApiKey, Call};

/// What is wrong with a call before anything is sent. Names the kind, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the User-Agent is not a product name: expected 1 to 256 visible ASCII characters as in my-sdk/1.2")]
pub struct InvalidUserAgent(pub(crate) ());

/// A success whose body was not the JSON that the caller expected. Tells the place, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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

    /// The column in bytes, from 1; 0 right behind a line break.
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

/// Why a call has no result: the error of every adapter, with the HTTP client's own error as `T`.
///
/// Neither it nor its sources show the key, a body, or a URL with a query.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError<T> {
    /// The call could not be built; nothing was sent.
    Request(RequestError),
    /// An answer that is not a success.
    Api(ApiError),
    /// A success with another body than expected.
    Decode(DecodeError),
    /// The HTTP client failed.
    #[non_exhaustive]
    Transport {
        /// Whether it may be sent again.
        delivery: Delivery,
        /// The client's own error.
        source: T,
    },
    /// The call took longer than its deadline.
    #[non_exhaustive]
    Timeout {
        /// Whether it may be sent again.
        delivery: Delivery,
    },
    /// The answer is larger than allowed, and was not read further.
    #[non_exhaustive]
    TooLarge {
        /// Its status; `None` if the head itself was too large.
        status: Option<StatusCode>,
    },
}

impl<T> CallError<T> {
    /// The HTTP client failed; for those who write an adapter.
    pub fn transport(delivery: Delivery, source: T) -> Self {
        Self::Transport { delivery, source }
    }

    /// The deadline has passed; for those who write an adapter.
    #[must_use]
    pub fn timeout(delivery: Delivery) -> Self {
        Self::Timeout { delivery }
    }

    /// The answer is too large; for those who write an adapter.
    #[must_use]
    pub fn too_large(status: Option<StatusCode>) -> Self {
        Self::TooLarge { status }
    }

    /// Whether the call may be sent again, if it got no whole answer. `None` after an answer that could be read.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        match self {
            Self::Request(_) => Some(Delivery::NotSent),
            Self::Transport { delivery, .. } | Self::Timeout { delivery } => Some(*delivery),
            Self::TooLarge { .. } => Some(Delivery::Unknown),
            Self::Api(_) | Self::Decode(_) => None,
        }
    }

    /// The status of the answer, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Api(error) => Some(error.status()),
            Self::TooLarge { status } => *status,
            _ => None,
        }
    }

    /// How long the server asks to wait, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The same error with another type for the client's part, as to box it.
    pub fn map_transport<U>(self, map: impl FnOnce(T) -> U) -> CallError<U> {
        match self {
            Self::Request(error) => CallError::Request(error),
            Self::Api(error) => CallError::Api(error),
            Self::Decode(error) => CallError::Decode(error),
            Self::Transport { delivery, source } => CallError::Transport { delivery, source: map(source) },
            Self::Timeout { delivery } => CallError::Timeout { delivery },
            Self::TooLarge { status } => CallError::TooLarge { status },
        }
    }
}

impl<T> fmt::Display for CallError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(_) => f.write_str("the call cannot be built, and nothing was sent"),
            Self::Api(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
            Self::Transport { delivery, .. } => write!(f, "the call got no answer: {delivery}"),
            Self::Timeout { delivery } => write!(f, "the call got no answer before its deadline: {delivery}"),
            Self::TooLarge { status: Some(status) } => {
                write!(f, "the answer (HTTP {}) is larger than allowed; ask for less in one call", status.as_u16())
            }
            Self::TooLarge { status: None } => {
                f.write_str("the answer's headers are larger than allowed; check the base URL and any proxy")
            }
        }
    }
}

impl<T: Error + 'static> Error for CallError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Transport { source, .. } => Some(source),
            // Shown in full by `Display`.
            Self::Api(_) | Self::Decode(_) | Self::Timeout { .. } | Self::TooLarge { .. } => None,
        }
    }
}

impl<T> From<RequestError> for CallError<T> {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl<T> From<ApiError> for CallError<T> {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl<T> From<DecodeError> for CallError<T> {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Asserted rather than hoped for: these cross threads in every program that uses them.
const _: () = {
    const fn assert<T: Send + Sync + Clone + 'static>() {}
    const fn assert_error<T: Error + Send + Sync + 'static>() {}
    assert::<ApiKey>();
    assert::<crate::Api>();
    assert::<Call>();
    assert::<crate::AuthOutcome<bytes::Bytes>>();
    assert_error::<ApiError>();
    assert_error::<CallError<std::io::Error>>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Api;

    #[test]
    fn each_error_says_whether_to_send_again() {
        let api_error = Api::new(ApiKey::new("k").unwrap())
            .read(
                http::Response::builder()
                    .status(429)
                    .header("retry-after", "3")
                    .header("x-ratelimit-limit", "7")
                    .body("")
                    .unwrap(),
            )
            .into_result()
            .unwrap_err();
        let io = || std::io::Error::other("SOURCE");
        for (error, delivery, status, wait) in [
            (CallError::from(RequestError::Path), Some(Delivery::NotSent), None, None),
            (CallError::from(api_error), None, Some(429), Some(3)),
            (CallError::transport(Delivery::NotSent, io()), Some(Delivery::NotSent), None, None),
            (CallError::transport(Delivery::Untrusted, io()), Some(Delivery::Untrusted), None, None),
            (CallError::timeout(Delivery::Unknown), Some(Delivery::Unknown), None, None),
            (CallError::too_large(Some(StatusCode::OK)), Some(Delivery::Unknown), Some(200), None),
            (CallError::too_large(None), Some(Delivery::Unknown), None, None),
        ] {
            let error = error.map_transport(|io| io);
            assert_eq!(error.delivery(), delivery, "{error}");
            assert_eq!(error.status().map(|status| status.as_u16()), status, "{error}");
            assert_eq!(error.retry_after(), wait.map(Duration::from_secs), "{error}");
            if let Some(source) = error.source() {
                assert!(!error.to_string().contains(&source.to_string()), "a display never repeats its source");
            }
        }
    }

    #[test]
    fn an_error_is_small() {
        assert_eq!(size_of::<ApiError>(), size_of::<usize>());
        assert!(size_of::<CallError<Box<dyn Error>>>() <= 48);
    }
}
