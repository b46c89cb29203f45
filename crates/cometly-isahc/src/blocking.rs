//! The same client without async.

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

/// Sends calls on isahc and waits for the answer. From a [`Client`](crate::Client), whose settings it has:
///
/// ```
/// use std::time::Duration;
///
/// let client = cometly_isahc::Client::builder().timeout(Duration::from_secs(5)).build()?;
/// let client = cometly_isahc::blocking::Client::from(client);
/// # Ok::<(), cometly_isahc::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
}

impl Client {
    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if isahc cannot be set up.
    pub fn new() -> Result<Self, Error> {
        crate::Client::new().map(Self::from)
    }

    /// Sends a call and says what the answer means.
    ///
    /// # Errors
    /// As [`Client::send`](crate::Client::send) of the async client.
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        block_on(self.client.send(call))
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`Client::json`](crate::Client::json) of the async client.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        block_on(self.client.json(call))
    }

    /// Sends a request that came from [`Api::authorize`].
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        block_on(self.client.send_request(request, api))
    }

    /// Closes the connections that are kept for the next call, as [`Client::close_idle`](crate::Client::close_idle) of the
    /// async client.
    pub fn close_idle(&self) {
        self.client.close_idle();
    }
}

impl From<crate::Client> for Client {
    fn from(client: crate::Client) -> Self {
        Self { client }
    }
}
