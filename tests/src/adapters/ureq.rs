//! `cometly-ureq`, blocking.

use bytes::Bytes;
use cometly_core::{Api, Call, Download, TransportLimits};
use cometly_ureq::{Client, ureq::Agent};
use http::Request;

use crate::{
    BoxError, ClientUnderTest, Downloaded, Gap, HttpClient, Proxy, Sent, Settings, Source, Streamed, Transport,
    adapters::TLS_GAPS, piece,
};

pub(super) struct Ureq;

/// An agent of the user's. By default its TLS is rustls, compiled in or not.
fn brought() -> Agent {
    let config = Agent::config_builder();
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    let config = config.tls_config(native_tls());
    config.build().new_agent()
}

#[cfg(all(feature = "native-tls", not(feature = "rustls")))]
fn native_tls() -> cometly_ureq::ureq::tls::TlsConfig {
    use cometly_ureq::ureq::tls::{TlsConfig, TlsProvider};

    TlsConfig::builder().provider(TlsProvider::NativeTls).build()
}

#[derive(Debug)]
struct UreqTransport(Client);

impl ClientUnderTest for Ureq {
    fn name(&self) -> &'static str {
        "ureq"
    }

    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError> {
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
            builder = builder.http_client(brought());
        }
        Ok(Some(Box::new(UreqTransport(builder.build()?))))
    }

    fn gaps(&self) -> &'static [Gap] {
        TLS_GAPS
    }
}

impl Transport for UreqTransport {
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
