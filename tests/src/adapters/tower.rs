//! `cometly-tower`, async on tokio, over hyper-util's client with a pool; and over an axum `Router` in process, whose only handler
//! asks such a client.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse as _};
use bytes::Bytes;
use cometly_core::{Api, Call, Download, Moment, TransportError};
use cometly_tower::{Host, HttpService, ServiceError};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use rustls::crypto::ring;
use tokio::{net::TcpStream, runtime::Runtime};
use tower::{
    timeout::{Timeout, error::Elapsed},
    util::BoxCloneSyncService,
};

use crate::{
    BoxError, ClientUnderTest, Downloaded, Gap, HttpClient, Proxy, Sent, Settings, Source, Streamed, Transport,
    adapters::runtime,
};

pub(super) struct Tower;

pub(super) struct OnRouter;

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

struct TowerTransport<S> {
    client: cometly_tower::Client<S, HyperOnTokio>,
    runtime: &'static Runtime,
}

impl<S> std::fmt::Debug for TowerTransport<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TowerTransport").finish_non_exhaustive()
    }
}

impl ClientUnderTest for Tower {
    fn name(&self) -> &'static str {
        "tower"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        hyper::<Full<Bytes>>(settings)?.map(|http| over(http, settings)).transpose()
    }

    fn gaps(&self) -> &'static [Gap] {
        &[Gap::FreshConnections, Gap::GivenUpUploads]
    }
}

impl ClientUnderTest for OnRouter {
    fn name(&self) -> &'static str {
        "router"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        hyper::<Body>(settings)?.map(|http| over(router(http), settings)).transpose()
    }

    fn gaps(&self) -> &'static [Gap] {
        &[Gap::FreshConnections, Gap::GivenUpUploads]
    }
}

/// hyper-util's client; `None` for a proxy and for a client of the user's, which are the service's affair.
fn hyper<B>(settings: &Settings) -> Result<Option<legacy::Client<Connector, B>>, BoxError>
where
    B: http_body::Body<Data: Send> + Send,
{
    if settings.proxy != Proxy::None || settings.client != HttpClient::Own {
        return Ok(None);
    }
    let tls = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(ring::default_provider())?;
    // hyper's own time-out for connecting ends before TLS begins.
    let connector = Timeout::new(tls.https_or_http().enable_http1().build(), settings.limits.connect_timeout);
    let mut http = legacy::Client::builder(TokioExecutor::new());
    if settings.reuse == Some(false) {
        http.pool_max_idle_per_host(0);
    }
    Ok(Some(http.build(Connector::new(connector))))
}

/// Answers 502 where there is no answer: a handler has no other way to say so.
fn router(http: legacy::Client<Connector, Body>) -> Router {
    Router::new().fallback(move |request: Request<Body>| {
        let http = http.clone();
        async move {
            match http.request(request).await {
                Ok(answer) => answer.map(Body::new),
                Err(_) => StatusCode::BAD_GATEWAY.into_response(),
            }
        }
    })
}

fn over<S>(service: S, settings: &Settings) -> Result<Box<dyn Transport>, BoxError>
where
    S: HttpService + Send + Sync + 'static,
{
    let client = cometly_tower::Client::new(service, HyperOnTokio);
    let client = client.limits(settings.limits).retry_policy(settings.retry_policy.clone());
    Ok(Box::new(TowerTransport { client, runtime: runtime()? }))
}

impl<S: HttpService + Send + Sync> Transport for TowerTransport<S> {
    fn send(&self, call: Call) -> Sent {
        self.runtime.block_on(self.client.send(call)).map_err(|error| error.map_source(Source::new))
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        self.runtime.block_on(self.client.send_request(request, api)).map_err(|error| error.map_source(Source::new))
    }

    fn stream(&self, call: Call, at_most: usize) -> Option<Streamed> {
        let outcome = self.runtime.block_on(self.client.stream(call));
        Some(Streamed::read(outcome, at_most, |body| self.runtime.block_on(body.next_chunk())))
    }

    fn download(&self, api: &Api, download: Download) -> Option<Downloaded> {
        let mut file = self.client.download(api, download);
        Some(Downloaded::read(|| self.runtime.block_on(file.next_chunk())))
    }

    fn send_and_drop(&self, call: Call, after: Duration) -> bool {
        self.runtime.block_on(async { tokio::time::timeout(after, self.client.send(call)).await }).is_err()
    }
}

#[derive(Clone)]
struct HyperOnTokio;

impl Host for HyperOnTokio {
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Moment {
        tokio::time::Instant::now().into_std().into()
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        tokio::time::sleep(time)
    }

    fn seed(&self) -> u64 {
        RandomState::new().hash_one(())
    }

    fn failure(&self, error: ServiceError) -> TransportError<ServiceError> {
        let is_connect = error.find().is_some_and(legacy::Error::is_connect);
        if is_connect && error.find::<Elapsed>().is_some() {
            return TransportError::connect_timed_out(None);
        }
        // hyper tells it by type to servers only.
        if error.chain().any(|error| error.to_string() == "message head is too large") {
            return TransportError::too_large(None);
        }
        match error.find() {
            Some(rustls::Error::InvalidCertificate(_)) if is_connect => TransportError::untrusted(error),
            _ if is_connect => TransportError::not_sent(error),
            _ => TransportError::unknown(error),
        }
    }
}
