//! `cometly-isahc`, async without a runtime and blocking.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{Api, Call, Download, TransportLimits};
use cometly_isahc::isahc::{
    self,
    config::{Configurable as _, RedirectPolicy},
};
use cometly_isahc::{Client, blocking};
use futures_lite::future::block_on;
use http::Request;

use crate::{
    BoxError, ClientUnderTest, Downloaded, Gap, HttpClient, Proxy, Sent, Settings, Source, Streamed, Transport, piece,
};

pub(super) struct Async;
pub(super) struct Blocking;

fn client(settings: &Settings) -> Result<Client, BoxError> {
    let mut builder = Client::builder()
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
    builder = match &settings.proxy {
        Proxy::None => builder,
        Proxy::Named(url) => builder.proxy(url),
        Proxy::Environment => builder.proxy_from_env(),
    };
    if settings.client == HttpClient::Users {
        builder = builder.http_client(isahc::HttpClient::builder().redirect_policy(RedirectPolicy::Follow).build()?);
    }
    Ok(builder.build()?)
}

#[derive(Debug)]
struct AsyncTransport(Client);

impl ClientUnderTest for Async {
    fn name(&self) -> &'static str {
        "isahc"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        Ok(Some(Box::new(AsyncTransport(client(settings)?))))
    }

    fn gaps(&self) -> &'static [Gap] {
        &[Gap::KeptTunnels]
    }
}

impl Transport for AsyncTransport {
    fn send(&self, call: Call) -> Sent {
        block_on(self.0.send(call)).map_err(|error| error.map_source(Source::new))
    }

    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent {
        block_on(self.0.send_request(request, api)).map_err(|error| error.map_source(Source::new))
    }

    fn stream(&self, call: Call, at_most: usize) -> Option<Streamed> {
        let outcome = block_on(self.0.stream(call));
        Some(Streamed::read(outcome, at_most, |body| block_on(body.next_chunk())))
    }

    fn download(&self, api: &Api, download: Download) -> Option<Downloaded> {
        let mut file = self.0.download(api, download);
        Some(Downloaded::read(|| block_on(file.next_chunk())))
    }

    fn close_idle(&self) -> bool {
        self.0.close_idle();
        true
    }

    fn send_and_drop(&self, call: Call, after: Duration) -> bool {
        let begun = Instant::now();
        let mut sending = pin!(self.0.send(call));
        // Polled by hand, since there is no runtime with a timer.
        let mut context = Context::from_waker(Waker::noop());
        while begun.elapsed() < after {
            if sending.as_mut().poll(&mut context).is_ready() {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

#[derive(Debug)]
struct BlockingTransport(blocking::Client);

impl ClientUnderTest for Blocking {
    fn name(&self) -> &'static str {
        "isahc-blocking"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
        Ok(Some(Box::new(BlockingTransport(blocking::Client::from(client(settings)?)))))
    }

    fn gaps(&self) -> &'static [Gap] {
        &[Gap::KeptTunnels]
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
