//! The settings of a client, async or blocking.

use std::{fmt, time::Duration};

use cometly_core::{CallError, RetryPolicy, TransportLimits};
use reqwest::{Proxy, redirect, retry};

use crate::{Client, Error, target::LastUrl};

/// Makes a [`Client`]; from [`Client::builder`]. `H` is the reqwest client below: async, or blocking.
#[must_use]
pub struct ClientBuilder<H = reqwest::Client> {
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    proxy: ProxyChoice,
    reuse: bool,
    http: Option<H>,
}

enum ProxyChoice {
    None,
    Named(Box<Result<Proxy, reqwest::Error>>),
    Environment,
}

impl<H> ClientBuilder<H> {
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

    /// How long connecting may take; 10 s by default. Not for a client that you bring.
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
    /// the environment says. It gets to see no plain `http`, which is for this machine. Not for a client that you bring.
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = ProxyChoice::Named(Box::new(Proxy::https(url)));
        self
    }

    /// Takes the proxy from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), as reqwest reads it.
    /// Not for a client that you bring.
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = ProxyChoice::Environment;
        self
    }

    /// Whether connections are kept for the next call; yes by default. Not for a client that you bring.
    pub fn reuse_connections(mut self, reuse: bool) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sends through a reqwest client of your own, with its TLS, proxy and pool. See the
    /// [crate's front page](crate#what-is-forced) for what cannot be forced on it.
    pub fn http_client(mut self, http: H) -> Self {
        self.http = Some(http);
        self
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl<H> fmt::Debug for ClientBuilder<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<H> Default for ClientBuilder<H> {
    fn default() -> Self {
        Self {
            limits: TransportLimits::default(),
            retry_policy: RetryPolicy::default(),
            proxy: ProxyChoice::None,
            reuse: true,
            http: None,
        }
    }
}

fn setup(error: reqwest::Error) -> Error {
    CallError::setup(error.without_url())
}

/// The two builders of reqwest have these methods in common, but no trait.
macro_rules! forced {
    ($http:expr, $settings:expr, $proxy:expr) => {{
        let http = $http
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout($settings.limits.connect_timeout);
        let http = if $settings.reuse { http } else { http.pool_max_idle_per_host(0) };
        match $proxy {
            ProxyChoice::None => http.no_proxy(),
            ProxyChoice::Named(proxy) => http.no_proxy().proxy(proxy.map_err(setup)?),
            ProxyChoice::Environment => http,
        }
        .build()
        .map_err(setup)?
    }};
}

/// The client, and if the first one might use a proxy of the environment for it, another one for plain `http`.
macro_rules! clients {
    ($new:expr, $settings:expr) => {{
        match $settings.http {
            Some(http) => (http, None),
            None => {
                let is_environments = matches!($settings.proxy, ProxyChoice::Environment);
                let plain = if is_environments { Some(forced!($new, $settings, ProxyChoice::None)) } else { None };
                (forced!($new, $settings, $settings.proxy), plain)
            }
        }
    }};
}

impl ClientBuilder<reqwest::Client> {
    /// The finished client.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used, or TLS that cannot be
    /// set up.
    pub fn build(self) -> Result<Client, Error> {
        let (http, plain) = clients!(reqwest::Client::builder(), self);
        Ok(Client { http, plain, limits: self.limits, retry_policy: self.retry_policy, last_url: LastUrl::default() })
    }
}

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
impl ClientBuilder<reqwest::blocking::Client> {
    /// The finished client.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`] of the async client.
    pub fn build(self) -> Result<crate::blocking::Client, Error> {
        let (http, plain) = clients!(reqwest::blocking::Client::builder(), self);
        Ok(crate::blocking::Client::from_parts(http, plain, self.limits, self.retry_policy))
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
                .reuse_connections(false)
        };
        let (named, environments) = (set().proxy("http://user:canary@127.0.0.1:1"), set().proxy_from_env());
        assert!(matches!(named.proxy, ProxyChoice::Named(_)));
        assert!(matches!(environments.proxy, ProxyChoice::Environment));
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
}
