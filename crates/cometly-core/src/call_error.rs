//! Why a call has no result.

use std::{error::Error, fmt, time::Duration};

use http::{Method, StatusCode};

use crate::{
    ApiError, ApiErrorKind, DecodeError, Delivery, FlowError, RequestError, TransportLimits,
    call_name::CallName,
    transport_error::{TransportError, TransportFailure},
};

/// Why a call has no result: the error of every client, of its `build`, its calls and its flows. [`kind`](Self::kind) says
/// which failure it is. `E` is the HTTP stack's own error; it is the `source` if the stack failed.
///
/// `Display` names the call, what happened, and what to do next. Neither it nor its sources show the key, a body, or a URL
/// with a query. It is one pointer wide.
///
/// ```
/// use cometly_core::{CallError, CallErrorKind};
///
/// fn log<E: std::error::Error>(error: &CallError<E>) {
///     match error.kind() {
///         CallErrorKind::Api => println!("HTTP {:?}", error.status()),
///         CallErrorKind::Timeout if error.is_safe_to_resend() => println!("try again: {error}"),
///         _ => println!("{error}"), // "GET events: the call got no answer …"
///     }
/// }
/// ```
pub struct CallError<E>(Box<Details<E>>);

struct Details<E> {
    kind: CallErrorKind,
    call: Option<CallName>,
    attempts: u32,
    /// Of all attempts the worst; `None` after an answer that was read.
    delivery: Option<Delivery>,
    /// What an earlier attempt was answered.
    last_answer: Option<ApiErrorKind>,
    limit: Option<ReachedLimit>,
    status: Option<StatusCode>,
    cause: Cause<E>,
    /// What a flow makes of it.
    flow: Option<FlowError>,
}

enum Cause<E> {
    None,
    Request(RequestError),
    Stack(E),
    Api(ApiError),
    Decode(DecodeError),
}

/// The kind of failure that a [`CallError`] is, to branch on; from [`CallError::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallErrorKind {
    /// The call could not be built, for instance because a value for its path is missing; nothing was sent.
    /// [`CallError::request_error`] says what is wrong.
    Request,
    /// The HTTP client could not be made, or cannot be used as it is set up, for instance because it trusts no certificate;
    /// nothing was sent. The error's `source` says why.
    Setup,
    /// A proxy refused to connect, with this HTTP status; `None` if the HTTP stack does not report one. Nothing reached the
    /// API.
    Proxy(Option<StatusCode>),
    /// The HTTP stack failed: there was no connection, the server's certificate was refused, or the connection broke before the
    /// whole answer came. [`CallError::delivery`] says whether the request may have arrived.
    Transport,
    /// The call, its last attempt, or the connection of that took longer than its time-out. [`CallError::limit`] says which of the
    /// three, and how long it was; it is `None` for a time-out between two pieces of a streamed body.
    Timeout,
    /// The head or body of the answer is larger than [`TransportLimits`](crate::TransportLimits) allow, and was not read
    /// further. [`CallError::limit`] says which of the two.
    TooLarge,
    /// The rate limit is used up, and the wait that the [`Pacer`](crate::Pacer) asks for does not fit the call's time or is
    /// longer than [`RetryPolicy::max_retry_after`](crate::RetryPolicy::max_retry_after): the call was not sent, or not again.
    /// [`CallError::retry_after`] gives that wait.
    Paced,
    /// The API, or something in front of it, answered with something else than a success: see [`CallError::api_error`].
    Api,
    /// The API answered with a success whose JSON has another shape than expected: see [`CallError::decode_error`].
    Decode,
    /// A [`Flow`](crate::Flow), a job of several calls, cannot go on: see [`CallError::flow_error`].
    Flow,
}

