//! Flows run to their end, and endpoints with the type of their answer.

use std::{fmt, time::Duration};

use cometly_core::{Api, Endpoint, Flow, FlowError, Running, Step};

use crate::{Client, Error, Host, HttpService, clock::Clock};

impl<S: HttpService, H: Host> Client<S, H> {
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

    /// Runs a flow, a job of several calls: all pages of a list, or an export. Its items come from [`next`](Run::next). Nothing
    /// is sent before the first `next`. A call that fails, or a flow that cannot go on, is an error of `next`.
    pub fn run<'a, F: Flow>(&'a self, api: &'a Api, flow: F) -> Run<'a, F, S, H> {
        Run { client: self, clock: self.clock(), api, running: Running::new(flow) }
    }
}

/// A [`Flow`] under way: a job of several calls, such as all pages of a list or an export. [`next`](Self::next) gives its
/// items, and `None` at the end. It fails with a [`CallError`](cometly_core::CallError) if a call fails or the flow cannot go
/// on, and goes on where the flow was when it is called again. [`end`](Self::end) gives the output. The job has no limit of
/// time unless [`within`](Self::within) sets one. From [`Client::run`].
#[must_use = "a flow goes on only if it is asked for its next item"]
pub struct Run<'a, F: Flow, S, H> {
    client: &'a Client<S, H>,
    clock: Clock<H>,
    api: &'a Api,
    running: Running<F>,
}

impl<F: Flow, S: HttpService, H: Host> Run<'_, F, S, H> {
    /// Limits the whole job to `time`, counted from its first step; by default there is no limit. The job gives up with
    /// [`FlowError::OutOfTime`] when the time is used up, or before a wait that does not fit into what is left. A call under
    /// way is not cut short. A second call replaces the limit, and its time counts from the next step.
    pub fn within(self, time: Duration) -> Self {
        Self { running: self.running.within(time), ..self }
    }

    /// The next item; `None` at the end. After an error, the next call goes on where the flow was.
    ///
    /// The future can be dropped: no item is lost, and the next call sends again what was under way. The call that orders an
    /// export is the exception, since it may have arrived: it is not sent again, and `next` fails with
    /// [`FlowError::OrderLost`] until the flow, taken out by [`into_flow`](Self::into_flow), is allowed to
    /// [`order_again`](cometly_core::ExportJob::order_again).
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError): that of a call, or of the kind [`Flow`](cometly_core::CallErrorKind::Flow) for
    /// an error that the flow raised itself.
    pub async fn next(&mut self) -> Result<Option<F::Item>, Error> {
        loop {
            match self.running.next(self.api, self.clock.now())? {
                Step::Send(call) => {
                    let answer = self.client.send(call).await;
                    self.running.settle(answer, self.clock.now())?;
                }
                Step::Sleep(pause) => self.clock.sleep(pause).await,
                Step::Yield(item) => return Ok(Some(item)),
                Step::End(()) => return Ok(None),
            }
        }
    }

    /// Runs to the end and gives the flow's output; the items on the way are dropped. After an error the run is gone: take
    /// [`next`](Run::next) if the flow is to go on then.
    ///
    /// # Errors
    /// As [`next`](Run::next): the [`CallError`](cometly_core::CallError) of a call that failed, or of the kind
    /// [`Flow`](cometly_core::CallErrorKind::Flow) for an error of the flow itself.
    pub async fn end(mut self) -> Result<F::Output, Error> {
        while self.next().await?.is_some() {}
        self.running.into_output().ok_or_else(|| FlowError::OutOfTime.into())
    }

    /// The flow that is run, to read from it how far it is, such as [`Pages::cursor`](cometly_core::Pages::cursor),
    /// also after an error.
    pub fn flow(&self) -> &F {
        self.running.flow()
    }

    /// The flow, which goes on where it was when it is run again, on this client or another one. A call under way is dropped and
    /// sent again then. The call that orders an export is the exception, since it may have arrived: it is not sent again, and the
    /// flow, an [`ExportJob`](cometly_core::ExportJob), fails with [`FlowError::OrderLost`] until its
    /// [`order_again`](cometly_core::ExportJob::order_again) is called.
    pub fn into_flow(self) -> F {
        self.running.into_flow()
    }
}

impl<F: Flow + fmt::Debug, S, H> fmt::Debug for Run<'_, F, S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("running", &self.running).finish_non_exhaustive()
    }
}

/// The future is `Send` where service, body, sleep and flow are.
const _: () = {
    const fn is_send<T: Send>(_: &T) {}

    #[expect(dead_code, reason = "it is enough that it compiles")]
    fn future_is_send<S, H, F>(run: &mut Run<'_, F, S, H>)
    where
        F: Flow<Item: Send, Output: Send> + Send,
        S: HttpService<Future: Send, Body: Send> + Send + Sync,
        H: Host<Sleep: Send> + Send + Sync,
    {
        is_send(&run.next());
    }
};
