//! The reqwest client that calls are sent through, and what is forced on it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use cometly_core::{ProxyRules, ProxyUrl, TransportError, TransportLimits};
use http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use reqwest::{Proxy, Url, redirect, retry};

use crate::{
    ClientError, Error,
    failure::{Way, setup},
    http_client::MakeBuilder,
};

#[derive(Clone)]
pub(crate) struct Clients {
    current: Arc<Mutex<Current>>,
    /// Held while another one is made: calls that fail at once make one.
    making: Arc<Mutex<()>>,
    /// By which another one is made; none for a client that its user built.
    settings: Option<Settings>,
}

#[derive(Clone)]
pub(crate) struct Settings {
    /// What the user begins with.
    pub(crate) builder: Option<MakeBuilder>,
    pub(crate) limits: TransportLimits,
    pub(crate) reuse: bool,
    pub(crate) proxies: ProxyRules,
}

struct Current {
    /// For `https`: the client, or why TLS cannot be set up.
    https: Result<reqwest::Client, Arc<reqwest::Error>>,
    /// For plain `http`, which needs no TLS: the same one, if there is one.
    plain: reqwest::Client,
    made: Instant,
}

impl Clients {
    pub(crate) fn own(settings: Settings) -> Result<Self, Error> {
        let current = Arc::new(Mutex::new(Current::new(&settings)?));
        Ok(Self { current, making: Arc::default(), settings: Some(settings) })
    }

    pub(crate) fn users(http: reqwest::Client) -> Self {
        let current = Current { https: Ok(http.clone()), plain: http, made: Instant::now() };
        Self { current: Arc::new(Mutex::new(current)), making: Arc::default(), settings: None }
    }

    /// The client for this URL; one that was made after `failed`, when a kept connection may have been the reason.
    ///
    /// # Errors
    /// If that needs TLS, which cannot be set up.
    pub(crate) fn get(
        &self,
        url: &Url,
        failed: Option<Instant>,
    ) -> Result<reqwest::Client, TransportError<ClientError>> {
        if let Some(failed) = failed {
            self.renew(failed);
        }
        let current = lock(&self.current);
        match &current.https {
            _ if url.scheme() == "http" => Ok(current.plain.clone()),
            Ok(http) => Ok(http.clone()),
            Err(error) => Err(TransportError::setup(ClientError::Tls(error.clone()))),
        }
    }

    /// How a URL is reached; unknown for a client that its user built.
    pub(crate) fn way_to(&self, uri: &Uri) -> Way<'_> {
        self.settings.as_ref().map_or_else(Way::default, |settings| Way {
            proxy: settings.proxies.proxy_for(uri),
            connect_timeout: Some(settings.limits.connect_timeout),
        })
    }

    /// A new client for the calls from now on; the kept connections of the old one close once its last call is over.
    pub(crate) fn close_idle(&self) {
        self.renew(Instant::now());
    }

    /// Makes a new client, unless one was made after `since`.
    fn renew(&self, since: Instant) {
        let Some(settings) = &self.settings else { return };
        let _making = lock(&self.making);
        if lock(&self.current).made > since {
            return;
        }
        // One that was made before can be made again; if not, the old one stays, also if only its certificates are at fault.
        let Ok(made) = Current::new(settings) else { return };
        let mut current = lock(&self.current);
        if made.https.is_ok() || current.https.is_err() {
            let old = std::mem::replace(&mut *current, made);
            drop(current);
            drop(old);
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Current {
    fn new(settings: &Settings) -> Result<Self, Error> {
        check_crypto_provider()?;
        let made = Instant::now();
        match settings.forced()?.build() {
            Ok(http) => Ok(Self { https: Ok(http.clone()), plain: http, made }),
            // Certificates to trust are all that may be missing.
            Err(error) => {
                let plain = without_roots(settings.forced()?).build().map_err(|error| setup(error.without_url()))?;
                Ok(Self { https: Err(Arc::new(error.without_url())), plain, made })
            }
        }
    }
}

impl Settings {
    fn forced(&self) -> Result<reqwest::ClientBuilder, Error> {
        let http = self.builder.as_ref().map_or_else(reqwest::Client::builder, MakeBuilder::builder);
        let http = http
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(retry::never())
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .no_proxy()
            .connect_timeout(self.limits.connect_timeout);
        let http = if self.reuse { http } else { http.pool_max_idle_per_host(0) };
        match self.proxies.https_proxy() {
            Some(proxy) => Ok(http.proxy(reqwests_proxy(proxy, self.proxies.clone())?)),
            None => Ok(http),
        }
    }
}

fn reqwests_proxy(proxy: &ProxyUrl, proxies: ProxyRules) -> Result<Proxy, Error> {
    let place = proxy.to_string();
    let url = match (place.split_once("://"), proxy.credentials()) {
        (Some((scheme, address)), Some((user, password))) => {
            let encoded = |text| percent_encode(text, NON_ALPHANUMERIC);
            format!("{scheme}://{}:{}@{address}", encoded(user.as_bytes()), encoded(password.as_bytes()))
        }
        _ => place,
    };
    // So that what cannot be read is an error now, for a proxy that is chosen by a function fails later.
    Proxy::https(url.as_str()).map_err(|error| setup(error.without_url()))?;
    Ok(Proxy::custom(move |to: &Url| {
        let uri: Uri = to.as_str().parse().ok()?;
        proxies.proxy_for(&uri).map(|_| url.clone())
    }))
}

/// A client that trusts nothing, which is enough where TLS is not used.
fn without_roots(http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    #[cfg(any(feature = "rustls", feature = "rustls-no-provider", feature = "native-tls"))]
    let http = http.tls_certs_only([]);
    http
}

/// reqwest panics without one.
#[cfg(all(feature = "rustls-no-provider", not(feature = "rustls"), not(feature = "native-tls")))]
fn check_crypto_provider() -> Result<(), Error> {
    match rustls::crypto::CryptoProvider::get_default() {
        Some(_) => Ok(()),
        None => Err(setup(ClientError::NoCryptoProvider)),
    }
}

#[cfg(not(all(feature = "rustls-no-provider", not(feature = "rustls"), not(feature = "native-tls"))))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
fn check_crypto_provider() -> Result<(), Error> {
    Ok(())
}

#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_renewed_once_for_all_calls_that_failed_on_it() {
        let settings =
            Settings { builder: None, limits: TransportLimits::default(), reuse: true, proxies: ProxyRules::default() };
        let clients = Clients::own(settings).unwrap();
        let made = || lock(&clients.current).made;
        let first = made();
        clients.renew(first);
        let second = made();
        assert!(second > first, "a call that began with the first one failed");
        clients.renew(first);
        assert_eq!(made(), second, "another one that began with it failed, too");
        clients.close_idle();
        assert!(made() > second);
    }
}

#[cfg(all(test, feature = "rustls-no-provider", not(feature = "rustls"), not(feature = "native-tls")))]
mod tests_without_provider {
    use std::error::Error as _;

    use crate::{Client, ClientError};

    // `docs/faults.md` 104.
    #[test]
    fn without_a_crypto_provider_there_is_an_error_and_no_panic() {
        let error = Client::new().unwrap_err();
        let source = error.source().and_then(|source| source.downcast_ref());
        assert!(matches!(source, Some(ClientError::NoCryptoProvider)), "{error:?}");
    }
}
