//! The core on smol, without tokio: hyper's HTTP/1.1 over smol's sockets, TLS by rustls, a connection for each call.
//!
//! `cargo run --example smol` makes one call, with the key in `COMETLY_API_KEY` and, if set, the base URL in
//! `COMETLY_BASE_URL`.
#![allow(dead_code, reason = "the program here and the suite use different parts")]

use std::{
    error::Error as StdError,
    hash::{BuildHasher as _, RandomState},
    io,
    sync::Arc,
    time::Duration,
};

use cometly_core::{
    Api, Attempt, AuthOutcome, Call, CallError, Delivery, Moment, Next, Operation, RetryPolicy, TransportError,
    TransportLimits,
    bytes::Bytes,
    http::{
        HeaderValue, Method, Request, Response, StatusCode, Uri,
        header::{CONNECTION, CONTENT_LENGTH, HOST},
        uri::Scheme,
    },
};
use futures_rustls::TlsConnector;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use rustls::{ClientConfig, crypto::ring, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use smol::{
    Timer,
    future::FutureExt as _,
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use smol_hyper::rt::FuturesIo;

pub(crate) type Error = CallError<io::Error>;

pub(crate) struct Client {
    tls: TlsConnector,
    limits: TransportLimits,
    policy: RetryPolicy,
}

impl Client {
    pub(crate) fn new(limits: TransportLimits, policy: RetryPolicy) -> Result<Self, rustls::Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let tls = tls.with_safe_default_protocol_versions()?.with_platform_verifier()?.with_no_client_auth();
        Ok(Self { tls: Arc::new(tls).into(), limits, policy })
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
                Next::Wait { pause, operation } => { Timer::after(pause).await; operation }
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
            let connecting = self.connect(request.uri()).or(expired(self.limits.connect_timeout, Delivery::NotSent));
            let (mut sender, connection) = http1::handshake(connecting.await?).await.map_err(failure)?;
            // smol ends a task that is dropped, so the connection ends with the call.
            let _connection = smol::spawn(connection);
            let (head, body) = sender.send_request(as_sent(request)).await.map_err(failure)?.into_parts();
            self.limits.check_head(head.status, &head.headers)?;
            let body = Limited::new(body, self.limits.max_body_size).collect().await;
            let mut response = Response::new(body.map_err(|error| body_failure(error, head.status))?.to_bytes());
            (*response.status_mut(), *response.headers_mut()) = (head.status, head.headers);
            Ok(response)
        };
        answer.or(expired(timeout, Delivery::Unknown)).await
    }

    /// Whatever fails in here, nothing of the request was sent.
    async fn connect(&self, uri: &Uri) -> Result<FuturesIo<Box<dyn Stream>>, TransportError<io::Error>> {
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        // Brackets make an IPv6 address in a URL, and are no part of it.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(not_sent)?;
        if !is_tls {
            return Ok(FuturesIo::new(Box::new(tcp)));
        }
        let name = ServerName::try_from(host).map_err(|error| not_sent(io::Error::other(error)))?;
        Ok(FuturesIo::new(Box::new(self.tls.connect(name, tcp).await.map_err(not_sent)?)))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn expired<T>(after: Duration, delivery: Delivery) -> Result<T, TransportError<io::Error>> {
    Timer::after(after).await;
    Err(TransportError::timed_out(delivery))
}

/// The request as it is on the wire: hyper sends the URI as it is given, and adds neither of these headers.
fn as_sent(mut request: Request<Bytes>) -> Request<Full<Bytes>> {
    let host = request.uri().authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    *request.uri_mut() = request.uri().path_and_query().cloned().map(Uri::from).unwrap_or_default();
    request.headers_mut().extend(host.map(|host| (HOST, host)));
    // A client that keeps no connection says so (RFC 9112 §9.3).
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    // A POST without a body must say so (RFC 9110 §8.6).
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
fn not_sent(error: io::Error) -> TransportError<io::Error> {
    let within = error.get_ref().and_then(|within| within.downcast_ref());
    let is_untrusted = matches!(within, Some(rustls::Error::InvalidCertificate(_)));
    TransportError::failed(if is_untrusted { Delivery::Untrusted } else { Delivery::NotSent }, error)
}

fn failure(error: hyper::Error) -> TransportError<io::Error> {
    // hyper tells it by type to servers only.
    if error.to_string() == "message head is too large" {
        return TransportError::too_large(None);
    }
    TransportError::failed(Delivery::Unknown, io::Error::other(error))
}

fn body_failure(error: Box<dyn StdError + Send + Sync>, status: StatusCode) -> TransportError<io::Error> {
    if error.is::<LengthLimitError>() {
        return TransportError::too_large(Some(status));
    }
    TransportError::failed(Delivery::Unknown, io::Error::other(error))
}

#[expect(clippy::print_stdout, reason = "the outcome of the example")]
fn main() -> Result<(), Box<dyn StdError>> {
    let api = Api::from_env()?;
    println!(
        "{}",
        smol::block_on(Client::new(TransportLimits::default(), RetryPolicy::default())?.send(api.get("companies")))?
    );
    Ok(())
}
