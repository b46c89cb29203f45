//! What a hand-written client keeps from one request to the next.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use crate::{AGENT, KEY};

/// All that does not change.
#[derive(Clone)]
pub struct Template {
    pub request: Request<Bytes>,
    authority: Authority,
}

impl Template {
    /// With the three headers that Cometly requires.
    pub fn required() -> Self {
        let mut authorization =
            HeaderValue::from_maybe_shared(Bytes::from_owner(format!("Bearer {KEY}"))).expect("a key");
        authorization.set_sensitive(true);
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = Uri::from_static("https://app.cometly.com/public-api/v1/spaces/current");
        // A map of three or of five has the same eight places; more room would cost more to clone.
        let headers = request.headers_mut();
        headers.reserve(5);
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { request, authority: Authority::from_static("app.cometly.com") }
    }

    /// With the two more that ours carry.
    pub fn whole() -> Self {
        let mut template = Self::required();
        let headers = template.request.headers_mut();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        template
    }

    pub fn headers(&self) -> HeaderMap {
        self.request.headers().clone()
    }

    /// A GET of a path of its own.
    pub fn get(&self, path_and_query: Bytes) -> Request<Bytes> {
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(path_and_query).expect("a path"));
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = Uri::from_parts(parts).expect("a URI");
        *request.headers_mut() = self.headers();
        request
    }
}
