//! The API as one key sees it.

use std::{
    env, fmt, mem,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri};

use crate::{
    API_KEY_VARIABLE, ApiKey, AuthOutcome, BaseUrl, InvalidApiKey, InvalidBaseUrl, Pacer, answer::classify,
    key_ring::Keys, uri_cache::UriCache,
};

/// The environment variable that [`Api::from_env`] and [`ApiBuilder::base_url_from_env`] read for the base URL:
/// `COMETLY_BASE_URL`. If it is not set, they take the builder's earlier one, or [`BaseUrl::default`]; if its value is no base
/// URL that is allowed there, they fail with [`FromEnvError::BaseUrl`].
pub const BASE_URL_VARIABLE: &str = "COMETLY_BASE_URL";

pub(crate) const USER_AGENT: &str = concat!("cometly-core/", env!("CARGO_PKG_VERSION"));

/// The Cometly API as one key sees it: the key, the base URL and the `User-Agent` header.
///
/// It makes [`Call`](crate::Call)s and reads answers. [`new`](Api::new), which cannot fail, makes one, and so do
/// [`from_env`](Api::from_env) and [`builder`](Api::builder). It is cheap to clone; all clones share the key, so
/// [`rotate`](Api::rotate) reaches each of them. A program may hold many, one for each Space, and send the calls of all through
/// one client.
///
/// ```
/// use cometly_core::{Api, ApiKey, AuthOutcome, http};
///
/// let api = Api::new(ApiKey::new("12|abcdef")?);
/// let request = api.get("events").query("per_page", 50).to_request()?;
/// assert_eq!(request.uri(), "https://app.cometly.com/public-api/v1/events?per_page=50");
///
/// // … send it with whatever HTTP client there is, then read what came back:
/// let response = http::Response::builder().status(401).body(r#"{"message":"Unauthenticated."}"#)?;
/// let outcome = api.read(response);
/// assert!(matches!(outcome, AuthOutcome::Unauthenticated(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
}

struct Shared {
    base_url: BaseUrl,
    pacer: Option<Pacer>,
    keys: RwLock<Arc<Keys>>,
    /// The generation of the last key that the API refused.
    refused: Mutex<Option<u64>>,
    uri_cache: UriCache,
}

impl Api {
    /// The API at its [default address](BaseUrl), `https://app.cometly.com/public-api/v1`, with this key. It cannot fail, and
    /// asks the API nothing.
    #[must_use]
    pub fn new(key: ApiKey) -> Self {
        Self::builder(key).build()
    }

    /// The API with the key in the environment variable `COMETLY_API_KEY` and, if it is set, the base URL in
    /// `COMETLY_BASE_URL`.
    ///
    /// The base URL may be `https` to a host of `cometly.com`, or loopback, as the emulator's (see
    /// [`BaseUrl::from_untrusted`]): a stray `.env` file must not carry the key away. Any other host is named in code, by
    /// [`ApiBuilder::base_url`].
    ///
    /// ```no_run
    /// # use cometly_core::Api;
    /// let api = Api::from_env()?;
    /// # Ok::<(), cometly_core::FromEnvError>(())
    /// ```
    ///
    /// # Errors
    /// [`FromEnvError::ApiKey`] if `COMETLY_API_KEY` is not set or its value is no [`ApiKey`]; [`FromEnvError::BaseUrl`] if
    /// `COMETLY_BASE_URL` is set and its value is no base URL, or names another host than the above. It names the variable,
    /// what is wrong with it, and what to do.
    pub fn from_env() -> Result<Self, FromEnvError> {
        let key = ApiKey::from_env().map_err(FromEnvError::ApiKey)?;
        Ok(Self::builder(key).base_url_from_env()?.build())
    }

