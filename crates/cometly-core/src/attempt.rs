//! One call, driven to its end by whoever sends it.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};

use crate::{
    Api, AuthOutcome, Call, CallError, Delivery, Moment, RetryPolicy, RetryReason, decision::Happened, jitter::Jitter,
    pacer::Turn, time::left,
};

mod state;

use state::{Place, Source, State};

/// A call under way: what to send now, and after each try whether to send it again.
///
/// It does no IO and reads no clock. Whoever drives it sends what [`request`](Attempt::request) builds, tells what came
/// of it and how much time has gone by since the call began, and sleeps when told to. Each step consumes the attempt, and
/// only a [`Step::Retry`] gives it back, so that no answer is counted twice and none is passed over:
///
/// ```
/// use std::time::{Duration, Instant};
/// use cometly_core::{Attempt, AuthOutcome, Call, CallError, Delivery, RetryPolicy, Step, bytes::Bytes, http};
///
/// fn call(call: &Call, policy: &RetryPolicy, seed: u64, started: Instant) -> Result<AuthOutcome<Bytes>, CallError<Broken>> {
///     let mut attempt = call.attempt(policy, seed)?;
///     loop {
///         let step = match send(attempt.request()) {
///             Ok(response) => attempt.on_response(response, started.elapsed()),
///             Err((delivery, error)) => attempt.on_failure(delivery, error, started.elapsed()),
///         };
///         match step {
///             Step::Done(result) => return result,
///             Step::Retry { after, next } => {
///                 sleep(after);
///                 attempt = next;
///             }
///         }
///     }
/// }
/// # #[derive(Debug)]
/// # struct Broken;
/// # fn send(_: http::Request<Bytes>) -> Result<http::Response<Bytes>, (Delivery, Broken)> {
/// #     Ok(http::Response::new(Bytes::from_static(b"{}")))
/// # }
/// # fn sleep(_: Duration) {}
/// ```
///
/// An [`Api`] with a [`Pacer`](crate::Pacer) is asked before each try, by one more line at the head of the loop:
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use cometly_core::{Attempt, CallError};
/// # fn sleep(_: Duration) {}
/// # fn pace(attempt: &mut Attempt, now: Instant, started: Instant) -> Result<(), CallError<std::io::Error>> {
/// while let Some(wait) = attempt.pace(now, started.elapsed())? {
///     sleep(wait);
/// }
/// # Ok(())
/// # }
/// ```
///
/// What the [policy](RetryPolicy) allows is decided there, by its table. The total time is kept by what
/// [`remaining`](Attempt::remaining) leaves for each try and by never asking for a longer sleep.
///
/// An attempt that was used up cannot be used again:
///
/// ```compile_fail,E0382
/// # use std::time::Duration;
/// # use cometly_core::{Attempt, Step, bytes::Bytes, http::Response};
/// fn twice(attempt: Attempt, answer: Response<Bytes>) {
///     let _: Step<Bytes, ()> = attempt.on_response(answer, Duration::ZERO);
///     attempt.request();
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use std::time::Duration;
/// # use cometly_core::{Attempt, Delivery, Step, bytes::Bytes, http::Response};
/// fn both(attempt: Attempt, answer: Response<Bytes>) {
///     let _: Step<Bytes, ()> = attempt.on_failure(Delivery::NotSent, (), Duration::ZERO);
///     let _: Step<Bytes, ()> = attempt.on_response(answer, Duration::ZERO);
/// }
/// ```
///
/// nor kept for a second go, nor may a step be passed over:
///
/// ```compile_fail,E0599
/// # use cometly_core::Attempt;
/// fn keep(attempt: &Attempt) -> Attempt {
///     attempt.clone()
/// }
/// ```
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # use std::time::Duration;
/// # use cometly_core::{Attempt, bytes::Bytes, http::Response};
/// fn ignore(attempt: Attempt, answer: Response<Bytes>) {
///     attempt.on_response::<_, ()>(answer, Duration::ZERO);
/// }
/// ```
#[must_use = "an attempt does nothing until its request is sent"]
pub struct Attempt {
    // Moved at every step, so it is one pointer wide.
    state: Box<State>,
}

