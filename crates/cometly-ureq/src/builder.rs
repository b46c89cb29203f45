//! The settings of a client.

use std::{fmt, time::Duration};

use cometly_core::{CallError, RetryPolicy, TransportLimits};
use ureq::{Agent, Proxy};

use crate::{Client, Error, lookup};

/// Makes a [`Client`]; from [`Client::builder`].
#[must_use]
pub struct ClientBuilder {
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    proxy: Result<Option<Proxy>, ureq::Error>,
    reuse: bool,
    agent: Option<Agent>,
}

impl ClientBuilder {
    /// How long a whole call may take, all attempts and waits included; without it, as long as the
    /// [retry policy](Self::retry_policy) says: a minute. [`Call::timeout`](cometly_core::Call::timeout) sets another for one
    /// call.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// How long one attempt may take, connecting and the body included. Without it, as long as the call may take if
    /// [`timeout`](Self::timeout) says so, else 30 s.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.limits.attempt_timeout = Some(timeout.min(TransportLimits::MAX_TIMEOUT));
        self
    }

    /// When a call is sent again; [`RetryPolicy::default`] by default, [`RetryPolicy::none`] for a loop of your own.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = policy;
        self
    }

    /// How long connecting may take; 10 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout.min(TransportLimits::MAX_TIMEOUT);
        self
    }

    /// The most bytes of body that are read from an answer; 32 MiB by default.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.limits.max_body_size = bytes;
        self
    }

    /// Sends every call to an `https` URL through this proxy: `http://proxy.example:3128`. By default there is none, whatever
    /// the environment says. It gets to see no plain `http`, which is for this machine.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Proxy::new(url).map(Some);
        self
    }

    /// Takes the proxy from the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`), as ureq reads it.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = Ok(Proxy::try_from_env());
        self
    }

    /// Whether connections are kept for the next call; yes by default. Not for an agent that you bring.
    pub fn reuse_connections(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sends through an agent of your own, with its TLS, pool and resolver. Its other settings are overridden on each
    /// request; its proxy is, too.
    pub fn http_client(mut self, agent: Agent) -> Self {
        self.agent = Some(agent);
        self
    }

    /// The finished client.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used.
    pub fn build(self) -> Result<Client, Error> {
        let proxy = self.proxy.map_err(CallError::setup)?;
        let is_own = self.agent.is_none();
        let agent = self.agent.unwrap_or_else(|| own_agent(self.reuse, self.limits, proxy.clone()));
        Ok(Client { agent, is_own, limits: self.limits, retry_policy: self.retry_policy, proxy })
    }
}

/// What is forced, on an agent or on a request: their settings have these methods in common, but no trait.
macro_rules! forced {
    ($config:expr, $limits:expr, $proxy:expr, $timeout:expr) => {
        $config
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy($proxy)
            .timeout_global(Some($timeout))
            .timeout_connect(Some($limits.connect_timeout))
            .max_response_header_size(TransportLimits::MAX_HEADER_SIZE)
    };
}
pub(crate) use forced;

/// Shows the limits; a proxy's URL may hold a password.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            limits: TransportLimits::default(),
            retry_policy: RetryPolicy::default(),
            proxy: Ok(None),
            reuse: true,
            agent: None,
        }
    }
}

/// How many connections wait for their next call.
const MOST_KEPT: usize = 64;

fn own_agent(reuse: bool, limits: TransportLimits, proxy: Option<Proxy>) -> Agent {
    let config = forced!(Agent::config_builder(), limits, proxy, TransportLimits::DEFAULT_ATTEMPT_TIMEOUT);
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
    lookup::agent(config.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_kept_beside_the_others() {
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
        let (named, environments) = (set().proxy("http://user:canary@127.0.0.1:1"), set().proxy_from_env());
        assert!(matches!(named.proxy, Ok(Some(_))));
        for builder in [named, environments.http_client(Agent::new_with_defaults())] {
            assert!(!builder.reuse);
            let is_own = builder.agent.is_none();
            let shown = format!("{builder:?}");
            assert!(
                shown.starts_with(
                    "ClientBuilder { limits: TransportLimits { timeout: Some(1s), attempt_timeout: Some(2s),"
                ),
                "{shown}"
            );
            let client = builder.build().unwrap();
            let TransportLimits { timeout, attempt_timeout, connect_timeout, max_body_size, .. } = client.limits;
            assert_eq!((timeout, attempt_timeout), (Some(second), Some(second * 2)));
            assert_eq!((connect_timeout, max_body_size), (second * 3, 4));
            assert_eq!(client.is_own, is_own);
            let shown = format!("{client:?}{shown}");
            assert!(
                shown.starts_with("Client { limits: TransportLimits { timeout: Some(1s), attempt_timeout: Some(2s),"),
                "{shown}"
            );
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn connections_are_kept_unless_told_otherwise() {
        let most = |builder: ClientBuilder| builder.build().unwrap().agent.config().max_idle_connections();
        assert!(most(Client::builder()) > 0);
        assert_eq!(most(Client::builder().reuse_connections(false)), 0);
    }
}
