//! What an answer says of the key and of the call.

use std::{fmt, time::Duration};

use http::{HeaderMap, StatusCode};

use crate::{Answer, ApiError, RateLimit, Reply};

/// What became of a call, and of the key that it carried
/// ([Cometly: authentication](https://docs.cometly.com/), error responses).
///
/// | variant | when | the key was | what to do |
/// | --- | --- | --- | --- |
/// | [`Success`](Self::Success) | 2xx with JSON | accepted | read the [`Reply`] |
/// | [`Unauthenticated`](Self::Unauthenticated) | 401 with the API's JSON, or with no body and no `WWW-Authenticate`, which the API does not send | refused | make a new key |
/// | [`Forbidden`](Self::Forbidden) | 403 with the API's JSON | accepted, not allowed | see the [reason](ForbiddenReason) |
/// | [`RateLimited`](Self::RateLimited) | 429 with the API's JSON or its rate headers | accepted if rate headers came, else unknown | wait [`retry_after`](Self::retry_after) |
/// | [`Rejected`](Self::Rejected) | another 4xx with the API's JSON: 404, 405, 409, 413, 419, 422 … | accepted for 422 or with rate headers, else unknown | correct the call |
/// | [`ServerError`](Self::ServerError) | 5xx, whatever the body | unknown | try later; a POST may have been carried out |
/// | [`Unexpected`](Self::Unexpected) | not an answer that the API gives | unknown | see the [cause](UnexpectedCause) |
///
/// "The API's JSON" is an object with a string `message`: the proof that the API answered, and nothing in front of it.
///
/// Checked in this order, the first that fits:
/// 1. a challenge header (`cf-mitigated`, `x-amzn-waf-action`), on any status: a 202 or a 503 with one is a challenge;
/// 2. 3xx (but 304), or the mark [`Redirected`]: a redirect; 407: a proxy;
/// 3. by the status, as above; where the body decides, a `Content-Encoding` comes before its content.
///
/// Reading a success takes the same time for any size: its status, its headers, and its first byte that is not white
/// space, which must be `{` or `[`.
///
/// ```
/// # use cometly_core::{Api, ApiKey, AuthOutcome, http};
/// # fn answer(api: &Api, response: http::Response<Vec<u8>>) -> String {
/// match api.read(response) {
///     AuthOutcome::Success(reply) => format!("{} bytes", reply.body().len()),
///     AuthOutcome::RateLimited(answer) => format!("wait {:?}", answer.retry_after()),
///     other => other.to_string(), // says what happened and what to do
/// }
/// # }
/// # let api = Api::new(ApiKey::new("k").unwrap());
/// # assert_eq!(answer(&api, http::Response::new(b"{}".to_vec())), "2 bytes");
/// ```
#[derive(Clone)]
#[must_use = "an outcome may say that the call failed"]
#[non_exhaustive]
pub enum AuthOutcome<B> {
    /// The call was carried out, or queued.
    Success(Reply<B>),
    /// The key is missing, wrong or revoked.
    Unauthenticated(Answer<B>),
    /// The key is valid, and may not do this.
    #[non_exhaustive]
    Forbidden {
        /// Which of the two reasons that Cometly documents, if it said so plainly.
        reason: ForbiddenReason,
        /// The answer.
        answer: Answer<B>,
    },
    /// The Space has used up its limit for this endpoint.
    RateLimited(Answer<B>),
    /// The API did not take the call as it was made.
    Rejected(Answer<B>),
    /// The server, or what stands before it, failed.
    ServerError(Answer<B>),
    /// Something that the API does not answer.
    #[non_exhaustive]
    Unexpected {
        /// What it looks like.
        cause: UnexpectedCause,
        /// The answer.
        answer: Answer<B>,
    },
}

/// Why a valid key was not allowed.
///
/// The status alone does not tell; this is read from the message, and `Unspecified` whenever that is not plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForbiddenReason {
    /// The key has no permission for this resource.
    Permission,
    /// The Space's Cometly subscription is inactive.
    InactiveSubscription,
    /// One of the two; the message does not say which.
    Unspecified,
}

