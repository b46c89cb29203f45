//! The settings of a client, async or blocking.

use std::{env, fmt, marker::PhantomData, time::Duration};

use cometly_core::{InvalidProxy, ProxyRules, ProxyScheme, ProxyUrl, RetryPolicy, TransportLimits};

use crate::{
    Client, ClientError, Error,
    clients::{Clients, Settings},
    failure::setup,
    target::LastUrl,
};

/// Makes a [`Client`]; from [`Client::builder`]. `C` is the client that is made: async, or blocking.
#[must_use]
pub struct ClientBuilder<C = Client> {
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    proxies: Result<ProxyRules, InvalidProxy>,
    reuse: bool,
    http: Option<reqwest::Client>,
    makes: PhantomData<fn() -> C>,
}

/// The proxies that can be spoken to.
const USABLE: [ProxyScheme; 2] = [ProxyScheme::Http, ProxyScheme::Https];

impl<C> ClientBuilder<C> {
    /// How long a whole call may take, all attempts and waits included; then it fails with
    /// [`CallErrorKind::Timeout`](cometly_core::CallErrorKind::Timeout). Without it, as long as the
    /// [retry policy](Self::retry_policy) says: a minute by default, no bound for [`RetryPolicy::none`].
    /// [`Call::timeout`](cometly_core::Call::timeout) sets another for one call.
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

    /// How long connecting may take; 10 s by default. Not for a client that you bring.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout.min(TransportLimits::MAX_TIMEOUT);
        self
    }

    /// The most bytes of body that are read from an answer; 32 MiB by default. A longer one fails the call with
    /// [`CallErrorKind::TooLarge`](cometly_core::CallErrorKind::TooLarge), and is not asked for again.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.limits.max_body_size = bytes;
        self
    }

    /// Sends every call to an `https` URL through this proxy: `http://proxy.example:3128`, or an `https` one. By default
    /// there is none, whatever the environment says. It gets to see no plain `http`, which is for this machine. Not for a
    /// client that you bring.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxies = url.parse().and_then(|proxy: ProxyUrl| proxy.usable(&USABLE)).map(ProxyRules::https);
        self
    }

    /// Takes the proxy from the environment, which is read now and by [`ProxyRules`]. Not for a client that you bring.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxies = ProxyRules::from_vars(env::vars_os()).and_then(|rules| {
            rules.https_proxy().cloned().map(|proxy| proxy.usable(&USABLE)).transpose()?;
            Ok(rules)
        });
        self
    }

    /// Whether connections are kept for the next call; yes by default. Not for a client that you bring.
    pub fn reuse_connections(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sends through a reqwest client of your own, with its TLS, proxy and pool. See the
    /// [crate's front page](crate#what-is-forced) for what cannot be forced on it.
    pub fn http_client(mut self, http: reqwest::Client) -> Self {
        self.http = Some(http);
        self
    }

    pub(crate) fn client(self) -> Result<Client, Error> {
        let (limits, reuse) = (self.limits, self.reuse);
        let proxies = self.proxies.map_err(|error| setup(ClientError::Proxy(error)))?;
        let clients = match self.http {
            Some(http) => Clients::users(http),
            None => Clients::own(Settings { limits, reuse, proxies })?,
        };
        let retry_policy = self.retry_policy;
        Ok(Client { clients, limits, retry_policy, last_url: LastUrl::default() })
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<C> Default for ClientBuilder<C> {
    fn default() -> Self {
        Self {
            limits: TransportLimits::default(),
            retry_policy: RetryPolicy::default(),
            proxies: Ok(ProxyRules::default()),
            reuse: true,
            http: None,
            makes: PhantomData,
        }
    }
}

impl ClientBuilder<Client> {
    /// The finished client.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be read or used, or a missing crypto
    /// provider. Missing certificates are an error of the first call to an `https` URL.
    pub fn build(self) -> Result<Client, Error> {
        self.client()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Without a provider, no client can be made.
    #[cfg(any(feature = "rustls", feature = "native-tls", not(feature = "rustls-no-provider")))]
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
        assert!(named.proxies.as_ref().unwrap().https_proxy().is_some());
        for builder in [named, environments.http_client(reqwest::Client::new())] {
            assert!(!builder.reuse);
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
            let shown = format!("{client:?}{shown}");
            assert!(
                shown.starts_with("Client { limits: TransportLimits { timeout: Some(1s), attempt_timeout: Some(2s),"),
                "{shown}"
            );
            assert!(!shown.contains("canary"), "{shown}");
        }
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
            assert_eq!(error.kind(), cometly_core::CallErrorKind::Setup, "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
