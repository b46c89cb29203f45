//! The settings of a client, async or blocking.

use std::{env, fmt, time::Duration};

use cometly_core::{CallError, InvalidProxy, ProxyRules, ProxyUrl, RetryPolicy, TransportLimits};
use isahc::HttpClient;

use crate::{Client, Error, clients::Clients, failure::setup};

/// Makes a [`Client`]; from [`Client::builder`].
#[must_use]
pub struct ClientBuilder {
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    proxies: Result<ProxyRules, InvalidProxy>,
    reuse: bool,
    http: Option<HttpClient>,
}

impl ClientBuilder {
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

    /// How long connecting may take; 10 s by default.
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

    /// Sends every call to an `https` URL through this proxy: `http://proxy.example:3128`, or a SOCKS one. By default
    /// there is none, whatever the environment says. It gets to see no plain `http`, which is for this machine.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxies = url.parse().map(|proxy: ProxyUrl| ProxyRules::https(proxy));
        self
    }

    /// Takes the proxy from the environment, which is read now and by [`ProxyRules`].
    pub fn proxy_from_env(mut self) -> Self {
        self.proxies = ProxyRules::from_vars(env::vars_os());
        self
    }

    /// Whether connections are kept for the next call; **no** by default, see the
    /// [crate's front page](crate#what-is-forced). Not for a client that you bring.
    pub fn reuse_connections(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sends through an isahc client of your own, with its TLS and connections. What is forced is set on each request.
    pub fn http_client(mut self, http: HttpClient) -> Self {
        self.http = Some(http);
        self
    }

    /// The finished client.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used, or a libcurl that cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let proxies = self.proxies.map_err(setup)?;
        let may_reuse = self.reuse || self.http.is_some();
        let clients = Clients::new(self.http, self.reuse, self.limits).map_err(CallError::setup)?;
        let retry_policy = self.retry_policy;
        Ok(Client { clients, limits: self.limits, retry_policy, proxies, may_reuse })
    }
}

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
            proxies: Ok(ProxyRules::default()),
            reuse: false,
            http: None,
        }
    }
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
                .reuse_connections(true)
        };
        let (named, environments) = (set().proxy("http://user:canary@127.0.0.1:1"), set().proxy_from_env());
        assert!(named.proxies.as_ref().unwrap().https_proxy().is_some());
        for builder in [named, environments.http_client(HttpClient::new().unwrap())] {
            assert!(builder.reuse);
            let is_own = builder.http.is_none();
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
            assert_eq!((client.clients.is_own(), client.may_reuse), (is_own, true));
            let shown = format!("{client:?}{shown}");
            assert!(
                shown.starts_with("Client { limits: TransportLimits { timeout: Some(1s), attempt_timeout: Some(2s),"),
                "{shown}"
            );
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn connections_may_be_kept_if_asked_for_or_by_a_client_that_is_not_ours() {
        let users = || Client::builder().http_client(HttpClient::new().unwrap());
        for (builder, may_reuse) in [
            (Client::builder(), false),
            (Client::builder().reuse_connections(true), true),
            (users(), true),
            (users().reuse_connections(true), true),
        ] {
            assert_eq!(builder.build().unwrap().may_reuse, may_reuse);
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_read_is_an_error_of_the_builder() {
        for url in ["socks://canary:canary@127.0.0.1:1", "ftp://127.0.0.1", "not a proxy", "http://canary:@:1"] {
            let error = Client::builder().proxy(url).build().unwrap_err();
            assert_eq!(error.kind(), cometly_core::CallErrorKind::Setup, "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
