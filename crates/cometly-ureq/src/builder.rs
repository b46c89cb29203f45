//! The settings of a client.

use cometly_core::{BuildClient, ClientSettings, InvalidProxy, ProxyScheme};
use ureq::Agent;

use crate::{Client, Error, agents::Agents};

/// The settings of a [`Client`]; from [`Client::builder`].
///
/// Connections are kept for the next call by default. A proxy is an `http` or `https` one; any other makes
/// [`build`](cometly_core::ClientBuilder::build) fail with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup). An
/// agent that [you bring](cometly_core::ClientBuilder::http_client) keeps its TLS, its pool and its resolver; this builder's
/// proxy (or none), time-outs and limits are set on each request in place of its own, and no redirect is followed.
pub type ClientBuilder = cometly_core::ClientBuilder<Client>;

impl BuildClient for Client {
    type HttpClient = Agent;
    type Source = ureq::Error;

    const PROXIES: &'static [ProxyScheme] = &[ProxyScheme::Http, ProxyScheme::Https];
    const REUSES_CONNECTIONS: bool = true;

    fn build(settings: ClientSettings<Agent>) -> Result<Self, Error> {
        let ClientSettings { limits, retry_policy, proxies, reuse_connections, http_client, .. } = settings;
        let agents = Agents::new(http_client, reuse_connections, limits, proxies);
        Ok(Self { agents, limits, retry_policy })
    }

    fn invalid_proxy(error: InvalidProxy) -> ureq::Error {
        ureq::Error::Other(Box::new(error))
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
                .reuse_connections(false)
        };
        let named = set().proxy("http://user:canary@127.0.0.1:1");
        for builder in [named, set().proxy_from_env().http_client(Agent::new_with_defaults())] {
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
        assert!(set().build().unwrap().agents.is_own());
        assert!(!set().http_client(Agent::new_with_defaults()).build().unwrap().agents.is_own());
    }

    #[test]
    fn connections_are_kept_unless_told_otherwise() {
        let most = |builder: ClientBuilder| builder.build().unwrap().agents.current().config().max_idle_connections();
        assert!(most(Client::builder()) > 0);
        assert_eq!(most(Client::builder().reuse_connections(false)), 0);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_of_the_builder() {
        for url in ["socks5://canary:canary@127.0.0.1:1", "socks4://127.0.0.1", "socks://127.0.0.1", "not a proxy", ""]
        {
            let error = Client::builder().proxy(url).build().unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Setup, "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        for url in ["127.0.0.1:1", "http://user:password@127.0.0.1", "https://proxy.example"] {
            assert!(Client::builder().proxy(url).build().is_ok(), "{url}");
        }
    }
}
