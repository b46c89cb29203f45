//! Flows run to their end, and endpoints with the type of their answer.

use std::{fmt, time::Duration};

use cometly_core::{Api, Endpoint, Flow, FlowError, Running, Step};
use tokio::time::sleep;

use crate::{Client, Error, now};

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
        Run { client: self, api, running: Running::new(flow) }
    }
}

/// A flow that runs; from [`Client::run`].
#[must_use = "a flow goes on only if it is asked for its next item"]
pub struct Run<'a, F: Flow> {
    client: &'a Client,
    api: &'a Api,
    running: Running<F>,
}

impl<F: Flow> Run<'_, F> {
    /// Limits the whole job, counted from its first step: it gives up with [`FlowError::OutOfTime`] when the time is used up, or
    /// before a wait that does not fit into what is left. A call under way is not cut.
    pub fn within(self, time: Duration) -> Self {
        Self { running: self.running.within(time), ..self }
    }

    /// The next item; `None` at the end. After an error it goes on where it was. Its future can be dropped: nothing is
    /// lost, and the call that was under way is sent again, but for the order of an export.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError), of the kind [`Flow`](cometly_core::CallErrorKind::Flow) for the flow's own.
    pub async fn next(&mut self) -> Result<Option<F::Item>, Error> {
        loop {
            match self.running.next(self.api, now())? {
                Step::Send(call) => {
                    let answer = self.client.send(call).await;
                    self.running.settle(answer, now())?;
                }
                Step::Sleep(pause) => {
                    sleep(pause).await;
                }
                Step::Yield(item) => return Ok(Some(item)),
                Step::End(()) => return Ok(None),
            }
        }
    }

    /// Runs to the end and gives the flow's output; items on the way are dropped.
    ///
    /// # Errors
    /// As [`next`](Run::next).
    pub async fn end(mut self) -> Result<F::Output, Error> {
        while self.next().await?.is_some() {}
        self.running.into_output().ok_or_else(|| FlowError::OutOfTime.into())
    }

    /// The flow, to look at: where it is.
    pub fn flow(&self) -> &F {
        self.running.flow()
    }

    /// The flow, to be taken up again.
    pub fn into_flow(self) -> F {
        self.running.into_flow()
    }
}

impl<F: Flow + fmt::Debug> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("running", &self.running).finish_non_exhaustive()
    }
}
