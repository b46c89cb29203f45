//! Flows run to their end, and endpoints with the type of their answer.

use std::{thread, time::Duration};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, BlockingClient, BlockingRun, Call, Endpoint, Flow, Moment};

use super::Client;
use crate::{ClientError, Error};

impl Client {
    /// Sends the call of an endpoint and reads its success as the endpoint's type.
    ///
    /// # Errors
    /// As [`json`](Client::json).
    pub fn call<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<E::Output, Error> {
        let reply = self.send(endpoint.call(api))?.into_result()?;
        endpoint.read(&reply).map_err(|error| error.with_reply(reply).into())
    }

    /// As [`call`](Client::call), and `None` if the API itself answers that there is no such thing, with 404. A 404 of a proxy is an
    /// error.
    ///
    /// # Errors
    /// As [`json`](Client::json).
    pub fn call_opt<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<Option<E::Output>, Error> {
        let called = self.call(api, endpoint).map(Some);
        called.or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
    }

    /// Runs a flow: all pages of a list, an export. What it gives on its way comes from the iterator, which ends after an
    /// error; [`try_next`](BlockingRun::try_next) goes on.
    pub fn run<'a, F: Flow>(&'a self, api: &'a Api, flow: F) -> Run<'a, F> {
        Run::new(self, api, flow)
    }
}

/// A flow that runs; from [`Client::run`].
pub type Run<'a, F> = BlockingRun<'a, Client, F>;

impl BlockingClient for Client {
    type Source = ClientError;

    fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        Self::send(self, call)
    }

    fn now(&self) -> Moment {
        Moment::now()
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause);
    }
}
