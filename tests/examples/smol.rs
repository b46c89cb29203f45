//! The core on smol, without tokio: hyper's HTTP/1.1 over smol's sockets, TLS by rustls, a connection for each call, the loop
//! and the limits by cometly-tower.
//!
//! `cargo run --example smol` makes one call, with the key in `COMETLY_API_KEY` and, if set, the base URL in
//! `COMETLY_BASE_URL`.
#![allow(dead_code, reason = "the program here and the suite use different parts")]

use std::{
    error::Error as StdError,
    hash::{BuildHasher as _, RandomState},
    io,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use cometly_core::{
    Api, Moment, RetryPolicy, TransportError, TransportLimits,
    bytes::Bytes,
    http::{
        HeaderValue, Response, Uri,
        header::{CONNECTION, HOST},
        uri::Scheme,
    },
};
use cometly_tower::{BoxError, Client, Host, HttpService, Request, ServiceError};
use futures_rustls::TlsConnector;
use http_body_util::BodyExt as _;
use hyper::{body::Body, client::conn::http1};
use rustls::{ClientConfig, crypto::ring, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use smol::{
    Timer,
    future::FutureExt as _,
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use smol_hyper::rt::FuturesIo;

pub(crate) fn client(
    limits: TransportLimits,
    policy: RetryPolicy,
) -> Result<Client<impl HttpService + Send + Sync, Smol>, rustls::Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions()?.with_platform_verifier()?.with_no_client_auth();
    let tls = TlsConnector::from(Arc::new(tls));
    let service = tower::service_fn(move |request| exchange(tls.clone(), limits.connect_timeout, request));
    Ok(Client::new(service, Smol).limits(limits).retry_policy(policy))
}

async fn exchange(
    tls: TlsConnector,
    connect_timeout: Duration,
    request: Request,
) -> Result<Response<impl Body<Data = Bytes, Error = hyper::Error>>, BoxError> {
    let expired = async {
        Timer::after(connect_timeout).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let stream = connect(tls, request.uri()).or(expired).await?;
    let (mut sender, connection) = http1::handshake(stream).await?;
    // smol ends a task that is dropped, so the connection ends with the call.
    let connection = smol::spawn(connection);
    let response = sender.send_request(as_sent(request)).await?;
    Ok(response.map(|body| {
        body.map_frame(move |frame| {
            let _ = &connection;
            frame
        })
    }))
}

async fn connect(tls: TlsConnector, uri: &Uri) -> io::Result<FuturesIo<Box<dyn Stream>>> {
    let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
    // Brackets make an IPv6 address in a URL, and are no part of it.
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((host.as_str(), port)).await?;
    if !is_tls {
        return Ok(FuturesIo::new(Box::new(tcp)));
    }
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    Ok(FuturesIo::new(Box::new(tls.connect(name, tcp).await?)))
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The request as it is on the wire: hyper sends the URI as it is given, and adds neither of these headers.
fn as_sent(mut request: Request) -> Request {
    let host = request.uri().authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    *request.uri_mut() = request.uri().path_and_query().cloned().map(Uri::from).unwrap_or_default();
    request.headers_mut().extend(host.map(|host| (HOST, host)));
    // A client that keeps no connection says so (RFC 9112 §9.3).
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    request
}

#[derive(Clone)]
pub(crate) struct Smol;

impl Host for Smol {
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn now(&self) -> Moment {
        Moment::now()
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        Box::pin(async move {
            Timer::after(time).await;
        })
    }

    /// Spreads the waits of many processes; any number will do.
    fn seed(&self) -> u64 {
        RandomState::new().hash_one(())
    }

    /// What failed before hyper had the connection was not sent.
    fn failure(&self, error: ServiceError) -> TransportError<ServiceError> {
        match (error.find::<hyper::Error>(), error.find::<io::Error>(), error.find()) {
            // hyper tells it by type to servers only.
            (Some(error), ..) if error.to_string() == "message head is too large" => TransportError::too_large(None),
            (Some(_), ..) => TransportError::unknown(error),
            (.., Some(rustls::Error::InvalidCertificate(_))) => TransportError::untrusted(error),
            (_, Some(late), _) if late.kind() == io::ErrorKind::TimedOut => TransportError::connect_timed_out(None),
            _ => TransportError::not_sent(error),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the outcome of the example")]
fn main() -> Result<(), Box<dyn StdError>> {
    let api = Api::from_env()?;
    let client = client(TransportLimits::default(), RetryPolicy::default())?;
    println!("{}", smol::block_on(client.send(api.get("companies")))?);
    Ok(())
}
