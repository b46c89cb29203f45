//! What one has who writes the calls by hand, and our own call of the same.

use bytes::Bytes;
use cometly_core::{Api, ApiKey, AuthOutcome, Call};
use http::{
    HeaderMap, HeaderValue, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

pub const KEY: &str = "12|0123456789abcdef0123456789abcdef0123456789abcdef";
/// As ours say it.
pub const AGENT: &str = "cometly-core/0.1.0";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The Space that is asked, plus the number of the call.
const SPACE: u64 = 4_815_162_342;

pub struct ByHand {
    base: String,
    authority: Authority,
    authorization: HeaderValue,
    pub api: Api,
}

impl ByHand {
    pub fn new(base: &str) -> Self {
        let host = base.strip_prefix("http://").expect("plain http");
        let mut authorization = HeaderValue::from_maybe_shared(Bytes::from(format!("Bearer {KEY}"))).expect("a key");
        authorization.set_sensitive(true);
        let base_url = format!("{base}/public-api/v1").parse().expect("a base URL");
        Self {
            base: base.to_owned(),
            authority: host.parse().expect("a host"),
            authorization,
            api: Api::builder(ApiKey::new(KEY).expect("a key")).base_url(base_url).build(),
        }
    }

    /// Ours.
    pub fn call(&self, number: u64) -> Call {
        let call = self.api.get("spaces/{id}/events").segment(SPACE + number);
        call.query("page", 7).query("per_page", 100).query("from", "2026-11-01")
    }

    /// As one writes it.
    pub fn url(&self, number: u64) -> String {
        let (base, space) = (&self.base, SPACE + number);
        format!("{base}/public-api/v1/spaces/{space}/events?page=7&per_page=100&from=2026-11-01")
    }

    /// With what ours carry, or only with what Cometly requires.
    pub fn headers(&self, is_whole: bool) -> HeaderMap {
        // Room for the `Host` that hyper adds.
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, JSON);
        headers.insert(CONTENT_TYPE, JSON);
        if is_whole {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        }
        headers
    }

    /// The least that makes the request.
    pub fn request<B>(&self, number: u64, is_whole: bool, body: B) -> Request<B> {
        let mut path = Vec::with_capacity(96);
        path.extend_from_slice(b"/public-api/v1/spaces/");
        path.extend_from_slice(itoa::Buffer::new().format(SPACE + number).as_bytes());
        path.extend_from_slice(b"/events?page=7&per_page=100&from=2026-11-01");
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(&path)).expect("a path"));
        let mut request = Request::new(body);
        *request.uri_mut() = Uri::from_parts(parts).expect("a URI");
        *request.headers_mut() = self.headers(is_whole);
        request
    }
}

/// How long the body of a success is.
pub fn length(outcome: &AuthOutcome<Bytes>) -> usize {
    match outcome {
        AuthOutcome::Success(reply) => reply.body().len(),
        refused => panic!("{refused}"),
    }
}
