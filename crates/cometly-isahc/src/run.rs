//! Flows run to their end, and endpoints with the type of their answer.

use std::time::Duration;

use async_io::Timer;
use bytes::Bytes;
use cometly_core::{Api, AsyncClient, AsyncRun, AuthOutcome, Call, Endpoint, Flow, Moment};

use crate::{Client, Error};

impl Client {
    /// Sends the call of an endpoint and reads its success as the endpoint's type.
    ///
    /// # Errors
    /// As [`json`](Client::json).
    pub async fn call<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<E::Output, Error> {
        let reply = self.send(endpoint.call(api)).await?.into_result()?;
        endpoint.read(&reply).map_err(|error| error.with_reply(reply).into())
    }

    /// As [`call`](Client::call), and `None` if the API itself answers that there is no such thing, with 404. A 404 of a proxy is an
    /// error.
    ///
    /// # Errors
    /// As [`json`](Client::json).
    pub async fn call_opt<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<Option<E::Output>, Error> {
        let called = self.call(api, endpoint).await.map(Some);
        called.or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
    }

    /// Runs a flow: all pages of a list, an export. What it gives on its way comes from [`next`](Run::next).
    pub fn run<'a, F: Flow>(&'a self, api: &'a Api, flow: F) -> Run<'a, F> {
        Run::new(self, api, flow)
    }
}

/// A flow that runs; from [`Client::run`].
pub type Run<'a, F> = AsyncRun<'a, Client, F>;

impl AsyncClient for Client {
    type Source = isahc::Error;

    fn send(&self, call: Call) -> impl Future<Output = Result<AuthOutcome<Bytes>, Error>> + Send {
        Self::send(self, call)
    }

    fn now(&self) -> Moment {
        Moment::now()
    }

    async fn sleep(&self, pause: Duration) {
        Timer::after(pause).await;
    }
}
