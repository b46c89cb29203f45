//! The API as one key sees it.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};

use crate::{
    ApiKey, AuthOutcome, BaseUrl, Call, Pacer, RequestError,
    answer::classify,
    call::{UriCache, check_method},
    key_ring::Keys,
};

const USER_AGENT: &str = concat!("cometly-core/", env!("CARGO_PKG_VERSION"));

/// Headers that decide what a request means to the server or to the connection. Cometly's documentation fixes the
/// first three; `Referer`, `Origin` or `Cookie` would make its backend take us for a browser.
const RESERVED: [http::HeaderName; 12] = [
    header::AUTHORIZATION,
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::ACCEPT_ENCODING,
    header::USER_AGENT,
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::REFERER,
    header::ORIGIN,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
];

/// The Cometly API as one key sees it: the key, the base URL and our `User-Agent`.
///
/// Makes [`Call`]s and reads answers. Cheap to clone; all clones share the key, so [`rotate`](Api::rotate) reaches
/// each of them. A program may hold many, one for each Space, and send them all through one client.
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
    uri_cache: UriCache,
}

impl Api {
    /// The API at its [default address](BaseUrl), opened by `key`.
    #[must_use]
    pub fn new(key: ApiKey) -> Self {
        Self::builder(key).build()
    }

    /// The API opened by `key`, with a base URL or a `User-Agent` of your own.
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

    /// Where calls go.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.shared.base_url
    }

    /// The pacer that all calls of this API ask, if it has one.
    #[must_use]
    pub fn pacer(&self) -> Option<&Pacer> {
        self.shared.pacer.as_ref()
    }

    /// Puts another key in place of the one in use, for every clone; the next request built uses it.
    ///
    /// The last few keys before it are still masked in what the server says, since a request with one may be under way.
    pub fn rotate(&self, key: ApiKey) {
        let mut keys = self.shared.keys.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = keys.rotated(key) {
            *keys = Arc::new(next);
        }
    }

    /// A GET call; see [`request`](Api::request).
    pub fn get(&self, path: impl Into<Cow<'static, str>>) -> Call {
        self.request(Method::GET, path)
    }

    /// A POST call; see [`request`](Api::request).
    pub fn post(&self, path: impl Into<Cow<'static, str>>) -> Call {
        self.request(Method::POST, path)
    }

    /// A PUT call; see [`request`](Api::request).
    pub fn put(&self, path: impl Into<Cow<'static, str>>) -> Call {
        self.request(Method::PUT, path)
    }

    /// A call of `method` (DELETE and PATCH as well) on `path`, which is relative to the base URL and a literal template as
    /// in Cometly's documentation: `"contacts/{id}"`. Values go through [`Call::segment`] and [`Call::query`], never into the path.
    ///
    /// What is wrong with a call is said when it is built or sent, so that calls can be written in one line.
    pub fn request(&self, method: Method, path: impl Into<Cow<'static, str>>) -> Call {
        Call::new(self.clone(), method, path.into())
    }

    /// Stamps the required headers on a request that you built, whatever its body.
    ///
    /// # Errors
    /// [`RequestError::Origin`] if it would go elsewhere than to the [base URL](Api::base_url)'s scheme, host and port,
    /// [`RequestError::Header`] if it already has a header that is ours to set or that must not be sent,
    /// [`RequestError::Method`] for a method that the API does not have.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey, RequestError, http};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let request = http::Request::get("https://app.cometly.com/public-api/v1/events").body("")?;
    /// assert!(api.authorize(request)?.headers()["authorization"].is_sensitive());
    ///
    /// let elsewhere = http::Request::get("https://example.com/").body("")?;
    /// assert_eq!(api.authorize(elsewhere).unwrap_err(), RequestError::Origin);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn authorize<B>(&self, mut request: http::Request<B>) -> Result<http::Request<B>, RequestError> {
        if !self.base_url().is_origin_of(request.uri()) {
            return Err(RequestError::Origin);
        }
        check_method(request.method())?;
        if let Some(name) = RESERVED.iter().find(|name| request.headers().contains_key(*name)) {
            return Err(RequestError::Header { name: name.clone() });
        }
        let keys = self.keys();
        request.headers_mut().extend(keys.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        Ok(request)
    }

    /// Reads an answer: what it says of the key and of the call.
    ///
    /// Needs no socket, so it is also the double for your tests: feed it a response that you made.
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

    /// The request with the required headers, the key among them that is current now.
    pub(crate) fn stamped(&self, method: &Method, uri: Uri, body: &Bytes) -> http::Request<Bytes> {
        let mut request = http::Request::new(body.clone());
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.shared.keys.read().unwrap_or_else(PoisonError::into_inner).headers.clone();
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

/// Makes an [`Api`]; from [`Api::builder`].
#[derive(Debug)]
#[must_use]
pub struct ApiBuilder {
    key: ApiKey,
    base_url: BaseUrl,
    user_agent: HeaderValue,
    pacer: Option<Pacer>,
}

impl ApiBuilder {
    /// Where calls go, by default [`BaseUrl::default`].
    pub fn base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = base_url;
        self
    }

    /// Names your program or SDK before ours, most significant first
    /// ([RFC 9110 §10.1.5](https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5)): `my-sdk/1.2`.
    ///
    /// # Errors
    /// [`InvalidUserAgent`] if it is empty, padded, longer than 256 bytes or not visible ASCII and spaces.
    pub fn user_agent(mut self, product: &str) -> Result<Self, InvalidUserAgent> {
        let plain = product.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        if product.is_empty() || product.trim() != product || product.len() > 256 || !plain {
            return Err(InvalidUserAgent(()));
        }
        self.user_agent = HeaderValue::try_from(format!("{product} {USER_AGENT}")).map_err(|_| InvalidUserAgent(()))?;
        Ok(self)
    }

    /// Lets every call of this API wait for its turn rather than be refused; by default none does.
    ///
    /// Limits are per Space: all keys of one Space should share a pacer (give each [`Api`] a clone), and keys of
    /// different Spaces should not.
    pub fn pacer(mut self, pacer: Pacer) -> Self {
        self.pacer = Some(pacer);
        self
    }

    /// The finished [`Api`].
    #[must_use]
    pub fn build(self) -> Api {
        let Self { key, base_url, user_agent, pacer } = self;
        let keys = RwLock::new(Arc::new(Keys::new(key, user_agent)));
        Api { shared: Arc::new(Shared { base_url, pacer, keys, uri_cache: UriCache::default() }) }
    }
}

