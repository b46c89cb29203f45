//! The description of one call.

use std::{
    borrow::Cow,
    fmt::{self, Display},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use serde::Serialize;

use crate::{Api, RetryPolicy, call_name::CallName};

mod idempotency_key;
mod json;
mod on_api;
mod query;
mod request_error;
mod target;

pub use idempotency_key::backend_trim;
pub use request_error::{EncodeError, RequestError};

use on_api::{check_method, is_reserved};
use target::Target;

/// One call of the API, described: its [`Api`], method, path, query, body, and whether it may be sent twice.
///
/// A value without IO: an SDK returns it, and the application's client sends it. It can be sent any number of times,
/// each time with the key that is current then. No step fails: the first thing that is wrong with a call is the error of
/// [`to_request`](Call::to_request), and of a client's `send`.
///
/// ```
/// # use cometly_core::{Api, ApiKey};
/// # let api = Api::new(ApiKey::new("12|abcdef")?);
/// let call = api.get("contacts/{id}").segment("a b/c").query("include_events", 1);
/// assert_eq!(call.path_template(), "contacts/{id}");
/// assert_eq!(call.to_request()?.uri().path(), "/public-api/v1/contacts/a%20b%2Fc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a call does nothing until a client sends it"]
pub struct Call {
    api: Api,
    method: Method,
    target: Target,
    body: Bytes,
    /// Marked by [`Call::idempotent`].
    idempotent: bool,
    /// What few calls have. Boxed, as the fault is: a call is moved by each step that describes it.
    options: Option<Box<Options>>,
    /// The first thing that went wrong.
    fault: Option<Box<RequestError>>,
}

#[derive(Clone, Default)]
struct Options {
    idempotency_key: Option<Box<str>>,
    headers: HeaderMap,
    timeout: Option<Duration>,
    retry_policy: Option<RetryPolicy>,
}

/// A call that is ready to be sent.
pub(crate) struct Prepared {
    pub(crate) api: Api,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// The caller's own headers, at most [`Call::MAX_HEADERS`] and none that is ours.
    pub(crate) headers: Option<Box<HeaderMap>>,
    pub(crate) body: Bytes,
    /// The call's own bound for all attempts and waits; not zero.
    pub(crate) timeout: Option<Duration>,
    /// The call's own policy, in place of the client's.
    pub(crate) retry_policy: Option<RetryPolicy>,
}

impl Call {
    /// The longest path and query together that is sent: 8000 bytes, which every server should take ([RFC 9110
    /// §4.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.1)).
    pub const MAX_TARGET_LEN: usize = 8000;

    /// The most headers of the caller's own that a call can have: 64.
    pub const MAX_HEADERS: usize = 64;

    pub(crate) fn new(api: Api, method: Method, template: Cow<'static, str>) -> Self {
        let mut call = Self {
            api,
            method,
            target: Target::new(template),
            body: Bytes::new(),
            idempotent: false,
            options: None,
            fault: None,
        };
        let begun = check_method(&call.method).and_then(|()| call.target.begin(&call.api));
        call.note(begun);
        call
    }

    /// Fills the next `{placeholder}` of the path with `value`, percent-encoded: the first call fills the first one, and so on.
    ///
    /// # Errors
    /// When built or sent:
    /// - [`RequestError::Segment`] for an empty text, and for one that is or holds a dot segment (`.`, `..`, `a/../b`), which
    ///   HTTP clients and servers read in different ways, encoded or not.
    /// - [`RequestError::SurplusSegment`] if there is no placeholder left, [`RequestError::MissingSegment`] if one is left
    ///   unfilled.
    /// - [`RequestError::TooLong`], [`RequestError::Value`] if the `Display` of `value` fails.
    pub fn segment(mut self, value: impl Display) -> Self {
        let written = self.target.segment(&value);
        self.note(written);
        self
    }

    /// Adds `name=value` to the query, both percent-encoded. A name that is given twice is sent twice. An empty value is sent
    /// as `name=`; a bool is written as `true` or `false`, while Cometly's flags are `1` and `0`.
    ///
    /// # Errors
    /// When built or sent: [`RequestError::TooLong`] if path and query are then longer than
    /// [`MAX_TARGET_LEN`](Call::MAX_TARGET_LEN), [`RequestError::Value`] if the `Display` of `value` fails.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        let written = self.target.query(&self.api, name, &value);
        self.note(written);
        self
    }

    /// Adds `name=value` to the query if there is a value, as [`query`](Call::query) does; nothing for `None`.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let cursor: Option<&str> = None;
    /// let call = api.get("events").query_opt("per_page", Some(50)).query_opt("cursor", cursor);
    /// assert_eq!(call.to_request()?.uri().query(), Some("per_page=50"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`query`](Call::query).
    pub fn query_opt(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Adds one `name=value` for each value, as Cometly reads a list. `name` is sent as it is given, and Cometly's names for
    /// lists end in `[]`. An empty iterator adds nothing.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let call = api.get("events").query_all("event_names[]", ["purchase", "sign_up"]);
    /// assert_eq!(call.to_request()?.uri().query(), Some("event_names%5B%5D=purchase&event_names%5B%5D=sign_up"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`query`](Call::query).
    pub fn query_all<T: Display>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |call, value| call.query(name, value))
    }

    /// Adds one `name=value` for each field of a flat struct or map, in its order. `None` is left out, a bool is written as `1`
    /// or `0` (as Cometly's flags are), a unit variant as its name.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// #[derive(serde::Serialize)]
    /// struct ListContacts<'a> {
    ///     start_date: &'a str,
    ///     per_page: Option<u32>,
    ///     include_all_emails: bool,
    /// }
    ///
    /// let list = ListContacts { start_date: "2026-11-01", per_page: None, include_all_emails: true };
    /// let call = api.get("contacts").query_from(&list);
    /// assert_eq!(call.to_request()?.uri().query(), Some("start_date=2026-11-01&include_all_emails=1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When built or sent: [`RequestError::QueryField`] for a field that holds a list, a struct or a number that is not finite;
    /// [`RequestError::QueryShape`] if `fields` has no named fields; [`RequestError::Value`] if its `Serialize` fails;
    /// [`RequestError::TooLong`].
    pub fn query_from<T: Serialize + ?Sized>(mut self, fields: &T) -> Self {
        let Self { api, target, .. } = &mut self;
        let written = query::pairs(fields, &mut |name, value| target.query(api, name, value));
        self.note(written);
        self
    }

    /// Adds a header of your own to this call, for instance `x-request-id`. A name that is given twice is sent twice.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let request = api.get("events").header("x-request-id", "7").to_request()?;
    /// assert_eq!(request.headers()["x-request-id"], "7");
    /// assert!(api.get("events").header("authorization", "x").to_request().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When built:
    /// - [`RequestError::Header`] for one that is ours (`Authorization`, `Accept`, `Content-Type`, `Accept-Encoding`,
    ///   `User-Agent`), that belongs to the connection (`Connection`, `Host`, `Content-Length`, `Transfer-Encoding`,
    ///   `Expect`, `Upgrade`, `Proxy-…` and the like), or that a browser sends (`Cookie`, `Origin`, `Referer`).
    /// - [`RequestError::HeaderName`], [`RequestError::HeaderValue`] for what HTTP does not allow.
    /// - [`RequestError::TooManyHeaders`] for more than [`Call::MAX_HEADERS`].
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        let added = self.add_header(name.try_into().ok(), value.try_into().ok());
        self.note(added);
        self
    }

    fn add_header(&mut self, name: Option<HeaderName>, value: Option<HeaderValue>) -> Result<(), RequestError> {
        let name = name.ok_or(RequestError::HeaderName)?;
        if is_reserved(&name) {
            return Err(RequestError::Header { name });
        }
        let Some(value) = value else { return Err(RequestError::HeaderValue { name }) };
        let headers = &mut self.options().headers;
        if headers.len() >= Self::MAX_HEADERS {
            return Err(RequestError::TooManyHeaders);
        }
        headers.try_append(name, value).map(|_| ()).map_err(|_| RequestError::TooManyHeaders)
    }

    /// How long this call may take, all its attempts and the waits between them included, in place of the client's time-out and
    /// of what the policy says. A second call replaces it.
    ///
    /// # Errors
    /// When built or sent: [`RequestError::Timeout`] if it is zero.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        let checked = if timeout.is_zero() { Err(RequestError::Timeout) } else { Ok(()) };
        self.note(checked);
        self.options().timeout = Some(timeout);
        self
    }

    /// The retry policy for this call, in place of the client's. A [time](RetryPolicy::timeout) that `policy` sets bounds the
    /// call, in place of the client's time-out. A second call replaces the policy.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.options().retry_policy = Some(policy);
        self
    }

    /// Sets the body to `value` as JSON, in place of an earlier body.
    ///
    /// Cometly's backend reads `""` as null and [trims](backend_trim) texts.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let call = api.post("contacts").json(&serde_json::json!({"emails": ["ada@example.com"]}));
    /// assert_eq!(call.to_request()?.body(), r#"{"emails":["ada@example.com"]}"#);
    ///
    /// let error = api.post("events/track").json(&[f64::NAN]).to_request().unwrap_err();
    /// assert!(format!("{error:?}").contains("NaN"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When built or sent: [`RequestError::Json`], with serde's error as its source, if `value` holds a number that is NaN or
    /// infinite (which JSON does not have) or a map key that is not text, or if its `Serialize` fails; [`RequestError::Body`]
    /// on a GET or DELETE.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match json::to_vec(value) {
            Ok(body) => self.set_body(body.into()),
            Err(error) => self.note(Err(error.into())),
        }
        self
    }

    /// Sets the body to these bytes, in place of an earlier body. They must be JSON and are sent as they are: a number keeps
    /// all its digits. Whether they are JSON is not checked, unless the call has an [idempotency key](Call::idempotency_key).
    ///
    /// # Errors
    /// When built or sent: [`RequestError::Body`] on a GET or DELETE.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.set_body(body.into());
        self
    }

    /// Adds the field `idempotency_key` to the body, set before or after, which makes the call
    /// [idempotent](Call::is_idempotent): Cometly handles an event with the same key once, so this POST is safe to send
    /// again.
    ///
    /// ```
    /// # use cometly_core::{Api, ApiKey};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let event = serde_json::json!({"event_name": "purchase"});
    /// let call = api.post("events/track").idempotency_key("order-7").json(&event);
    /// assert_eq!(call.to_request()?.body(), r#"{"event_name":"purchase","idempotency_key":"order-7"}"#);
    /// assert!(call.is_idempotent());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When built: [`RequestError::IdempotencyKey`] if the key is empty or the backend would [trim](backend_trim) it, if
    /// the body is not a JSON object or missing, or if it holds another `idempotency_key`.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        let checked = idempotency_key::check(&key);
        self.note(checked);
        self.options().idempotency_key = Some(key.into());
        self.add_idempotency_key();
        self
    }

    fn set_body(&mut self, body: Bytes) {
        self.body = body;
        if self.options.is_some() {
            self.add_idempotency_key();
        }
    }

    fn add_idempotency_key(&mut self) {
        let Some(key) = self.options.as_ref().and_then(|options| options.idempotency_key.as_deref()) else { return };
        if !self.body.is_empty() {
            match idempotency_key::add(Vec::from(std::mem::take(&mut self.body)), key) {
                Ok(body) => self.body = body.into(),
                Err(error) => self.note(Err(error)),
            }
        }
    }

    fn has_idempotency_key(&self) -> bool {
        self.options.as_ref().is_some_and(|options| options.idempotency_key.is_some())
    }

    fn options(&mut self) -> &mut Options {
        self.options.get_or_insert_default()
    }

    /// Declares that sending this call twice does the same as sending it once ([RFC 9110
    /// §9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)), though its method does not promise it. It is then sent
    /// again when its answer is lost.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The API that this call belongs to.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The HTTP method of the call.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path as it was given, with `{placeholders}` instead of their values, so that it can be logged and grouped by.
    #[must_use]
    pub fn path_template(&self) -> &str {
        self.target.template()
    }

    /// How errors and logs name it.
    pub(crate) fn name(&self) -> CallName {
        let template = Some(self.target.template().clone());
        CallName { method: self.method.clone(), template, is_idempotent: self.is_idempotent() }
    }

    /// Whether the call may be sent twice: its method is idempotent, or it has an [idempotency key](Call::idempotency_key), or
    /// it was [marked](Call::idempotent).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotent || self.has_idempotency_key() || self.method.is_idempotent()
    }

    /// The HTTP request of this call, with the key that is current now, for one attempt on an HTTP client of your own. The body
    /// is shared, not copied.
    ///
    /// # Errors
    /// [`RequestError`]: the first thing that is wrong with the call.
    pub fn to_request(&self) -> Result<Request<Bytes>, RequestError> {
        let headers = self.options.as_ref().map(|options| &options.headers);
        Ok(self.api.stamped(&self.method, self.checked_uri()?, headers, &self.body))
    }

    /// The call's parts, checked, for what drives it.
    pub(crate) fn prepare(self) -> Result<Prepared, RequestError> {
        let uri = self.checked_uri()?;
        let Self { api, method, body, options, .. } = self;
        let Options { headers, timeout, retry_policy, .. } = options.map(|options| *options).unwrap_or_default();
        let headers = (!headers.is_empty()).then(|| Box::new(headers));
        Ok(Prepared { api, method, uri, headers, body, timeout, retry_policy })
    }

    /// The URI of the call, or the first thing that is wrong with the call.
    fn checked_uri(&self) -> Result<Uri, RequestError> {
        if let Some(fault) = &self.fault {
            return Err(RequestError::clone(fault));
        }
        if self.body.is_empty() {
            if self.has_idempotency_key() {
                return Err(RequestError::IdempotencyKey);
            }
        } else if matches!(self.method, Method::GET | Method::DELETE) {
            return Err(RequestError::Body);
        }
        self.target.to_uri(&self.api)
    }

    /// Remembers the first thing that goes wrong.
    fn note(&mut self, written: Result<(), RequestError>) {
        if let Err(error) = written {
            self.fault.get_or_insert_with(|| Box::new(error));
        }
    }
}