    /// A builder for an API with this key and a base URL, `User-Agent` or [`Pacer`] of your own; each has a default. It reads
    /// nothing from the environment: a program that is to keep to `COMETLY_BASE_URL` calls
    /// [`base_url_from_env`](ApiBuilder::base_url_from_env).
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let key = ApiKey::new("12|abcdef")?;
    /// let api = Api::builder(key)
    ///     .base_url("http://127.0.0.1:8080/public-api/v1".parse()?)
    ///     .user_agent("my-sdk/1.2")?
    ///     .build();
    /// let request = api.get("events").to_request()?;
    /// let agent = request.headers()["user-agent"].to_str()?;
    /// assert!(agent.starts_with("my-sdk/1.2 cometly-core/"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(key: ApiKey) -> ApiBuilder {
        ApiBuilder { key, base_url: BaseUrl::default(), user_agent: HeaderValue::from_static(USER_AGENT), pacer: None }
    }

    /// The address under which the calls are made: the one that the builder was given, else [`BaseUrl::default`].
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.shared.base_url
    }

    /// The pacer that all calls of this API ask before each attempt, as [`ApiBuilder::pacer`] says; `None` if it has none, as
    /// by default.
    #[must_use]
    pub fn pacer(&self) -> Option<&Pacer> {
        self.shared.pacer.as_ref()
    }

    /// Replaces the key, for every clone: each request that is built from now on has the new one. The same key again changes
    /// nothing. It cannot fail, and asks the API nothing.
    ///
    /// The last four keys that were in use before are still masked in what errors show of an answer, since a request with one
    /// of them may be under way.
    pub fn rotate(&self, key: ApiKey) {
        let mut keys = self.shared.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = keys.rotated(key) {
            *keys = Arc::new(next);
        }
    }

    /// The number of the key in use: 0 for the first one, one more with each [`rotate`](Api::rotate) to another key.
    #[must_use]
    pub fn key_generation(&self) -> u64 {
        self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// The [generation](Api::key_generation) of the newest key that the API refused with a 401, of the calls that a client or
    /// an [`Operation`](crate::Operation) sent; `None` if it refused none. If it is the current one, a new key is needed:
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// if api.refused_generation() == Some(api.key_generation()) {
    ///     api.rotate(ask_the_vault_again());
    /// }
    /// # fn ask_the_vault_again() -> ApiKey { unreachable!() }
    /// # Ok::<(), cometly_core::InvalidApiKey>(())
    /// ```
    ///
    /// Answers that are given to [`read`](Api::read) are not counted: it is not known which key they were an answer to.
    #[must_use]
    pub fn refused_generation(&self) -> Option<u64> {
        *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_refused(&self, generation: u64) {
        let mut refused = self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer to an older key may come later than one to a newer key.
        *refused = (*refused).max(Some(generation));
    }

    /// Says what an answer means for the call and for the API key. It never fails: any answer is one of the outcomes.
    ///
    /// It needs no socket, so it serves tests too: give it a response that you made.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey, AuthOutcome, ForbiddenReason, http};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let body = r#"{"message": "Invalid ability provided."}"#;
    /// match api.read(http::Response::builder().status(403).body(body)?) {
    ///     AuthOutcome::Forbidden(reason, _) => assert_eq!(reason, ForbiddenReason::Permission),
    ///     other => panic!("{other}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read<B: AsRef<[u8]>>(&self, response: http::Response<B>) -> AuthOutcome<B> {
        classify(response, &self.keys())
    }

    pub(crate) fn uri_cache(&self) -> &UriCache {
        &self.shared.uri_cache
    }

    /// The request with the required headers; its key is the one that is current now. `own` are headers of the caller's,
    /// at most [`Call::MAX_HEADERS`] and none that is [reserved](is_reserved).
    #[inline]
    pub(crate) fn stamped(
        &self,
        method: &Method,
        uri: Uri,
        own: Option<&HeaderMap>,
        body: &Bytes,
    ) -> http::Request<Bytes> {
        let headers = self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).headers.clone();
        let mut request = http::Request::new(body.clone());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        // An empty map owns nothing, and its destructor is a sixth of what all of this costs.
        mem::forget(mem::replace(request.headers_mut(), headers));
        if let Some(own) = own {
            request.headers_mut().extend(own.clone());
        }
        request
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.shared.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base_url", self.base_url()).finish_non_exhaustive()
    }
}

/// The settings of an [`Api`]; from [`Api::builder`]. A setter that is called twice replaces the value. [`build`](Self::build)
/// cannot fail: [`user_agent`](Self::user_agent) and [`base_url_from_env`](Self::base_url_from_env) fail at their call.
#[derive(Debug)]
#[must_use]
pub struct ApiBuilder {
    key: ApiKey,
    base_url: BaseUrl,
    user_agent: HeaderValue,
    pacer: Option<Pacer>,
}

