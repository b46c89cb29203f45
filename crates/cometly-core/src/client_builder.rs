//! The settings of a client, the same on every HTTP stack.

use std::{env, fmt, time::Duration};

use crate::{CallError, InvalidProxy, ProxyRules, ProxyScheme, ProxyUrl, RetryPolicy, TransportLimits};

/// A client that a [`ClientBuilder`] can make: [`ClientBuilder::build`] calls its [`build`](Self::build). For authors of
/// clients.
pub trait BuildClient: Sized {
    /// The client of the HTTP stack, which a user may bring by [`ClientBuilder::http_client`].
    type HttpClient;
    /// The client's own error: the source of its [`CallError`]s.
    type Source;

    /// The kinds of proxy that the stack can speak to; any other fails [`ClientBuilder::build`].
    const PROXIES: &'static [ProxyScheme];

    /// Whether connections are kept for the next call unless [`ClientBuilder::reuse_connections`] says otherwise.
    const REUSES_CONNECTIONS: bool;

    /// Makes a client with these settings.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](crate::CallErrorKind::Setup) if the stack cannot be set up.
    fn build(settings: ClientSettings<Self::HttpClient>) -> Result<Self, CallError<Self::Source>>;

    /// Turns a proxy that cannot be read or used into the client's own error.
    fn invalid_proxy(error: InvalidProxy) -> Self::Source;
}

/// The settings that a [`ClientBuilder`] gives to [`BuildClient::build`]. `H` is the client of the HTTP stack. For authors of
/// clients.
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientSettings<H> {
    /// The time-outs, and the largest body of an answer; [`TransportLimits::default`] by default.
    pub limits: TransportLimits,
    /// When a call is sent again, [`RetryPolicy::default`] by default; a call can have a policy of its own.
    pub retry_policy: RetryPolicy,
    /// The proxy for each URL; no proxy by default.
    pub proxies: ProxyRules,
    /// Whether connections are kept for the next call. It does not count for an `http_client` of the user's.
    pub reuse_connections: bool,
    /// The client that the user brought; `None` if one is to be made.
    pub http_client: Option<H>,
}

/// The settings of a client `C`; from the `builder` of that client. Each setter replaces what an earlier call of it set, and each
/// setting has a default. [`build`](Self::build) fails with [`CallErrorKind::Setup`](crate::CallErrorKind::Setup) for a proxy that
/// cannot be used, or if the HTTP stack cannot be set up.
#[must_use]
pub struct ClientBuilder<C: BuildClient> {
    settings: ClientSettings<C::HttpClient>,
    invalid_proxy: Option<InvalidProxy>,
}

