//! The core on plain hyper: connections kept by hyper-util, TLS by rustls, the loop and the limits by cometly-tower.
//!
//! `cargo run --example hyper` makes one call, with the key in `COMETLY_API_KEY` and, if set, the base URL in
//! `COMETLY_BASE_URL`.
#![allow(dead_code, reason = "the program here and the suite use different parts")]

use std::{
    error::Error as StdError,
    hash::{BuildHasher as _, RandomState},
    io,
    time::Duration,
};

use cometly_core::{Api, Moment, RetryPolicy, TransportError, TransportLimits, bytes::Bytes, http::Uri};
use cometly_tower::{Host, ServiceError};
use http_body_util::Full;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use rustls::crypto::ring;
use tokio::net::TcpStream;
use tower::{
    BoxError,
    timeout::{Timeout, error::Elapsed},
    util::BoxCloneSyncService,
};

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

pub(crate) type Client = cometly_tower::Client<legacy::Client<Connector, Full<Bytes>>, HyperOnTokio>;

pub(crate) fn client(limits: TransportLimits, policy: RetryPolicy) -> io::Result<Client> {
    let tls = HttpsConnectorBuilder::new().with_provider_and_platform_verifier(ring::default_provider())?;
    // hyper's own time-out for connecting ends before TLS begins.
    let connector = Timeout::new(tls.https_or_http().enable_http1().build(), limits.connect_timeout);
    let http = legacy::Client::builder(TokioExecutor::new()).build(Connector::new(connector));
    Ok(Client::new(http, HyperOnTokio).limits(limits).retry_policy(policy))
}

#[derive(Clone)]
pub(crate) struct HyperOnTokio;

impl Host for HyperOnTokio {
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Moment {
        tokio::time::Instant::now().into_std().into()
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        tokio::time::sleep(time)
    }

    /// Spreads the waits of many processes; any number will do.
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

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "the outcome of the example")]
async fn main() -> Result<(), Box<dyn StdError>> {
    let api = Api::from_env()?;
    println!("{}", client(TransportLimits::default(), RetryPolicy::default())?.send(api.get("companies")).await?);
    Ok(())
}