/// What an answer looks like that is not the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnexpectedCause {
    /// A redirect, mostly to a login page. It was not followed: the key goes to the base URL only.
    Redirect,
    /// A bot challenge or block of Cloudflare or AWS WAF in front of the API.
    Challenge,
    /// A proxy on the way asks for credentials (407).
    Proxy,
    /// Content other than the API's JSON: a page, or a proxy's own error.
    NotJson,
    /// A success without a body. Whether the call was carried out is not known.
    Empty,
    /// A body in a `Content-Encoding` that was not asked for.
    Encoded,
    /// A status that the API does not use: 1xx, 304, 600 and beyond.
    Status,
}

/// A mark for [`http::Response::extensions_mut`], for adapters whose client followed a redirect against their word:
/// whatever the answer then is, it reads as [`UnexpectedCause::Redirect`].
#[derive(Clone, Copy, Debug)]
pub struct Redirected;

/// What an answer says of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyStatus {
    /// It opened the API.
    Accepted,
    /// It is known to the API, and not allowed to do this.
    NotAllowed,
    /// It is missing, wrong or revoked.
    Refused,
    /// The answer does not tell.
    Unknown,
}

/// The kinds of [`AuthOutcome`] beside success, without their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// [`AuthOutcome::Unauthenticated`].
    Unauthenticated,
    /// [`AuthOutcome::Forbidden`].
    Forbidden(ForbiddenReason),
    /// [`AuthOutcome::RateLimited`].
    RateLimited,
    /// [`AuthOutcome::Rejected`].
    Rejected,
    /// [`AuthOutcome::ServerError`].
    ServerError,
    /// [`AuthOutcome::Unexpected`].
    Unexpected(UnexpectedCause),
}

/// What happened, and what to do about it.
impl fmt::Display for ApiErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unauthenticated => {
                "Cometly refused the API key: it is missing, wrong or revoked; make a new one at \
                 https://app.cometly.com/integrations"
            }
            Self::Forbidden(ForbiddenReason::Permission) => {
                "the API key is valid but has no permission for this resource; use a key that has it"
            }
            Self::Forbidden(ForbiddenReason::InactiveSubscription) => {
                "the API key is valid but the Cometly subscription of its Space is inactive; renew it at \
                 https://app.cometly.com"
            }
            Self::Forbidden(ForbiddenReason::Unspecified) => {
                "the API key is valid but not allowed to do this: it lacks the permission, or the Cometly subscription \
                 is inactive; check both"
            }
            Self::RateLimited => "the rate limit of this Space for this endpoint is used up; wait before the next call",
            Self::Rejected => "Cometly did not accept the call as it was made; correct it before sending it again",
            Self::ServerError => {
                "Cometly, or a server in front of it, failed; try again later (a POST may have been carried out)"
            }
            Self::Unexpected(cause) => return cause.fmt(f),
        })
    }
}

/// What was met instead of the API, and what to do about it.
impl fmt::Display for UnexpectedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redirect => {
                "the answer is a redirect, which the API does not give and which was not followed; check the base URL \
                 and that nothing changes the Accept header on the way"
            }
            Self::Challenge => {
                "a bot challenge in front of the API stopped the call; slow down, or ask Cometly to let this address in"
            }
            Self::Proxy => "a proxy on the way asks for credentials; give them to the HTTP client, or go around it",
            Self::NotJson => {
                "the answer is not the API's JSON but of something in front of it, and says nothing of the key; check \
                 the base URL and any proxy or network login"
            }
            Self::Empty => {
                "the answer is a success without the JSON that the API always sends; whether the call was carried out \
                 is not known"
            }
            Self::Encoded => {
                "the answer is in a content encoding that was not asked for; check for a proxy that compresses"
            }
            Self::Status => "the answer has a status that the API does not use; check the base URL and any proxy",
        })
    }
}

impl ApiErrorKind {
    /// What an answer of this kind says of the key.
    pub(crate) fn key_status(self, status: StatusCode, rate_limit: RateLimit) -> KeyStatus {
        match self {
            Self::Unauthenticated => KeyStatus::Refused,
            Self::Forbidden(_) => KeyStatus::NotAllowed,
            // Limits are counted, and input is checked, behind the key.
            Self::RateLimited | Self::Rejected if rate_limit.is_present() => KeyStatus::Accepted,
            Self::Rejected if status == StatusCode::UNPROCESSABLE_ENTITY => KeyStatus::Accepted,
            Self::RateLimited | Self::Rejected | Self::ServerError | Self::Unexpected(_) => KeyStatus::Unknown,
        }
    }
}