impl ApiBuilder {
    /// The address under which the calls are made, read from text by [`BaseUrl::new`]; [`BaseUrl::default`] by default,
    /// `https://app.cometly.com/public-api/v1`. A second call replaces it.
    pub fn base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = base_url;
        self
    }

    /// Takes the base URL from the environment variable `COMETLY_BASE_URL`, if it is set, in place of an earlier
    /// [`base_url`](Self::base_url); if it is not set, the earlier one stays, or [`BaseUrl::default`]. A later
    /// [`base_url`](Self::base_url) replaces it. As with [`Api::from_env`] the variable may name `https` hosts of `cometly.com`
    /// and loopback only.
    ///
    /// ```no_run
    /// # use cometly_core::{Api, ApiKey, Pacer};
    /// let api = Api::builder(ApiKey::from_env()?).base_url_from_env()?.pacer(Pacer::new()).build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`FromEnvError::BaseUrl`] if the variable is set and [`BaseUrl::from_untrusted`] refuses its value: it is no base URL,
    /// names another host, or is plain `http` to another machine. The error says which.
    pub fn base_url_from_env(self) -> Result<Self, FromEnvError> {
        self.base_url_from(env::var(BASE_URL_VARIABLE))
    }

    fn base_url_from(self, variable: Result<String, env::VarError>) -> Result<Self, FromEnvError> {
        match variable {
            Ok(url) => BaseUrl::from_untrusted(&url).map(|url| self.base_url(url)).map_err(FromEnvError::BaseUrl),
            Err(env::VarError::NotPresent) => Ok(self),
            Err(env::VarError::NotUnicode(raw)) => {
                let position = raw.as_encoded_bytes().iter().position(|byte| !byte.is_ascii()).unwrap_or_default();
                Err(FromEnvError::BaseUrl(InvalidBaseUrl::Character { position }))
            }
        }
    }

    /// Puts the name of your program or SDK, such as `my-sdk/1.2`, before ours in the `User-Agent` header ([RFC 9110
    /// §10.1.5](https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5)). By default the header has ours alone. A second call
    /// replaces the name.
    ///
    /// # Errors
    /// [`InvalidUserAgent`] if it is empty, begins or ends with a space, is longer than 256 bytes, or holds anything but
    /// visible ASCII and spaces.
    pub fn user_agent(mut self, product: &str) -> Result<Self, InvalidUserAgent> {
        let plain = product.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        if product.is_empty() || product.trim() != product || product.len() > 256 || !plain {
            return Err(InvalidUserAgent(()));
        }
        self.user_agent = HeaderValue::try_from(format!("{product} {USER_AGENT}")).map_err(|_| InvalidUserAgent(()))?;
        Ok(self)
    }

    /// Makes every call of this API wait for its turn at a [`Pacer`], so that the rate limit does not refuse it; by default
    /// none waits. A call waits at most until a second before its [time](crate::Call::timeout) is over, 60 s by default, and no
    /// longer than [`RetryPolicy::max_retry_after`](crate::RetryPolicy::max_retry_after); then it is sent without its turn. If
    /// the server refused the endpoint for longer than that, the call fails at once with
    /// [`CallErrorKind::Paced`](crate::CallErrorKind::Paced). A second call of this setter replaces the pacer.
    ///
    /// Limits are per Space: all keys of one Space should share a pacer (give each [`Api`] a clone), and keys of different
    /// Spaces should not.
    pub fn pacer(mut self, pacer: Pacer) -> Self {
        self.pacer = Some(pacer);
        self
    }

    /// Makes the [`Api`]. It cannot fail: each setting was checked when it was given.
    #[must_use]
    pub fn build(self) -> Api {
        let Self { key, base_url, user_agent, pacer } = self;
        let keys = RwLock::new(Arc::new(Keys::new(key, user_agent)));
        Api {
            shared: Arc::new(Shared {
                base_url,
                pacer,
                keys,
                refused: Mutex::new(None),
                uri_cache: UriCache::default(),
            }),
        }
    }
}

/// Why [`Api::from_env`] or [`ApiBuilder::base_url_from_env`] fails. It names the variable and what is wrong with it, never its
/// value.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FromEnvError {
    /// `COMETLY_API_KEY` is not set, or its value is not a key, for the reason within.
    #[error(fmt = name_key_variable)]
    ApiKey(InvalidApiKey),
    /// `COMETLY_BASE_URL` is set, and [`BaseUrl::from_untrusted`] refuses its value for the reason within: it is not a base
    /// URL, or leads neither to an `https` host of `cometly.com` nor to loopback.
    #[error("{BASE_URL_VARIABLE}: {_0}")]
    BaseUrl(InvalidBaseUrl),
}

debug_as_display!(FromEnvError);

fn name_key_variable(error: &InvalidApiKey, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        // Names it already.
        InvalidApiKey::NotSet => write!(f, "{error}"),
        _ => write!(f, "{API_KEY_VARIABLE}: {error}"),
    }
}

