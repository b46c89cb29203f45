//! Flows run to their end, and endpoints with the type of their answer.

use std::time::Duration;

use async_io::Timer;
use bytes::Bytes;
use cometly_core::{Api, AsyncClient, AsyncRun, AuthOutcome, Call, Endpoint, Flow, Moment};

use crate::{Client, Error};

impl Client {
    /// Sends the call of an [`Endpoint`] and reads its answer as the endpoint's type. An answer that is not a success is an
    /// error.
    ///
    /// # Errors
    /// As [`json`](Client::json): [`CallError`](cometly_core::CallError) if no whole answer came, or the call cannot be built;
    /// of the kind [`Api`](cometly_core::CallErrorKind::Api) for an answer that is not a success,
    /// [`Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is not of that type.
    pub async fn call<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<E::Output, Error> {
        let reply = self.send(endpoint.call(api)).await?.into_result()?;
        endpoint.read(&reply).map_err(|error| error.with_reply(reply).into())
    }

    /// As [`call`](Client::call), but `None` if the API itself answers 404: what the call names does not exist. A 404 without
    /// the API's error JSON, as from a proxy, is an error.
    ///
    /// # Errors
    /// As [`call`](Client::call), but for that 404: [`CallError`](cometly_core::CallError) if no whole answer came, for any
    /// other answer that is not a success, and for a success whose JSON is not of the endpoint's type.
    pub async fn call_opt<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<Option<E::Output>, Error> {
        let called = self.call(api, endpoint).await.map(Some);
        called.or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
    }

    /// Runs a flow, a job of several calls: all pages of a list, or an export. Its items come from [`next`](AsyncRun::next).
    /// Nothing is sent before the first `next`. A call that fails, or a flow that cannot go on, is an error of `next`.
    pub fn run<'a, F: Flow>(&'a self, api: &'a Api, flow: F) -> Run<'a, F> {
        Run::new(self, api, flow)
    }
}

/// A [`Flow`] under way: a job of several calls, such as all pages of a list or an export. [`next`](AsyncRun::next) gives its
/// items, and `None` at the end. It fails with a [`CallError`](cometly_core::CallError) if a call fails or the flow cannot go
/// on, and goes on where the flow was when it is called again. [`end`](AsyncRun::end) gives the output. The job has no limit of
/// time unless [`within`](AsyncRun::within) sets one. From [`Client::run`].
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