/// The limit that ended a call; from [`CallError::limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReachedLimit {
    /// The time for the whole call, attempts and waits included, was over. It holds the length of that time.
    Timeout(Duration),
    /// The time for one attempt was over, and no other attempt followed. It holds the length of that time.
    AttemptTimeout(Duration),
    /// The last attempt made no connection within the client's time-out for connecting. It holds the length of that time, the
    /// client's [`connect_timeout`](crate::TransportLimits::connect_timeout); `None` if the HTTP stack has one of its own that the
    /// client does not know.
    ConnectTimeout(Option<Duration>),
    /// The body of the answer is longer than this many bytes, the client's
    /// [`max_body_size`](crate::TransportLimits::max_body_size).
    BodySize(usize),
    /// The answer has more header lines than [`TransportLimits::MAX_HEADERS`](crate::TransportLimits::MAX_HEADERS), 100, or
    /// more bytes of them than [`MAX_HEADER_SIZE`](crate::TransportLimits::MAX_HEADER_SIZE), 64 KiB.
    HeadSize,
    /// The rate limit is used up. It holds how long it is until the call's next turn, which is more than the call may wait;
    /// zero if the call's time ran out while it waited for its turn.
    RateLimit(Duration),
}

/// What an operation knows of a call that it gives up.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) call: CallName,
    pub(crate) attempts: u32,
    pub(crate) last_answer: Option<ApiErrorKind>,
    /// Whether an earlier attempt may have arrived.
    pub(crate) may_have_arrived: bool,
}

impl History {
    fn worst(&self, delivery: Delivery) -> Delivery {
        if self.may_have_arrived { Delivery::Unknown } else { delivery }
    }
}

impl<E> CallError<E> {
    /// The error of a client's `build`: the HTTP client could not be made. Its kind is [`Setup`](CallErrorKind::Setup), its
    /// attempts are 0. For authors of clients.
    pub fn setup(source: E) -> Self {
        Self::new(CallErrorKind::Setup, Some(Delivery::NotSent), Cause::Stack(source))
    }

    fn new(kind: CallErrorKind, delivery: Option<Delivery>, cause: Cause<E>) -> Self {
        Self(Box::new(Details {
            kind,
            call: None,
            attempts: 0,
            delivery,
            last_answer: None,
            limit: None,
            status: None,
            cause,
            flow: None,
        }))
    }

    /// A flow cannot go on, after the answer to `call`.
    pub(crate) fn flow(error: FlowError, call: Option<CallName>, attempts: u32) -> Self {
        let mut this = match error {
            FlowError::Decode(error) => Self::from(error),
            error => {
                let mut this = Self::new(CallErrorKind::Flow, None, Cause::None);
                this.0.flow = Some(error);
                this
            }
        };
        (this.0.call, this.0.attempts) = (this.0.call.or(call), attempts);
        this
    }

    /// The same failure as a flow sees it: what was known of the call stays, and the stack's own error is the source.
    pub(crate) fn seen_by_flow(mut self, error: FlowError) -> Self {
        (self.0.kind, self.0.flow) = (CallErrorKind::Flow, Some(error));
        self
    }

    pub(crate) fn request(error: RequestError, call: Option<CallName>) -> Self {
        let mut this = Self::new(CallErrorKind::Request, Some(Delivery::NotSent), Cause::Request(error));
        this.0.call = call;
        this
    }

    pub(crate) fn transport(error: TransportError<E>, limit: Option<ReachedLimit>, history: History) -> Self {
        let kind = match error.failure {
            TransportFailure::Failed(_) => CallErrorKind::Transport,
            TransportFailure::TimedOut(_) | TransportFailure::ConnectTimedOut(_) => CallErrorKind::Timeout,
            TransportFailure::BodyTooLarge(_) | TransportFailure::HeadTooLarge(_) => CallErrorKind::TooLarge,
            TransportFailure::Setup => CallErrorKind::Setup,
            TransportFailure::ProxyRefused(status) => CallErrorKind::Proxy(status),
        };
        let delivery = history.worst(error.delivery());
        let mut this = Self::new(kind, Some(delivery), error.source.map_or(Cause::None, Cause::Stack)).after(history);
        this.0.limit = limit;
        this.0.status = match error.failure {
            TransportFailure::BodyTooLarge(status) => Some(status),
            TransportFailure::HeadTooLarge(status) | TransportFailure::ProxyRefused(status) => status,
            _ => None,
        };
        this
    }

