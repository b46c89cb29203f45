//! A flow under way, as every client's driver has it.

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{Failure, Flow, FlowError, Step, Then};
use crate::{Api, CallError, Moment, Reply, call_name::CallName, clock::Clock};

/// A flow that is driven: it limits the flow's time, if [`within`](Self::within) sets a limit, and keeps the flow's output once
/// it has ended, for [`into_output`](Self::into_output). For authors of clients.
///
/// It is a [`Flow`] itself, with the output `()`: a driver is one loop of four arms (send, sleep, yield, end) around
/// [`next`](Flow::next) and [`settle`](Flow::settle). These fail as the flow does, and `next` with [`FlowError::OutOfTime`]
/// when the time is used up; the flow keeps its place then.
pub struct Running<F: Flow> {
    flow: F,
    output: Option<F::Output>,
    time: Option<Duration>,
    deadline: Option<Moment>,
    clock: Clock,
    /// The call that was sent last.
    last: Option<CallName>,
}

impl<F: Flow> Running<F> {
    /// A run of `flow`, without a limit of time. Nothing is sent before the first [`Step::Send`] of [`next`](Flow::next).
    #[must_use]
    pub fn new(flow: F) -> Self {
        Self { flow, output: None, time: None, deadline: None, clock: Clock::default(), last: None }
    }

    /// Limits the whole job to `time`, counted from its first step; by default there is no limit. The job gives up with
    /// [`FlowError::OutOfTime`] when the time is used up, or before a wait that does not fit into what is left. A call under
    /// way is not cut short. A second call replaces the limit, and its time counts from the next step.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        (self.time, self.deadline) = (Some(time), None);
        self
    }

    /// The flow that is run, to read from it how far it is, such as [`Pages::cursor`](crate::Pages::cursor), also after an
    /// error.
    #[must_use]
    pub fn flow(&self) -> &F {
        &self.flow
    }

    /// The flow, which goes on where it was when it is run again, on this client or another one. A call under way is dropped and
    /// sent again then. The call that orders an export is the exception, since it may have arrived: it is not sent again, and the
    /// flow, an [`ExportJob`](crate::ExportJob), fails with [`FlowError::OrderLost`] until its
    /// [`order_again`](crate::ExportJob::order_again) is called.
    #[must_use]
    pub fn into_flow(self) -> F {
        self.flow
    }

    /// The error of a step that the flow could not take, with the name of the call that was sent last.
    pub(super) fn failed<E>(&self, error: FlowError) -> CallError<E> {
        CallError::flow(error, self.last.clone(), 0)
    }

    /// The output of the flow; `None` before [`next`](Flow::next) has given [`Step::End`].
    #[must_use]
    pub fn into_output(self) -> Option<F::Output> {
        self.output
    }
}

impl<F: Flow> Flow for Running<F> {
    type Item = F::Item;
    /// Nothing: the flow's own output is kept for [`Running::into_output`].
    type Output = ();

    fn next(&mut self, api: &Api, now: Moment) -> Result<Step<F::Item, ()>, FlowError> {
        if self.output.is_some() {
            return Ok(Step::End(()));
        }
        self.clock.advance(now);
        if let (None, Some(time)) = (self.deadline, self.time) {
            self.deadline = Some(self.clock.now().saturating_add(time));
        }
        let left = self.deadline.map(|deadline| deadline.duration_since(self.clock.now()));
        match (self.flow.next(api, now)?, left) {
            (Step::End(output), _) => {
                self.output = Some(output);
                Ok(Step::End(()))
            }
            // What is there already costs no time.
            (Step::Yield(item), _) => Ok(Step::Yield(item)),
            (Step::Sleep(pause), Some(left)) if pause >= left => Err(FlowError::OutOfTime),
            (Step::Sleep(pause), _) => Ok(Step::Sleep(pause)),
            (Step::Send(call), left) if left != Some(Duration::ZERO) => {
                self.last = Some(call.name());
                Ok(Step::Send(call))
            }
            (Step::Send(_), _) => {
                let unsent = Failure::unanswered(crate::Delivery::NotSent);
                match self.flow.on_failure(unsent, now) {
                    Then::Fail(error) => Err(error),
                    Then::Halt | Then::GoOn => Err(FlowError::OutOfTime),
                }
            }
        }
    }

