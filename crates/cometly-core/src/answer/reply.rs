//! A success with its body, not yet read.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};

use super::rate_limit::Wait;
use crate::{DecodeError, KeyStatus, RateLimit, call_name::CallName};

/// A success of the API: the status, the headers and the body as they came; in
/// [`AuthOutcome::Success`](crate::AuthOutcome::Success). [`json`](Self::json) and [`decode`](Self::decode) read the body, and
/// fail with [`DecodeError`] if it has another shape.
#[derive(Clone)]
pub struct Reply<B> {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) attempts: u32,
    /// Which call it answers, if an [`Operation`](crate::Operation) sent it.
    pub(super) call: Option<CallName>,
    pub(super) body: B,
}

impl<B> Reply<B> {
    /// The HTTP status, a 2xx: 200, 201 for something created, 202 for something queued.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers of the answer as they came. Cometly's support may ask for `cf-ray`.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The rate limit that this call counted against, by the `X-RateLimit-*` headers. Each number is `None` if its header is
    /// missing or cannot be read.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::read(&self.headers)
    }

    /// Always [`KeyStatus::Accepted`], since a success shows that the key opened the API.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        KeyStatus::Accepted
    }

    /// How many attempts the call took, the first included, if a client or an [`Operation`](crate::Operation) sent it; else 1.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The body as it came, not yet read as JSON: nothing is decompressed here, and a compressed answer is no success.
    #[must_use]
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The body by value, as it came: nothing is decompressed here, and a compressed answer is no success.
    #[must_use]
    pub fn into_body(self) -> B {
        self.body
    }
}

impl<B: AsRef<[u8]>> Reply<B> {
    /// Reads the body as JSON; texts can be borrowed from it.
    ///
    /// # Errors
    /// [`DecodeError`] if the body is not the JSON of a `T`: it says where and what is wrong, and shows no value of the body.
    /// The reply stays with the caller.
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
        let body = self.body.as_ref();
        serde_json::from_slice(body)
            .map_err(|error| DecodeError::new::<T>(&error, body, self.call.clone(), self.attempts))
    }
}

impl<B> Reply<B> {
    /// The same reply with another type for its body, made by the given function, which is called once.
    #[must_use]
    pub fn map<C>(self, map: impl FnOnce(B) -> C) -> Reply<C> {
        let Self { status, headers, attempts, call, body } = self;
        Reply { status, headers, attempts, call, body: map(body) }
    }

    /// How long the server asks to wait before the next call, if it does.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        Wait::read(&self.headers).known()
    }

    pub(crate) fn call(&self) -> Option<&CallName> {
        self.call.as_ref()
    }
}

impl<B: AsRef<[u8]>> Reply<B> {
    /// Reads a part of the body that is an item of the list `field`; the error says where in the body it is.
    pub(crate) fn part<'a, T: Deserialize<'a>>(
        &self,
        part: &'a str,
        item: (&'static str, usize),
    ) -> Result<T, DecodeError> {
        serde_json::from_str(part).map_err(|error| {
            let error = DecodeError::new::<T>(&error, part.as_bytes(), self.call.clone(), self.attempts);
            error.within(self.body.as_ref(), part.as_bytes(), item)
        })
    }
}

impl Reply<Bytes> {
    /// Reads the body as JSON into a type that owns its texts.
    ///
    /// # Errors
    /// [`DecodeError`] if the body is not the JSON of a `T`: it says where and what is wrong, and its
    /// [`into_reply`](DecodeError::into_reply) gives the reply back.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey, bytes::Bytes, http};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// # let reply = api.read(http::Response::new(Bytes::from_static(b"{\"data\": [1, \"two\"]}"))).into_result()?;
    /// let error = reply.decode::<std::collections::HashMap<String, Vec<u32>>>().unwrap_err();
    /// assert_eq!(error.path(), "*[1]");
    /// assert_eq!(error.into_reply().unwrap().into_body(), "{\"data\": [1, \"two\"]}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        self.json().map_err(|error| error.with_reply(self))
    }
}

/// Shows the length of the body, not the body, nor a header.
impl<B: AsRef<[u8]>> fmt::Debug for Reply<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("rate_limit", &self.rate_limit())
            .field("attempts", &self.attempts)
            .field("body_len", &self.body.as_ref().len())
            .finish_non_exhaustive()
    }
}

/// The status, the length of the body, and what is left of the rate limit.
impl<B: AsRef<[u8]>> fmt::Display for Reply<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(call) = &self.call {
            write!(f, "{call}: ")?;
        }
        write!(f, "the call succeeded (HTTP {}, {} bytes", self.status.as_u16(), self.body.as_ref().len())?;
        let rate = self.rate_limit();
        match (rate.remaining(), rate.limit()) {
            (Some(remaining), Some(limit)) => write!(f, ", {remaining} of {limit} calls left in this window")?,
            (Some(remaining), None) => write!(f, ", {remaining} calls left in this window")?,
            (None, _) => {}
        }
        if self.attempts > 1 {
            write!(f, ", {} attempts", self.attempts)?;
        }
        f.write_str(")")
    }
}