    /// The file of an export was not fetched.
    pub(crate) fn file(error: TransportError<E>, attempts: u32) -> Self {
        let call = CallName { method: Method::GET, template: Some("export file".into()), is_idempotent: true };
        let history = History { call, attempts, last_answer: None, may_have_arrived: false };
        Self::transport(error, None, history)
    }

    /// The call was not sent, or not again, because its time does not allow the wait.
    pub(crate) fn paced(turn: Duration, history: History) -> Self {
        let delivery = history.worst(Delivery::NotSent);
        let mut this = Self::new(CallErrorKind::Paced, Some(delivery), Cause::None).after(history);
        this.0.limit = Some(ReachedLimit::RateLimit(turn));
        this
    }

    /// The time of the call was over before the next attempt.
    pub(crate) fn out_of_time(timeout: Duration, history: History) -> Self {
        let delivery = history.worst(Delivery::NotSent);
        let mut this = Self::new(CallErrorKind::Timeout, Some(delivery), Cause::None).after(history);
        this.0.limit = Some(ReachedLimit::Timeout(timeout));
        this
    }

    fn after(mut self, history: History) -> Self {
        self.0.call = Some(history.call);
        self.0.attempts = history.attempts;
        self.0.last_answer = history.last_answer;
        self
    }

    /// What kind of failure this is, to branch on; [`CallErrorKind`] says which getter has more of each.
    #[must_use]
    pub fn kind(&self) -> CallErrorKind {
        self.0.kind
    }