    fn on_reply(&mut self, reply: Reply<Bytes>, now: Moment) -> Result<(), FlowError> {
        self.flow.on_reply(reply, now)
    }

    fn on_failure(&mut self, failure: Failure<'_>, now: Moment) -> Then {
        self.flow.on_failure(failure, now)
    }
}

impl<F: Flow + fmt::Debug> fmt::Debug for Running<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("flow", &self.flow)
            .field("is_over", &self.output.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKey, ExportJob, flow::export_job::tests::Orders};

    fn at(seconds: u64) -> Moment {
        Moment::since_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_flow_that_is_out_of_time_keeps_its_place_and_has_sent_nothing() {
        let api = Api::new(ApiKey::new("12|abcdef").unwrap());
        let queued = || {
            let body = Bytes::from_static(b"{\"export_id\":\"x-1\",\"status\":\"queued\"}");
            api.read(http::Response::new(body)).into_result().unwrap()
        };
        let reply = || {
            let body = Bytes::from_static(
                b"{\"export_id\":\"x-1\",\"status\":\"completed\",\"download_url\":\"https://f.example/\"}",
            );
            api.read(http::Response::new(body)).into_result().unwrap()
        };
        let mut running = Running::new(ExportJob::new(Orders)).within(Duration::from_secs(3));
        assert!(matches!(running.next(&api, at(10)), Ok(Step::Send(_))));
        running.on_reply(reply(), at(10)).unwrap();
        assert!(matches!(running.next(&api, at(10)), Ok(Step::Yield(_))));
        assert!(matches!(running.next(&api, at(10)), Ok(Step::Sleep(_))));
        assert!(matches!(running.next(&api, at(12)), Ok(Step::Send(_))));
        assert!(matches!(running.next(&api, at(13)), Err(FlowError::OutOfTime)));
        let mut running = running.within(Duration::from_secs(1));
        running.on_reply(reply(), at(13)).unwrap();
        assert!(matches!(running.next(&api, at(99)), Ok(Step::Yield(_))), "what is there costs no time");
        assert!(matches!(running.next(&api, at(13)), Ok(Step::End(()))));
        assert!(matches!(running.next(&api, at(99)), Ok(Step::End(()))));
        assert_eq!(running.into_output().unwrap().export_id.to_string(), "x-1");

        // A pause that does not fit is not begun.
        let mut running = Running::new(ExportJob::new(Orders)).within(Duration::from_secs(1));
        assert!(matches!(running.next(&api, at(0)), Ok(Step::Send(_))));
        running.on_reply(queued(), at(0)).unwrap();
        assert!(matches!(running.next(&api, at(0)), Ok(Step::Yield(_))));
        assert!(matches!(running.next(&api, at(0)), Err(FlowError::OutOfTime)));

        // A clock that is set back gives the job no more time.
        let mut running = Running::new(ExportJob::new(Orders)).within(Duration::from_secs(9));
        assert!(matches!(running.next(&api, at(5000)), Ok(Step::Send(_))));
        running.on_reply(queued(), at(5000)).unwrap();
        assert!(matches!(running.next(&api, at(1000)), Ok(Step::Yield(_))));
        assert!(matches!(running.next(&api, at(1000)), Ok(Step::Sleep(_))));
        assert!(matches!(running.next(&api, at(1009)), Err(FlowError::OutOfTime)));

        // An order that was not sent for want of time is no order that was lost.
        let mut running = Running::new(ExportJob::new(Orders)).within(Duration::ZERO);
        assert!(matches!(running.next(&api, at(0)), Err(FlowError::OutOfTime)));
        let mut running = running.within(Duration::from_secs(1));
        assert!(matches!(running.next(&api, at(0)), Ok(Step::Send(_))));
    }
}
