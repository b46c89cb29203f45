//! What became of a call, and of the key that it carried.

use std::fmt;

use http::StatusCode;

use super::rate_limit::Wait;
use crate::{ApiError, RateLimit, Reply, call_name::CallName};

/// What became of a call, and of the key that it carried ([Cometly: authentication](https://docs.cometly.com/), error
/// responses). From [`Api::read`](crate::Api::read) and a client's `send`; every answer is one of these, so reading one cannot
/// fail. [`into_result`](Self::into_result) makes an error of all but a success.
///
/// | variant | when | the key was | what to do |
/// | --- | --- | --- | --- |
/// | [`Success`](Self::Success) | 2xx with JSON | accepted | read the [`Reply`] |
/// | [`Unauthenticated`](Self::Unauthenticated) | 401 by the API, or without a body; not if `WWW-Authenticate` names another scheme than `Bearer` | refused | make a new key |
/// | [`Forbidden`](Self::Forbidden) | 403 by the API | accepted, not allowed | see the [reason](ForbiddenReason) |
/// | [`RateLimited`](Self::RateLimited) | 429, whatever the body | accepted if rate headers came, else unknown | wait [`retry_after`](ApiError::retry_after) |
/// | [`Rejected`](Self::Rejected) | another 4xx by the API: 404, 405, 409, 413, 419, 422 … | accepted for 422 or with rate headers, else unknown | correct the call |
/// | [`ServerError`](Self::ServerError) | 5xx, whatever the body | unknown | try later; a POST may have been carried out |
/// | [`Unexpected`](Self::Unexpected) | not an answer that the API gives | unknown | see the [cause](UnexpectedCause) |
///
/// "By the API" means that the body is a JSON object with a `message`, for `Rejected` with a `message` or `errors`, of any
/// type. Texts in it that are not sound Unicode are read lossily.
///
/// Checked in this order, the first that fits:
/// 1. a challenge header (`cf-mitigated`, `x-amzn-waf-action`), on any status: a 202 or a 503 with one is a challenge;
/// 2. 3xx (but 304), or the mark [`Redirected`]: a redirect; 407: a proxy;
/// 3. by the status, as above; where the body decides, a `Content-Encoding` comes before its content.
///
/// Reading a success takes the same time for any size: its status, its headers, and its first byte that is not white
/// space, which must be `{` or `[`. A refusal is judged by the first 64 KiB of its body. A byte order mark is not JSON.
///
/// ```
/// # use cometly_core::{Api, ApiKey, AuthOutcome, http};
/// # fn answer(api: &Api, response: http::Response<Vec<u8>>) -> String {
/// match api.read(response) {
///     AuthOutcome::Success(reply) => format!("{} bytes", reply.body().len()),
///     AuthOutcome::RateLimited(error) => format!("wait {:?}", error.retry_after()),
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
    /// A 2xx with JSON: the call was carried out, or queued for it.
    Success(Reply<B>),
    /// A 401 of the API: it refused the key, which is missing, wrong or revoked.
    Unauthenticated(ApiError),
    /// A 403 of the API: the key is valid, and not allowed to do this, for the reason within.
    Forbidden(ForbiddenReason, ApiError),
    /// A 429: the Space has used up its rate limit for this endpoint, or the address has used up one in front of the API.
    /// [`ApiError::retry_after`] says how long to wait.
    RateLimited(ApiError),
    /// Another 4xx of the API, such as 404 or 422: it refused the call as it was made. [`ApiError::message`] and
    /// [`ApiError::field_errors`] say what is wrong.
    Rejected(ApiError),
    /// A 5xx: the server, or something in front of it, failed. A POST may have been carried out.
    ServerError(ApiError),
    /// An answer that the API does not give, such as a redirect or a page of HTML, of any status.
    Unexpected(UnexpectedCause, ApiError),
}

/// Why a valid key was not allowed to do something (403); in [`AuthOutcome::Forbidden`].
///
/// The status is the same for both reasons; the reason is read from the message, and is `Unspecified` if the message names none
/// or leaves doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForbiddenReason {
    /// The key has no permission for this resource.
    Permission,
    /// The Space's Cometly subscription is inactive.
    InactiveSubscription,
    /// The permission or the subscription; the message does not plainly say which.
    Unspecified,
}

/// What an answer is if it is none of the API's; in [`AuthOutcome::Unexpected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnexpectedCause {
    /// The answer is a redirect (3xx but 304, or the mark [`Redirected`]), mostly to a login page. It was not followed: the key
    /// goes to the base URL only.
    Redirect,
    /// Cloudflare or AWS WAF in front of the API answered, with a challenge for bots or a block: a header `cf-mitigated` or
    /// `x-amzn-waf-action`, on any status.
    Challenge,
    /// A proxy on the way answered 407: it asks for credentials.
    Proxy,
    /// The body of a 2xx or 4xx is not the API's JSON but a page, or a proxy's own error; or a 401 asks, in `WWW-Authenticate`,
    /// for another scheme than `Bearer`.
    NotJson,
    /// The answer is a 2xx whose body is empty or white space alone. Whether the call was carried out is not known.
    Empty,
    /// The body of a 2xx, or of a 4xx other than 429, has a `Content-Encoding`, such as gzip, which was not asked for; it was
    /// not read.
    Encoded,
    /// The status is one that the API does not use: 1xx, 304, 600 and beyond.
    Status,
}

