//! Why an attempt has no answer, as a client tells it.

use std::{error::Error, fmt, time::Duration};

use http::StatusCode;

use crate::Delivery;

/// Why an attempt has no answer: what a client gives to [`Attempt::finish`](crate::Attempt::finish). `E` is the error of its
/// HTTP stack, the `source` that most constructors take. For authors of clients.
///
/// | constructor | the client knows that | sent again, as far as the retry policy allows |
/// | --- | --- | --- |
/// | [`not_sent`](Self::not_sent) | the connection failed before anything was sent | yes |
/// | [`untrusted`](Self::untrusted) | the server's certificate was refused | no |
/// | [`unknown`](Self::unknown) | the request may have arrived | if it is idempotent |
/// | [`timed_out`](Self::timed_out) | [`Attempt::timeout`](crate::Attempt::timeout) has passed | yes if its [`Delivery`] is `NotSent`, if it is idempotent for `Unknown` |
/// | [`connect_timed_out`](Self::connect_timed_out) | no connection was made within its own time-out for connecting | yes |
/// | [`too_large`](Self::too_large) | the answer is longer than [`TransportLimits`](crate::TransportLimits) allow | no |
/// | [`proxy_refused`](Self::proxy_refused) | a proxy refused to connect (407, or any answer to CONNECT but 2xx) | no |
/// | [`setup`](Self::setup) | the stack cannot be used as it is set up | no |
///
/// Whether something was sent is to be seen from the place of the failure (name, connection, TLS), never from the words of an
/// error.
#[derive(Debug)]
#[must_use = "it ends the attempt when it is given to `finish`"]
pub struct TransportError<E> {
    pub(crate) failure: TransportFailure,
    pub(crate) source: Option<E>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransportFailure {
    Failed(Delivery),
    TimedOut(Delivery),
    ConnectTimedOut(Option<Duration>),
    BodyTooLarge(StatusCode),
    HeadTooLarge(Option<StatusCode>),
    Setup,
    ProxyRefused(Option<StatusCode>),
}

impl<E> TransportError<E> {
    fn new(failure: TransportFailure, source: impl Into<Option<E>>) -> Self {
        Self { failure, source: source.into() }
    }

    /// Makes the error of an attempt whose connection failed before anything of the request was sent: the call may be sent again,
    /// whatever its method.
    pub fn not_sent(source: E) -> Self {
        Self::new(TransportFailure::Failed(Delivery::NotSent), source)
    }

    /// Makes the error of an attempt that refused the server's certificate: nothing was sent, and the call is not sent again.
    pub fn untrusted(source: E) -> Self {
        Self::new(TransportFailure::Failed(Delivery::Untrusted), source)
    }

    /// Makes the error of an attempt whose request may have arrived, and that got no whole answer: the call is sent again only if
    /// it is idempotent.
    pub fn unknown(source: E) -> Self {
        Self::new(TransportFailure::Failed(Delivery::Unknown), source)
    }

    /// Makes the error of an attempt that failed in the HTTP stack; `delivery` says whether the request may have arrived. For
    /// each [`Delivery`] there is a short form: [`not_sent`](Self::not_sent), [`untrusted`](Self::untrusted) (the certificate
    /// was refused, so nothing was sent) and [`unknown`](Self::unknown).
    pub fn failed(delivery: Delivery, source: E) -> Self {
        Self::new(TransportFailure::Failed(delivery), source)
    }

    /// Makes the error of an HTTP stack that cannot be used as it is set up: nothing was sent, and the call is not sent again.
    pub fn setup(source: E) -> Self {
        Self::new(TransportFailure::Setup, source)
    }

    /// Makes the error of an attempt whose proxy refused to connect, with this status; `None` if the stack does not report one.
    /// Nothing reached the server, and the call is not sent again.
    pub fn proxy_refused(status: Option<StatusCode>, source: E) -> Self {
        Self::new(TransportFailure::ProxyRefused(status), source)
    }

    /// Makes the error of an attempt that took longer than its time-out, [`Attempt::timeout`](crate::Attempt::timeout); `delivery`
    /// says whether the request may have arrived. It has no source before [`with_source`](Self::with_source).
    pub fn timed_out(delivery: Delivery) -> Self {
        Self::new(TransportFailure::TimedOut(delivery), None)
    }

    /// Makes the error of an attempt without a connection when the client's time-out for connecting was over, which is `limit`
    /// long; `None` if the client does not know. Nothing was sent, so the call may be sent again, whatever its method. A `limit` as
    /// long as the attempt's or longer counts as [`timed_out`](Self::timed_out) does. It has no source before
    /// [`with_source`](Self::with_source).
    pub fn connect_timed_out(limit: Option<Duration>) -> Self {
        Self::new(TransportFailure::ConnectTimedOut(limit), None)
    }

    /// Makes the error of an answer that is larger than [`TransportLimits`](crate::TransportLimits) allow, and was not read
    /// further; the call is not sent again. `status` is that of the answer; `None` if its head is too large to have one. It has no
    /// source before [`with_source`](Self::with_source).
    pub fn too_large(status: Option<StatusCode>) -> Self {
        Self::new(status.map_or(TransportFailure::HeadTooLarge(None), TransportFailure::BodyTooLarge), None)
    }

    pub(crate) fn head_too_large(status: Option<StatusCode>) -> Self {
        Self::new(TransportFailure::HeadTooLarge(status), None)
    }