impl<B> AuthOutcome<B> {
    /// Whether the call was carried out or queued.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// Whether the key was refused.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Unauthenticated(_))
    }

    /// Whether the key was accepted but not allowed to do this.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden { .. })
    }

    /// Whether the limit is used up.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        matches!(self, Self::RateLimited(_))
    }

    /// Whether the API did not take the call as it was made.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }

    /// Whether the server failed.
    #[must_use]
    pub fn is_server_error(&self) -> bool {
        matches!(self, Self::ServerError(_))
    }

    /// Whether something else than the API answered.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        matches!(self, Self::Unexpected { .. })
    }

    /// Which kind of failure this is; `None` for a success.
    #[must_use]
    pub fn kind(&self) -> Option<ApiErrorKind> {
        self.parts().err().map(|answer| answer.kind)
    }

    /// What the answer says of the key.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.parts().map_or_else(Answer::key_status, |_| KeyStatus::Accepted)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.parts().map_or_else(Answer::status, Reply::status)
    }

    /// The limit that this call counted against, as far as the answer told it, successes included.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        self.parts().map_or_else(Answer::rate_limit, Reply::rate_limit)
    }

    /// The headers as they came.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.parts().map_or_else(Answer::headers, Reply::headers)
    }

    /// How long the server asks to wait, if it does: see [`Answer::retry_after`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.parts().err().and_then(Answer::retry_after)
    }

    /// How often the call was sent, if an [`Attempt`](crate::Attempt) counted it; else 1.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.parts().map_or_else(Answer::tries, Reply::tries)
    }

    pub(crate) fn set_tries(&mut self, tries: u32) {
        match self {
            Self::Success(reply) => reply.tries = tries,
            Self::Unauthenticated(answer)
            | Self::RateLimited(answer)
            | Self::Rejected(answer)
            | Self::ServerError(answer)
            | Self::Forbidden { answer, .. }
            | Self::Unexpected { answer, .. } => answer.tries = tries,
        }
    }

    fn parts(&self) -> Result<&Reply<B>, &Answer<B>> {
        match self {
            Self::Success(reply) => Ok(reply),
            Self::Unauthenticated(answer)
            | Self::RateLimited(answer)
            | Self::Rejected(answer)
            | Self::ServerError(answer)
            | Self::Forbidden { answer, .. }
            | Self::Unexpected { answer, .. } => Err(answer),
        }
    }
}

impl<B: AsRef<[u8]>> AuthOutcome<B> {
    /// The API's words: see [`Answer::message`]. `None` for a success.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.parts().err().and_then(Answer::message)
    }

    /// The reply of a success, or an error that owns what it says: for those who use `?`.
    ///
    /// # Errors
    /// [`ApiError`], for everything but a success.
    pub fn into_result(self) -> Result<Reply<B>, ApiError> {
        match self {
            Self::Success(reply) => Ok(reply),
            Self::Unauthenticated(answer)
            | Self::RateLimited(answer)
            | Self::Rejected(answer)
            | Self::ServerError(answer)
            | Self::Forbidden { answer, .. }
            | Self::Unexpected { answer, .. } => Err(ApiError::new(&answer)),
        }
    }
}

/// Shows what was understood, and no body.
impl<B: AsRef<[u8]>> fmt::Debug for AuthOutcome<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Ok(reply) => reply.fmt(f),
            Err(answer) => answer.fmt(f),
        }
    }
}

/// What happened, and what to do about it.
impl<B: AsRef<[u8]>> fmt::Display for AuthOutcome<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Ok(reply) => write!(f, "the API key is accepted (HTTP {})", reply.status.as_u16()),
            Err(answer) => {
                write_failure(f, answer.kind, answer.status, answer.retry_after(), answer.tries, answer.message())
            }
        }
    }
}

pub(crate) fn write_failure(
    f: &mut fmt::Formatter<'_>,
    kind: ApiErrorKind,
    status: StatusCode,
    retry_after: Option<Duration>,
    tries: u32,
    message: Option<&str>,
) -> fmt::Result {
    write!(f, "{kind} (HTTP {}", status.as_u16())?;
    if let Some(wait) = retry_after {
        write!(f, ", retry after {} s", wait.as_secs())?;
    }
    if tries > 1 {
        write!(f, ", tried {tries} times")?;
    }
    f.write_str(")")?;
    match message {
        Some(message) if !message.is_empty() => write!(f, "; Cometly says: {message}"),
        _ => Ok(()),
    }
}