/// A mark for [`http::Response::extensions_mut`], for authors of clients whose HTTP stack may follow a redirect all the same:
/// an answer with it reads as [`UnexpectedCause::Redirect`], whatever its status and body are; only a challenge header comes
/// before it ([`UnexpectedCause::Challenge`]).
#[derive(Clone, Copy, Debug)]
pub struct Redirected;

/// What an answer says of the key that the call carried: accepted, not allowed, refused, or nothing (`Unknown`). From
/// [`ApiError::key_status`] and [`Reply::key_status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The key opened the API: after a success, a 422 of the API, and a 429 or [`Rejected`](AuthOutcome::Rejected) with rate
    /// headers.
    Accepted,
    /// The key is known to the API, and not allowed to do this: after a 403 of the API.
    NotAllowed,
    /// The key is missing, wrong or revoked: after a 401 of the API.
    Refused,
    /// The answer says nothing of the key: every other one, such as a 5xx.
    Unknown,
}

/// The kind of an answer that is no success, from [`ApiError::kind`]: an [`AuthOutcome`] without its
/// [`ApiError`](crate::ApiError). `Forbidden` and `Unexpected` keep their reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// The API refused the key with a 401: [`AuthOutcome::Unauthenticated`].
    Unauthenticated,
    /// The key is not allowed to do this, a 403, for the reason within: [`AuthOutcome::Forbidden`].
    Forbidden(ForbiddenReason),
    /// The rate limit is used up, a 429: [`AuthOutcome::RateLimited`].
    RateLimited,
    /// The API refused the call as it was made, with another 4xx: [`AuthOutcome::Rejected`].
    Rejected,
    /// The server, or something in front of it, failed with a 5xx: [`AuthOutcome::ServerError`].
    ServerError,
    /// The answer is none of the API's, for the cause within: [`AuthOutcome::Unexpected`].
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
                "Cometly, or a server in front of it, failed; try again later (a call that changes something may have been \
                 carried out)"
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
    /// Whether the call may have been carried out, for all that the answer says.
    pub(crate) fn may_be_done(self) -> bool {
        use UnexpectedCause::{Challenge, Proxy, Redirect};
        // The others are refused by the API before any work, or by something in front of it.
        matches!(self, Self::ServerError | Self::Unexpected(_))
            && !matches!(self, Self::Unexpected(Challenge | Proxy | Redirect))
    }

    /// A short name for logs and metrics, after OpenTelemetry's `error.type`: `unauthenticated`, `forbidden`, `rate_limited`,
    /// `rejected`, `server_error`, or `unexpected.` and the cause, as `unexpected.not_json`.
    #[must_use]
    pub fn error_type(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::ServerError => "server_error",
            Self::Unexpected(UnexpectedCause::Redirect) => "unexpected.redirect",
            Self::Unexpected(UnexpectedCause::Challenge) => "unexpected.challenge",
            Self::Unexpected(UnexpectedCause::Proxy) => "unexpected.proxy",
            Self::Unexpected(UnexpectedCause::NotJson) => "unexpected.not_json",
            Self::Unexpected(UnexpectedCause::Empty) => "unexpected.empty",
            Self::Unexpected(UnexpectedCause::Encoded) => "unexpected.encoded",
            Self::Unexpected(UnexpectedCause::Status) => "unexpected.status",
        }
    }

    /// What an answer of this kind says of the key.
    pub(super) fn key_status(self, status: StatusCode, rate_limit: impl Fn() -> RateLimit) -> KeyStatus {
        match self {
            Self::Unauthenticated => KeyStatus::Refused,
            Self::Forbidden(_) => KeyStatus::NotAllowed,
            // Limits are counted, and input is checked, behind the key.
            Self::Rejected if status == StatusCode::UNPROCESSABLE_ENTITY => KeyStatus::Accepted,
            Self::RateLimited | Self::Rejected if rate_limit().is_present() => KeyStatus::Accepted,
            Self::RateLimited | Self::Rejected | Self::ServerError | Self::Unexpected(_) => KeyStatus::Unknown,
        }
    }
}

