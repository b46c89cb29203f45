//! Calls under way, through whatever answers, failures, times and rotations: they end, keep to their policy, and never send
//! twice what must not be done twice.
#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use cometly_core::{
    Api, ApiError, ApiErrorKind, ApiKey, Attempt, AuthOutcome, CallError, CallErrorKind, Delivery, Moment, Next, Pacer,
    ReachedLimit, RetryBudget, RetryPolicy, RetryReason, TransportError, TransportLimits,
    bytes::Bytes,
    http::{Method, Request, Response, StatusCode, header::AUTHORIZATION},
};
use libfuzzer_sys::fuzz_target;

type Operation = cometly_core::Operation<Bytes, Failed>;
type Ended = std::result::Result<AuthOutcome<Bytes>, CallError<Failed>>;

/// The error of an HTTP stack.
#[derive(Debug)]
struct Failed;

#[derive(Arbitrary, Debug)]
struct Input {
    policy: Policy,
    reserve: u8,
    is_paced: bool,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Policy {
    /// In seconds; such a policy is patient.
    within: Option<u16>,
    max_attempts: Option<u8>,
    initial_backoff: Option<u16>,
    max_backoff: Option<u16>,
    max_retry_after: Option<u16>,
    /// In milliseconds.
    timeout: Option<u32>,
    no_server_errors: bool,
}

#[derive(Arbitrary, Debug)]
struct Call {
    method: u8,
    kind: How,
    seed: u64,
    events: Vec<Event>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum How {
    Plain,
    Marked,
    Keyed,
    Request,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Event {
    /// The last two bits: before the attempt, and while it is under way.
    rotates: u8,
    /// The clock steps back first.
    steps_back: bool,
    milliseconds: u16,
    result: Result,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Result {
    Answer { status: u8, retry_after: Option<u16>, limit: Option<(u8, u8)> },
    Failure(Fate),
    Timeout(Fate),
    TooLarge,
    Setup,
    ProxyRefused,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Fate {
    NotSent,
    Untrusted,
    Unknown,
}

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
const STATUSES: [u16; 12] = [429, 503, 200, 502, 504, 500, 401, 403, 404, 422, 501, 202];
const DONE: Event = Event {
    rotates: 0,
    steps_back: false,
    milliseconds: 1,
    result: Result::Answer { status: 2, retry_after: None, limit: None },
};

/// The policy's numbers, as its docs say them.
struct Rules {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    max_retry_after: Duration,
    timeout: Duration,
    is_patient: bool,
    server_errors: bool,
}

impl Policy {
    fn make(self, budget: RetryBudget) -> (RetryPolicy, Rules) {
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        let minute = seconds(60);
        let mut rules = Rules {
            max_attempts: 3,
            initial_backoff: millis(500),
            max_backoff: seconds(20),
            max_retry_after: minute,
            timeout: minute,
            is_patient: false,
            server_errors: !self.no_server_errors,
        };
        let mut policy = RetryPolicy::default();
        if let Some(timeout) = self.within.map(|within| seconds(within.into())) {
            policy = RetryPolicy::within(timeout);
            rules = Rules {
                max_attempts: u32::MAX,
                max_backoff: minute,
                max_retry_after: timeout,
                timeout,
                is_patient: true,
                ..rules
            };
        }
        policy = policy.budget(budget).retry_server_errors(!self.no_server_errors);
        if let Some(attempts) = self.max_attempts {
            (policy, rules.max_attempts) = (policy.max_attempts(attempts.into()), u32::from(attempts).max(1));
        }
        if let Some(backoff) = self.initial_backoff.map(|backoff| millis(backoff.into())) {
            (policy, rules.initial_backoff) = (policy.initial_backoff(backoff), backoff.max(millis(1)));
        }
        if let Some(backoff) = self.max_backoff.map(|backoff| millis(backoff.into())) {
            (policy, rules.max_backoff) = (policy.max_backoff(backoff), backoff.max(millis(1)));
        }
        if let Some(longest) = self.max_retry_after.map(|longest| seconds(longest.into())) {
            (policy, rules.max_retry_after) = (policy.max_retry_after(longest), longest);
        }
        if let Some(timeout) = self.timeout.map(|timeout| millis(timeout.into())) {
            (policy, rules.timeout) = (policy.timeout(timeout), timeout);
        }
        (policy, rules)
    }
}

/// What the API and all calls of it share.
struct World {
    api: Api,
    is_paced: bool,
    policy: RetryPolicy,
    rules: Rules,
    /// Tenths of retries.
    saved: u32,
    most_saved: u32,
    key: String,
    keys: u32,
    /// Since the origin.
    now: Duration,
    /// The latest moment that the operation under way saw: the clock may step back.
    latest: Duration,
}

fuzz_target!(|input: Input| {
    let (policy, rules) = input.policy.make(RetryBudget::with_reserve(input.reserve.into()));
    let most_saved = u32::from(input.reserve) * 10;
    let key = "1|first-of-the-keys".to_owned();
    let mut api = Api::builder(ApiKey::new(key.as_str()).unwrap());
    if input.is_paced {
        api = api.pacer(Pacer::new());
    }
    let (api, is_paced, now) = (api.build(), input.is_paced, Duration::from_secs(1));
    let mut world =
        World { api, is_paced, policy, rules, saved: most_saved, most_saved, key, keys: 1, now, latest: now };
    for call in input.calls.iter().take(8) {
        world.run(call);
    }
});

/// What is known of one call so far.
#[derive(Default)]
struct Known {
    is_idempotent: bool,
    sent: u32,
    may_have_arrived: bool,
    last_answer: Option<ApiErrorKind>,
    /// The longest wait that a 429 asked for.
    longest_wait: Duration,
    /// How often it was sent again because its key was replaced; these count for no bound but their own, 16.
    key_rotations: u32,
    needs_fresh_connection: bool,
}

/// Where an operation came to, and how long it waited on the way.
enum Reached {
    Attempt(Attempt, Duration),
    End(Ended),
}

impl World {
    fn run(&mut self, script: &Call) {
        let Some((operation, is_idempotent)) = self.begin(script) else { return };
        let (mut events, started) = (script.events.iter().copied().take(32), self.now);
        let mut known = Known { is_idempotent, ..Known::default() };
        self.latest = self.now;
        let mut event = events.next().unwrap_or(DONE);
        self.rotate_if(event.rotates & 1 != 0);
        let mut attempt = match self.drive(operation, started) {
            Reached::Attempt(attempt, _) => attempt,
            Reached::End(result) => return self.assert_out_of_time(result, started, &known),
        };
        loop {
            let request = attempt.request();
            assert_eq!(request.headers()[AUTHORIZATION].as_bytes(), format!("Bearer {}", self.key).as_bytes());
            known.sent += 1;
            assert_eq!(attempt.number(), known.sent);
            assert!(known.sent - known.key_rotations <= self.rules.max_attempts, "more attempts than allowed");
            assert_eq!(attempt.needs_fresh_connection(), known.needs_fresh_connection);
            let before = self.latest - started;
            let time = self.rules.timeout.saturating_sub(before).min(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT);
            assert_eq!(attempt.timeout(), time);

            let is_key_old = event.rotates & 2 != 0;
            self.rotate_if(is_key_old);
            self.now += Duration::from_millis(event.milliseconds.into());
            let seen = if event.steps_back { started + before / 2 } else { self.now };
            let operation = attempt.finish(event.result.answer(), at(seen));
            // A clock that steps back gives no time back.
            self.latest = self.latest.max(seen);
            let elapsed = self.latest - started;
            let left = self.rules.timeout.saturating_sub(elapsed);
            if known.sent == 1 && self.saved < self.most_saved {
                self.saved += 1;
            }
            let last = event.result;
            let wanted = self.decide(last, is_key_old, &mut known, left);
            let ended = known.end(last);
            event = events.next().unwrap_or(DONE);
            self.rotate_if(event.rotates & 1 != 0);
            match self.drive(operation, started) {
                Reached::Attempt(next, waited) => {
                    let (reason, at_least) = wanted.expect("sent again against the policy");
                    assert_eq!(next.reason(), Some(reason));
                    assert!(waited >= at_least && waited < left, "{waited:?} of {left:?}, at least {at_least:?}");
                    known.note(last);
                    assert!(is_idempotent || !known.may_have_arrived, "sent again though it may have arrived");
                    attempt = next;
                }
                Reached::End(result) => {
                    let is_given_up = match &result {
                        Err(error) => wanted.is_some() && is_out_of_time(error, self.rules.timeout),
                        Ok(_) => false,
                    };
                    if is_given_up {
                        known.note(last);
                        return self.assert_out_of_time(result, started, &known);
                    }
                    assert!(wanted.is_none() || self.is_paced, "not sent again: {wanted:?}");
                    return assert_end(result, &ended, &known);
                }
            }
        }
    }

    fn begin(&self, script: &Call) -> Option<(Operation, bool)> {
        let limits = TransportLimits::default();
        let method = METHODS[usize::from(script.method) % METHODS.len()].clone();
        let is_idempotent = method.is_idempotent();
        if script.kind == How::Request {
            let request = Request::builder().method(method).uri("https://app.cometly.com/public-api/v1/events");
            let request = self.api.authorize(request.body(Bytes::new()).unwrap()).unwrap();
            let operation =
                Operation::from_request(request, &self.api, &self.policy, &limits, script.seed, at(self.now));
            return Some((operation, is_idempotent));
        }
        let call = self.api.request(method, "events");
        let call = match script.kind {
            How::Marked => call.idempotent(),
            How::Keyed => call.idempotency_key("key").json(&serde_json::json!({})),
            How::Plain | How::Request => call,
        };
        assert_eq!(call.is_idempotent(), is_idempotent || script.kind != How::Plain);
        let is_idempotent = call.is_idempotent();
        // A GET with a body is refused.
        let operation = call.start(&self.policy, &limits, script.seed, at(self.now)).ok()?;
        Some((operation, is_idempotent))
    }

    fn rotate_if(&mut self, rotates: bool) {
        if rotates {
            self.keys += 1;
            self.key = format!("{}|another-of-the-keys", self.keys);
            self.api.rotate(ApiKey::new(self.key.as_str()).unwrap());
        }
    }

    /// Sleeps until the operation sends or ends.
    fn drive(&mut self, mut operation: Operation, started: Duration) -> Reached {
        let mut waited = Duration::ZERO;
        // A pacer asks for up to 20 naps a second, and a window is at most 15 minutes.
        for _ in 0..40_000 {
            operation = match operation.next(at(self.latest)) {
                Next::Send(attempt) => return Reached::Attempt(attempt, waited),
                Next::Done(result) => return Reached::End(result),
                Next::Wait { pause, operation } => {
                    let elapsed = self.latest - started;
                    assert!(elapsed + pause < self.rules.timeout, "waits {pause:?} after {elapsed:?}");
                    waited += pause;
                    // A clock that stepped back makes it sleep longer than it was asked to.
                    self.now = self.now.max(self.latest) + pause;
                    self.latest = self.now;
                    operation
                }
            };
        }
        panic!("its turn never comes, though no other call waits: {waited:?} of {:?}", self.rules.timeout);
    }

    /// The decision of the policy's docs, without its jitter; takes from the budget what a retry costs.
    fn decide(
        &mut self,
        result: Result,
        is_key_old: bool,
        known: &mut Known,
        left: Duration,
    ) -> Option<(RetryReason, Duration)> {
        use RetryReason as R;
        let (rules, is_idempotent) = (&self.rules, known.is_idempotent);
        let (reason, asked) = match result {
            Result::Answer { status, retry_after, .. } => {
                let asked = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
                match status_of(status) {
                    401 if is_key_old && known.key_rotations < 16 => {
                        // At the call's deadline the caller gets the 401.
                        let is_allowed = rules.max_attempts > 1 && !left.is_zero();
                        known.key_rotations += 1;
                        return is_allowed.then_some((R::KeyRotated, Duration::ZERO));
                    }
                    429 => {
                        known.longest_wait = known.longest_wait.max(asked.unwrap_or_default());
                        let window = Some(known.longest_wait).filter(|window| !window.is_zero());
                        (R::RateLimited, asked.or(window).unwrap_or(Duration::from_secs(60)))
                    }
                    502..=504 if is_idempotent && rules.server_errors => (R::Unavailable, asked.unwrap_or_default()),
                    _ => return None,
                }
            }
            Result::Failure(Fate::NotSent) | Result::Timeout(Fate::NotSent) => (R::NotSent, Duration::ZERO),
            Result::Failure(Fate::Unknown) | Result::Timeout(Fate::Unknown) if is_idempotent => {
                (R::NoAnswer, Duration::ZERO)
            }
            _ => return None,
        };
        let at_least = if reason == R::RateLimited { asked.max(rules.initial_backoff) } else { asked };
        // A second for the next attempt, or a tenth of a shorter call.
        let least = (rules.timeout / 10).min(Duration::from_secs(1));
        let is_too_late = |at_least: Duration| at_least >= left || at_least + least > left;
        if known.sent - known.key_rotations >= rules.max_attempts
            || asked > rules.max_retry_after
            || is_too_late(at_least)
        {
            return None;
        }
        if reason == R::RateLimited {
            return Some((reason, at_least));
        }
        if self.saved >= 10 {
            self.saved -= 10;
            return Some((reason, at_least));
        }
        let at_least = asked.max(rules.max_backoff);
        (rules.is_patient && !is_too_late(at_least)).then_some((reason, at_least))
    }

    /// It ended before its first or its next attempt, since its time does not allow another.
    fn assert_out_of_time(&self, result: Ended, started: Duration, known: &Known) {
        let error = result.expect_err("an answer to nothing");
        assert!(is_out_of_time(&error, self.rules.timeout), "{error}");
        let is_over = self.latest - started >= self.rules.timeout;
        assert!(if error.kind() == CallErrorKind::Paced { self.is_paced } else { is_over }, "{error}");
        let worst = if known.may_have_arrived { Delivery::Unknown } else { Delivery::NotSent };
        assert_failure(&error, worst, known);
    }
}

fn at(time: Duration) -> Moment {
    Moment::since_origin(time)
}

/// Whether no attempt failed, but the time for one was not there.
fn is_out_of_time(error: &CallError<Failed>, timeout: Duration) -> bool {
    match error.kind() {
        CallErrorKind::Paced => matches!(error.limit(), Some(ReachedLimit::RateLimit(_))),
        CallErrorKind::Timeout => error.limit() == Some(ReachedLimit::Timeout(timeout)),
        _ => false,
    }
}

/// What a call that is not sent again ends with.
enum End {
    Status(u16),
    Failure(CallErrorKind, Delivery),
}

impl Known {
    fn end(&self, last: Result) -> End {
        use CallErrorKind as K;
        let (kind, delivery) = match last {
            Result::Answer { status, .. } => return End::Status(status_of(status)),
            Result::Failure(fate) => (K::Transport, fate.delivery()),
            Result::Timeout(fate) => (K::Timeout, fate.delivery()),
            Result::TooLarge => (K::TooLarge, Delivery::Unknown),
            Result::Setup => (K::Setup, Delivery::NotSent),
            Result::ProxyRefused => (K::Proxy(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED)), Delivery::NotSent),
        };
        End::Failure(kind, if self.may_have_arrived { Delivery::Unknown } else { delivery })
    }

    /// Notes a result after which the call was to be sent again.
    fn note(&mut self, result: Result) {
        self.needs_fresh_connection = !matches!(result, Result::Answer { .. });
        match result {
            Result::Answer { status, .. } => {
                self.last_answer = Some(match status_of(status) {
                    429 => ApiErrorKind::RateLimited,
                    401 => ApiErrorKind::Unauthenticated,
                    _ => ApiErrorKind::ServerError,
                });
                self.may_have_arrived |= self.last_answer == Some(ApiErrorKind::ServerError);
            }
            Result::Failure(Fate::Unknown) | Result::Timeout(Fate::Unknown) => self.may_have_arrived = true,
            _ => {}
        }
    }
}

impl Result {
    fn answer(self) -> std::result::Result<Response<Bytes>, TransportError<Failed>> {
        match self {
            Self::Answer { status, retry_after, limit } => {
                let mut answer = Response::builder().status(status_of(status));
                if let Some(seconds) = retry_after {
                    answer = answer.header("retry-after", seconds);
                }
                if let Some((limit, remaining)) = limit {
                    answer = answer
                        .header("x-ratelimit-limit", u16::from(limit))
                        .header("x-ratelimit-remaining", u16::from(remaining));
                }
                Ok(answer.body(Bytes::from_static(br#"{"message":"m"}"#)).unwrap())
            }
            Self::Failure(fate) => Err(TransportError::failed(fate.delivery(), Failed)),
            Self::Timeout(fate) => Err(TransportError::timed_out(fate.delivery())),
            Self::TooLarge => Err(TransportError::too_large(None)),
            Self::Setup => Err(TransportError::setup(Failed)),
            Self::ProxyRefused => {
                Err(TransportError::proxy_refused(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED), Failed))
            }
        }
    }
}

fn assert_end(result: Ended, end: &End, known: &Known) {
    match (result, end) {
        (Ok(outcome), End::Status(status)) => {
            assert_eq!(outcome.status(), *status);
            let attempts = match &outcome {
                AuthOutcome::Success(reply) => reply.attempts(),
                other => other.error().map_or(0, ApiError::attempts),
            };
            assert_eq!(attempts, known.sent);
        }
        (Err(error), End::Failure(kind, delivery)) => {
            assert_eq!(error.kind(), *kind);
            assert_failure(&error, *delivery, known);
        }
        (result, _) => panic!("it ended with {result:?}"),
    }
}

fn assert_failure(error: &CallError<Failed>, worst: Delivery, known: &Known) {
    assert_eq!((error.delivery(), error.attempts()), (Some(worst), known.sent));
    assert_eq!(error.is_safe_to_resend(), known.is_idempotent || worst != Delivery::Unknown);
    if error.kind() == CallErrorKind::Setup {
        return;
    }
    let shown = error.to_string();
    let before = match known.last_answer {
        None => "",
        Some(ApiErrorKind::RateLimited) => ", refused by the rate limit before",
        Some(ApiErrorKind::ServerError) => ", answered with a server error before",
        Some(_) => ", answered before",
    };
    assert!(shown.contains(before) && (!before.is_empty() || !shown.contains(" before)")), "{shown}");
}

fn status_of(status: u8) -> u16 {
    STATUSES[usize::from(status) % STATUSES.len()]
}

impl Fate {
    fn delivery(self) -> Delivery {
        match self {
            Self::NotSent => Delivery::NotSent,
            Self::Untrusted => Delivery::Untrusted,
            Self::Unknown => Delivery::Unknown,
        }
    }
}