/// What comes after a try.
#[must_use = "a step is the call's result, or the rest of the call"]
pub enum Step<B, E> {
    /// The call has ended.
    Done(Result<AuthOutcome<B>, CallError<E>>),
    /// It is to be sent again.
    Retry {
        /// How long to sleep before.
        after: Duration,
        /// What to go on with; it knows [why](Attempt::reason).
        next: Attempt,
    },
}

impl Attempt {
    pub(crate) fn of_call(call: &Call, uri: Uri, body: Bytes, policy: &RetryPolicy, seed: u64) -> Self {
        let source = Source::Call { template: call.template(), method: call.method().clone(), uri, body };
        Self::new(call.api(), source, call.is_idempotent(), policy, seed)
    }

    /// An attempt at a request that came from [`Api::authorize`]: idempotent by its method alone, paced by its path.
    ///
    /// Each try has the headers that were given; the key among them is replaced by the one that is current then, if the
    /// request goes to the API at all.
    pub fn from_request(request: Request<Bytes>, api: &Api, policy: &RetryPolicy, seed: u64) -> Self {
        let is_idempotent = request.method().is_idempotent();
        Self::new(api, Source::Request(request), is_idempotent, policy, seed)
    }

    fn new(api: &Api, source: Source, is_idempotent: bool, policy: &RetryPolicy, seed: u64) -> Self {
        let state = State {
            api: api.clone(),
            source,
            is_idempotent,
            policy: policy.clone(),
            jitter: Jitter::new(seed),
            number: 1,
            reason: None,
            refusals: 0,
            longest_wait: Duration::ZERO,
            elapsed: Duration::ZERO,
            may_have_arrived: false,
            last_answer: None,
            place: Place::None,
        };
        Self { state: Box::new(state) }
    }

    /// The request of this try, with the key that is current now. The body is shared, not copied.
    #[must_use]
    pub fn request(&self) -> Request<Bytes> {
        let State { api, source, .. } = &*self.state;
        match source {
            Source::Call { method, uri, body, .. } => api.stamped(method, uri.clone(), body),
            Source::Request(prototype) => {
                let mut request = prototype.clone();
                let has_key = request.headers().contains_key(header::AUTHORIZATION);
                if has_key && api.base_url().is_origin_of(request.uri()) {
                    request.headers_mut().insert(header::AUTHORIZATION, api.keys().current.header().clone());
                }
                request
            }
        }
    }

