//! The services that a client can send on.

use cometly_core::{bytes::Bytes, http};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use crate::BoxError;

/// The request that a service gets, with its whole body: the body has a known length, cannot fail, and is shared by attempts
/// instead of copied.
pub type Request = http::Request<Full<Bytes>>;

/// A service that takes a [`Request`] and gives an HTTP response. It is implemented for every such tower service that is
/// `Clone`, if its error and that of the body turn into a [`BoxError`]. If the service fails, so does the call, and the
/// service's error is its source, a [`ServiceError`](crate::ServiceError).
///
/// The service is cloned for each call and attempt, so its clones should share their connection pool.
pub trait HttpService: Service<Request, Response = http::Response<Self::Body>, Error: Into<BoxError>> + Clone {
    /// The body of the service's responses; its error turns into a [`BoxError`].
    type Body: Body<Error: Into<BoxError>>;
}

impl<S, B> HttpService for S
where
    S: Service<Request, Response = http::Response<B>, Error: Into<BoxError>> + Clone,
    B: Body<Error: Into<BoxError>>,
{
    type Body = B;
}
