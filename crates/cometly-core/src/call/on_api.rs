//! What an [`Api`] makes: calls, and requests of the caller's own that carry the key.

use std::borrow::Cow;

use http::{HeaderName, Method, header};

use crate::{Api, Call, RequestError, base_url::has_dot_segment};

/// Headers that no caller sets. Cometly's documentation fixes the first three; `Referer`, `Origin` or `Cookie` would
/// make its backend take us for a browser; the rest belong to the connection
/// ([RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)) or say how long the body is, which is the
/// HTTP client's to know. So does every name that begins with `proxy-`; one with `sec-` is a browser's.
const RESERVED: [HeaderName; 18] = [
    header::AUTHORIZATION,
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::ACCEPT_ENCODING,
    header::USER_AGENT,
    header::REFERER,
    header::ORIGIN,
    header::COOKIE,
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// How many headers an HTTP client may add to a request of ours without filling the map, on which `http` panics.
const ROOM_FOR_CLIENT: usize = 16;

pub(super) fn is_reserved(name: &HeaderName) -> bool {
    RESERVED.contains(name) || ["proxy-", "sec-"].iter().any(|start| name.as_str().starts_with(start))
}

/// The methods that a REST resource of the API can have. An answer to HEAD or OPTIONS says nothing of the key, and
/// TRACE sends it back.
pub(super) fn check_method(method: &Method) -> Result<(), RequestError> {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => Ok(()),
        _ => Err(RequestError::Method),
    }
}