    /// The HTTP method of the call; `None` if the error belongs to no call, for instance if the client could not be made.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        self.0.call.as_ref().map(|call| &call.method)
    }

    /// The path of the call as it was given, with `{placeholders}` instead of their values, so that it can be logged; of a path
    /// that was refused, the beginning, as [`Call::path_template`](crate::Call::path_template) says; `export file` for the file of
    /// an export. `None` for a request of the caller's own, from
    /// [`Api::authorize`](crate::Api::authorize), and if the error belongs to no call.
    #[must_use]
    pub fn path_template(&self) -> Option<&str> {
        self.0.call.as_ref()?.template.as_deref()
    }

    /// How many attempts were made, the first included; 0 if none was, for instance if the kind is
    /// [`Request`](CallErrorKind::Request) or a client's `build` failed.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the API may have carried the call out, over all its attempts. [`Delivery::Unknown`] if at least one of them may
    /// have arrived and got no whole answer, or was answered with a 5xx; otherwise [`Delivery::NotSent`], also if attempts were
    /// refused by 429, or [`Delivery::Untrusted`], if the server's certificate was refused.
    ///
    /// `None` if the call ended with an answer that was read ([`Api`](CallErrorKind::Api), [`Decode`](CallErrorKind::Decode)),
    /// and for an error that a flow raised itself.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        self.0.delivery
    }

    /// Whether it does no harm to send the call again: the API did not carry it out, or it is
    /// [idempotent](crate::Call::is_idempotent). False also if it is not known whether the API carried it out.
    ///
    /// True does not mean that it helps: a refused key stays refused.
    #[must_use]
    pub fn is_safe_to_resend(&self) -> bool {
        let is_idempotent = self.0.call.as_ref().is_some_and(|call| call.is_idempotent);
        let was_not_carried_out = match (&self.0.cause, self.0.delivery) {
            (Cause::Api(error), _) => !error.kind().may_be_done(),
            (_, Some(delivery)) => delivery != Delivery::Unknown,
            (_, None) => false,
        };
        is_idempotent || was_not_carried_out
    }

    /// The answer that ended the call and was no success, for instance a 401; `None` if the call failed in another way. It is
    /// there if the kind is [`Api`](CallErrorKind::Api), and if a flow could not go on after such an answer.
    #[must_use]
    pub fn api_error(&self) -> Option<&ApiError> {
        if let Cause::Api(error) = &self.0.cause { Some(error) } else { None }
    }

    /// What is wrong with the JSON of a success; `None` unless the kind is [`Decode`](CallErrorKind::Decode).
    #[must_use]
    pub fn decode_error(&self) -> Option<&DecodeError> {
        if let Cause::Decode(error) = &self.0.cause { Some(error) } else { None }
    }

    /// As [`decode_error`](Self::decode_error), by value, `None` as there: [`DecodeError::into_reply`] then gives the reply
    /// that could not be read.
    #[must_use]
    pub fn into_decode_error(self) -> Option<DecodeError> {
        if let Cause::Decode(error) = self.0.cause { Some(error) } else { None }
    }

    /// What is wrong with the call as it was described, so that it was not sent; `None` unless the kind is
    /// [`Request`](CallErrorKind::Request).
    #[must_use]
    pub fn request_error(&self) -> Option<&RequestError> {
        if let Cause::Request(error) = &self.0.cause { Some(error) } else { None }
    }

    /// Why a [`Flow`](crate::Flow) cannot go on; `None` unless the kind is [`Flow`](CallErrorKind::Flow).
    #[must_use]
    pub fn flow_error(&self) -> Option<&FlowError> {
        self.0.flow.as_ref()
    }

    /// The limit that was reached: a time-out, a size, or the wait for the rate limit. `None` for other failures, for a
    /// time-out between two pieces of a streamed body, and for the failures of a [`Download`](crate::Download) itself.
    #[must_use]
    pub fn limit(&self) -> Option<ReachedLimit> {
        self.0.limit
    }

    /// The HTTP status of an answer that was no success, of one that was larger than
    /// [`TransportLimits`](crate::TransportLimits) allow, or of a proxy that refused to connect. `None` for every other
    /// failure, also for [`Decode`](CallErrorKind::Decode), and if the HTTP stack does not report the status.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.api_error().map(ApiError::status).or(self.0.status)
    }

    /// Whether the API itself answered 404: what the call names does not exist. False for every other failure, also for a 404
    /// of a proxy or a web server, which has no error JSON.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let is_missing =
            |error: &ApiError| error.kind() == ApiErrorKind::Rejected && error.status() == StatusCode::NOT_FOUND;
        self.api_error().is_some_and(is_missing)
    }

    /// How long to wait before the next call, as the server asks in its answer ([`ApiError::retry_after`]) or, if the kind is
    /// [`Paced`](CallErrorKind::Paced), the [`Pacer`](crate::Pacer); `None` if neither does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match (&self.0.cause, self.0.limit) {
            (Cause::Api(error), _) => error.retry_after(),
            (_, Some(ReachedLimit::RateLimit(wait))) => Some(wait),
            _ => None,
        }
    }

    /// A short name for logs and metrics, after OpenTelemetry's `error.type`: one of `request`, `setup`, `proxy`, `not_sent`,
    /// `untrusted`, `no_answer`, `timeout`, `too_large`, `paced`, `decode`, `flow`, or that of the [`ApiErrorKind`], as
    /// `rate_limited`.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match (self.0.kind, &self.0.cause) {
            (CallErrorKind::Flow, _) => "flow",
            (_, Cause::Api(error)) => error.kind().error_type(),
            (CallErrorKind::Request, _) => "request",
            (CallErrorKind::Setup, _) => "setup",
            (CallErrorKind::Proxy(_), _) => "proxy",
            (CallErrorKind::Transport, _) => match self.0.delivery {
                Some(Delivery::NotSent) => "not_sent",
                Some(Delivery::Untrusted) => "untrusted",
                _ => "no_answer",
            },
            (CallErrorKind::Timeout, _) => "timeout",
            (CallErrorKind::TooLarge, _) => "too_large",
            (CallErrorKind::Paced, _) => "paced",
            (CallErrorKind::Api | CallErrorKind::Decode, _) => "decode",
        }
    }

    /// The same error with another type for the HTTP stack's own error, for instance to box it. `map` is called at most once,
    /// and not at all if the error holds none.
    pub fn map_source<U>(self, map: impl FnOnce(E) -> U) -> CallError<U> {
        let Details { kind, call, attempts, delivery, last_answer, limit, status, cause, flow } = *self.0;
        let cause = match cause {
            Cause::None => Cause::None,
            Cause::Request(error) => Cause::Request(error),
            Cause::Stack(source) => Cause::Stack(map(source)),
            Cause::Api(error) => Cause::Api(error),
            Cause::Decode(error) => Cause::Decode(error),
        };
        CallError(Box::new(Details { kind, call, attempts, delivery, last_answer, limit, status, cause, flow }))
    }

    /// What happened, without the call's name and the advice.
    fn fmt_event(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = Before(self.0.attempts, self.0.last_answer);
        match (self.0.kind, self.0.limit) {
            (CallErrorKind::Setup, _) => f.write_str("the HTTP client cannot be used as it is set up"),
            (CallErrorKind::Proxy(Some(status)), _) => {
                write!(f, "the proxy refused to connect (HTTP {}){before}", status.as_u16())
            }
            (CallErrorKind::Proxy(None), _) => write!(f, "the proxy refused to connect{before}"),
            (CallErrorKind::Timeout, Some(ReachedLimit::AttemptTimeout(limit))) => {
                write!(f, "no answer came within the attempt's time-out of {} s{before}", limit.as_secs_f64())
            }
            (CallErrorKind::Timeout, Some(ReachedLimit::ConnectTimeout(Some(limit)))) => {
                write!(f, "no connection was made within the connect time-out of {} s{before}", limit.as_secs_f64())
            }
            (CallErrorKind::Timeout, Some(ReachedLimit::ConnectTimeout(None))) => {
                write!(f, "no connection was made before the connect time-out{before}")
            }
            (CallErrorKind::Timeout, Some(ReachedLimit::Timeout(limit))) => {
                write!(f, "no answer came within the call's time-out of {} s{before}", limit.as_secs_f64())
            }
            (CallErrorKind::Timeout, _) => write!(f, "no answer came before the time-out{before}"),
            (CallErrorKind::TooLarge, Some(ReachedLimit::BodySize(limit))) => {
                write!(f, "the body of the answer is larger than the {limit} bytes allowed{before}")
            }
            (CallErrorKind::TooLarge, _) => write!(
                f,
                "the headers of the answer are more than the {} lines or {} bytes allowed{before}",
                TransportLimits::MAX_HEADERS,
                TransportLimits::MAX_HEADER_SIZE
            ),
            (CallErrorKind::Paced, Some(ReachedLimit::RateLimit(wait))) => {
                let again = if self.0.attempts == 0 { "" } else { " again" };
                let wait = wait.as_secs_f64().ceil();
                write!(
                    f,
                    "the rate limit of this Space for this endpoint is used up, and the call was not sent{again}{before}: \
                     its turn comes in {wait} s, which its time does not allow"
                )
            }
            _ => write!(f, "the call got no answer{before}"),
        }
    }

    /// What to do next.
    fn advice(&self) -> &'static str {
        match (self.0.kind, self.0.delivery) {
            (CallErrorKind::Setup, _) => {
                "its source says why: check its proxy, its TLS and the runtime that it is called from"
            }
            (CallErrorKind::Proxy(_), Some(Delivery::NotSent)) => {
                "check the proxy's address and credentials; nothing was sent to Cometly"
            }
            (CallErrorKind::Paced, Some(Delivery::NotSent)) => "call again then, or give it more time",
            (CallErrorKind::TooLarge, _) if matches!(self.0.limit, Some(ReachedLimit::BodySize(_))) => {
                "ask for less in one call"
            }
            (CallErrorKind::TooLarge, _) => "check the base URL and any proxy",
            // An attempt was sent, and refused before any work.
            (_, Some(Delivery::NotSent)) if self.0.last_answer.is_some() => {
                "it was not carried out, so it is safe to send it again"
            }
            (_, Some(Delivery::NotSent)) => "nothing was sent, so it is safe to send it again",
            (_, Some(Delivery::Untrusted)) => {
                "the server's certificate is not trusted and nothing was sent; check the base URL, the clock, and for a \
                 proxy that opens TLS"
            }
            (_, Some(Delivery::Unknown)) if self.is_safe_to_resend() => {
                "it may have arrived; sending it again does no harm, for it is idempotent"
            }
            _ => "it may have arrived; send it again only if doing it twice does no harm",
        }
    }
}

