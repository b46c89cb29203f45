//! A call under way. An [`Operation`] decides what comes next, an [`Attempt`] is one request and takes its answer, and
//! [`telemetry`] tells spans and events of both. None of them does IO: a client sends, sleeps, and says what time it is.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};

use crate::{
    Api, ApiErrorKind, AuthOutcome, Call, CallError, Moment, RetryPolicy, RetryReason, TransportLimits,
    answer::classify,
    call::Prepared,
    call_error::{History, ReachedLimit},
    call_name::CallName,
    clock::Clock,
    key_ring::Keys,
    pacer::{self, Permit, Ticket},
    retry::{DEFAULT_TIMEOUT, DOCUMENTED_WINDOW, Decision, Facts, Jitter, TryResult},
    transport_error::{TransportError, TransportFailure},
};

mod attempt;
mod stream;
mod telemetry;

pub use attempt::Attempt;
pub use stream::BodyMeter;
pub use telemetry::Attributes;
use telemetry::Telemetry;

/// One call under way, with its attempts, its waits and its end; from [`Call::start`]. `B` is the type of the answer's body,
/// `E` the HTTP stack's own error.
///
/// ```text
///  Call::start
///      │
///      ▼             ┌── sleep(pause) ──┐
///  Operation ── next(now) ──► Next::Wait ┘      the pacer's turn, a Retry-After, a backoff
///      ▲             ├──────► Next::Send(Attempt)
///      │             │             │  send attempt.request()
///      └─────────────┼── finish(answer, now)
///                    └──────► Next::Done(result)
/// ```
///
/// It ends with [`Next::Done`], which holds the [`AuthOutcome`], or the [`CallError`] if there was no whole answer. Each step
/// takes its value by move, so no answer counts twice and none is passed over. Dropped at any point, it gives its place in the
/// [`Pacer`](crate::Pacer)'s line back. `seed` spreads the waits: see [`Call::start`]. The whole of a client is this loop:
///
/// ```
/// use cometly_core::{
///     AuthOutcome, Call, CallError, Moment, Next, RetryPolicy, TransportError, TransportLimits, bytes::Bytes, http,
/// };
///
/// fn send(call: Call, policy: &RetryPolicy, seed: u64) -> Result<AuthOutcome<Bytes>, CallError<Broken>> {
///     let mut operation = call.start(policy, &TransportLimits::default(), seed, Moment::now())?;
///     loop {
///         operation = match operation.next(Moment::now()) {
///             Next::Wait { pause, operation } => {
///                 std::thread::sleep(pause);
///                 operation
///             }
///             Next::Send(attempt) => {
///                 let answer = attempt.in_scope(|| exchange(attempt.request(), attempt.timeout()));
///                 attempt.finish(answer, Moment::now())
///             }
///             Next::Done(result) => return result,
///         };
///     }
/// }
/// # #[derive(Debug)]
/// # struct Broken;
/// # fn exchange(_: http::Request<Bytes>, _: std::time::Duration) -> Result<http::Response<Bytes>, TransportError<Broken>> {
/// #     Ok(http::Response::new(Bytes::from_static(b"{}")))
/// # }
/// # let api = cometly_core::Api::new(cometly_core::ApiKey::new("k").unwrap());
/// # assert!(send(api.get("events"), &RetryPolicy::default(), 1).is_ok());
/// ```
///
/// The table in the docs of [`RetryPolicy`] decides what the policy allows. How long all of it takes is bounded by the first of
/// these that is set: [`Call::timeout`], the time of the call's own [policy](Call::retry_policy), [`TransportLimits::timeout`],
/// the time of the client's policy. If none is, it is 60 s.
#[must_use = "an operation does nothing until it is driven"]
pub struct Operation<B, E> {
    stage: Stage<B, E>,
}

enum Stage<B, E> {
    /// Boxed, since it is moved by every step.
    Open(Box<State>),
    Over(Result<AuthOutcome<B>, CallError<E>>),
}

/// What [`Operation::next`] asks of the client: to sleep, to send a request, or to return the call's result.
#[must_use = "it is the call's result, or the rest of the call"]
pub enum Next<B, E> {
    /// Sleep, then call [`Operation::next`] again.
    Wait {
        /// How long to sleep.
        pause: Duration,
        /// The operation to go on with after the sleep.
        operation: Operation<B, E>,
    },
    /// Send [`Attempt::request`] and give its answer to [`Attempt::finish`].
    Send(Attempt),
    /// The call has ended, with this result: the outcome, success or not, or an error if there was no whole answer.
    Done(Result<AuthOutcome<B>, CallError<E>>),
}

