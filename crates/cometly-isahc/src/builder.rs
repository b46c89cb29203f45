//! The settings of a client, async or blocking.

use std::io;

use cometly_core::{BuildClient, CallError, ClientSettings, InvalidProxy, ProxyScheme};
use isahc::HttpClient;

use crate::{Client, Error, clients::Clients};

/// The settings of a [`Client`]; from [`Client::builder`].
///
/// **No** connection is kept for the next call by default: with kept ones libcurl may send a GET twice, and a refused
/// connection no longer proves that nothing was sent; see the [crate's front page](crate#what-is-forced). With a proxy none is
/// kept either way, so that a refusal by the proxy is never taken for a call that may have been sent. A proxy is an `http`,
/// `https` or SOCKS one; any other makes [`build`](cometly_core::ClientBuilder::build) fail with
/// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup). An isahc client that [you
/// bring](cometly_core::ClientBuilder::http_client) keeps its TLS and its connections, and is taken to reuse them; the other
/// settings (time-outs, proxy, no redirects: see the [front page](crate#what-is-forced)) are set on each request.
pub type ClientBuilder = cometly_core::ClientBuilder<Client>;

impl BuildClient for Client {
    type HttpClient = HttpClient;
    type Source = isahc::Error;

    const PROXIES: &'static [ProxyScheme] = &[
        ProxyScheme::Http,
        ProxyScheme::Https,
        ProxyScheme::Socks4,
        ProxyScheme::Socks4a,
        ProxyScheme::Socks5,
        ProxyScheme::Socks5h,
    ];
    const REUSES_CONNECTIONS: bool = false;

    fn build(settings: ClientSettings<HttpClient>) -> Result<Self, Error> {
        let ClientSettings { limits, retry_policy, proxies, reuse_connections: reuse, http_client, .. } = settings;
        let reuse = reuse && proxies.https_proxy().is_none();
        let may_reuse = reuse || http_client.is_some();
        let clients = Clients::new(http_client, reuse, limits).map_err(CallError::setup)?;
        Ok(Self { clients, limits, retry_policy, proxies, may_reuse })
    }

    fn invalid_proxy(error: InvalidProxy) -> isahc::Error {
        isahc::Error::from(io::Error::other(error))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cometly_core::{CallErrorKind, RetryPolicy, TransportLimits};

    use super::*;

    #[test]
    fn each_setting_reaches_the_client_and_its_own_one_is_made_unless_one_is_brought() {
        let second = Duration::from_secs(1);
        let set = || {
            Client::builder()
                .timeout(second)
                .attempt_timeout(second * 2)
                .connect_timeout(second * 3)
                .max_body_size(4)
                .retry_policy(RetryPolicy::none())
                .reuse_connections(true)
        };
        let named = set().proxy("http://user:canary@127.0.0.1:1");
        for builder in [named, set().proxy_from_env().http_client(HttpClient::new().unwrap())] {
            let client = builder.build().unwrap();
            let TransportLimits { timeout, attempt_timeout, connect_timeout, max_body_size, .. } = client.limits;
            assert_eq!((timeout, attempt_timeout), (Some(second), Some(second * 2)));
            assert_eq!((connect_timeout, max_body_size), (second * 3, 4));
            let shown = format!("{client:?}");
            assert!(
                shown.starts_with("Client { limits: TransportLimits { timeout: Some(1s), attempt_timeout: Some(2s),"),
                "{shown}"
            );
            assert!(!shown.contains("canary"), "{shown}");
        }
        assert!(set().build().unwrap().clients.is_own());
        assert!(!set().http_client(HttpClient::new().unwrap()).build().unwrap().clients.is_own());
    }

    #[test]
    fn connections_may_be_kept_if_asked_for_or_by_a_client_that_is_not_ours() {
        let users = || Client::builder().http_client(HttpClient::new().unwrap());
        for (builder, may_reuse) in [
            (Client::builder(), false),
            (Client::builder().reuse_connections(true), true),
            (users(), true),
            (users().reuse_connections(true), true),
            (Client::builder().reuse_connections(true).proxy("127.0.0.1:1"), false),
        ] {
            assert_eq!(builder.build().unwrap().may_reuse, may_reuse);
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_of_the_builder() {
        for url in ["socks://canary:canary@127.0.0.1:1", "ftp://127.0.0.1", "not a proxy", "http://canary:@:1"] {
            let error = Client::builder().proxy(url).build().unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Setup, "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        for url in ["socks4://127.0.0.1", "socks4a://127.0.0.1", "socks5://a:b@127.0.0.1:1", "socks5h://proxy.example"]
        {
            assert!(Client::builder().proxy(url).build().is_ok(), "{url}");
        }
    }
}