/// The call, what happened, and what to do next.
impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(flow) = &self.0.flow {
            if let Some(call) = &self.0.call {
                write!(f, "{call}: ")?;
            }
            return flow.fmt(f);
        }
        match &self.0.cause {
            // These name their call themselves.
            Cause::Api(error) => error.fmt(f),
            Cause::Decode(error) => error.fmt(f),
            Cause::Request(error) => {
                if let Some(call) = &self.0.call {
                    write!(f, "{call}: ")?;
                }
                write!(f, "the call cannot be built, and nothing was sent: {error}")
            }
            Cause::None | Cause::Stack(_) => {
                if let Some(call) = &self.0.call {
                    write!(f, "{call}: ")?;
                }
                self.fmt_event(f)?;
                write!(f, "; {}", self.advice())
            }
        }
    }
}

/// How often it was tried and what was answered, when that is more than the error itself says.
struct Before(u32, Option<ApiErrorKind>);

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = match self.1 {
            None => "",
            Some(ApiErrorKind::RateLimited) => ", refused by the rate limit before",
            Some(ApiErrorKind::ServerError) => ", answered with a server error before",
            Some(_) => ", answered before",
        };
        match (self.0, answer) {
            (0 | 1, "") => Ok(()),
            (1, answer) => write!(f, " (1 attempt{answer})"),
            (attempts, answer) => write!(f, " ({attempts} attempts{answer})"),
        }
    }
}