impl<C: BuildClient> ClientBuilder<C> {
    /// How long a whole call may take, all attempts and waits included; then it fails with
    /// [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout). Without it, as long as the [retry policy](Self::retry_policy)
    /// says: 60 s by default, no bound for [`RetryPolicy::none`]. [`Call::timeout`](crate::Call::timeout) sets another for one
    /// call. A call ends before that if the next wait does not fit, as [`RetryPolicy::timeout`] says. Zero fails every call before
    /// it is sent. It does not end a streamed body that has begun, or the download of a file. A second call replaces it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.limits.timeout = Some(timeout);
        self
    }

    /// The longest time of one attempt, connecting and the body included; an attempt never takes longer than what is left of the
    /// call's time. When it is over, the call is sent again if the [retry policy](Self::retry_policy) says so, else it fails with
    /// [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout). By default it is 30 s, or the whole time of the call if
    /// [`timeout`](Self::timeout) or [`Call::timeout`](crate::Call::timeout) is set. A piece of a streamed body or of a file may
    /// take as long too, 30 s if this is not set; after that the body breaks off, and a file is resumed. More than a hundred years
    /// counts as a hundred. A second call replaces it.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.limits.attempt_timeout = Some(timeout.min(TransportLimits::MAX_TIMEOUT));
        self
    }

    /// When a call is sent again; [`RetryPolicy::default`] by default, [`RetryPolicy::none`] for a loop of your own.
    /// [`Call::retry_policy`](crate::Call::retry_policy) sets another for one call. A second call replaces it.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry_policy = policy;
        self
    }

    /// How long it may take to connect, proxy and TLS included; 10 s by default, and more than a hundred years counts as a hundred.
    /// A call that has no connection by then is sent again if the [retry policy](Self::retry_policy) says so, else it fails with
    /// [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout). It holds for a client of your own too, from
    /// [`http_client`](Self::http_client), but for a reqwest one that is built already: there it has no effect, and
    /// [`build`](Self::build) does not fail. A second call replaces it.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.limits.connect_timeout = timeout.min(TransportLimits::MAX_TIMEOUT);
        self
    }

    /// The most bytes of body that are read from an answer; 32 MiB by default. A longer one fails the call with
    /// [`CallErrorKind::TooLarge`](crate::CallErrorKind::TooLarge), and is not asked for again; of a streamed body, the read that
    /// goes beyond it fails. Any number is taken as it is. It does not bound the file of an export. A second call replaces it.
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.settings.limits.max_body_size = bytes;
        self
    }

    /// Sends every call to an `https` URL through this proxy: `http://proxy.example:3128`, an `https` one, or a SOCKS one if
    /// [the client speaks it](BuildClient::PROXIES). A URL that names no such proxy makes [`build`](Self::build) fail. Plain
    /// `http` calls, to loopback or to a host of [`BaseUrl::insecure_http`](crate::BaseUrl::insecure_http), never go through
    /// it. By default there is no proxy, whatever the environment says; of several calls of this and
    /// [`proxy_from_env`](Self::proxy_from_env), the last one counts.
    ///
    /// On a client of your own, from [`http_client`](Self::http_client), it counts too; where that cannot be, as on a reqwest
    /// client that is built already, [`build`](Self::build) fails. A URL that names no proxy is
    /// refused all the same.
    pub fn proxy(self, url: &str) -> Self {
        let proxy = url.parse().and_then(|proxy: ProxyUrl| proxy.usable(C::PROXIES));
        self.proxies(proxy.map(ProxyRules::https))
    }

    /// Takes the proxy, and the hosts that are reached without it, from the environment variables that [`ProxyRules`] lists, as
    /// they are at this call. A variable that names no proxy, or one that the client does not speak, makes [`build`](Self::build)
    /// fail. By default the environment is not read. What [`proxy`](Self::proxy) says of a client of your own holds here too.
    pub fn proxy_from_env(self) -> Self {
        let rules = ProxyRules::from_vars(env::vars_os()).and_then(|rules| {
            rules.https_proxy().cloned().map(|proxy| proxy.usable(C::PROXIES)).transpose()?;
            Ok(rules)
        });
        self.proxies(rules)
    }

    fn proxies(mut self, rules: Result<ProxyRules, InvalidProxy>) -> Self {
        (self.settings.proxies, self.invalid_proxy) = match rules {
            Ok(rules) => (rules, None),
            Err(error) => (ProxyRules::default(), Some(error)),
        };
        self
    }

    /// Whether connections are kept for the next call; the docs of the client's own `ClientBuilder` say what it does by
    /// default. It has no effect on a client of your own, from [`http_client`](Self::http_client), that is built already. A
    /// second call replaces it.
    pub fn reuse_connections(mut self, reuse: bool) -> Self {
        self.settings.reuse_connections = reuse;
        self
    }

    /// Sends through a client of your own of the HTTP stack, with its TLS and its connections; by default one is made. Whether
    /// the other settings of this builder count for such a client depends on the stack: the front page of this client's crate
    /// says which do. A second call replaces it.
    pub fn http_client(mut self, http: impl Into<C::HttpClient>) -> Self {
        self.settings.http_client = Some(http.into());
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](crate::CallErrorKind::Setup) for a proxy URL that cannot be read, a kind of proxy that the
    /// client does not speak or its own HTTP client cannot take, or if the HTTP stack cannot be set up. Missing certificates
    /// are an error of the first call to an `https` URL.
    pub fn build(self) -> Result<C, CallError<C::Source>> {
        match self.invalid_proxy {
            Some(error) => Err(CallError::setup(C::invalid_proxy(error))),
            None => C::build(self.settings),
        }
    }
}

