//! A client that waits for its answers instead of giving futures.

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call};
use futures_lite::future::block_on;
use http::Request;
use serde::de::DeserializeOwned;

mod download;
mod run;
mod stream;

pub use download::FileReader;
pub use run::Run;
pub use stream::Body;

use crate::Error;

/// A client that sends calls on isahc and waits for their answers, with the settings of the async [`Client`](crate::Client)
/// that it is made from:
///
/// ```
/// use std::time::Duration;
///
/// let client = cometly_isahc::Client::builder().timeout(Duration::from_secs(5)).build()?;
/// let client = cometly_isahc::blocking::Client::from(client);
/// # Ok::<(), cometly_isahc::Error>(())
/// ```
///
/// A call blocks its thread, and gives an [`Error`] if it fails. Clones share isahc's client.
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
}

impl Client {
    /// A blocking client with the default settings: three attempts within 60 s, and no proxy from the environment. For others, make
    /// an async [`Client`](crate::Client) by its builder, and this from it by `From`.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if isahc cannot be set up.
    pub fn new() -> Result<Self, Error> {
        crate::Client::new().map(Self::from)
    }

    /// Sends a call, again if the [retry policy](crate::ClientBuilder::retry_policy) says so, and blocks the thread until it
    /// ends. It gives what the last answer means for the call and for the API key.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if no whole answer came, or the call cannot be built; its
    /// [`delivery`](cometly_core::CallError::delivery) says whether the call may be sent again. An answer of the API, refusals
    /// included, is no error here but an [`AuthOutcome`].
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        block_on(self.client.send(call))
    }

    /// Sends a call and reads its answer as a `T` from JSON. An answer that is not a success is an error.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallErrorKind::Api`](cometly_core::CallErrorKind::Api) for an answer that is not a
    /// success, also for a 2xx whose body is empty or begins neither with `{` nor `[`;
    /// [`CallErrorKind::Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is no `T`.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        block_on(self.client.json(call))
    }

    /// Sends a request of your own, to which [`Api::authorize`] gave the key, and gives its last answer as
    /// [`send`](Client::send) does; a refusal by the API is no error but an [`AuthOutcome`]. If it may have arrived, it is sent
    /// again only if its method is idempotent (GET, PUT, DELETE; POST and PATCH are not); after a 429, or if nothing was sent,
    /// any method is. At each attempt, an `Authorization` header of a request to the API's own origin, also one of your own, is
    /// replaced by the key that is current then; a request without that header, or to another origin, is sent as it is.
    /// Attempts and time are those of the client's [retry policy](crate::ClientBuilder::retry_policy).
    ///
    /// # Errors
    /// As [`send`](Client::send): [`CallError`](cometly_core::CallError) if no whole answer came.
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        block_on(self.client.send_request(request, api))
    }

    /// Makes the next call use a new connection, as after a change of network. Calls under way go on. It does nothing to a
    /// client that [you brought](cometly_core::ClientBuilder::http_client). By default [none are
    /// kept](crate::ClientBuilder::reuse_connections).
    pub fn close_idle(&self) {
        self.client.close_idle();
    }
}

/// A blocking client with the settings and connections of the async one.
impl From<crate::Client> for Client {
    fn from(client: crate::Client) -> Self {
        Self { client }
    }
}