/// As `Display`, and the stack's own error behind it.
impl<E: fmt::Debug> fmt::Debug for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match &self.0.cause {
            Cause::Stack(source) => write!(f, ": {source:?}"),
            _ => Ok(()),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Cause::Stack(source) => Some(source),
            Cause::Request(error) => error.source(),
            // `Display` shows what the flow makes of it, and this behind.
            Cause::Api(error) if self.0.flow.is_some() => Some(error),
            // Shown in full by `Display`.
            Cause::None | Cause::Api(_) | Cause::Decode(_) => None,
        }
    }
}

impl<E> From<RequestError> for CallError<E> {
    fn from(error: RequestError) -> Self {
        Self::request(error, None)
    }
}

impl<E> From<FlowError> for CallError<E> {
    fn from(error: FlowError) -> Self {
        Self::flow(error, None, 0)
    }
}

impl<E> From<ApiError> for CallError<E> {
    fn from(error: ApiError) -> Self {
        let (call, attempts) = (error.call().cloned(), error.attempts());
        let mut this = Self::new(CallErrorKind::Api, None, Cause::Api(error));
        (this.0.call, this.0.attempts) = (call, attempts);
        this
    }
}

impl<E> From<DecodeError> for CallError<E> {
    fn from(error: DecodeError) -> Self {
        let (call, attempts) = (error.call().cloned(), error.attempts());
        let mut this = Self::new(CallErrorKind::Decode, None, Cause::Decode(error));
        (this.0.call, this.0.attempts) = (call, attempts);
        this
    }
}

#[cfg(test)]
mod tests;
