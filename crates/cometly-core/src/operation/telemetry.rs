//! Spans and events of an operation, after OpenTelemetry's conventions for HTTP client spans. With the feature `tracing`:
//! an INTERNAL span for the operation, a CLIENT span for each attempt, and an event for each wait. Never a header, a query, a
//! body or a key, and a path only as its template.
//!
//! <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>

use http::{Method, Uri};

use crate::call_name::CallName;

/// The attributes of an attempt that are known before it is sent, named and valued after OpenTelemetry's conventions for HTTP
/// clients; from [`Attempt::attributes`](crate::Attempt::attributes).
///
/// ```
/// # use cometly_core::{Api, ApiKey, Moment, Next, RetryPolicy, TransportLimits, bytes::Bytes};
/// # let api = Api::new(ApiKey::new("12|abcdef")?);
/// let call = api.get("contacts/{id}").segment(7);
/// let operation = call.start::<Bytes, std::io::Error>(&RetryPolicy::none(), &TransportLimits::default(), 1, Moment::now())?;
/// let Next::Send(attempt) = operation.next(Moment::now()) else { return Ok(()) };
/// let attributes = attempt.attributes();
/// assert_eq!(attributes.url_template, Some("contacts/{id}"));
/// assert_eq!((attributes.server_address, attributes.resend_count), ("app.cometly.com", 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attributes<'a> {
    /// `http.request.method`: the HTTP method of the call.
    pub method: &'a Method,
    /// `url.template`: the path as it was given, without values. `None` for a request of the caller's own.
    pub url_template: Option<&'a str>,
    /// `url.scheme`: `https` or `http`.
    pub url_scheme: &'a str,
    /// `server.address`: the host of the call's URL.
    pub server_address: &'a str,
    /// `server.port`: the port of the call's URL; if it names none, 443 for `https` and 80 for `http`.
    pub server_port: u16,
    /// `http.request.resend_count`: how many attempts came before this one, 0 for the first.
    pub resend_count: u32,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(name: &'a CallName, uri: &'a Uri, attempts: u32) -> Self {
        let url_scheme = uri.scheme_str().unwrap_or_default();
        Self {
            method: &name.method,
            url_template: name.template.as_deref(),
            url_scheme,
            server_address: uri.host().unwrap_or_default(),
            server_port: uri.port_u16().unwrap_or(if url_scheme == "http" { 80 } else { 443 }),
            resend_count: attempts.saturating_sub(1),
        }
    }
}

#[cfg(feature = "tracing")]
pub(super) use with_tracing::Telemetry;
#[cfg(not(feature = "tracing"))]
pub(super) use without_tracing::Telemetry;

#[cfg(feature = "tracing")]
mod with_tracing {
    use std::time::Duration;

    use http::Uri;
    use tracing::{Span, debug, field::Empty, info_span};

    use super::Attributes;
    use crate::{AuthOutcome, RetryReason, call_name::CallName, transport_error::TransportFailure};

    /// The span of the operation and of the attempt under way.
    pub(crate) struct Telemetry {
        operation: Span,
        attempt: Span,
    }

    impl Telemetry {
        pub(crate) fn begin(name: &CallName, uri: &Uri) -> Self {
            let attributes = Attributes::new(name, uri, 1);
            let operation = info_span!(
                target: "cometly_core::operation",
                "cometly.operation",
                otel.name = %name,
                otel.kind = "internal",
                otel.status_code = Empty,
                http.request.method = %attributes.method,
                url.template = attributes.url_template,
                attempts = Empty,
                error.r#type = Empty,
            );
            Self { operation, attempt: Span::none() }
        }

        pub(crate) fn begin_attempt(&mut self, name: &CallName, uri: &Uri, attempts: u32, reason: Option<RetryReason>) {
            let attributes = Attributes::new(name, uri, attempts);
            self.operation.record("attempts", attempts);
            self.attempt = info_span!(
                target: "cometly_core::operation",
                parent: &self.operation,
                "cometly.attempt",
                otel.name = %name,
                otel.kind = "client",
                otel.status_code = Empty,
                http.request.method = %attributes.method,
                url.template = attributes.url_template,
                url.scheme = attributes.url_scheme,
                server.address = attributes.server_address,
                server.port = attributes.server_port,
                http.request.resend_count = attributes.resend_count,
                http.response.status_code = Empty,
                error.r#type = Empty,
                reason = reason.map(RetryReason::as_str),
            );
        }

        pub(crate) fn attempt_span(&self) -> Span {
            self.attempt.clone()
        }

        pub(crate) fn answered<B>(&mut self, outcome: &AuthOutcome<B>) {
            self.attempt.record("http.response.status_code", outcome.status().as_u16());
            match outcome.error() {
                Some(error) => self.fail_attempt(error.kind().error_type()),
                None => self.attempt = Span::none(),
            }
        }

        pub(crate) fn attempt_failed(&mut self, failure: TransportFailure) {
            self.fail_attempt(failure.error_type());
        }

        /// The attempt's span ends here, not with the operation's.
        fn fail_attempt(&mut self, error_type: &'static str) {
            self.attempt.record("error.type", error_type);
            self.attempt.record("otel.status_code", "ERROR");
            self.attempt = Span::none();
        }

        pub(crate) fn failed(&self, error_type: &'static str) {
            self.operation.record("error.type", error_type);
            self.operation.record("otel.status_code", "ERROR");
        }

        pub(crate) fn ended<B>(&self, outcome: &AuthOutcome<B>) {
            if let Some(error) = outcome.error() {
                self.failed(error.kind().error_type());
            }
        }

        /// `reason` is why the call is sent again; without one it waits for its turn.
        pub(crate) fn waits(&self, pause: Duration, reason: Option<RetryReason>, attempts: u32) {
            let pause = pause.as_secs_f64();
            let reason = reason.map_or("its turn has not come", RetryReason::as_str);
            debug!(target: "cometly_core::operation", parent: &self.operation, attempts, pause, reason, "waiting");
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tracing")]
mod tests;

#[cfg(not(feature = "tracing"))]
mod without_tracing {
    use std::time::Duration;

    use http::Uri;

    use crate::{AuthOutcome, RetryReason, call_name::CallName, transport_error::TransportFailure};

    /// Says nothing.
    pub(crate) struct Telemetry;

    #[expect(clippy::unused_self, reason = "as with the feature `tracing`")]
    impl Telemetry {
        pub(crate) fn begin(_: &CallName, _: &Uri) -> Self {
            Self
        }

        pub(crate) fn begin_attempt(&mut self, _: &CallName, _: &Uri, _: u32, _: Option<RetryReason>) {}

        pub(crate) fn answered<B>(&mut self, _: &AuthOutcome<B>) {}

        pub(crate) fn attempt_failed(&mut self, _: TransportFailure) {}

        pub(crate) fn failed(&self, _: &'static str) {}

        pub(crate) fn ended<B>(&self, _: &AuthOutcome<B>) {}

        pub(crate) fn waits(&self, _: Duration, _: Option<RetryReason>, _: u32) {}
    }
}