/// A `User-Agent` that cannot be sent.
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

    fn assert_required_headers(headers: &http::HeaderMap) {
        let expected = [
            ("authorization", "Bearer 7|canary-canary"),
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("accept-encoding", "identity"),
            ("user-agent", USER_AGENT),
        ];
        for (name, value) in expected {
            assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
        }
        assert_eq!(headers.len(), expected.len());
        assert!(headers["authorization"].is_sensitive());
    }

    #[test]
    fn built_and_authorized_requests_carry_exactly_one_of_each_header() {
        assert_required_headers(api().get("events").to_request().unwrap().headers());
        let request = http::Request::get("https://app.cometly.com/x").body(()).unwrap();
        let request = api().authorize(request).unwrap();
        assert_required_headers(request.headers());
        assert_required_headers(request.clone().headers());
    }

    #[test]
    fn a_header_of_ours_set_by_the_caller_is_refused_by_name() {
        for name in RESERVED {
            let request = http::Request::post("https://app.cometly.com/x").header(&name, "canary").body(()).unwrap();
            let error = api().authorize(request).unwrap_err();
            assert!(error.to_string().contains(name.as_str()), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn a_callers_own_headers_stay() {
        let request = http::Request::get("https://app.cometly.com/x").header("x-trace", "1").body(()).unwrap();
        assert_eq!(api().authorize(request).unwrap().headers()["x-trace"], "1");
    }

    #[test]
    fn a_foreign_origin_or_a_relative_uri_gets_no_key() {
        for uri in ["https://evil.example/", "http://app.cometly.com/", "https://app.cometly.com@evil.example/", "/x"] {
            let request = http::Request::get(uri).body(()).unwrap();
            assert_eq!(api().authorize(request).unwrap_err(), RequestError::Origin, "{uri}");
        }
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
    fn debug_shows_the_base_url_and_not_the_key() {
        let api = api();
        assert_eq!(api.keys().current.expose_secret(), CANARY, "the canary must be inside to be missed");
        let shown = format!("{api:?} {:#?} {:?}", api.get("events"), api.get("events").to_request().unwrap());
        assert!(shown.contains("app.cometly.com") && !shown.contains("canary"), "{shown}");
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
