//! Flows run to their end, and endpoints with the type of their answer.

use std::{thread, time::Duration};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, BlockingClient, BlockingRun, Call, Endpoint, Flow, Moment};

use super::Client;
use crate::{ClientError, Error};

impl Client {
    /// Sends the call of an [`Endpoint`] and reads its answer as the endpoint's type. An answer that is not a success is an
    /// error.
    ///
    /// # Errors
    /// As [`json`](Client::json): [`CallError`](cometly_core::CallError) if no whole answer came, or the call cannot be built;
    /// of the kind [`Api`](cometly_core::CallErrorKind::Api) for an answer that is not a success,
    /// [`Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is not of that type.
    pub fn call<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<E::Output, Error> {
        let reply = self.send(endpoint.call(api))?.into_result()?;
        endpoint.read(&reply).map_err(|error| error.with_reply(reply).into())
    }

    /// As [`call`](Client::call), but `None` if the API itself answers 404: what the call names does not exist. A 404 without
    /// the API's error JSON, as from a proxy, is an error.
    ///
    /// # Errors
    /// As [`call`](Client::call), but for that 404: [`CallError`](cometly_core::CallError) if no whole answer came, for any
    /// other answer that is not a success, and for a success whose JSON is not of the endpoint's type.
    pub fn call_opt<E: Endpoint>(&self, api: &Api, endpoint: E) -> Result<Option<E::Output>, Error> {
        let called = self.call(api, endpoint).map(Some);
        called.or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
    }

    /// Runs a flow, a job of several calls: all pages of a list, or an export. The result is an iterator of the flow's items. A
    /// call that fails, or a flow that cannot go on, is an error, and ends the iterator for good; its
    /// [`try_next`](BlockingRun::try_next) still goes on then. Nothing is sent before the first item is asked for.
    pub fn run<'a, F: Flow>(&'a self, api: &'a Api, flow: F) -> Run<'a, F> {
        Run::new(self, api, flow)
    }
}

/// A [`Flow`] under way: a job of several calls, such as all pages of a list or an export. It is an iterator of the flow's
/// items. A call that fails, or a flow that cannot go on, is an item too, a [`CallError`](cometly_core::CallError), after which
/// the iterator ends for good; [`try_next`](BlockingRun::try_next) of the same run still goes on then, and
/// [`end`](BlockingRun::end) gives the output. The job has no limit of time unless [`within`](BlockingRun::within) sets one.
/// From [`Client::run`].
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
