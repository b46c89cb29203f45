//! The same client without async, on a runtime of its own.

use std::{fmt, future::Future, sync::Arc};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call};
use http::Request;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{ClientBuilder, ClientError, Error, failure::setup};

/// The threads of the runtime. hyper may be kept busy by one hostile answer for each.
const THREADS: usize = 4;

/// Sends calls on reqwest and waits for the answer. Holds no key, so one serves any number of [`Api`]s, from any number of
/// threads; clones share the connection pool and the runtime.
///
/// Within a tokio runtime it sends nothing: [`CallError::Setup`](cometly_core::CallError::Setup).
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    runtime: Arc<Background>,
}

/// A runtime that may be dropped anywhere, also within another one.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    pub(crate) fn new_on(client: crate::Client) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("cometly-reqwest")
            .enable_all()
            .build()
            .map_err(|error| setup(ClientError::Runtime(error)))?;
        Ok(Self { client, runtime: Arc::new(Background(Some(runtime))) })
    }

    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallError::Setup`](cometly_core::CallError::Setup) if reqwest, or the runtime, cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with settings of your own.
    pub fn builder() -> ClientBuilder<Client> {
        ClientBuilder::default()
    }

    /// Sends a call, again if the [retry policy](ClientBuilder::retry_policy) says so, and says what the answer means.
    ///
    /// # Errors
    /// As [`send`](crate::Client::send) of the async client.
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.wait(self.client.send(call))
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`json`](crate::Client::json) of the async client.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.wait(self.client.json(call))
    }

    /// Sends a request that came from [`Api::authorize`]; whether it may be sent twice goes by its method alone.
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.wait(self.client.send_request(request, api))
    }

    /// Closes the connections that are kept for the next call, as [`Client::close_idle`](crate::Client::close_idle) of the
    /// async client.
    pub fn close_idle(&self) {
        self.client.close_idle();
    }

    fn wait<T>(&self, sending: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match &self.runtime.0 {
            // tokio panics if one runtime waits in another.
            Some(runtime) if Handle::try_current().is_err() => runtime.block_on(sending),
            _ => Err(setup(ClientError::WrongRuntime { is_blocking: true })),
        }
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use cometly_core::{ApiKey, CallError};

    use super::*;

    #[test]
    fn within_a_runtime_it_is_an_error_and_no_panic() {
        let api = Api::new(ApiKey::new("12|abcdefghij").unwrap());
        Builder::new_current_thread().build().unwrap().block_on(async {
            let client = Client::new().unwrap();
            let sent = client.send(api.get("events"));
            assert!(matches!(sent, Err(CallError::Setup(ClientError::WrongRuntime { is_blocking: true }))), "{sent:?}");
        });
    }
}