impl<B> AuthOutcome<B> {
    pub(super) fn of_error(kind: ApiErrorKind, error: ApiError) -> Self {
        match kind {
            ApiErrorKind::Unauthenticated => Self::Unauthenticated(error),
            ApiErrorKind::Forbidden(reason) => Self::Forbidden(reason, error),
            ApiErrorKind::RateLimited => Self::RateLimited(error),
            ApiErrorKind::Rejected => Self::Rejected(error),
            ApiErrorKind::ServerError => Self::ServerError(error),
            ApiErrorKind::Unexpected(cause) => Self::Unexpected(cause, error),
        }
    }

    /// The HTTP status of the answer: a 2xx for a success, and any, also a 2xx, for [`Unexpected`](Self::Unexpected); the table
    /// of [`AuthOutcome`] has those of the other outcomes.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Success(reply) => reply.status(),
            Self::Unauthenticated(error)
            | Self::Forbidden(_, error)
            | Self::RateLimited(error)
            | Self::Rejected(error)
            | Self::ServerError(error)
            | Self::Unexpected(_, error) => error.status(),
        }
    }

    /// The error of every outcome but a success; `None` for a success.
    #[must_use]
    pub fn error(&self) -> Option<&ApiError> {
        match self {
            Self::Success(_) => None,
            Self::Unauthenticated(error)
            | Self::Forbidden(_, error)
            | Self::RateLimited(error)
            | Self::Rejected(error)
            | Self::ServerError(error)
            | Self::Unexpected(_, error) => Some(error),
        }
    }

    /// The reply of a success, or the error of any other outcome, for use with `?`.
    ///
    /// # Errors
    /// [`ApiError`], for every outcome but a success.
    pub fn into_result(self) -> Result<Reply<B>, ApiError> {
        match self {
            Self::Success(reply) => Ok(reply),
            Self::Unauthenticated(error)
            | Self::Forbidden(_, error)
            | Self::RateLimited(error)
            | Self::Rejected(error)
            | Self::ServerError(error)
            | Self::Unexpected(_, error) => Err(error),
        }
    }

    /// The same outcome with another type for the body of a success, made by the given function. An error stays as it is, and
    /// the function is not called.
    pub fn map<C>(self, map: impl FnOnce(B) -> C) -> AuthOutcome<C> {
        match self {
            Self::Success(reply) => AuthOutcome::Success(reply.map(map)),
            Self::Unauthenticated(error) => AuthOutcome::Unauthenticated(error),
            Self::Forbidden(reason, error) => AuthOutcome::Forbidden(reason, error),
            Self::RateLimited(error) => AuthOutcome::RateLimited(error),
            Self::Rejected(error) => AuthOutcome::Rejected(error),
            Self::ServerError(error) => AuthOutcome::ServerError(error),
            Self::Unexpected(cause, error) => AuthOutcome::Unexpected(cause, error),
        }
    }

    pub(crate) fn rate_limit(&self) -> RateLimit {
        match self {
            Self::Success(reply) => reply.rate_limit(),
            other => other.error().map(ApiError::rate_limit).unwrap_or_default(),
        }
    }

    /// How long the server asks to wait; none after a success.
    pub(crate) fn wait(&self) -> Wait {
        self.error().map(ApiError::wait).unwrap_or_default()
    }

    /// Which call it answers, and after how many attempts.
    pub(crate) fn set_origin(&mut self, call: CallName, attempts: u32) {
        match self {
            Self::Success(reply) => (reply.call, reply.attempts) = (Some(call), attempts),
            Self::Unauthenticated(error)
            | Self::Forbidden(_, error)
            | Self::RateLimited(error)
            | Self::Rejected(error)
            | Self::ServerError(error)
            | Self::Unexpected(_, error) => error.set_origin(call, attempts),
        }
    }
}

/// Shows what was understood, and no body.
impl<B: AsRef<[u8]>> fmt::Debug for AuthOutcome<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(reply) => f.debug_tuple("Success").field(reply).finish(),
            Self::Unauthenticated(error) => f.debug_tuple("Unauthenticated").field(error).finish(),
            Self::Forbidden(reason, error) => f.debug_tuple("Forbidden").field(reason).field(error).finish(),
            Self::RateLimited(error) => f.debug_tuple("RateLimited").field(error).finish(),
            Self::Rejected(error) => f.debug_tuple("Rejected").field(error).finish(),
            Self::ServerError(error) => f.debug_tuple("ServerError").field(error).finish(),
            Self::Unexpected(cause, error) => f.debug_tuple("Unexpected").field(cause).field(error).finish(),
        }
    }
}

/// What happened: of a success its status, its length and what is left of the rate limit; else what to do about it.
impl<B: AsRef<[u8]>> fmt::Display for AuthOutcome<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(reply) => reply.fmt(f),
            Self::Unauthenticated(error)
            | Self::Forbidden(_, error)
            | Self::RateLimited(error)
            | Self::Rejected(error)
            | Self::ServerError(error)
            | Self::Unexpected(_, error) => error.fmt(f),
        }
    }
}
