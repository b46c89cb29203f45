//! Flows run to their end, and endpoints with the type of their answer.

use std::{fmt, thread::sleep, time::Duration};

use cometly_core::{Api, Endpoint, Flow, FlowError, Moment, Running, Step};

use super::Client;
use crate::{Error, run::none_if_not_found};

impl Client {
    /// Sends the call of an endpoint and reads its success as the endpoint's type.
    ///
    /// # Errors
    /// As [`json`](Client::json).
    pub fn call<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<E::Output, Error> {
        let reply = self.send(endpoint.call(api))?.into_result()?;
        endpoint.read(&reply).map_err(|error| error.with_reply(reply).into())
    }

    /// As [`call`](Client::call), and `None` if the API says that there is no such thing: a 404.
    ///
    /// # Errors
    /// As [`json`](Client::json).
    pub fn call_opt<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<Option<E::Output>, Error> {
        self.call(api, endpoint).map(Some).or_else(none_if_not_found)
    }

    /// Runs a flow: all pages of a list, an export. What it gives on its way comes from the iterator, which ends after an
    /// error; [`try_next`](Run::try_next) goes on.
    pub fn run<'a, F: Flow>(&'a self, api: &'a Api, flow: F) -> Run<'a, F> {
        Run { client: self, api, running: Running::new(flow), is_over: false }
    }
}

/// A flow that runs; from [`Client::run`].
#[must_use = "a flow goes on only if it is asked for its next item"]
pub struct Run<'a, F: Flow> {
    client: &'a Client,
    api: &'a Api,
    running: Running<F>,
    is_over: bool,
}

impl<F: Flow> Run<'_, F> {
    /// Gives up with [`FlowError::OutOfTime`] after so long, counted from the first step. A call under way is not cut.
    pub fn within(self, time: Duration) -> Self {
        Self { running: self.running.within(time), ..self }
    }

    /// The next item; `None` at the end. After an error it goes on where it was.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError), of the kind [`Flow`](cometly_core::CallErrorKind::Flow) for the flow's own.
    pub fn try_next(&mut self) -> Result<Option<F::Item>, Error> {
        loop {
            match self.running.next(self.api, Moment::now())? {
                Step::Send(call) => {
                    let answer = self.client.send(call);
                    self.running.settle(answer, Moment::now())?;
                }
                Step::Sleep(pause) => sleep(pause),
                Step::Yield(item) => return Ok(Some(item)),
                Step::End(()) => return Ok(None),
            }
        }
    }

    /// Runs to the end and gives the flow's output; items on the way are dropped.
    ///
    /// # Errors
    /// As [`try_next`](Run::try_next).
    pub fn end(mut self) -> Result<F::Output, Error> {
        while self.try_next()?.is_some() {}
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

/// Ends after an error.
impl<F: Flow> Iterator for Run<'_, F> {
    type Item = Result<F::Item, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = self.try_next();
        self.is_over = !matches!(item, Ok(Some(_)));
        item.transpose()
    }
}

impl<F: Flow> std::iter::FusedIterator for Run<'_, F> {}

impl<F: Flow + fmt::Debug> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("running", &self.running).finish_non_exhaustive()
    }
}