    /// The number of this try, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.state.number
    }

    /// Why it is sent again; `None` for the first try.
    #[must_use]
    pub fn reason(&self) -> Option<RetryReason> {
        self.state.reason
    }

    /// The HTTP method.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.state.source.method()
    }

    /// The call's path as it was given, without values: fit for logs. A request of the caller's own has none.
    #[must_use]
    pub fn path_template(&self) -> Option<&str> {
        match &self.state.source {
            Source::Call { template, .. } => Some(template),
            Source::Request(_) => None,
        }
    }

    /// How much of the total time is left, `elapsed` being what has gone by since the call began: this try may take no
    /// longer. [`Duration::MAX`] less what has gone by if the policy sets no bound.
    #[must_use]
    pub fn remaining(&self, elapsed: Duration) -> Duration {
        left(self.state.policy.total_time(), elapsed.max(self.state.elapsed))
    }

    /// Asks the [`Pacer`](crate::Pacer) of the [`Api`], if it has one, whether this try may be sent: `None` says go, and a
    /// time is to be slept before asking again. The call keeps its place in line meanwhile; dropped, it gives it back.
    ///
    /// # Errors
    /// [`CallError::Paced`], at once, if its turn comes later than the total time or the longest honoured wait allow.
    pub fn pace<E>(&mut self, now: Instant, elapsed: Duration) -> Result<Option<Duration>, CallError<E>> {
        let state = &mut *self.state;
        state.elapsed = state.elapsed.max(elapsed);
        let time_left = left(state.policy.total_time(), state.elapsed);
        let moment = Moment::from(now);
        if time_left.is_zero() && state.api.pacer().is_some() {
            return Err(state.paced(Duration::ZERO));
        }
        let pace = match std::mem::replace(&mut state.place, Place::None) {
            Place::Waiting(ticket) => ticket.poll(moment),
            Place::Going { permit, at, elapsed } => {
                state.place = Place::Going { permit, at, elapsed };
                return Ok(None);
            }
            Place::None => {
                let Some(pacer) = state.api.pacer() else { return Ok(None) };
                let path = match &state.source {
                    Source::Call { template, .. } => template.as_ref(),
                    Source::Request(request) => {
                        let path = request.uri().path();
                        path.strip_prefix(state.api.base_url().path()).unwrap_or(path)
                    }
                };
                let longest = left(time_left, state.least_try()).min(state.policy.rules.max_retry_after);
                let deadline = Some(moment.saturating_add(longest));
                pacer.ask(state.source.method(), path, moment, state.jitter.seed(), deadline)
            }
        };
        match pace {
            Turn::Go(permit) => {
                state.place = Place::Going { permit, at: now, elapsed };
                Ok(None)
            }
            Turn::Wait { pause: after, turn, ticket } => {
                if turn.saturating_add(state.least_try()) > time_left || turn > state.policy.rules.max_retry_after {
                    return Err(state.paced(turn));
                }
                state.place = Place::Waiting(ticket);
                state.elapsed = state.elapsed.saturating_add(after);
                Ok(Some(after))
            }
        }
    }

    /// Takes the answer to this try.
    pub fn on_response<B: AsRef<[u8]>, E>(mut self, response: Response<B>, elapsed: Duration) -> Step<B, E> {
        let mut outcome = self.state.api.read(response);
        let turn = self.state.settle(Some(&outcome), elapsed);
        self.state.note(&outcome);
        let happened = Happened::answered(&outcome);
        let again = self.state.decide(happened, outcome.retry_after(), turn, elapsed);
        outcome.set_tries(self.state.number);
        again.map_or(Step::Done(Ok(outcome)), |(after, reason)| self.again(after, reason))
    }

    /// Takes a failure of this try, with what the transport knows of its delivery.
    pub fn on_failure<B, E>(self, delivery: Delivery, source: E, elapsed: Duration) -> Step<B, E> {
        self.on_error(CallError::transport(delivery, source), elapsed)
    }

    /// Takes a failure of this try as an adapter has classified it: [`CallError::Transport`], [`CallError::Timeout`] or
    /// [`CallError::TooLarge`]. Any other ends the call as it is.
    pub fn on_error<B, E>(mut self, error: CallError<E>, elapsed: Duration) -> Step<B, E> {
        let turn = self.state.settle::<B>(None, elapsed);
        let happened = match &error {
            CallError::Transport { delivery, .. } | CallError::Timeout { delivery, .. } => Happened::failed(*delivery),
            _ => Happened::Final,
        };
        self.state.refusals = 0;
        match self.state.decide(happened, None, turn, elapsed) {
            Some((after, reason)) => {
                self.state.may_have_arrived |= happened == Happened::NoAnswer;
                self.again(after, reason)
            }
            None => Step::Done(Err(error.after(self.state.history()))),
        }
    }

    fn again<B, E>(mut self, after: Duration, reason: RetryReason) -> Step<B, E> {
        self.state.number = self.state.number.saturating_add(1);
        self.state.reason = Some(reason);
        self.state.elapsed = self.state.elapsed.saturating_add(after);
        Step::Retry { after, next: self }
    }
}

impl<B: AsRef<[u8]>, E: fmt::Debug> fmt::Debug for Step<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Self::Retry { after, next } => f.debug_struct("Retry").field("after", after).field("next", next).finish(),
        }
    }
}

/// Shows no key, no value of the path, the query or the body.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("api", &self.state.api)
            .field("method", self.method())
            .field("path_template", &self.path_template())
            .field("number", &self.number())
            .field("policy", &self.state.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