/// What an operation remembers from attempt to attempt.
struct State {
    api: Api,
    name: CallName,
    /// What each attempt sends, but for the headers that [`Stamp`] adds.
    prototype: Request<Bytes>,
    stamp: Stamp,
    policy: RetryPolicy,
    limits: TransportLimits,
    /// How long the whole call may take; `Duration::MAX` if that is not bounded.
    timeout: Duration,
    started: Moment,
    /// Its pause is the wait for the next attempt.
    clock: Clock,
    jitter: Jitter,
    /// Attempts so far, the one under way included.
    attempts: u32,
    /// Why the next attempt is made.
    reason: Option<RetryReason>,
    /// 429s in a row.
    refusals: u32,
    /// The longest wait that the server asked for with a 429.
    longest_wait: Duration,
    may_have_arrived: bool,
    /// How often it was sent again because its key had been replaced.
    key_rotations: u32,
    needs_fresh_connection: bool,
    last_answer: Option<ApiErrorKind>,
    place: Place,
    /// Whether telemetry has the wait for this attempt's turn.
    is_turn_told: bool,
    /// The keys that the attempt under way carries.
    keys: Arc<Keys>,
    /// The time-out of the attempt under way, and whether it is what is left of the call's.
    attempt_timeout: (Duration, bool),
    telemetry: Telemetry,
}

/// Which headers of ours a request gets.
#[derive(Clone, Copy)]
enum Stamp {
    /// All of them: a [`Call`].
    All,
    /// The key that is current at each attempt: a request from [`Api::authorize`].
    Key,
    /// None: a request that carries no key, or that goes elsewhere than to the API.
    None,
}

/// Where the call is in the pacer's line.
enum Place {
    None,
    Waiting(Ticket),
    Going(Permit),
}

/// A call whose key is replaced again and again is sent once for each new key, but not more often than this.
const MAX_KEY_ROTATIONS: u32 = 16;

impl Call {
    /// Begins the call. `policy` and `limits` are the client's; what the call itself sets takes their place. `seed` should be
    /// another random number for each call: it spreads the waits of many callers. Nothing is sent before [`Operation::next`].
    ///
    /// # Errors
    /// [`CallErrorKind::Request`](crate::CallErrorKind::Request) with the [`RequestError`](crate::RequestError) for the first
    /// thing that is wrong with the call.
    pub fn start<B, E>(
        self,
        policy: &RetryPolicy,
        limits: &TransportLimits,
        seed: u64,
        now: Moment,
    ) -> Result<Operation<B, E>, CallError<E>> {
        let name = self.name();
        let Prepared { api, method, uri, headers, body, timeout, retry_policy } =
            self.prepare().map_err(|error| CallError::request(error, Some(name.clone())))?;
        let mut prototype = Request::new(body);
        (*prototype.method_mut(), *prototype.uri_mut()) = (method, uri);
        *prototype.headers_mut() = headers.map(|headers| *headers).unwrap_or_default();
        // A policy without bounds, `RetryPolicy::none`, leaves the time to the client.
        let own = retry_policy.as_ref().and_then(|policy| policy.rules.timeout).filter(|own| *own != Duration::MAX);
        let limits = match (timeout, own) {
            // An attempt may still take no longer than on any call of this client.
            (None, Some(_)) => TransportLimits {
                timeout: own,
                attempt_timeout: Some(
                    limits.attempt_timeout.or(limits.timeout).unwrap_or(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT),
                ),
                ..*limits
            },
            _ => TransportLimits { timeout: timeout.or(limits.timeout), ..*limits },
        };
        let policy = retry_policy.unwrap_or_else(|| policy.clone());
        Ok(Operation::new(&api, name, prototype, Stamp::All, policy, limits, seed, now))
    }
}

