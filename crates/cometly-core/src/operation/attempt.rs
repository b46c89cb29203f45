//! One request of an operation, and its answer.

use std::{fmt, future::Future, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};

use super::{Attributes, Operation, State};
use crate::{Moment, RetryReason, TransportError, TransportLimits};

/// One attempt of an [`Operation`]: the request to send, and how much time and memory it may take; from
/// [`Next::Send`](crate::Next::Send).
///
/// A client sends [`request`](Self::request) within [`timeout`](Self::timeout) and [`limits`](Self::limits), inside
/// [`instrument`](Self::instrument) or [`in_scope`](Self::in_scope), and gives the answer or the failure to
/// [`finish`](Self::finish). If the attempt is dropped instead, the call ends, and the [`Pacer`](crate::Pacer) counts it as one
/// that got no answer.
#[must_use = "an attempt does nothing until its request is sent"]
pub struct Attempt {
    pub(super) state: Box<State>,
}

impl Attempt {
    /// The request to send, with the key that was current when the attempt began; each call of this gives the same one. A
    /// request of the caller's own without an `Authorization` header, or to another origin, has the headers that it was given.
    /// The body is shared, not copied.
    #[must_use]
    pub fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(self.state.prototype.body().clone());
        *request.method_mut() = self.state.prototype.method().clone();
        *request.uri_mut() = self.state.prototype.uri().clone();
        *request.version_mut() = self.state.prototype.version();
        *request.headers_mut() = self.state.headers();
        request
    }

    /// The URL to send the request to, with its query.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        self.state.prototype.uri()
    }

    /// How long the attempt may take, connecting and the body included: what is left of the call's time, but at most
    /// [`attempt_timeout`](TransportLimits::attempt_timeout), or 30 s if neither that nor a time-out of the call or client is
    /// set.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.state.attempt_timeout.0
    }

    /// The limits for this attempt: the largest body of the answer, and the time for connecting. Their `timeout` and
    /// `attempt_timeout` are those that were set for the call, or for the client; [`timeout`](Self::timeout) says how long the
    /// attempt may take.
    #[must_use]
    pub fn limits(&self) -> &TransportLimits {
        &self.state.limits
    }

    /// The number of this attempt, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.state.attempts
    }

    /// Why the call is sent again; `None` for the first attempt.
    #[must_use]
    pub fn reason(&self) -> Option<RetryReason> {
        self.state.reason
    }

    /// Whether to send on a new connection: the attempt before failed, and a kept connection may have been the reason. False
    /// for the first attempt.
    #[must_use]
    pub fn needs_fresh_connection(&self) -> bool {
        self.state.needs_fresh_connection
    }

    /// The HTTP method of the call.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.state.name.method
    }

    /// The path of the call as it was given, with `{placeholders}` instead of their values, so that it can be logged. `None`
    /// for a request of the caller's own, from [`Api::authorize`](crate::Api::authorize).
    #[must_use]
    pub fn path_template(&self) -> Option<&str> {
        self.state.name.template.as_deref()
    }

    /// The attributes that OpenTelemetry's conventions for HTTP clients ask of an attempt, for metrics of your own: method,
    /// path template, scheme, host, port and the number of resends.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes::new(&self.state.name, self.state.prototype.uri(), self.state.attempts)
    }

    /// Runs `future` within the attempt's span. Without the feature `tracing`, it gives `future` back as it is.
    #[cfg(feature = "tracing")]
    pub fn instrument<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        tracing::Instrument::instrument(future, self.state.telemetry.attempt_span())
    }

    /// Runs `future` within the attempt's span. Without the feature `tracing`, it gives `future` back as it is.
    #[cfg(not(feature = "tracing"))]
    pub fn instrument<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        future
    }

    /// Runs `exchange` within the attempt's span, and gives what it returns. Without the feature `tracing`, it only runs it.
    pub fn in_scope<R>(&self, exchange: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tracing")]
        let _entered = self.state.telemetry.attempt_span().entered();
        exchange()
    }

    /// Ends the attempt with its response, or with the reason why there is none, and gives the operation back: its
    /// [`next`](Operation::next) says whether to wait, to send again, or that the call is over, with its result. It cannot
    /// fail.
    pub fn finish<B: AsRef<[u8]>, E>(
        mut self,
        answer: Result<Response<B>, TransportError<E>>,
        now: Moment,
    ) -> Operation<B, E> {
        self.state.clock.advance(now);
        let stage = match answer {
            Ok(response) => self.state.take_answer(response),
            Err(error) => self.state.take_failure(error),
        };
        Operation { stage }
    }
}

/// Shows no key, no value of the path, the query or the body.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("number", &self.number()).field("state", &self.state).finish_non_exhaustive()
    }
}
