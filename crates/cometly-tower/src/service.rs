//! The services that a client can send on, and the client as a service.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use cometly_core::{AuthOutcome, Call, bytes::Bytes, http};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use crate::{BoxError, Client, Error, Host};

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

/// [`Client::send`] as a service, to be put below layers or into a stack. It is always ready: each attempt waits for the service
/// below within its own deadline.
impl<S, H> Service<Call> for Client<S, H>
where
    S: HttpService<Future: Send, Body: Send> + Send + 'static,
    H: Host<Sleep: Send> + Send + 'static,
{
    type Response = AuthOutcome<Bytes>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<AuthOutcome<Bytes>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(self.send(call))
    }
}
