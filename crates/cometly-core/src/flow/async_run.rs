//! A flow run by a client whose calls are futures.

use std::{fmt, future::Future, time::Duration};

use bytes::Bytes;

use super::{Flow, FlowError, Running, Step};
use crate::{Api, AuthOutcome, Call, CallError, Moment};

/// A client whose calls are futures, as [`AsyncRun`] needs it: with these three functions a client can run any
/// [`Flow`](crate::Flow). For authors of clients.
pub trait AsyncClient: Sync {
    /// The client's own error: the source of its [`CallError`]s.
    type Source;

    /// Sends a call, with all its attempts, and gives its outcome: [`CallError`] if there was no whole answer, or the call
    /// cannot be built. An answer that is no success is no error here.
    fn send(&self, call: Call) -> impl Future<Output = Result<AuthOutcome<Bytes>, CallError<Self::Source>>> + Send;

    /// The current time of the client's clock.
    fn now(&self) -> Moment;

    /// Lets this much time pass.
    fn sleep(&self, pause: Duration) -> impl Future<Output = ()> + Send;
}

/// A flow (a job of several calls, such as all pages of a list) that runs on a client whose calls are futures; from the `run`
/// of that client, or from [`new`](Self::new). A loop around [`next`](Self::next) gives its items; [`end`](Self::end) gives its
/// output. Both fail with [`CallError`], and after an error of `next` a further `next` goes on where the flow was.
#[must_use = "a flow goes on only if it is asked for its next item"]
pub struct AsyncRun<'a, C, F: Flow> {
    client: &'a C,
    api: &'a Api,
    running: Running<F>,
}

impl<'a, C: AsyncClient, F: Flow> AsyncRun<'a, C, F> {
    /// A run of `flow`, whose calls `client` sends to `api`. No call is sent before the first [`next`](Self::next).
    pub fn new(client: &'a C, api: &'a Api, flow: F) -> Self {
        Self { client, api, running: Running::new(flow) }
    }

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
    /// [`order_again`](crate::ExportJob::order_again).
    ///
    /// # Errors
    /// [`CallError`]: that of a call, or of the kind [`Flow`](crate::CallErrorKind::Flow) for an error that the flow raised
    /// itself ([`Decode`](crate::CallErrorKind::Decode) for an answer that cannot be read).
    pub async fn next(&mut self) -> Result<Option<F::Item>, CallError<C::Source>> {
        loop {
            match self.running.next(self.api, self.client.now()).map_err(|error| self.running.failed(error))? {
                Step::Send(call) => {
                    let answer = self.client.send(call).await;
                    self.running.settle(answer, self.client.now())?;
                }
                Step::Sleep(pause) => self.client.sleep(pause).await,
                Step::Yield(item) => return Ok(Some(item)),
                Step::End(()) => return Ok(None),
            }
        }
    }

    /// Runs to the end and gives the flow's output; the items on the way are dropped. After an error the run is gone: take
    /// [`next`](Self::next) if the flow is to go on then.
    ///
    /// # Errors
    /// As [`next`](Self::next): the [`CallError`] of a call that failed, or of the kind [`Flow`](crate::CallErrorKind::Flow)
    /// for an error of the flow itself.
    pub async fn end(mut self) -> Result<F::Output, CallError<C::Source>> {
        while self.next().await?.is_some() {}
        self.running.into_output().ok_or_else(|| FlowError::OutOfTime.into())
    }

    /// The items as a stream of the `futures` crates, which fails as [`next`](Self::next) does and ends after an error. If the
    /// future of its next item is dropped, nothing is lost: the call under way goes on when the stream is polled again.
    ///
    /// ```
    /// # use cometly_core::{Api, AsyncClient, AsyncRun, CallError, Endpoint, Page, Pages};
    /// # use futures_lite::{Stream, StreamExt as _};
    /// # async fn texts<C: AsyncClient, E>(client: &C, api: &Api, list: E) -> Result<(), CallError<C::Source>>
    /// # where E: Endpoint<Output = Page<String>> + Send, C::Source: Send {
    /// let mut rows = std::pin::pin!(AsyncRun::new(client, api, Pages::of(list).rows()).into_stream());
    /// while let Some(row) = rows.next().await {
    ///     println!("{}", row?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "stream")]
    #[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
    pub fn into_stream(
        self,
    ) -> impl futures_lite::Stream<Item = Result<F::Item, CallError<C::Source>>> + Send + use<'a, C, F>
    where
        C::Source: Send,
        F: Send,
        F::Item: Send,
        F::Output: Send,
    {
        futures_lite::stream::unfold(Some(self), |run| async {
            let mut run = run?;
            match run.next().await {
                Ok(Some(item)) => Some((Ok(item), Some(run))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// The flow that is run, to read from it how far it is, such as [`Pages::cursor`](crate::Pages::cursor), also after an
    /// error.
    pub fn flow(&self) -> &F {
        self.running.flow()
    }

    /// The flow, which goes on where it was when it is run again, on this client or another one. A call under way is dropped and
    /// sent again then. The call that orders an export is the exception, since it may have arrived: it is not sent again, and the
    /// flow, an [`ExportJob`](crate::ExportJob), fails with [`FlowError::OrderLost`] until its
    /// [`order_again`](crate::ExportJob::order_again) is called.
    pub fn into_flow(self) -> F {
        self.running.into_flow()
    }
}

impl<C, F: Flow + fmt::Debug> fmt::Debug for AsyncRun<'_, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncRun").field("running", &self.running).finish_non_exhaustive()
    }
}