/// Shows no value of the path, the query or the body.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("api", &self.api)
            .field("method", &self.method)
            .field("path_template", &self.path_template())
            .field("idempotent", &self.is_idempotent())
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ApiKey;

    #[derive(Serialize)]
    struct Empty {}

    #[derive(Serialize)]
    struct Purchase {
        amount: f64,
    }

    fn nan_purchase() -> Purchase {
        Purchase { amount: f64::NAN }
    }

    fn api() -> Api {
        Api::new(ApiKey::new("12|abcdef").unwrap())
    }

    fn target(call: &Call) -> Result<String, RequestError> {
        let target = call.to_request()?.uri().path_and_query().unwrap().to_string();
        Ok(target.strip_prefix("/public-api/v1").unwrap().to_owned())
    }

    #[test]
    fn paths_segments_and_queries_make_the_expected_target() {
        let api = api();
        for (call, expected) in [
            (api.get("events"), "/events"),
            (api.get("/events"), "/events"),
            (api.get("contacts/{id}").segment(42), "/contacts/42"),
            (api.get("a/{b}/c/{d}").segment("é").segment("?#%&/+"), "/a/%C3%A9/c/%3F%23%25%26%2F%2B"),
            (api.get("contacts/{id}").query("a", "x").segment(1).query("b", 2), "/contacts/1?a=x&b=2"),
            (api.get("events").query("event_names[]", "a b"), "/events?event_names%5B%5D=a%20b"),
            (api.get("events").query("cursor", "&x=1#"), "/events?cursor=%26x%3D1%23"),
            (api.get("events").query("cursor", ""), "/events?cursor="),
            (api.get("x/{a}").segment("..."), "/x/..."),
        ] {
            assert_eq!(target(&call).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_value_that_cannot_be_written_is_told_from_one_that_is_empty_or_too_long() {
        struct Unwritable;
        impl Display for Unwritable {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        let api = api();
        assert_eq!(api.get("a/{b}").segment(Unwritable).to_request().unwrap_err(), RequestError::Value);
        assert_eq!(api.get("a").query("b", Unwritable).to_request().unwrap_err(), RequestError::Value);
        let longest = "x".repeat(Call::MAX_TARGET_LEN - "/public-api/v1/a?b=".len());
        assert!(api.get("a").query("b", longest).to_request().is_ok());
        // As long as is allowed, and then it fails.
        let full = "x".repeat(Call::MAX_TARGET_LEN - "/public-api/v1/a?b=&c=".len());
        let call = api.get("a").query("b", full).query("c", Unwritable);
        assert_eq!(call.to_request().unwrap_err(), RequestError::Value);
    }

    #[test]
    fn a_base_url_without_a_path_needs_no_second_slash() {
        let api = Api::builder(ApiKey::new("k").unwrap()).base_url("https://a.example/".parse().unwrap()).build();
        assert_eq!(api.get("events").to_request().unwrap().uri(), "https://a.example/events");
    }

    #[test]
    fn what_cannot_be_sent_as_meant_is_refused_before_anything_is_sent() {
        use RequestError as E;
        let api = api();
        let long = "x".repeat(Call::MAX_TARGET_LEN);
        for (call, expected) in [
            (api.get(""), E::Path),
            (api.get("/"), E::Path),
            (api.get("//evil.example"), E::PathIsUrl),
            (api.get("events/"), E::Path),
            (api.get("a b"), E::Path),
            (api.get("events?x=1"), E::PathHasQuery),
            (api.get("events#x"), E::Path),
            (api.get("a%2fb"), E::Path),
            (api.get("../admin"), E::Path),
            (api.get("a/./b"), E::Path),
            (api.get("https://evil.example"), E::PathIsUrl),
            (api.get("https://app.cometly.com/public-api/v1/events?x=1"), E::PathIsUrl),
            (api.get("public-api/v1/events"), E::PathHasBase),
            (api.get("/public-api/v1/events".to_owned()), E::PathHasBase),
            (api.get("app.cometly.com/public-api/v1/events"), E::PathHasBase),
            (api.get("a/{}").segment(1), E::Path),
            (api.get("a/x{b}").segment(1), E::Path),
            (api.get("a/{b"), E::Path),
            (api.get("a/{b}").segment(""), E::Segment),
            (api.get("a/{b}").segment("."), E::Segment),
            (api.get("a/{b}/c").segment(".."), E::Segment),
            (api.get("a/{b}"), E::MissingSegment),
            (api.get("a/{b}/{c}").segment(1), E::MissingSegment),
            (api.get("a").segment(1), E::SurplusSegment),
            (api.get("a").query("cursor", &long), E::TooLong),
            (api.get("a/{b}").segment(&long), E::TooLong),
            (api.get(long.clone()), E::TooLong),
            (api.get("a").body("{}"), E::Body),
            (api.request(Method::TRACE, "a"), E::Method),
            (api.request(Method::HEAD, "a"), E::Method),
            (api.request(Method::from_bytes(b"BREW").unwrap(), "a"), E::Method),
            (api.get("a").timeout(Duration::ZERO), E::Timeout),
            (api.post("a").idempotency_key("k"), E::IdempotencyKey),
            (api.post("a").idempotency_key("").json(&Empty {}), E::IdempotencyKey),
            (api.post("a").json(&Empty {}).idempotency_key("\u{200b}"), E::IdempotencyKey),
            (api.post("a").json(&Empty {}).idempotency_key("k\0"), E::IdempotencyKey),
            (api.post("a").json(&[1]).idempotency_key("k"), E::IdempotencyKey),
            (api.post("a").body("no json").idempotency_key("k"), E::IdempotencyKey),
            (api.post("a").json(&json!({"idempotency_key": "x"})).idempotency_key("k"), E::IdempotencyKey),
            (api.post("a").idempotency_key("k").json(&json!({"idempotency_key": "x"})), E::IdempotencyKey),
            (api.get("a").query_from(&json!({"x": [1]})), E::QueryField { field: "x".into() }),
            (api.get("a").query_from(&[1]), E::QueryShape),
        ] {
            assert_eq!(target(&call).unwrap_err(), expected, "{call:?}");
        }
    }

    #[test]
    fn a_wrong_path_says_what_to_use_instead_and_never_to_change_where_the_key_goes() {
        let api = api();
        for (path, advice) in [
            ("https://evil.example/events", "a path begins after"),
            ("https://evil.example/events", "`BaseUrl`"),
            ("HTTPS://evil.example/events", "`BaseUrl`"),
            ("//evil.example/events", "`BaseUrl`"),
            ("events?per_page=1", "`query`"),
            ("contacts/a%20b", "`segment`"),
            ("contacts/a b", "`segment`"),
            ("contacts/é", "`segment`"),
            ("public-api/v1/events", "after /public-api/v1"),
        ] {
            let error = api.get(path).to_request().unwrap_err().to_string();
            assert!(error.contains(advice) && !error.contains("COMETLY_BASE_URL"), "{path}: {error}");
            assert!(!error.contains("evil"), "{error}");
        }
        // Behind another base URL, it may be a path like any other.
        let gateway = Api::builder(ApiKey::new("k").unwrap()).base_url("https://a.example".parse().unwrap()).build();
        assert!(gateway.get("public-api/v1/events").to_request().is_ok());
    }

    #[test]
    fn an_optional_a_repeated_and_a_structs_values_make_the_expected_query() {
        let api = api();
        let fields = json!({"a": "x y", "b": true, "c": null});
        for (call, expected) in [
            (api.get("e").query_opt("a", Some(1)).query_opt("b", None::<u8>), "/e?a=1"),
            (api.get("e").query_all("a[]", ["x", "y"]).query("b", 1), "/e?a%5B%5D=x&a%5B%5D=y&b=1"),
            (api.get("e").query_all("a[]", [0; 0]), "/e"),
            (api.get("e").query("z", 1).query_from(&fields), "/e?z=1&a=x%20y&b=1"),
            (api.get("e/{id}").query_from(&fields).segment(7), "/e/7?a=x%20y&b=1"),
            (api.get("e").query_from(&Empty {}), "/e"),
        ] {
            assert_eq!(target(&call).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_header_of_the_caller_is_sent_and_one_that_is_ours_or_wrong_is_refused_by_name() {
        let api = api();
        let call = api.post("a").header("X-Trace", "1").header("x-trace", 2).header(http::header::IF_MATCH, "\"e\"");
        let request = call.to_request().unwrap();
        assert_eq!(request.headers().get_all("x-trace").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((&request.headers()["if-match"], request.headers().len()), (&HeaderValue::from_static("\"e\""), 8));
        for name in
            ["Authorization", "accept", "User-Agent", "Cookie", "Proxy-Connection", "Keep-Alive", "Host", "Expect"]
        {
            let error = api.get("a").header(name, "canary").to_request().unwrap_err();
            assert_eq!(error, RequestError::Header { name: name.parse().unwrap() });
            assert!(error.to_string().contains(&name.to_lowercase()), "{error}");
        }
        let fault = |call: Call| call.to_request().unwrap_err();
        assert_eq!(fault(api.get("a").header("x y", "1")), RequestError::HeaderName);
        assert_eq!(fault(api.get("a").header("", "1")), RequestError::HeaderName);
        let value = RequestError::HeaderValue { name: HeaderName::from_static("x-a") };
        for bad in ["canary\r\nX-B: 1", "a\n", "\0"] {
            assert_eq!(fault(api.get("a").header("x-a", bad)), value);
        }
        let full = (0..Call::MAX_HEADERS).fold(api.get("a"), |call, n| call.header("x-a", n));
        assert_eq!(full.to_request().unwrap().headers().len(), Call::MAX_HEADERS + 5);
        assert_eq!(fault(full.header("x-b", 1)), RequestError::TooManyHeaders);
    }

    #[test]
    fn what_is_for_this_call_alone_is_handed_to_what_drives_it() {
        let timeout = Duration::from_secs(3);
        let call = api().post("a/{b}").segment(1).header("x-a", 1).timeout(timeout).retry_policy(RetryPolicy::none());
        let call = call.idempotency_key("k").json(&Empty {});
        assert_eq!(call.name().to_string(), "POST a/{b}");
        let prepared = call.prepare().unwrap();
        assert_eq!(prepared.method, Method::POST);
        assert_eq!(prepared.uri, "https://app.cometly.com/public-api/v1/a/1");
        assert_eq!((prepared.headers.unwrap().len(), prepared.timeout), (1, Some(timeout)));
        assert!(prepared.retry_policy.is_some());
        assert_eq!(prepared.body, r#"{"idempotency_key":"k"}"#);
        assert!(prepared.api.base_url() == &crate::BaseUrl::default());
        let plain = api().post("a").prepare().unwrap();
        assert!(plain.headers.is_none() && plain.timeout.is_none() && plain.retry_policy.is_none());
        assert_eq!(api().get("").prepare().err(), Some(RequestError::Path));
    }

    #[test]
    fn idempotency_is_by_method_by_mark_or_by_key() {
        let api = api();
        assert!(api.get("a").is_idempotent() && api.put("a").is_idempotent());
        assert!(!api.post("a").is_idempotent() && !api.request(Method::PATCH, "a").is_idempotent());
        assert!(api.post("a").idempotent().is_idempotent());
        assert!(api.post("a").idempotency_key("k").is_idempotent());
        assert!(api.post("a").idempotency_key("k").json(&1).is_idempotent());
    }

    #[test]
    fn key_and_body_come_in_either_order_and_a_later_body_has_the_key_too() {
        let api = api();
        let event = json!({"x": 1.50});
        for call in [
            api.post("a").json(&event).idempotency_key("k"),
            api.post("a").idempotency_key("k").json(&event),
            api.post("a").idempotency_key("k").json(&json!({"y": 2})).json(&event),
            api.post("a").idempotency_key("k").json(&event).idempotency_key("k"),
            api.post("a").body(r#"{"x":1.5}"#).idempotency_key(String::from("k")),
        ] {
            assert_eq!(call.to_request().unwrap().body(), r#"{"x":1.5,"idempotency_key":"k"}"#);
        }
        let digits = api.post("a").body(r#"{"order_id":12345678901234567890123}"#).idempotency_key("k");
        assert_eq!(
            digits.to_request().unwrap().body(),
            r#"{"order_id":12345678901234567890123,"idempotency_key":"k"}"#
        );
    }

    #[test]
    fn a_body_that_is_no_json_keeps_what_serde_said_as_the_source() {
        use std::error::Error as _;

        let key = api().post("a").json(&std::collections::BTreeMap::from([((1, 2), 3)])).to_request().unwrap_err();
        assert!(matches!(key, RequestError::Json { .. }), "{key}");
        assert_eq!(key.source().unwrap().to_string(), "key must be a string");
        let nan = api().post("a").json(&nan_purchase()).idempotency_key("k").to_request().unwrap_err();
        let source = nan.source().unwrap().to_string();
        assert!(source.contains("`amount`") && source.contains("NaN"), "{source}");
        assert!(format!("{nan:?}").contains(&source), "what `main` prints has the reason: {nan:?}");
    }

    #[test]
    fn the_body_is_shared_between_the_call_and_its_requests() {
        let body = Bytes::from(vec![b'1'; 64]);
        let call = api().post("a").body(body.clone());
        assert_eq!(call.to_request().unwrap().body().as_ptr(), body.as_ptr());
        assert_eq!(call.to_request().unwrap().body().as_ptr(), body.as_ptr());
    }

    #[test]
    fn where_a_literal_path_leads_is_worked_out_once() {
        let (api, path) = (api(), "contacts/export");
        let [one, other] = [api.get(path), api.clone().post(path)].map(|call| call.to_request().unwrap());
        assert_eq!(one.uri().path().as_ptr(), other.uri().path().as_ptr());
        assert_eq!(one.uri(), "https://app.cometly.com/public-api/v1/contacts/export");
    }

    #[test]
    fn debug_shows_no_value() {
        let call = api().post("a/{b}").segment("canary").query("canary", "canary").body("canary");
        assert!(target(&call).unwrap().contains("canary") && call.body == "canary");
        let shown = format!("{call:?}");
        assert!(shown.contains("method: POST, path_template: \"a/{b}\", idempotent: false, body_len: 6"), "{shown}");
        assert!(!format!("{shown} {call:#?}").contains("canary"));
    }

    proptest! {
        #[test]
        fn any_value_comes_back_as_one_segment_and_one_pair(value in any::<String>(), name in any::<String>()) {
            let call = api().get("a/{b}/c").segment(&value).query(&name, &value);
            match target(&call) {
                Err(error) => prop_assert!(
                    error == RequestError::TooLong
                        || value.is_empty()
                        || value.split(['/', '\\']).any(|part| matches!(part, "." | ".."))
                ),
                Ok(target) => {
                    let (path, query) = target.split_once('?').unwrap();
                    let segments: Vec<_> = path.split('/').collect();
                    prop_assert_eq!(segments.len(), 4);
                    let (n, v) = query.split_once('=').unwrap();
                    let decode = |t: &str| percent_encoding::percent_decode_str(t).decode_utf8().unwrap().into_owned();
                    prop_assert_eq!((decode(segments[2]), decode(n), decode(v)), (value.clone(), name, value));
                }
            }
        }
    }
}
