//! The settings of a client, async or blocking.

use cometly_core::{BuildClient, ClientSettings, InvalidProxy, ProxyScheme};

use crate::{
    Client, ClientError, Error, HttpClient,
    clients::{Clients, Settings},
    failure::setup,
    http_client::Brought,
    target::LastUrl,
};

/// The settings of a [`Client`]; from [`Client::builder`]. `C` is the client that is made: async, or blocking.
///
/// Connections are kept for the next call by default. A proxy is an `http` or `https` one; any other makes
/// [`build`](cometly_core::ClientBuilder::build) fail with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup). A client
/// that [you bring](cometly_core::ClientBuilder::http_client) by [`HttpClient::from_builder`] is given every setting. One that is
/// built already keeps its own pool, its own proxy and its own time for connecting: a proxy that is set beside it makes `build`
/// fail, the other two have no effect. See the [crate's front page](crate#what-is-forced).
pub type ClientBuilder<C = Client> = cometly_core::ClientBuilder<C>;

impl BuildClient for Client {
    type HttpClient = HttpClient;
    type Source = ClientError;

    const PROXIES: &'static [ProxyScheme] = &[ProxyScheme::Http, ProxyScheme::Https];
    const REUSES_CONNECTIONS: bool = true;

    fn build(settings: ClientSettings<HttpClient>) -> Result<Self, Error> {
        let ClientSettings { limits, retry_policy, proxies, reuse_connections: reuse, http_client, .. } = settings;
        let own = |builder| Clients::own(Settings { builder, limits, reuse, proxies: proxies.clone() });
        let clients = match http_client.map(|http| http.0) {
            None => own(None),
            Some(Brought::Builder(builder)) => own(Some(builder)),
            Some(Brought::Built(_)) if proxies.https_proxy().is_some() => Err(setup(ClientError::ProxyOnBuiltClient)),
            Some(Brought::Built(http)) => Ok(Clients::users(http)),
        }?;
        Ok(Self { clients, limits, retry_policy, last_url: LastUrl::default() })
    }

    fn invalid_proxy(error: InvalidProxy) -> ClientError {
        ClientError::Proxy(error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cometly_core::{CallErrorKind, RetryPolicy, TransportLimits};

    use super::*;

    // Without a provider, no client can be made.
    #[cfg(any(feature = "rustls", feature = "native-tls", not(feature = "rustls-no-provider")))]
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
                .reuse_connections(false)
        };
        let named = || set().proxy("http://user:canary@127.0.0.1:1");
        let from_builder = HttpClient::from_builder(reqwest::Client::builder);
        for builder in [named(), named().http_client(from_builder), set().http_client(reqwest::Client::new())] {
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
    }

    #[cfg(any(feature = "rustls", feature = "native-tls", not(feature = "rustls-no-provider")))]
    #[test]
    fn a_proxy_that_cannot_be_forced_on_a_client_is_an_error_and_is_never_passed_over() {
        let built = || Client::builder().http_client(reqwest::Client::new());
        for builder in [built().proxy("http://user:canary@127.0.0.1:1"), {
            Client::builder().proxy("127.0.0.1:1").http_client(reqwest::Client::new())
        }] {
            let error = builder.build().unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Setup, "{error:?}");
            let shown = format!("{error} {error:?} {}", std::error::Error::source(&error).unwrap());
            assert!(shown.contains("HttpClient::from_builder") && !shown.contains("canary"), "{shown}");
        }
        assert!(built().build().is_ok());
    }

    #[cfg(feature = "blocking")]
    #[test]
    fn the_blocking_client_shows_its_limits_too() {
        let client = crate::blocking::Client::builder().max_body_size(4).build().unwrap();
        let shown = format!("{client:?}");
        assert!(
            shown.starts_with("Client { limits: TransportLimits {") && shown.contains("max_body_size: 4"),
            "{shown}"
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_of_the_builder() {
        for url in ["socks5://canary:canary@127.0.0.1:1", "socks4://127.0.0.1", "socks://127.0.0.1", "not a proxy", ""]
        {
            let error = Client::builder().proxy(url).build().unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Setup, "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
