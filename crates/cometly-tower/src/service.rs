//! The services that a client can send on.

use cometly_core::{bytes::Bytes, http};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use crate::BoxError;

/// What a service is given: a request with its whole body, which has a known length, cannot fail, and is shared by attempts
/// instead of copied.
pub type Request = http::Request<Full<Bytes>>;

/// A service that takes a [`Request`] and gives an HTTP response with any body: implemented for each that does.
///
/// It is cloned for each attempt, so clones have to share what they share, as their pool.
pub trait HttpService: Service<Request, Response = http::Response<Self::Body>, Error: Into<BoxError>> + Clone {
    /// The body of its responses.
    type Body: Body<Error: Into<BoxError>>;
}

impl<S, B> HttpService for S
where
    S: Service<Request, Response = http::Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Error: Into<BoxError>>,
{
    type Body = B;
}