/// The text given to [`ApiBuilder::user_agent`] cannot be sent: expected are 1 to 256 visible ASCII characters, between which
/// spaces may be.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the User-Agent is not a product name: expected 1 to 256 visible ASCII characters as in my-sdk/1.2")]
pub struct InvalidUserAgent(pub(crate) ());

debug_as_display!(InvalidUserAgent);

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "7|canary-canary";

    fn api() -> Api {
        Api::new(ApiKey::new(CANARY).unwrap())
    }

    // `docs/faults.md` 147.
    #[test]
    fn the_environment_gives_an_api_or_names_the_variable_that_is_wrong() {
        use FromEnvError as E;
        let from = |url| Api::builder(ApiKey::new(CANARY).unwrap()).base_url_from(url).map(ApiBuilder::build);
        let read = |url: &str| from(Ok(url.into()));
        let unset = from(Err(env::VarError::NotPresent)).unwrap();
        assert_eq!(unset.base_url(), &BaseUrl::default());
        // A key for another server must not go to Cometly because a variable is missing.
        let own = || Api::builder(ApiKey::new(CANARY).unwrap()).base_url("http://127.0.0.1:1/".parse().unwrap());
        let kept = own().base_url_from(Err(env::VarError::NotPresent)).unwrap().build();
        assert_eq!(kept.base_url(), own().build().base_url());
        let replaced = own().base_url_from(Ok("http://localhost".to_owned())).unwrap().build();
        assert_eq!(replaced.base_url().to_string(), "http://localhost");
        for url in ["https://eu.cometly.com/public-api/v1", "http://127.0.0.1:4010/public-api/v1", "http://localhost"] {
            assert_eq!(read(url).unwrap().base_url().to_string(), url);
        }
        for (url, expected) in [
            ("https://evil.example/public-api/v1", InvalidBaseUrl::ForeignHost),
            ("http://app.cometly.com", InvalidBaseUrl::InsecureHttp),
            ("app.cometly.com", InvalidBaseUrl::Scheme),
            ("", InvalidBaseUrl::Empty),
        ] {
            let error = read(url).unwrap_err();
            assert_eq!(error, E::BaseUrl(expected));
            assert!(error.to_string().starts_with("COMETLY_BASE_URL: "), "{error}");
        }
        assert!(read("https://evil.example").unwrap_err().to_string().contains("`BaseUrl` in code"));
        let not_unicode = from(Err(env::VarError::NotUnicode("https://å".into())));
        assert_eq!(not_unicode.unwrap_err(), E::BaseUrl(InvalidBaseUrl::Character { position: 8 }));

        let missing = E::ApiKey(InvalidApiKey::NotSet);
        assert_eq!(missing.to_string().matches("COMETLY_API_KEY").count(), 1, "{missing}");
        let quoted = E::ApiKey(ApiKey::new("\"7|canary\"").unwrap_err());
        assert!(
            quoted.to_string().starts_with("COMETLY_API_KEY: ") && !quoted.to_string().contains("canary"),
            "{quoted}"
        );
    }

    /// The environment cannot be changed in a process with threads, so the test runs itself in another.
    #[test]
    fn from_env_reads_the_two_variables_of_the_process() {
        const CHILD: &str = "COMETLY_TEST_CHILD";
        if env::var_os(CHILD).is_some() {
            let api = Api::from_env().unwrap();
            assert_eq!(api.get("events").to_request().unwrap().headers()["authorization"], "Bearer 7|canary-canary");
            assert_eq!(api.base_url().to_string(), "http://127.0.0.1:4010/public-api/v1");
            return;
        }
        let name = "api::tests::from_env_reads_the_two_variables_of_the_process";
        let status = std::process::Command::new(env::current_exe().unwrap())
            .args(["--exact", name])
            .envs([
                (CHILD, "1"),
                ("COMETLY_API_KEY", CANARY),
                ("COMETLY_BASE_URL", "http://127.0.0.1:4010/public-api/v1"),
            ])
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }

    #[test]
    fn a_rotation_reaches_clones_and_calls_already_described() {
        let api = api();
        let clone = api.clone();
        let call = api.get("events");
        clone.rotate(ApiKey::new("8|second-canary").unwrap());
        let request = call.to_request().unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer 8|second-canary");
        assert!(request.headers()["authorization"].is_sensitive());
        assert_eq!(request.headers().len(), 5);
    }

    #[test]
    fn a_generation_is_counted_for_each_other_key() {
        let api = api();
        for (key, generation) in [(CANARY, 0), ("8|second", 1), ("8|second", 1), ("9|third", 2), (CANARY, 3)] {
            api.rotate(ApiKey::new(key).unwrap());
            assert_eq!((api.key_generation(), api.clone().key_generation()), (generation, generation), "{key}");
        }
    }

    #[test]
    fn the_latest_key_that_was_refused_is_noted() {
        let api = api();
        assert_eq!(api.refused_generation(), None);
        // The answer to an older key comes last.
        for (refused, latest) in [(0, 0), (3, 3), (2, 3)] {
            api.note_refused(refused);
            assert_eq!(api.clone().refused_generation(), Some(latest));
        }
    }

    #[test]
    fn clones_share_a_pacer_and_the_urls_that_were_made() {
        assert!(api().pacer().is_none());
        let api = Api::builder(ApiKey::new(CANARY).unwrap()).pacer(Pacer::new()).build();
        let clone = api.clone();
        assert!(api.pacer().zip(clone.pacer()).is_some_and(|(pacer, same)| std::ptr::eq(pacer, same)));
        assert!(std::ptr::eq(api.uri_cache(), clone.uri_cache()));
    }

    #[test]
    fn the_key_before_a_rotation_is_masked_too() {
        let api = api();
        api.rotate(ApiKey::new("8|second-canary").unwrap());
        for (body, shown) in [
            (r#"{"message":"7|canary-canary and 8|second-canary"}"#, "[redacted] and [redacted]"),
            (r#"{"message":"7|canary-canary"}"#, "[redacted]"),
        ] {
            let outcome = api.read(http::Response::builder().status(401).body(body).unwrap());
            assert_eq!(outcome.error().and_then(crate::ApiError::message), Some(shown));
        }
    }

    #[test]
    fn so_are_the_few_before_it_whole_where_one_begins_with_another() {
        let api = api();
        for key in ["7|canary-canary", "8|second-canary", "8|second-canary-tail", "8|second", "8|second"] {
            api.rotate(ApiKey::new(key).unwrap());
        }
        let body = r#"{"message":"7|canary-canary, 8|second-canary, 8|second-canary-tail, 8|second"}"#;
        let outcome = api.read(http::Response::builder().status(401).body(body).unwrap());
        assert_eq!(
            outcome.error().and_then(crate::ApiError::message),
            Some("[redacted], [redacted], [redacted], [redacted]")
        );
    }

    #[test]
    fn a_key_that_two_others_took_turns_to_replace_is_still_masked() {
        let api = Api::new(ApiKey::new("3|canary-of-c").unwrap());
        for key in ["1|canary-of-a", "2|canary-of-b", "1|canary-of-a", "2|canary-of-b", "1|canary-of-a"] {
            api.rotate(ApiKey::new(key).unwrap());
        }
        let body = r#"{"message":"3|canary-of-c was revoked"}"#;
        let outcome = api.read(http::Response::builder().status(401).body(body).unwrap());
        assert_eq!(outcome.error().and_then(crate::ApiError::message), Some("[redacted] was revoked"));
    }

    #[test]
    fn debug_shows_the_base_url_and_not_the_key() {
        let api = api();
        assert_eq!(api.keys().current.expose_secret(), CANARY, "the canary must be inside to be missed");
        let shown = format!("{api:?} {:#?} {:?}", api.get("events"), api.get("events").to_request().unwrap());
        assert!(shown.contains("app.cometly.com") && !shown.contains("canary"), "{shown}");
        assert!(shown.starts_with("Api { base_url: "), "{shown}");
        let builder = format!("{:?}", Api::builder(ApiKey::new(CANARY).unwrap()));
        assert!(!builder.contains("canary"), "{builder}");
    }

    #[test]
    fn a_user_agent_is_a_plain_product_name() {
        for bad in ["", " a", "a ", "a\r\nX: y", "é", &"a".repeat(257)] {
            assert!(Api::builder(ApiKey::new(CANARY).unwrap()).user_agent(bad).is_err(), "{bad:?}");
        }
        for good in ["my-sdk/1.2", "my-sdk/1.2 (Linux; x64) other/3", &"a".repeat(256)] {
            let api = Api::builder(ApiKey::new(CANARY).unwrap()).user_agent(good).unwrap().build();
            let request = api.get("events").to_request().unwrap();
            assert_eq!(request.headers()["user-agent"], format!("{good} {USER_AGENT}"));
        }
    }
}
