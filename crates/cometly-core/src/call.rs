//! The description of one call.

use std::{
    borrow::Cow,
    fmt::{self, Display},
};

use bytes::Bytes;
use http::{Method, Request, Uri};
use serde::Serialize;

use crate::{Api, Attempt, RetryPolicy};

mod idempotency_key;
mod request_error;
mod target;
mod uri_cache;

pub use request_error::RequestError;
pub(crate) use uri_cache::UriCache;

use target::Target;

/// One call of the API, described: its [`Api`], method, path, query, body, and whether it may be sent twice.
///
/// A value without IO: an SDK returns it, and the application's client sends it. It can be sent any number of times,
/// each time with the key that is current then. What is wrong with it is said by [`to_request`](Call::to_request).
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
    /// Marked as such.
    idempotent: bool,
    /// Whether the body has an idempotency key.
    is_keyed: bool,
    /// The first thing that went wrong; boxed, since a call is moved by each step that describes it.
    fault: Option<Box<RequestError>>,
}

impl Call {
    /// The longest path and query that is sent, in bytes: what every server should take
    /// ([RFC 9110 §4.1](https://www.rfc-editor.org/rfc/rfc9110#section-4.1)).
    pub const MAX_TARGET_LEN: usize = 8000;

    pub(crate) fn new(api: Api, method: Method, template: Cow<'static, str>) -> Self {
        let target = Target::new(template);
        let mut call =
            Self { api, method, target, body: Bytes::new(), idempotent: false, is_keyed: false, fault: None };
        let begun = check_method(&call.method).and_then(|()| call.target.begin(&call.api));
        call.note(begun);
        call
    }

    /// Fills the next `{placeholder}` of the path with `value`, percent-encoded.
    ///
    /// Refused: the empty text, `.` and `..`, which HTTP clients and servers read in different ways, encoded or not.
    pub fn segment(mut self, value: impl Display) -> Self {
        let written = self.target.segment(&value);
        self.note(written);
        self
    }

    /// Adds `name=value` to the query, both percent-encoded. Lists are written as Cometly reads them, one pair for
    /// each value: `.query("event_names[]", "purchase")`.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        let written = self.target.query(&self.api, name, &value);
        self.note(written);
        self
    }

    /// Sets the body to `value` as JSON.
    ///
    /// Cometly's backend reads `""` as null and trims texts; JSON has no NaN or infinity, which are written as null.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        // An event fits, and need not grow.
        let mut body = Vec::with_capacity(256);
        let written = serde_json::to_writer(&mut body, value).map_err(|_| RequestError::Json);
        self.note(written);
        self.body(body)
    }

    /// Sets the body to `value` as JSON with the field `idempotency_key`, which makes the call
    /// [idempotent](Call::is_idempotent): Cometly handles an event with the same key once, so this POST is safe to send
    /// again. Another body takes that back.
    ///
    /// `value` must be a JSON object; if it has the field already, it must be the same key.
    pub fn json_with_idempotency_key<T: Serialize + ?Sized>(mut self, value: &T, key: &str) -> Self {
        match idempotency_key::add(value, key) {
            Ok(body) => {
                self = self.body(body);
                self.is_keyed = true;
            }
            Err(error) => self.note(Err(error)),
        }
        self
    }

    /// Sets the body, which must be JSON; that is not checked.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.is_keyed = false;
        self
    }

    /// Says that sending this call twice does the same as once
    /// ([RFC 9110 §9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)), though its method does not promise it.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// The API that this call is of.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path as it was given, without values: fit for logs and for grouping by endpoint.
    #[must_use]
    pub fn path_template(&self) -> &str {
        self.target.template()
    }

    pub(crate) fn template(&self) -> Cow<'static, str> {
        self.target.template().clone()
    }

    /// Whether it may be sent twice: by its method, by its idempotency key, or because it was [marked](Call::idempotent).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotent || self.is_keyed || self.method.is_idempotent()
    }

    /// The request to send, with the key that is current now. The body is shared, not copied.
    ///
    /// # Errors
    /// [`RequestError`]: the first thing that is wrong with the call.
    pub fn to_request(&self) -> Result<Request<Bytes>, RequestError> {
        Ok(self.api.stamped(&self.method, self.checked_uri()?, &self.body))
    }

    /// The whole call as a value to be driven by whoever sends it: it says what to send, and after each try whether to
    /// send it again. Use another `seed` for each call, from whatever source of random numbers there is.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use cometly_core::{Api, ApiKey, RetryPolicy, Step, http::Response};
    /// # let api = Api::new(ApiKey::new("12|abcdef")?);
    /// let attempt = api.get("events").attempt(&RetryPolicy::default(), 42)?;
    /// let refused = Response::builder().status(429).header("retry-after", 7).body(r#"{"message": "Too Many Attempts."}"#)?;
    /// match attempt.on_response::<_, std::io::Error>(refused, Duration::ZERO) {
    ///     Step::Retry { after, next } => assert!(after >= Duration::from_secs(7) && next.number() == 2),
    ///     Step::Done(result) => panic!("{result:?}"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`RequestError`]: the first thing that is wrong with the call.
    pub fn attempt(&self, policy: &RetryPolicy, seed: u64) -> Result<Attempt, RequestError> {
        Ok(Attempt::of_call(self, self.checked_uri()?, self.body.clone(), policy, seed))
    }

    /// Where it goes, if nothing is wrong with the call.
    fn checked_uri(&self) -> Result<Uri, RequestError> {
        if let Some(fault) = &self.fault {
            return Err(RequestError::clone(fault));
        }
        let uri = self.target.to_uri(&self.api)?;
        if matches!(self.method, Method::GET | Method::DELETE) && !self.body.is_empty() {
            return Err(RequestError::Body);
        }
        Ok(uri)
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

/// The methods that a REST resource of the API can have. An answer to HEAD or OPTIONS says nothing of the key, and
/// TRACE sends it back.
pub(crate) fn check_method(method: &Method) -> Result<(), RequestError> {
    match *method {
        Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => Ok(()),
        _ => Err(RequestError::Method),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ApiKey;

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
            (api.get("//evil.example"), E::Path),
            (api.get("events/"), E::Path),
            (api.get("a b"), E::Path),
            (api.get("events?x=1"), E::Path),
            (api.get("events#x"), E::Path),
            (api.get("a%2fb"), E::Path),
            (api.get("../admin"), E::Path),
            (api.get("a/./b"), E::Path),
            (api.get("https://evil.example"), E::Path),
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
            (api.post("a").json(&std::collections::BTreeMap::from([((1, 2), 3)])), E::Json),
        ] {
            assert_eq!(target(&call).unwrap_err(), expected, "{call:?}");
        }
    }

    #[test]
    fn idempotency_is_by_method_or_by_mark() {
        let api = api();
        assert!(api.get("a").is_idempotent() && api.put("a").is_idempotent());
        assert!(!api.post("a").is_idempotent() && !api.request(Method::PATCH, "a").is_idempotent());
        assert!(api.post("a").idempotent().is_idempotent());
        let keyed = api.post("a").json_with_idempotency_key(&serde_json::json!({"x": 1}), "k");
        assert!(keyed.is_idempotent());
        assert!(!keyed.clone().json(&1).is_idempotent() && !keyed.clone().body("{}").is_idempotent());
        assert!(keyed.idempotent().json(&1).is_idempotent(), "the caller's own word stays");
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
                    error == RequestError::TooLong || matches!(value.as_str(), "" | "." | "..")
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