impl<B, E> Operation<B, E> {
    /// Begins a call with a request of the caller's own, from [`Api::authorize`]. It is idempotent by its method alone, and the
    /// [`Pacer`](crate::Pacer) takes its path for the endpoint. Nothing is sent before [`next`](Self::next), and this cannot
    /// fail.
    ///
    /// Each attempt has the headers that were given. An `Authorization` header among them is replaced by the key that is
    /// current then, if the request goes to the API's scheme, host and port; to any other host the headers go as they are, with
    /// the key if they hold one ([`Api::authorize`] refuses such a request). A request without that header gets no key.
    pub fn from_request(
        request: Request<Bytes>,
        api: &Api,
        policy: &RetryPolicy,
        limits: &TransportLimits,
        seed: u64,
        now: Moment,
    ) -> Self {
        let is_idempotent = request.method().is_idempotent();
        let name = CallName { method: request.method().clone(), template: None, is_idempotent };
        let has_key = request.headers().contains_key(header::AUTHORIZATION);
        let stamp = if has_key && api.base_url().is_origin_of(request.uri()) { Stamp::Key } else { Stamp::None };
        Self::new(api, name, request, stamp, policy.clone(), *limits, seed, now)
    }

    #[expect(clippy::too_many_arguments, reason = "the two ways to begin have nothing else in common")]
    fn new(
        api: &Api,
        name: CallName,
        prototype: Request<Bytes>,
        stamp: Stamp,
        policy: RetryPolicy,
        limits: TransportLimits,
        seed: u64,
        now: Moment,
    ) -> Self {
        let telemetry = Telemetry::begin(&name, prototype.uri());
        let state = State {
            keys: api.keys(),
            api: api.clone(),
            name,
            prototype,
            stamp,
            timeout: limits.timeout.or(policy.rules.timeout).unwrap_or(DEFAULT_TIMEOUT),
            policy,
            limits,
            started: now,
            clock: Clock::new(now),
            jitter: Jitter::new(seed),
            attempts: 0,
            reason: None,
            refusals: 0,
            longest_wait: Duration::ZERO,
            may_have_arrived: false,
            key_rotations: 0,
            needs_fresh_connection: false,
            last_answer: None,
            place: Place::None,
            is_turn_told: false,
            attempt_timeout: (Duration::ZERO, false),
            telemetry,
        };
        Self { stage: Stage::Open(Box::new(state)) }
    }

    /// The next step for the client, at the moment `now`: to sleep, to send, or to end. An error that ends the call is in
    /// [`Next::Done`].
    pub fn next(self, now: Moment) -> Next<B, E> {
        let mut state = match self.stage {
            Stage::Open(state) => state,
            Stage::Over(result) => return Next::Done(result),
        };
        state.clock.advance(now);
        if let Some(pause) = state.clock.pause() {
            return state.wait(pause);
        }
        match state.take_turn() {
            Turn::Go => {
                state.begin_attempt();
                Next::Send(Attempt { state })
            }
            Turn::Wait { pause, turn } => {
                state.clock.pause_for(pause);
                // A wait for the turn is many naps, and one event.
                if !state.is_turn_told {
                    state.is_turn_told = true;
                    state.telemetry.waits(turn, None, state.attempts);
                }
                state.wait(pause)
            }
            Turn::TooLate(turn) => {
                let error = CallError::paced(turn, state.history());
                state.telemetry.failed(error.error_type());
                Next::Done(Err(error))
            }
            Turn::OutOfTime => {
                let error = CallError::out_of_time(state.timeout, state.history());
                state.telemetry.failed(error.error_type());
                Next::Done(Err(error))
            }
        }
    }
}

/// Whether the next attempt may be made.
enum Turn {
    Go,
    /// Sleep for `pause` and ask again; its turn comes after `turn`, as far as is known.
    Wait {
        pause: Duration,
        turn: Duration,
    },
    /// Its turn comes after this time, which the call does not have.
    TooLate(Duration),
    OutOfTime,
}

impl State {
    fn wait<B, E>(self: Box<Self>, pause: Duration) -> Next<B, E> {
        Next::Wait { pause, operation: Operation { stage: Stage::Open(self) } }
    }

    fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.clock.now().duration_since(self.started))
    }

    /// The time that an attempt needs at least: a second, or a tenth of a shorter call.
    fn least_attempt(&self) -> Duration {
        self.timeout.checked_div(10).unwrap_or_default().min(Duration::from_secs(1))
    }

    /// Asks the pacer, if there is one.
    fn take_turn(&mut self) -> Turn {
        let (now, time_left) = (self.clock.given(), self.time_left());
        if time_left.is_zero() {
            let is_in_line = matches!(self.place, Place::Waiting(_));
            return if is_in_line { Turn::TooLate(Duration::ZERO) } else { Turn::OutOfTime };
        }
        let turn = match std::mem::replace(&mut self.place, Place::None) {
            Place::Waiting(ticket) => ticket.poll(now),
            Place::Going(permit) => pacer::Turn::Go(permit),
            Place::None => {
                let Some(pacer) = self.api.pacer() else { return Turn::Go };
                let path = self.name.template.as_deref().unwrap_or_else(|| {
                    let path = self.prototype.uri().path();
                    path.strip_prefix(self.api.base_url().path()).unwrap_or(path)
                });
                // Beyond this moment a turn is of no use.
                let useful = time_left.saturating_sub(self.least_attempt()).min(self.policy.rules.max_retry_after);
                let deadline = now.saturating_add(useful);
                pacer.ask(&self.name.method, path, now, self.jitter.seed(), Some(deadline))
            }
        };
        match turn {
            pacer::Turn::Go(permit) => {
                self.place = Place::Going(permit);
                Turn::Go
            }
            pacer::Turn::Wait { pause, turn, ticket } => {
                let is_too_late = turn.saturating_add(self.least_attempt()) > time_left;
                if is_too_late || turn > self.policy.rules.max_retry_after {
                    return Turn::TooLate(turn);
                }
                self.place = Place::Waiting(ticket);
                Turn::Wait { pause, turn }
            }
        }
    }

    fn begin_attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
        self.is_turn_told = false;
        self.keys = self.api.keys();
        self.attempt_timeout = self.next_timeout();
        self.telemetry.begin_attempt(&self.name, self.prototype.uri(), self.attempts, self.reason);
    }

    /// The time-out of an attempt, and whether it is the call's own end.
    fn next_timeout(&self) -> (Duration, bool) {
        let unset =
            if self.limits.timeout.is_some() { Duration::MAX } else { TransportLimits::DEFAULT_ATTEMPT_TIMEOUT };
        let most = self.limits.attempt_timeout.unwrap_or(unset).min(TransportLimits::MAX_TIMEOUT);
        let left = self.time_left();
        if left <= most { (left, true) } else { (most, false) }
    }

    fn history(&self) -> History {
        History {
            call: self.name.clone(),
            attempts: self.attempts,
            last_answer: self.last_answer,
            may_have_arrived: self.may_have_arrived,
        }
    }

    /// The attempt's headers, with the key that was current when it began.
    fn headers(&self) -> HeaderMap {
        let given = self.prototype.headers();
        match self.stamp {
            Stamp::All => {
                let mut headers = self.keys.headers.clone();
                headers.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
                headers
            }
            Stamp::Key => {
                let mut headers = given.clone();
                headers.insert(header::AUTHORIZATION, self.keys.current.header().clone());
                headers
            }
            Stamp::None => given.clone(),
        }
    }

    fn take_answer<B: AsRef<[u8]>, E>(mut self: Box<Self>, response: Response<B>) -> Stage<B, E> {
        let mut outcome = classify(response, &self.api.keys().and(&self.keys));
        self.telemetry.answered(&outcome);
        self.needs_fresh_connection = false;
        let turn = self.leave_pacer(Some(&outcome));
        // A request that carries no key of ours says nothing of one.
        let has_key = !matches!(self.stamp, Stamp::None);
        if matches!(outcome, AuthOutcome::Unauthenticated(_)) && has_key {
            self.api.note_refused(self.keys.generation);
        }
        let is_replaced = self.api.keys().generation != self.keys.generation;
        let key_was_replaced = has_key && is_replaced && self.key_rotations < MAX_KEY_ROTATIONS;
        let result = TryResult::of_answer(&outcome, key_was_replaced);
        self.last_answer = outcome.error().map(crate::ApiError::kind);
        self.may_have_arrived |= matches!(outcome, AuthOutcome::ServerError(_));
        let wait = outcome.wait();
        if result == TryResult::Refused {
            self.refusals = self.refusals.saturating_add(1);
            self.longest_wait = self.longest_wait.max(wait.known().unwrap_or_default());
        } else {
            self.refusals = 0;
        }
        let window = if self.longest_wait.is_zero() { DOCUMENTED_WINDOW } else { self.longest_wait };
        // A 429 that asks for no wait counts as one window too.
        let server_wait = match result {
            TryResult::Refused => Some(wait.or_window(window).unwrap_or(window)),
            _ => wait.or_window(window),
        };
        if self.decide(result, server_wait, turn) {
            return Stage::Open(self);
        }
        self.telemetry.ended(&outcome);
        outcome.set_origin(self.name.clone(), self.attempts);
        Stage::Over(Ok(outcome))
    }

    fn take_failure<B, E>(mut self: Box<Self>, error: TransportError<E>) -> Stage<B, E> {
        let result = TryResult::of_failure(error.failure);
        let (timeout, is_the_calls) = self.attempt_timeout;
        let limit = match error.failure {
            TransportFailure::ConnectTimedOut(limit) if limit.is_none_or(|limit| limit < timeout) => {
                Some(ReachedLimit::ConnectTimeout(limit))
            }
            TransportFailure::TimedOut(_) | TransportFailure::ConnectTimedOut(_) if is_the_calls => {
                Some(ReachedLimit::Timeout(self.timeout))
            }
            TransportFailure::TimedOut(_) | TransportFailure::ConnectTimedOut(_) => {
                Some(ReachedLimit::AttemptTimeout(timeout))
            }
            TransportFailure::BodyTooLarge(_) => Some(ReachedLimit::BodySize(self.limits.max_body_size)),
            TransportFailure::HeadTooLarge(_) => Some(ReachedLimit::HeadSize),
            _ => None,
        };
        self.telemetry.attempt_failed(error.failure);
        let turn = self.leave_pacer::<B>(None);
        self.refusals = 0;
        // A kept connection may have been the reason.
        self.needs_fresh_connection = matches!(result, TryResult::NoAnswer | TryResult::NotSent);
        if self.decide(result, None, turn) {
            self.may_have_arrived |= result == TryResult::NoAnswer;
            return Stage::Open(self);
        }
        let error = CallError::transport(error, limit, self.history());
        self.telemetry.failed(error.error_type());
        Stage::Over(Err(error))
    }

    /// Tells the pacer what came of the attempt that it let go. A refused one keeps its place in line; how long until its
    /// turn, if there is a pacer.
    fn leave_pacer<B>(&mut self, outcome: Option<&AuthOutcome<B>>) -> Option<Duration> {
        let Place::Going(permit) = std::mem::replace(&mut self.place, Place::None) else { return None };
        let ticket = permit.on_answer(outcome?.into(), self.clock.given())?;
        let turn = ticket.turn(self.clock.given());
        self.place = Place::Waiting(ticket);
        Some(turn)
    }

    /// Whether there is another attempt; if so, the clock has a pause.
    fn decide(&mut self, result: TryResult, server_wait: Option<Duration>, turn: Option<Duration>) -> bool {
        if self.attempts == 1 {
            self.policy.budget.deposit();
        }
        let mut facts = Facts {
            result,
            is_idempotent: self.name.is_idempotent,
            // A key that was replaced is no fault of the call's, which keeps its attempts for others.
            attempts: self.attempts.saturating_sub(self.key_rotations),
            refusals: self.refusals,
            has_budget: true,
            server_wait,
            window: if self.longest_wait.is_zero() { DOCUMENTED_WINDOW } else { self.longest_wait },
            turn,
            time_left: self.time_left(),
            least_attempt: self.least_attempt(),
        };
        let mut decision = self.policy.rules.decide(&facts);
        // Paid only for what would be sent again.
        if let Decision::Retry { reason, .. } = decision {
            let is_paid = !matches!(reason, RetryReason::RateLimited | RetryReason::KeyRotated);
            if is_paid && !self.policy.budget.withdraw() {
                facts.has_budget = false;
                decision = self.policy.rules.decide(&facts);
            }
        }
        let Decision::Retry { reason, at_least, jitter } = decision else { return false };
        self.key_rotations = self.key_rotations.saturating_add(u32::from(reason == RetryReason::KeyRotated));
        let pause = at_least.saturating_add(self.jitter.below(jitter));
        self.reason = Some(reason);
        self.clock.pause_for(pause);
        self.telemetry.waits(pause, Some(reason), self.attempts);
        true
    }
}

impl<B: AsRef<[u8]>, E: fmt::Debug> fmt::Debug for Operation<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stage {
            Stage::Open(state) => state.fmt(f),
            Stage::Over(result) => f.debug_tuple("Operation").field(result).finish(),
        }
    }
}

impl<B: AsRef<[u8]>, E: fmt::Debug> fmt::Debug for Next<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait { pause, operation } => {
                f.debug_struct("Wait").field("pause", pause).field("operation", operation).finish()
            }
            Self::Send(attempt) => f.debug_tuple("Send").field(attempt).finish(),
            Self::Done(result) => f.debug_tuple("Done").field(result).finish(),
        }
    }
}

/// Shows no key, no value of the path, the query or the body.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("api", &self.api)
            .field("call", &format_args!("{}", self.name))
            .field("attempts", &self.attempts)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