impl<C: BuildClient> Default for ClientBuilder<C> {
    fn default() -> Self {
        let settings = ClientSettings {
            limits: TransportLimits::default(),
            retry_policy: RetryPolicy::default(),
            proxies: ProxyRules::default(),
            reuse_connections: C::REUSES_CONNECTIONS,
            http_client: None,
        };
        Self { settings, invalid_proxy: None }
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl<C: BuildClient> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("limits", &self.settings.limits).finish_non_exhaustive()
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl<H> fmt::Debug for ClientSettings<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CallErrorKind;

    /// A client that is nothing but its settings.
    #[derive(Debug)]
    struct Settled(ClientSettings<u8>);

    impl BuildClient for Settled {
        type HttpClient = u8;
        type Source = InvalidProxy;

        const PROXIES: &'static [ProxyScheme] = &[ProxyScheme::Http];
        const REUSES_CONNECTIONS: bool = true;

        fn build(settings: ClientSettings<u8>) -> Result<Self, CallError<InvalidProxy>> {
            Ok(Self(settings))
        }

        fn invalid_proxy(error: InvalidProxy) -> InvalidProxy {
            error
        }
    }

    fn builder() -> ClientBuilder<Settled> {
        ClientBuilder::default()
    }

    #[test]
    fn each_setting_is_kept_beside_the_others() {
        let second = Duration::from_secs(1);
        let set = builder()
            .timeout(second)
            .attempt_timeout(second * 2)
            .connect_timeout(second * 3)
            .max_body_size(4)
            .retry_policy(RetryPolicy::none())
            .reuse_connections(false)
            .http_client(5_u8)
            .proxy("http://user:canary@127.0.0.1:1");
        let shown = format!("{set:?}");
        let Settled(settings) = set.build().unwrap();
        let TransportLimits { timeout, attempt_timeout, connect_timeout, max_body_size } = settings.limits;
        assert_eq!((timeout, attempt_timeout), (Some(second), Some(second * 2)));
        assert_eq!((connect_timeout, max_body_size), (second * 3, 4));
        assert_eq!((settings.reuse_connections, settings.http_client), (false, Some(5)));
        assert_eq!(settings.proxies.https_proxy().unwrap().credentials(), Some(("user", "canary")));
        assert!(format!("{:?}", settings.retry_policy) == format!("{:?}", RetryPolicy::none()));
        let limits = "limits: TransportLimits { timeout: Some(1s), attempt_timeout: Some(2s),";
        assert!(shown.starts_with(&format!("ClientBuilder {{ {limits}")), "{shown}");
        let settled = format!("{settings:?}");
        assert!(settled.starts_with(&format!("ClientSettings {{ {limits}")), "{settled}");
        assert!(!format!("{shown}{settled}").contains("canary"));
    }

    #[test]
    fn without_settings_the_client_has_its_own_and_no_proxy() {
        let Settled(settings) = builder().build().unwrap();
        assert!(settings.reuse_connections && settings.http_client.is_none());
        assert_eq!((settings.limits, settings.proxies), (TransportLimits::default(), ProxyRules::default()));
        let Settled(settings) =
            builder().attempt_timeout(Duration::MAX).connect_timeout(Duration::MAX).build().unwrap();
        let most = TransportLimits::MAX_TIMEOUT;
        assert_eq!((settings.limits.attempt_timeout, settings.limits.connect_timeout), (Some(most), most));
    }

    /// The environment cannot be changed in a process with threads, so the test runs itself in others.
    #[test]
    fn the_proxy_of_the_environment_is_taken_only_if_it_is_asked_for_and_can_be_used() {
        const CHILD: &str = "COMETLY_TEST_CHILD";
        if let Some(expected) = env::var_os(CHILD) {
            let https_proxy = |builder: ClientBuilder<Settled>| {
                let built = builder.build().map(|Settled(settings)| settings.proxies.https_proxy().cloned());
                built.map(|proxy| proxy.map(|proxy| proxy.port()))
            };
            assert_eq!(https_proxy(builder()).unwrap(), None, "it was not asked for");
            let found = https_proxy(builder().proxy_from_env());
            assert_eq!(found.ok(), (expected == "used").then_some(Some(3128)));
            return;
        }
        let name = "client_builder::tests::\
                    the_proxy_of_the_environment_is_taken_only_if_it_is_asked_for_and_can_be_used";
        for (proxy, expected) in
            [("http://127.0.0.1:3128", "used"), ("socks5://127.0.0.1:3128", "refused"), (" ", "refused")]
        {
            let status = std::process::Command::new(env::current_exe().unwrap())
                .args(["--exact", name])
                .envs([(CHILD, expected), ("https_proxy", proxy)])
                .stdout(std::process::Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "{proxy}");
        }
    }

    // `docs/faults.md` 107, 108.
    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_until_another_one_is_set() {
        for url in ["socks5://canary:canary@127.0.0.1:1", "https://127.0.0.1", "socks://127.0.0.1", "not a proxy", ""] {
            let error = builder().proxy(url).build().unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Setup, "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            let Settled(settings) = builder().proxy(url).proxy("127.0.0.1:1").build().unwrap();
            assert!(settings.proxies.https_proxy().is_some());
            assert!(builder().proxy("127.0.0.1:1").proxy(url).build().is_err());
        }
    }
}
