//! The core on plain hyper: async on tokio, connections kept by hyper-util, TLS by rustls.
//!
//! `cargo run --example hyper` makes one call, with the key in `COMETLY_API_KEY` and, if set, the base URL in
//! `COMETLY_BASE_URL`.
#![allow(dead_code, reason = "the program here and the suite use different parts")]

use std::{
    error::Error as StdError,
    hash::{BuildHasher as _, RandomState},
    io, iter,
};

use cometly_core::{
    Api, Attempt, AuthOutcome, Call, CallError, Delivery, Moment, Next, Operation, RetryPolicy, TransportError,
    TransportLimits,
    bytes::Bytes,
    http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header::CONTENT_LENGTH},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use rustls::crypto::ring;
use tokio::{net::TcpStream, time::sleep};
use tower::{
    BoxError,
    timeout::{Timeout, error::Elapsed},
    util::BoxCloneSyncService,
};

pub(crate) type Error = CallError<io::Error>;

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

pub(crate) struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    limits: TransportLimits,
    policy: RetryPolicy,
}

impl Client {
    pub(crate) fn new(limits: TransportLimits, policy: RetryPolicy) -> io::Result<Self> {
        let tls = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(ring::default_provider())?;
        // hyper's own time-out for connecting ends before TLS begins.
        let connector = Timeout::new(tls.https_or_http().enable_http1().build(), limits.connect_timeout);
        let connector = Connector::new(connector);
        let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, limits, policy })
    }

    pub(crate) async fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(call.start(&self.policy, &self.limits, seed(), Moment::now())?).await
    }

    pub(crate) async fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(Operation::from_request(request, api, &self.policy, &self.limits, seed(), Moment::now())).await
    }

    // An arm a line, as docs/your-own-stack.md shows it.
    #[rustfmt::skip]
    async fn drive(&self, mut operation: Operation<Bytes, io::Error>) -> Result<AuthOutcome<Bytes>, Error> {
        loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => { sleep(pause).await; operation }
                Next::Send(attempt) => {
                    let answer = attempt.instrument(self.exchange(&attempt)).await;
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    async fn exchange(&self, attempt: &Attempt) -> Result<Response<Bytes>, TransportError<io::Error>> {
        let (request, timeout) = (attempt.request(), attempt.timeout());
        let answer = async {
            let (head, body) = self.http.request(as_sent(request)).await.map_err(failure)?.into_parts();
            self.limits.check_head(head.status, &head.headers)?;
            let body = Limited::new(body, self.limits.max_body_size).collect().await;
            let mut response = Response::new(body.map_err(|error| body_failure(error, head.status))?.to_bytes());
            (*response.status_mut(), *response.headers_mut()) = (head.status, head.headers);
            Ok(response)
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Err(TransportError::timed_out(Delivery::Unknown)))
    }
}

fn as_sent(mut request: Request<Bytes>) -> Request<Full<Bytes>> {
    // hyper says nothing of an empty body, and a POST without one must say so (RFC 9110 §8.6).
    if request.body().is_empty() && !matches!(*request.method(), Method::GET | Method::DELETE) {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request.map(Full::new)
}

/// Spreads the waits of many processes; any number will do.
fn seed() -> u64 {
    RandomState::new().hash_one(())
}

/// What a failure says of the call: whether it may be sent again.
fn failure(error: legacy::Error) -> TransportError<io::Error> {
    let is_connect = error.is_connect();
    let error = io::Error::other(error);
    let has = |is_it: fn(Source<'_>) -> bool| sources(&error).any(is_it);
    if is_connect && has(<dyn StdError>::is::<Elapsed>) {
        return TransportError::timed_out(Delivery::NotSent);
    }
    // hyper tells it by type to servers only.
    if has(|source| source.to_string() == "message head is too large") {
        return TransportError::too_large(None);
    }
    let delivery = match is_connect {
        true if has(|source| matches!(source.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))) => {
            Delivery::Untrusted
        }
        true => Delivery::NotSent,
        false => Delivery::Unknown,
    };
    TransportError::failed(delivery, error)
}

fn body_failure(error: BoxError, status: StatusCode) -> TransportError<io::Error> {
    if error.is::<LengthLimitError>() {
        return TransportError::too_large(Some(status));
    }
    TransportError::failed(Delivery::Unknown, io::Error::other(error))
}

type Source<'a> = &'a (dyn StdError + 'static);

/// The error and all that it came from.
fn sources(error: &io::Error) -> impl Iterator<Item = Source<'_>> {
    iter::successors(Some(error as Source<'_>), |error| source_of(*error))
}

fn source_of(error: Source<'_>) -> Option<Source<'_>> {
    // An `io::Error` passes over the error within when it is asked for its source.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(within) => Some(within),
        None => error.source(),
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the outcome of the example")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let api = Api::from_env()?;
    println!("{}", Client::new(TransportLimits::default(), RetryPolicy::default())?.send(api.get("companies")).await?);
    Ok(())
}
