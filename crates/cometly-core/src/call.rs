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

use on_api::{check_method, is_method_to_show, is_reserved, other_method};
use target::Target;

/// One call of the API, described: its [`Api`], method, path, query, body, and whether it may be sent twice. From [`Api::get`],
/// [`post`](Api::post), [`put`](Api::put) and [`request`](Api::request).
///
/// A value without IO: an SDK returns it, and the application's client sends it. It can be sent any number of times, each time
/// with the key that is current then. No step of its description fails: the first thing that is wrong with a call is the
/// [`RequestError`] of [`to_request`](Call::to_request), and ends a client's `send` with
/// [`CallErrorKind::Request`](crate::CallErrorKind::Request).
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
    /// The most bytes that the path, the base URL's included, and the query of a call may have together, percent-encoded: 8000,
    /// which every server should take ([RFC 9110 §4.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.1)). More are
    /// [`RequestError::TooLong`] when the call is built or sent.
    pub const MAX_TARGET_LEN: usize = 8000;

    /// The most headers of the caller's own that a call can have: 64. One more is [`RequestError::TooManyHeaders`] when the
    /// call is built or sent.
    pub const MAX_HEADERS: usize = 64;

    /// The most bytes that the names and values of these headers may have together: 8000, as servers take a line of 8 KiB. More
    /// are [`RequestError::HeadersTooLong`] when the call is built or sent.
    pub const MAX_HEADERS_LEN: usize = 8000;

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
        let checked = check_method(&call.method);
        if checked.is_err() && !is_method_to_show(&call.method) {
            call.method = other_method();
        }
        let begun = call.target.begin(&call.api);
        if begun.is_err() {
            call.target.keep_plain_beginning();
        }
        call.note(checked);
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
    /// - [`RequestError::TooLong`] if path and query are then longer than [`MAX_TARGET_LEN`](Call::MAX_TARGET_LEN), 8000 bytes.
    /// - [`RequestError::Value`] if the `Display` of `value` fails.
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
    /// [`MAX_TARGET_LEN`](Call::MAX_TARGET_LEN), 8000 bytes; [`RequestError::Value`] if the `Display` of `value` fails.
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
    /// When built or sent, as of [`query`](Call::query): [`RequestError::TooLong`] if path and query are then longer than
    /// [`MAX_TARGET_LEN`](Call::MAX_TARGET_LEN), 8000 bytes; [`RequestError::Value`] if the `Display` of the value fails.
    pub fn query_opt(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Adds one `name=value` for each value, as Cometly reads a list; an empty iterator adds nothing. Both are percent-encoded,
    /// and nothing is added to `name`: Cometly's names for lists end in `[]`.
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
    /// When built or sent, as of [`query`](Call::query): [`RequestError::TooLong`] if path and query are then longer than
    /// [`MAX_TARGET_LEN`](Call::MAX_TARGET_LEN), 8000 bytes; [`RequestError::Value`] if the `Display` of a value fails.
    pub fn query_all<T: Display>(self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |call, value| call.query(name, value))
    }

    /// Adds one `name=value` for each field of a flat struct or map, in its order, both percent-encoded. `None` is left out, an
    /// empty text is written as `name=`, a bool as `1` or `0` (as Cometly's flags are), a unit variant as its name. The fields of a
    /// struct within it are added with `#[serde(flatten)]`. A struct or map without fields adds nothing.
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
    /// [`RequestError::TooLong`] if path and query are then longer than [`MAX_TARGET_LEN`](Call::MAX_TARGET_LEN), 8000 bytes.
    pub fn query_from<T: Serialize + ?Sized>(mut self, fields: &T) -> Self {
        let Self { api, target, .. } = &mut self;
        let written = query::pairs(fields, &mut |name, value| target.query(api, name, value));
        self.note(written);
        self
    }

    /// Adds a header of your own to this call, for instance `x-request-id`: texts, or a [`HeaderName`] and a [`HeaderValue`].
    /// By default there is none. A name that is given twice is sent twice. A header `Idempotency-Key` makes no call idempotent:
    /// Cometly reads its key from the body, where [`idempotency_key`](Call::idempotency_key) puts it.
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
    /// When built or sent:
    /// - [`RequestError::Header`] for a name that this library sets (`Authorization`, `Accept`, `Content-Type`,
    ///   `Accept-Encoding`, `User-Agent`), that belongs to the connection (`Connection`, `Keep-Alive`, `Host`,
    ///   `Content-Length`, `Transfer-Encoding`, `TE`, `Trailer`, `Expect`, `Upgrade`, `HTTP2-Settings`, and every `Proxy-…`),
    ///   or that a browser sends (`Cookie`, `Origin`, `Referer`, and every `Sec-…`).
    /// - [`RequestError::HeaderName`] for a name that HTTP does not allow, [`RequestError::HeaderValue`] for such a value, as
    ///   one with a line break.
    /// - [`RequestError::TooManyHeaders`] for more than [`Call::MAX_HEADERS`], 64, and [`RequestError::HeadersTooLong`] for more
    ///   than [`Call::MAX_HEADERS_LEN`], 8000 bytes, in all of them.
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
        let len = |name: &HeaderName, value: &HeaderValue| name.as_str().len().saturating_add(value.len());
        let before = headers.iter().map(|(name, value)| len(name, value)).fold(0, usize::saturating_add);
        if before.saturating_add(len(&name, &value)) > Self::MAX_HEADERS_LEN {
            return Err(RequestError::HeadersTooLong);
        }
        headers.try_append(name, value).map(|_| ()).map_err(|_| RequestError::TooManyHeaders)
    }

    /// How long this call may take, all its attempts and the waits between them included. It takes the place of the client's
    /// time-out and of the time of the retry policy; by default these hold, and if none is set, 60 s. When it is over, the call
    /// fails with [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout). The call ends earlier, with its last answer or
    /// error, if the next wait does not fit, as [`RetryPolicy::timeout`] says. It does not end a streamed body that has begun.
    /// A second call replaces it.
    ///
    /// # Errors
    /// When built or sent: [`RequestError::Timeout`] if `timeout` is zero, also if a second call replaces it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        let checked = if timeout.is_zero() { Err(RequestError::Timeout) } else { Ok(()) };
        self.note(checked);
        self.options().timeout = Some(timeout);
        self
    }

    /// The retry policy for this call, in place of the client's, which holds by default. If `policy` sets a
    /// [time](RetryPolicy::timeout), that bounds the call in place of the client's time-out; if it sets none, or is
    /// [`RetryPolicy::none`], the client's time-out holds. A [`timeout`](Self::timeout) of the call comes before both. It
    /// cannot fail. A second call replaces the policy.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.options().retry_policy = Some(policy);
        self
    }

    /// Sets the body to `value` as JSON, in place of an earlier body. By default a call has no body.
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
    /// infinite (which JSON does not have) or a map key that cannot be written as text, such as a tuple, or if its `Serialize`
    /// fails; [`RequestError::Body`] on a GET or DELETE; [`RequestError::IdempotencyKey`] if the call has an [idempotency
    /// key](Call::idempotency_key) and the body is no JSON object, or one with another key.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match json::to_vec(value) {
            Ok(body) => self.set_body(body.into()),
            Err(error) => self.note(Err(error.into())),
        }
        self
    }

    /// Sets the body to these bytes, in place of an earlier body; empty ones are no body, as by default. They must be JSON and
    /// are sent as they are: a number keeps all its digits. Whether they are JSON is not checked, unless the call has an
    /// [idempotency key](Call::idempotency_key).
    ///
    /// # Errors
    /// When built or sent: [`RequestError::Body`] on a GET or DELETE, if the body is not empty;
    /// [`RequestError::IdempotencyKey`] if the call has such a key and the body is empty, no JSON object, or one with another
    /// key.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.set_body(body.into());
        self
    }

    /// Adds the field `idempotency_key` to the body, set before or after, which makes the call
    /// [idempotent](Call::is_idempotent): Cometly handles an event with the same key once, so this POST is safe to send again.
    /// By default there is none. A second call with another key replaces the first, but is an error once the body is set.
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
    /// When built or sent: [`RequestError::IdempotencyKey`] if the key is empty or the backend would [trim](backend_trim) it,
    /// if the body is not a JSON object or missing, or if it holds another `idempotency_key`.
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
    /// again when its answer is lost. By default its method and its [idempotency key](Call::idempotency_key) decide. A second
    /// call changes nothing.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The [`Api`] by which this call was made, with its key, base URL and pacer.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The HTTP method of the call, as it was given: GET, POST, PUT, PATCH or DELETE. With any other, also one of these in
    /// lower case, the call fails when it is sent or made a request; one that is more than 16 letters, or not only letters, is
    /// `_OTHER` here.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path below the base URL as it was given, such as `contacts/{id}`: with `{placeholders}` instead of their values, so
    /// that it can be logged and grouped by. Of a path with which the call fails, it is the beginning, up to the first character
    /// that no path has or 128 bytes, and `…`.
    #[must_use]
    pub fn path_template(&self) -> &str {
        self.target.template()
    }

    /// How errors and logs name it.
    pub(crate) fn name(&self) -> CallName {
        let template = Some(self.target.template().clone());
        CallName { method: self.method.clone(), template, is_idempotent: self.is_idempotent() }
    }

    /// Whether the call may be sent twice: its method is idempotent (GET, PUT, DELETE), or it has an [idempotency
    /// key](Call::idempotency_key), or it was [marked](Call::idempotent). If not, it is not sent again after an attempt that
    /// may have been carried out.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotent || self.has_idempotency_key() || self.method.is_idempotent()
    }

    /// The HTTP request of this call, with the key that is current now, for one attempt on an HTTP client of your own. The
    /// body is shared, not copied. The call's time-out and retry policy are not in it.
    ///
    /// # Errors
    /// [`RequestError`]: the first thing that is wrong with the call, such as a placeholder without a value, a header that
    /// [`header`](Self::header) refuses, or a body on a GET or DELETE.
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
mod tests;
