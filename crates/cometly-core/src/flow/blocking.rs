//! A flow run by a client that waits for its answers.

use std::{fmt, iter::FusedIterator, time::Duration};

use bytes::Bytes;

use super::{Flow, FlowError, Running, Step};
use crate::{Api, AuthOutcome, Call, CallError, Moment};

/// A client that blocks its thread until the answer has come, as [`BlockingRun`] needs it: with these three functions a client
/// can run any [`Flow`](crate::Flow). For authors of clients.
pub trait BlockingClient {
    /// The client's own error: the source of its [`CallError`]s.
    type Source;

    /// Sends a call, with all its attempts, and gives its outcome.
    ///
    /// # Errors
    /// [`CallError`] if there was no whole answer, or the call cannot be built. An answer that is no success is no error here.
    fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, CallError<Self::Source>>;

    /// The current time of the client's clock.
    fn now(&self) -> Moment;

    /// Blocks the thread for this much time.
    fn sleep(&self, pause: Duration);
}

/// A flow (a job of several calls, such as all pages of a list) that runs on a blocking client; from the `run` of that client,
/// or from [`new`](Self::new). It is an iterator of the flow's items that ends for good after an error;
/// [`try_next`](Self::try_next) of the same run still goes on then. [`end`](Self::end) gives the flow's output. All fail with
/// [`CallError`].
///
/// ```
/// # use std::{thread, time::Duration};
/// # use cometly_core::{Api, ApiKey, AuthOutcome, BlockingClient, BlockingRun, Call, CallError, Moment, Page, Pages, bytes::Bytes, endpoint, http};
/// struct Canned;
///
/// impl BlockingClient for Canned {
///     type Source = std::io::Error;
///
///     fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, CallError<std::io::Error>> {
///         let body = Bytes::from_static(br#"{"data":[1,2],"next_cursor":null}"#);
///         Ok(call.api().read(http::Response::new(body)))
///     }
///
///     fn now(&self) -> Moment {
///         Moment::now()
///     }
///
///     fn sleep(&self, pause: Duration) {
///         thread::sleep(pause);
///     }
/// }
///
/// let api = Api::new(ApiKey::new("12|abc")?);
/// let list = Pages::of(endpoint::<Page<u64>, _>(|api| api.get("events")));
/// let rows: Result<Vec<u64>, _> = BlockingRun::new(&Canned, &api, list.rows()).collect();
/// assert_eq!(rows?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a flow goes on only if it is asked for its next item"]
pub struct BlockingRun<'a, C, F: Flow> {
    client: &'a C,
    api: &'a Api,
    running: Running<F>,
    is_over: bool,
}

impl<'a, C: BlockingClient, F: Flow> BlockingRun<'a, C, F> {
    /// A run of `flow`, whose calls `client` sends to `api`. No call is sent before the first item is asked for.
    pub fn new(client: &'a C, api: &'a Api, flow: F) -> Self {
        Self { client, api, running: Running::new(flow), is_over: false }
    }

    /// Limits the whole job to `time`, counted from its first step; by default there is no limit. The job gives up with
    /// [`FlowError::OutOfTime`] when the time is used up, or before a wait that does not fit into what is left. A call under
    /// way is not cut short. A second call replaces the limit, and its time counts from the next step.
    pub fn within(self, time: Duration) -> Self {
        Self { running: self.running.within(time), ..self }
    }

    /// The next item; `None` at the end. After an error, also one that the iterator gave, the next call of `try_next` goes on where
    /// the flow was; the iterator itself ends for good after an error.
    ///
    /// # Errors
    /// [`CallError`]: that of a call, or of the kind [`Flow`](crate::CallErrorKind::Flow) for an error that the flow raised
    /// itself ([`Decode`](crate::CallErrorKind::Decode) for an answer that cannot be read).
    pub fn try_next(&mut self) -> Result<Option<F::Item>, CallError<C::Source>> {
        loop {
            match self.running.next(self.api, self.client.now()).map_err(|error| self.running.failed(error))? {
                Step::Send(call) => {
                    let answer = self.client.send(call);
                    self.running.settle(answer, self.client.now())?;
                }
                Step::Sleep(pause) => self.client.sleep(pause),
                Step::Yield(item) => return Ok(Some(item)),
                Step::End(()) => return Ok(None),
            }
        }
    }

    /// Runs to the end and gives the flow's output; the items on the way are dropped. After an error the run is gone: take
    /// [`try_next`](Self::try_next) if the flow is to go on then.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next): the [`CallError`] of a call that failed, or of the kind
    /// [`Flow`](crate::CallErrorKind::Flow) for an error of the flow itself.
    pub fn end(mut self) -> Result<F::Output, CallError<C::Source>> {
        while self.try_next()?.is_some() {}
        self.running.into_output().ok_or_else(|| FlowError::OutOfTime.into())
    }

    /// The flow that is run, to read from it how far it is, such as [`Pages::cursor`](crate::Pages::cursor), also after an
    /// error.
    pub fn flow(&self) -> &F {
        self.running.flow()
    }

    /// The flow, which goes on where it was when it is run again, on this client or another one. A call that failed is sent again
    /// then. The call that orders an export is the exception if its answer was lost, since it may have arrived: it is not sent
    /// again, and the flow, an [`ExportJob`](crate::ExportJob), fails with [`FlowError::OrderLost`] until its
    /// [`order_again`](crate::ExportJob::order_again) is called.
    pub fn into_flow(self) -> F {
        self.running.into_flow()
    }
}

/// Gives the flow's items, and ends after an error.
impl<C: BlockingClient, F: Flow> Iterator for BlockingRun<'_, C, F> {
    type Item = Result<F::Item, CallError<C::Source>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = self.try_next();
        self.is_over = !matches!(item, Ok(Some(_)));
        item.transpose()
    }
}

impl<C: BlockingClient, F: Flow> FusedIterator for BlockingRun<'_, C, F> {}

impl<C, F: Flow + fmt::Debug> fmt::Debug for BlockingRun<'_, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingRun").field("running", &self.running).finish_non_exhaustive()
    }
}
