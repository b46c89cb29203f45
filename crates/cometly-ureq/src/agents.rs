//! The agent that calls are sent through, and what is forced on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cometly_core::{ProxyRules, ProxyUrl, TransportLimits};
use http::Uri;
use ureq::{Agent, Error, Proxy, ProxyProtocol, config::Config};

use crate::connect;

/// What is forced, on an agent or on a request: their settings have these methods in common, but no trait.
macro_rules! forced {
    ($config:expr, $limits:expr, $proxy:expr, $timeout:expr) => {
        $config
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy($proxy)
            .timeout_global(Some($timeout))
            .timeout_connect(Some($limits.connect_timeout))
            .max_response_header_size(cometly_core::TransportLimits::MAX_HEADER_SIZE)
    };
}
pub(crate) use forced;

/// How many connections wait for their next call.
const MOST_KEPT: usize = 64;

#[derive(Clone)]
pub(crate) struct Agents {
    current: Arc<Mutex<Agent>>,
    /// Whether it was made here, and its connections know the proxies. On one that its user brought, the proxy is forced
    /// on each request.
    is_own: bool,
    proxies: ProxyRules,
}

impl Agents {
    pub(crate) fn new(users: Option<Agent>, reuse: bool, limits: TransportLimits, proxies: ProxyRules) -> Self {
        let is_own = users.is_none();
        let agent = users.unwrap_or_else(|| connect::agent(config(reuse, limits), proxies.clone()));
        Self { current: Arc::new(Mutex::new(agent)), is_own, proxies }
    }

    pub(crate) fn is_own(&self) -> bool {
        self.is_own
    }

    pub(crate) fn current(&self) -> Agent {
        lock(&self.current).clone()
    }

    /// The proxy that ureq itself has to be given for this URL.
    pub(crate) fn proxy_on_request(&self, uri: &Uri) -> Option<&ProxyUrl> {
        if self.is_own { None } else { self.proxies.proxy_for(uri) }
    }

    /// A new agent for the calls from now on; the old one keeps no connection once its last call is over.
    pub(crate) fn close_idle(&self) {
        if self.is_own {
            let agent = connect::agent(self.current().config().clone(), self.proxies.clone());
            *lock(&self.current) = agent;
        }
    }
}

fn lock(agent: &Mutex<Agent>) -> MutexGuard<'_, Agent> {
    agent.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Errors
/// If ureq cannot read it.
pub(crate) fn ureqs_proxy(proxy: &ProxyUrl) -> Result<Proxy, Error> {
    let protocol = match proxy.scheme() {
        cometly_core::ProxyScheme::Https => ProxyProtocol::Https,
        _ => ProxyProtocol::Http,
    };
    let mut builder = Proxy::builder(protocol).host(proxy.host()).port(proxy.port());
    if let Some((user, password)) = proxy.credentials() {
        builder = builder.username(user).password(password);
    }
    builder.build()
}

fn config(reuse: bool, limits: TransportLimits) -> Config {
    let config = forced!(Agent::config_builder(), limits, None, TransportLimits::DEFAULT_ATTEMPT_TIMEOUT);
    // All go to one host, of which ureq by itself keeps three.
    let kept = if reuse { MOST_KEPT } else { 0 };
    #[cfg_attr(
        not(any(feature = "rustls", feature = "native-tls")),
        expect(unused_mut, reason = "TLS alone adds to it")
    )]
    let mut config = config.max_idle_connections(kept).max_idle_connections_per_host(kept);
    #[cfg(feature = "rustls")]
    {
        let roots = ureq::tls::RootCerts::PlatformVerifier;
        config = config.tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build());
    }
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    {
        let provider = ureq::tls::TlsProvider::NativeTls;
        let roots = ureq::tls::RootCerts::PlatformVerifier;
        config = config.tls_config(ureq::tls::TlsConfig::builder().provider(provider).root_certs(roots).build());
    }
    config.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ureqs_proxy_is_the_one_that_was_named() {
        for (url, protocol) in [
            ("http://ada:secret@proxy.example:3128", ProxyProtocol::Http),
            ("https://ada:secret@proxy.example:3128", ProxyProtocol::Https),
        ] {
            let proxy = ureqs_proxy(&url.parse().unwrap()).unwrap();
            assert_eq!((proxy.protocol(), proxy.host(), proxy.port()), (protocol, "proxy.example", 3128), "{url}");
            assert_eq!((proxy.username(), proxy.password()), (Some("ada"), Some("secret")), "{url}");
        }
    }
}