/// Whether a method that was refused may be shown: a caller's mistake helps its reader, but any token is a method to HTTP.
pub(super) fn is_method_to_show(method: &Method) -> bool {
    let name = method.as_str();
    name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// What takes the place of a method that is not shown, after OpenTelemetry's conventions.
pub(super) fn other_method() -> Method {
    Method::from_bytes(b"_OTHER").unwrap_or_default()
}

impl Api {
    /// A GET call on `path`, a template below the base URL such as `contacts/{id}`. Nothing is sent before a client sends it; a
    /// path that is no plain template is an error then, as [`request`](Api::request) says.
    pub fn get(&self, path: impl Into<Cow<'static, str>>) -> Call {
        self.request(Method::GET, path)
    }

    /// A POST call on `path`, a template below the base URL such as `events/track`. Nothing is sent before a client sends it; a
    /// path that is no plain template is an error then, as [`request`](Api::request) says.
    pub fn post(&self, path: impl Into<Cow<'static, str>>) -> Call {
        self.request(Method::POST, path)
    }

    /// A PUT call on `path`, a template below the base URL such as `contacts/{id}`. Nothing is sent before a client sends it; a
    /// path that is no plain template is an error then, as [`request`](Api::request) says.
    pub fn put(&self, path: impl Into<Cow<'static, str>>) -> Call {
        self.request(Method::PUT, path)
    }

    /// A call of `method` (GET, POST, PUT, PATCH or DELETE) on `path`, which is relative to the base URL and a template as
    /// in Cometly's documentation: `"contacts/{id}"`; a slash at its start changes nothing. Values go through
    /// [`Call::segment`] and [`Call::query`], never into the path.
    ///
    /// # Errors
    /// When built or sent, so that calls can be written in one line:
    /// - [`RequestError::Method`] for another method.
    /// - [`RequestError::Path`] for a path with an empty or dot segment, or with a character that would need encoding.
    /// - [`RequestError::PathIsUrl`] for a whole URL, [`RequestError::PathHasQuery`] for a path with a `?`, and
    ///   [`RequestError::PathHasBase`] for one that repeats `/public-api/v1` of the base URL.
    pub fn request(&self, method: Method, path: impl Into<Cow<'static, str>>) -> Call {
        Call::new(self.clone(), method, path.into())
    }

    /// Adds the key and the other headers of the API (`Accept`, `Content-Type`, `Accept-Encoding`, `User-Agent`) to a request
    /// that you built, whatever its body. A client sends it with `send_request`.
    ///
    /// # Errors
    /// - [`RequestError::Origin`] if it would go elsewhere than to the [base URL](Api::base_url)'s scheme, host and port. Its
    ///   path may be any path of that origin, under the base URL's or not.
    /// - [`RequestError::DotSegment`] if its path has a dot segment, plain or percent-encoded, or a backslash: one HTTP client
    ///   resolves it and another does not, so it is not known which resource the key goes to.
    /// - [`RequestError::Header`] if it already has a header that [`Call::header`] refuses, such as `Authorization`,
    ///   `Content-Type` or `Cookie`; also after an earlier `authorize`.
    /// - [`RequestError::TooManyHeaders`] if its [`http::HeaderMap`], which holds some 24,000 headers, has no room for these.
    /// - [`RequestError::Method`] for a method other than GET, POST, PUT, PATCH and DELETE.
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
        if has_dot_segment(request.uri().path()) {
            return Err(RequestError::DotSegment);
        }
        if let Some(name) = request.headers().keys().find(|name| is_reserved(name)) {
            return Err(RequestError::Header { name: name.clone() });
        }
        let keys = self.keys();
        let headers = request.headers_mut();
        let room = keys.headers.len().saturating_add(ROOM_FOR_CLIENT);
        headers.try_reserve(room).map_err(|_| RequestError::TooManyHeaders)?;
        for (name, value) in &keys.headers {
            headers.try_insert(name, value.clone()).map_err(|_| RequestError::TooManyHeaders)?;
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::{ApiKey, api::USER_AGENT};

    const CANARY: &str = "7|canary-canary";
    const USER_AGENT_VALUE: HeaderValue = HeaderValue::from_static(USER_AGENT);

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
    fn a_header_of_the_connection_is_refused_by_name_and_one_that_only_looks_like_it_is_not() {
        for name in [
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "Proxy-Authorization",
            "Proxy-Authenticate",
            "Proxy-Connection",
            "HTTP2-Settings",
            "Content-Length",
            "Expect",
            "Host",
        ] {
            let request = http::Request::post("https://app.cometly.com/x").header(name, "canary").body(()).unwrap();
            let error = api().authorize(request).unwrap_err();
            assert_eq!(error, RequestError::Header { name: name.parse().unwrap() });
        }
        for name in ["x-connection", "proxy", "if-match", "content-encoding", "idempotency-key"] {
            let request = http::Request::post("https://app.cometly.com/x").header(name, "1").body(()).unwrap();
            assert!(api().authorize(request).is_ok(), "{name}");
        }
    }

    // `docs/faults.md` 95.
    #[test]
    fn a_header_map_without_room_is_an_error_and_no_panic() {
        let mut request = http::Request::get("https://app.cometly.com/x").body(()).unwrap();
        let mut held = 0_usize;
        while request
            .headers_mut()
            .try_insert(http::HeaderName::try_from(format!("x-{held}")).unwrap(), USER_AGENT_VALUE.clone())
            .is_ok()
        {
            held += 1;
        }
        assert!(held > 20_000, "{held}");
        assert_eq!(api().authorize(request.clone()).unwrap_err(), RequestError::TooManyHeaders);
        for fewer in 1..ROOM_FOR_CLIENT + 5 {
            request.headers_mut().remove(format!("x-{}", held - fewer));
        }
        assert_eq!(api().authorize(request.clone()).unwrap_err(), RequestError::TooManyHeaders);
        request.headers_mut().remove("x-0");
        let mut authorized = api().authorize(request).unwrap();
        for number in 0..ROOM_FOR_CLIENT {
            let name = http::HeaderName::try_from(format!("client-{number}")).unwrap();
            authorized.headers_mut().insert(name, USER_AGENT_VALUE.clone());
        }
    }

    // `docs/faults.md` 114.
    #[test]
    fn a_path_that_clients_would_resolve_differently_gets_no_key() {
        for path in [
            "/public-api/v1/../admin",
            "/public-api/v1/%2e%2e/admin",
            "/public-api/v1/%2E./admin",
            "/public-api/v1/.%2e/admin",
            "/public-api/v1/..",
            "/.",
            "/%2e",
            "/a/./b",
            "/a/..%2fb",
            "/a%2F..%2Fb",
            "/a/..%5cb",
            "/a\\b",
            "/a\\..\\b",
            "/../public-api/v1/events?x=1",
        ] {
            let request = http::Request::get(format!("https://app.cometly.com{path}")).body(()).unwrap();
            assert_eq!(api().authorize(request).unwrap_err(), RequestError::DotSegment, "{path}");
        }
        for path in [
            "/a/...",
            "/a/..b",
            "/a.b/.c",
            "/a/%2e%2eb",
            "/a%2fb",
            "/",
            "/a//b",
            "/a?x=/../",
            "/a?x=\\",
            "/%252e%252e/",
        ] {
            let request = http::Request::get(format!("https://app.cometly.com{path}")).body(()).unwrap();
            assert!(api().authorize(request).is_ok(), "{path}");
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
}