    /// The same failure with the error of the HTTP stack as its source, in place of an earlier one.
    pub fn with_source(self, source: E) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The same failure with another type for the HTTP stack's error, for instance to box it. `map` is called at most once,
    /// and not at all if the error holds none.
    pub fn map_source<U>(self, map: impl FnOnce(E) -> U) -> TransportError<U> {
        TransportError { failure: self.failure, source: self.source.map(map) }
    }

    /// Whether the request may have arrived at the API: what [`failed`](Self::failed) or [`timed_out`](Self::timed_out) was
    /// given; [`NotSent`](Delivery::NotSent) after [`not_sent`](Self::not_sent), [`setup`](Self::setup),
    /// [`connect_timed_out`](Self::connect_timed_out) and [`proxy_refused`](Self::proxy_refused);
    /// [`Untrusted`](Delivery::Untrusted), so nothing was sent, after
    /// [`untrusted`](Self::untrusted); [`Unknown`](Delivery::Unknown) after [`unknown`](Self::unknown), and after
    /// [`too_large`](Self::too_large), since the call may have been carried out.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.failure.delivery()
    }

    /// There is no more to be had of an answer.
    pub(crate) fn broken() -> Self {
        Self::new(TransportFailure::Failed(Delivery::Unknown), None)
    }

    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self.failure, TransportFailure::BodyTooLarge(_))
    }

    /// Whether it would come again.
    pub(crate) fn is_final(&self) -> bool {
        match self.failure {
            TransportFailure::Setup | TransportFailure::ProxyRefused(_) | TransportFailure::HeadTooLarge(_) => true,
            TransportFailure::Failed(delivery) => delivery == Delivery::Untrusted,
            TransportFailure::TimedOut(_)
            | TransportFailure::ConnectTimedOut(_)
            | TransportFailure::BodyTooLarge(_) => false,
        }
    }
}

impl TransportFailure {
    pub(crate) fn delivery(self) -> Delivery {
        match self {
            Self::Failed(delivery) | Self::TimedOut(delivery) => delivery,
            Self::ConnectTimedOut(_) | Self::Setup | Self::ProxyRefused(_) => Delivery::NotSent,
            Self::BodyTooLarge(_) | Self::HeadTooLarge(_) => Delivery::Unknown,
        }
    }
}

#[cfg(feature = "tracing")]
impl TransportFailure {
    /// The words of [`CallError::error_type`](crate::CallError::error_type).
    pub(crate) fn error_type(self) -> &'static str {
        match self {
            Self::Failed(Delivery::NotSent) => "not_sent",
            Self::Failed(Delivery::Untrusted) => "untrusted",
            Self::Failed(Delivery::Unknown) => "no_answer",
            Self::TimedOut(_) | Self::ConnectTimedOut(_) => "timeout",
            Self::BodyTooLarge(_) | Self::HeadTooLarge(_) => "too_large",
            Self::Setup => "setup",
            Self::ProxyRefused(_) => "proxy",
        }
    }
}

impl<E> fmt::Display for TransportError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.failure {
            TransportFailure::Failed(_) => "the attempt got no answer",
            TransportFailure::TimedOut(_) => "the attempt took longer than its time-out",
            TransportFailure::ConnectTimedOut(_) => "the attempt made no connection within its time-out",
            TransportFailure::BodyTooLarge(_) => "the body of the answer is larger than allowed",
            TransportFailure::HeadTooLarge(_) => "the headers of the answer are larger than allowed",
            TransportFailure::Setup => "the HTTP stack cannot be used as it is set up",
            TransportFailure::ProxyRefused(_) => "the proxy refused to connect",
        })?;
        write!(f, ": {}", self.delivery())
    }
}

impl<E: Error + 'static> Error for TransportError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_words_a_delivery_and_an_error_type_and_keeps_its_source() {
        type Failure = TransportError<std::io::Error>;
        let source = || std::io::Error::other("broken");
        for (error, text, is_final, is_too_large, error_type) in [
            (Failure::not_sent(source()), "the attempt got no answer: ", false, false, "not_sent"),
            (Failure::untrusted(source()), "the attempt got no answer: ", true, false, "untrusted"),
            (Failure::unknown(source()), "the attempt got no answer: ", false, false, "no_answer"),
            (
                Failure::timed_out(Delivery::NotSent).with_source(source()),
                "the attempt took longer than its time-out: ",
                false,
                false,
                "timeout",
            ),
            (
                Failure::connect_timed_out(None).with_source(source()),
                "the attempt made no connection within its time-out: ",
                false,
                false,
                "timeout",
            ),
            (
                Failure::too_large(Some(StatusCode::OK)).with_source(source()),
                "the body of the answer is larger than allowed: ",
                false,
                true,
                "too_large",
            ),
            (
                Failure::too_large(None).with_source(source()),
                "the headers of the answer are larger than allowed: ",
                true,
                false,
                "too_large",
            ),
            (Failure::setup(source()), "the HTTP stack cannot be used as it is set up: ", true, false, "setup"),
            (Failure::proxy_refused(None, source()), "the proxy refused to connect: ", true, false, "proxy"),
        ] {
            assert_eq!(error.to_string(), format!("{text}{}", error.delivery()));
            assert_eq!((error.is_final(), error.is_too_large()), (is_final, is_too_large), "{error}");
            assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("broken"), "{error}");
            #[cfg(feature = "tracing")]
            assert_eq!(error.failure.error_type(), error_type, "{error}");
            #[cfg(not(feature = "tracing"))]
            let _ = error_type;
        }
    }
}
