//! `cometly-reqwest`, async on tokio and blocking.

use std::time::Duration;

use bytes::Bytes;
use cometly_core::{Api, BuildClient, Call, Download, TransportLimits};
use cometly_reqwest::{Client, ClientBuilder, HttpClient as Brought, blocking};
use http::Request;
use tokio::runtime::Runtime;

use crate::{
    BoxError, ClientUnderTest, Downloaded, Gap, HttpClient, Proxy, Sent, Settings, Source, Streamed, Transport,
    adapters::{TLS_GAPS, runtime},
    piece,
};

pub(super) struct Async;
pub(super) struct Blocking;

fn configure<C: BuildClient>(builder: ClientBuilder<C>, settings: &Settings) -> ClientBuilder<C> {
    let mut builder = builder
        .retry_policy(settings.retry_policy.clone())
        .attempt_timeout(settings.limits.attempt_timeout.unwrap_or(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT))
        .connect_timeout(settings.limits.connect_timeout)
        .max_body_size(settings.limits.max_body_size);
    if let Some(deadline) = settings.limits.timeout {
        builder = builder.timeout(deadline);
    }
    if let Some(reuse) = settings.reuse {
        builder = builder.reuse_connections(reuse);
    }
    match &settings.proxy {
        Proxy::None => builder,
        Proxy::Named(url) => builder.proxy(url),
        Proxy::Environment => builder.proxy_from_env(),
    }
}

fn brought(settings: &Settings) -> Result<Brought, BoxError> {
    if settings.proxy == Proxy::None {
        // A user's own proxy cannot be overruled, and that of this environment is closed.
        Ok(reqwest::Client::builder().no_proxy().build()?.into())
    } else {
        // A client that is built already takes no other.
        Ok(Brought::from_builder(reqwest::Client::builder))
    }
}

#[derive(Debug)]
struct AsyncTransport {
    client: Client,
    runtime: &'static Runtime,
}

impl ClientUnderTest for Async {
    fn name(&self) -> &'static str {
        "reqwest"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        let mut builder = configure(Client::builder(), settings);
        if settings.client == HttpClient::Users {
            builder = builder.http_client(brought(settings)?);
        }
        Ok(Some(Box::new(AsyncTransport { client: builder.build()?, runtime: runtime()? })))
    }

    fn gaps(&self) -> &'static [Gap] {
        TLS_GAPS
    }
}

impl Transport for AsyncTransport {
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

    fn close_idle(&self) -> bool {
        self.client.close_idle();
        true
    }

    fn send_and_drop(&self, call: Call, after: Duration) -> bool {
        self.runtime.block_on(async { tokio::time::timeout(after, self.client.send(call)).await }).is_err()
    }
}

#[derive(Debug)]
struct BlockingTransport(blocking::Client);

impl ClientUnderTest for Blocking {
    fn name(&self) -> &'static str {
        "reqwest-blocking"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        let mut builder = configure(blocking::Client::builder(), settings);
        if settings.client == HttpClient::Users {
            builder = builder.http_client(brought(settings)?);
        }
        Ok(Some(Box::new(BlockingTransport(builder.build()?))))
    }

    fn gaps(&self) -> &'static [Gap] {
        TLS_GAPS
    }
}

impl Transport for BlockingTransport {
    fn send(&self, call: Call) -> Sent {
        self.0.send(call).map_err(|error| error.map_source(Source::new))
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        self.0.send_request(request, api).map_err(|error| error.map_source(Source::new))
    }

    fn stream(&self, call: Call, at_most: usize) -> Option<Streamed> {
        Some(Streamed::read(self.0.stream(call), at_most, |body| piece(|buffer| body.try_read(buffer))))
    }

    fn download(&self, api: &Api, download: Download) -> Option<Downloaded> {
        let mut file = self.0.download(api, download);
        Some(Downloaded::read(|| piece(|buffer| file.try_read(buffer))))
    }

    fn close_idle(&self) -> bool {
        self.0.close_idle();
        true
    }
}
