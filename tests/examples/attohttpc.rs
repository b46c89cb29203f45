//! The core on attohttpc: blocking, a connection for each call, TLS by rustls.
//!
//! `cargo run --example attohttpc` makes one call, with the key in `COMETLY_API_KEY` and, if set, the base URL in
//! `COMETLY_BASE_URL`.
#![allow(dead_code, reason = "the program here and the suite use different parts")]

use std::{
    error::Error as StdError,
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _},
    thread::sleep,
    time::{Duration, Instant},
};

use attohttpc::{ErrorKind, ProxySettings, RequestBuilder, body};
use cometly_core::{
    Api, Attempt, AuthOutcome, Call, CallError, Delivery, Flow, Moment, Next, Operation, RetryPolicy, Step,
    TransportError, TransportLimits,
    bytes::Bytes,
    http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_LENGTH},
};
use rustls::crypto::ring;

pub(crate) type Error = CallError<attohttpc::Error>;

pub(crate) struct Client {
    limits: TransportLimits,
    policy: RetryPolicy,
}

impl Client {
    pub(crate) fn new(limits: TransportLimits, policy: RetryPolicy) -> Self {
        // attohttpc takes the provider of the process, and panics if rustls was built with two and none is chosen.
        let _ = ring::default_provider().install_default();
        Self { limits, policy }
    }

    pub(crate) fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(call.start(&self.policy, &self.limits, seed(), Moment::now())?)
    }

    pub(crate) fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(Operation::from_request(request, api, &self.policy, &self.limits, seed(), Moment::now()))
    }

    // An arm a line, as docs/your-own-stack.md shows it.
    #[rustfmt::skip]
    pub(crate) fn run<F: Flow>(&self, api: &Api, flow: &mut F, mut each: impl FnMut(F::Item)) -> Result<F::Output, Error> {
        loop {
            match flow.next(api, Moment::now())? {
                Step::Send(call) => flow.settle(self.send(call), Moment::now())?,
                Step::Sleep(pause) => sleep(pause),
                Step::Yield(item) => each(item),
                Step::End(output) => return Ok(output),
            }
        }
    }

    // An arm a line, as docs/your-own-stack.md shows it.
    #[rustfmt::skip]
    fn drive(&self, mut operation: Operation<Bytes, attohttpc::Error>) -> Result<AuthOutcome<Bytes>, Error> {
        loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => { sleep(pause); operation }
                Next::Send(attempt) => {
                    let answer = attempt.in_scope(|| self.exchange(&attempt));
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    fn exchange(&self, attempt: &Attempt) -> Result<Response<Bytes>, TransportError<attohttpc::Error>> {
        let (request, timeout) = (attempt.request(), attempt.timeout());
        let started = Instant::now();
        let failure = |error| failure(error, started.elapsed() >= timeout);
        let (status, headers, mut reader) = self.send_once(request, timeout).map_err(failure)?.split();
        self.limits.check_head(status, &headers)?;
        let (len, mut body, mut buffer) = (body_len(status, &headers), Vec::new(), [0; 16 * 1024]);
        while len != Some(0) {
            match reader.read(&mut buffer).map_err(|error| failure(error.into()))? {
                0 => break,
                count => self.limits.extend_body(status, &mut body, buffer.get(..count).unwrap_or_default())?,
            }
        }
        if len.is_some_and(|len| len != body.len()) {
            return Err(failure(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
        }
        let mut response = Response::new(Bytes::from(body));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }

    fn send_once(&self, request: Request<Bytes>, timeout: Duration) -> attohttpc::Result<attohttpc::Response> {
        let (head, body) = request.into_parts();
        // attohttpc announces the length of any body, and a GET must have none at all.
        let is_bodiless = body.is_empty() && matches!(head.method, Method::GET | Method::DELETE);
        let mut request = RequestBuilder::try_new(head.method, head.uri.to_string())?
            .follow_redirects(false)
            .proxy_settings(ProxySettings::builder().build())
            .connect_timeout(self.limits.connect_timeout.min(timeout))
            .read_timeout(timeout)
            .timeout(timeout);
        *request.headers_mut() = head.headers;
        if is_bodiless { request.send() } else { request.body(body::Bytes(body)).send() }
    }
}

/// How long the body has to be, if that is known. attohttpc takes the end of the connection for the end of any body, and
/// waits for it even if the status has none.
fn body_len(status: StatusCode, headers: &HeaderMap) -> Option<usize> {
    match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(0),
        status if status.is_informational() => Some(0),
        _ => headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok(),
    }
}

/// Spreads the waits of many processes; any number will do.
fn seed() -> u64 {
    RandomState::new().hash_one(())
}

/// What a failure says of the call: whether it may be sent again.
fn failure(error: attohttpc::Error, is_late: bool) -> TransportError<attohttpc::Error> {
    let delivery = delivery(error.kind());
    let is_timeout = matches!(error.kind(), ErrorKind::Io(error) if error.kind() == io::ErrorKind::TimedOut);
    // At the deadline attohttpc closes the socket, which whatever runs then takes for an error of any kind.
    if delivery == Delivery::Unknown && (is_late || is_timeout) {
        return TransportError::timed_out(delivery);
    }
    TransportError::failed(delivery, error)
}

fn delivery(error: &ErrorKind) -> Delivery {
    let ErrorKind::Io(error) = error else { return Delivery::Unknown };
    let within = error.get_ref().and_then(|within| within.downcast_ref());
    match error.kind() {
        _ if matches!(within, Some(rustls::Error::InvalidCertificate(_))) => Delivery::Untrusted,
        io::ErrorKind::ConnectionRefused => Delivery::NotSent,
        // std has no kind for it.
        _ if error.to_string().contains("failed to lookup address") => Delivery::NotSent,
        _ => Delivery::Unknown,
    }
}

#[expect(clippy::print_stdout, reason = "the outcome of the example")]
fn main() -> Result<(), Box<dyn StdError>> {
    let api = Api::from_env()?;
    println!("{}", Client::new(TransportLimits::default(), RetryPolicy::default()).send(api.get("companies"))?);
    Ok(())
}
