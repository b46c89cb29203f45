//! Calls under way, through whatever answers, failures, times and rotations: they end, keep to their policy, and never send
//! twice what must not be done twice.
#![no_main]

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use cometly_core::{
    Api, ApiErrorKind, ApiKey, Attempt, CallError, Delivery, Pacer, RetryBudget, RetryPolicy, RetryReason, Step,
    bytes::Bytes,
    http::{Method, Request, Response, header::AUTHORIZATION},
};
use libfuzzer_sys::fuzz_target;

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
    tries: Option<u8>,
    base: Option<u16>,
    cap: Option<u16>,
    max_retry_after: Option<u16>,
    /// In milliseconds.
    total: Option<u32>,
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
    rotates: bool,
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
    rotates: false,
    steps_back: false,
    milliseconds: 1,
    result: Result::Answer { status: 2, retry_after: None, limit: None },
};

/// The policy's numbers, as its docs say them.
struct Rules {
    tries: u32,
    base: Duration,
    cap: Duration,
    max_retry_after: Duration,
    total: Duration,
    is_patient: bool,
    server_errors: bool,
}

impl Policy {
    fn make(self, budget: RetryBudget) -> (RetryPolicy, Rules) {
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        let minute = seconds(60);
        let mut rules = Rules {
            tries: 3,
            base: millis(500),
            cap: seconds(20),
            max_retry_after: minute,
            total: minute,
            is_patient: false,
            server_errors: !self.no_server_errors,
        };
        let mut policy = RetryPolicy::default();
        if let Some(total) = self.within.map(|within| seconds(within.into())) {
            policy = RetryPolicy::within(total);
            rules = Rules { tries: u32::MAX, cap: minute, max_retry_after: total, total, is_patient: true, ..rules };
        }
        policy = policy.budget(budget).retry_server_errors(!self.no_server_errors);
        if let Some(tries) = self.tries {
            (policy, rules.tries) = (policy.tries(tries.into()), u32::from(tries).max(1));
        }
        if let Some(base) = self.base.map(|base| millis(base.into())) {
            (policy, rules.base) = (policy.base(base), base.max(millis(1)));
        }
        if let Some(cap) = self.cap.map(|cap| millis(cap.into())) {
            (policy, rules.cap) = (policy.cap(cap), cap.max(millis(1)));
        }
        if let Some(longest) = self.max_retry_after.map(|longest| seconds(longest.into())) {
            (policy, rules.max_retry_after) = (policy.max_retry_after(longest), longest);
        }
        if let Some(total) = self.total.map(|total| millis(total.into())) {
            (policy, rules.total) = (policy.total(total), total);
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
    now: Instant,
}

fuzz_target!(|input: Input| {
    let (policy, rules) = input.policy.make(RetryBudget::with_reserve(input.reserve.into()));
    let most_saved = u32::from(input.reserve) * 10;
    let key = "1|first-of-the-keys".to_owned();
    let mut api = Api::builder(ApiKey::new(key.as_str()).unwrap());
    if input.is_paced {
        api = api.pacer(Pacer::new());
    }
    let (api, is_paced) = (api.build(), input.is_paced);
    let now = Instant::now();
    let mut world = World { api, is_paced, policy, rules, saved: most_saved, most_saved, key, keys: 1, now };
    for call in input.calls.iter().take(8) {
        world.run(call);
    }
});

/// What is known of one call so far.
#[derive(Default)]
struct Known {
    sent: u32,
    may_have_arrived: bool,
    last_answer: Option<ApiErrorKind>,
}

impl World {
    fn run(&mut self, script: &Call) {
        let Some((mut attempt, is_idempotent)) = self.begin(script) else { return };
        let (mut events, started) = (script.events.iter().copied().take(32), self.now);
        let mut known = Known::default();
        loop {
            let event = events.next().unwrap_or(DONE);
            if event.rotates {
                self.rotate();
            }
            if let Err(error) = self.pace(&mut attempt, started, &known) {
                let worst = if known.may_have_arrived { Delivery::Unknown } else { Delivery::NotSent };
                return assert_failure(&error, worst, &known);
            }
            let request = attempt.request();
            assert_eq!(request.headers()[AUTHORIZATION].as_bytes(), format!("Bearer {}", self.key).as_bytes());
            known.sent += 1;
            assert_eq!(attempt.number(), known.sent);
            assert!(known.sent <= self.rules.tries, "more tries than allowed");

            let before = self.now.duration_since(started);
            self.now += Duration::from_millis(event.milliseconds.into());
            let elapsed = self.now.duration_since(started);
            let told = if event.steps_back { before / 2 } else { elapsed };
            let step = settle(attempt, event.result, told);
            // A clock that steps back gives no time back.
            let elapsed = if event.steps_back { before } else { elapsed };
            let left = self.rules.total.saturating_sub(elapsed);
            if known.sent == 1 && self.saved < self.most_saved {
                self.saved += 1;
            }
            let wanted = self.decide(event.result, is_idempotent, known.sent, left);
            match step {
                Step::Retry { after, next } => {
                    let (reason, at_least) = wanted.expect("sent again against the policy");
                    assert_eq!(next.reason(), Some(reason));
                    assert!(after >= at_least && after < left, "{after:?} of {left:?}, at least {at_least:?}");
                    known.note(event.result);
                    assert!(is_idempotent || !known.may_have_arrived, "sent again though it may have arrived");
                    // A driver may sleep longer than the pause.
                    self.now = self.now.max(started + elapsed) + after;
                    attempt = next;
                }
                Step::Done(result) => {
                    assert!(wanted.is_none() || self.is_paced, "not sent again: {wanted:?}");
                    return assert_end(result, event.result, &known);
                }
            }
        }
    }

    fn begin(&self, script: &Call) -> Option<(Attempt, bool)> {
        let method = METHODS[usize::from(script.method) % METHODS.len()].clone();
        let is_idempotent = method.is_idempotent();
        if script.kind == How::Request {
            let request = Request::builder().method(method).uri("https://app.cometly.com/public-api/v1/events");
            let request = self.api.authorize(request.body(Bytes::new()).unwrap()).unwrap();
            return Some((Attempt::from_request(request, &self.api, &self.policy, script.seed), is_idempotent));
        }
        let call = self.api.request(method, "events");
        let call = match script.kind {
            How::Marked => call.idempotent(),
            How::Keyed => call.json_with_idempotency_key(&serde_json::json!({}), "key"),
            How::Plain | How::Request => call,
        };
        assert_eq!(call.is_idempotent(), is_idempotent || script.kind != How::Plain);
        // A GET with a body is refused.
        let attempt = call.attempt(&self.policy, script.seed).ok()?;
        Some((attempt, call.is_idempotent()))
    }

    fn rotate(&mut self) {
        self.keys += 1;
        self.key = format!("{}|another-of-the-keys", self.keys);
        self.api.rotate(ApiKey::new(self.key.as_str()).unwrap());
    }

    fn pace(
        &mut self,
        attempt: &mut Attempt,
        started: Instant,
        known: &Known,
    ) -> std::result::Result<(), CallError<()>> {
        for _ in 0..100 {
            let elapsed = self.now.duration_since(started);
            match attempt.pace(self.now, elapsed)? {
                None => return Ok(()),
                Some(wait) => {
                    assert!(self.is_paced);
                    assert!(elapsed + wait < self.rules.total, "waits {wait:?} after {elapsed:?}, try {}", known.sent);
                    self.now += wait;
                }
            }
        }
        panic!("its turn never comes, though no other call waits");
    }

    /// The decision of the policy's docs, without its jitter; takes from the budget what a retry costs.
    fn decide(
        &mut self,
        result: Result,
        is_idempotent: bool,
        sent: u32,
        left: Duration,
    ) -> Option<(RetryReason, Duration)> {
        use RetryReason as R;
        let rules = &self.rules;
        let (reason, asked) = match result {
            Result::Answer { status, retry_after, .. } => {
                let asked = Duration::from_secs(retry_after.unwrap_or(0).into());
                match status_of(status) {
                    429 => (R::RateLimited, asked),
                    502..=504 if is_idempotent && rules.server_errors => (R::Unavailable, asked),
                    _ => return None,
                }
            }
            Result::Failure(Fate::NotSent) | Result::Timeout(Fate::NotSent) => (R::NotSent, Duration::ZERO),
            Result::Failure(Fate::Unknown) | Result::Timeout(Fate::Unknown) if is_idempotent => {
                (R::NoAnswer, Duration::ZERO)
            }
            _ => return None,
        };
        let at_least = if reason == R::RateLimited { asked.max(rules.base) } else { asked };
        if sent >= rules.tries || asked > rules.max_retry_after || at_least >= left {
            return None;
        }
        if reason == R::RateLimited {
            return Some((reason, at_least));
        }
        if self.saved >= 10 {
            self.saved -= 10;
            return Some((reason, at_least));
        }
        let at_least = asked.max(rules.cap);
        (rules.is_patient && at_least < left).then_some((reason, at_least))
    }
}

impl Known {
    fn note(&mut self, result: Result) {
        match result {
            Result::Answer { status, .. } => {
                let is_refused = status_of(status) == 429;
                self.may_have_arrived |= !is_refused;
                self.last_answer = Some(if is_refused { ApiErrorKind::RateLimited } else { ApiErrorKind::ServerError });
            }
            Result::Failure(Fate::Unknown) | Result::Timeout(Fate::Unknown) => self.may_have_arrived = true,
            _ => {}
        }
    }
}

fn settle(attempt: Attempt, result: Result, elapsed: Duration) -> Step<Bytes, ()> {
    match result {
        Result::Answer { status, retry_after, limit } => {
            let mut answer = Response::builder().status(status_of(status));
            if let Some(seconds) = retry_after {
                answer = answer.header("retry-after", seconds);
            }
            if let Some((limit, remaining)) = limit {
                answer = answer
                    .header("x-ratelimit-limit", u16::from(limit))
                    .header("x-ratelimit-remaining", u16::from(remaining));
            }
            let body = Bytes::from_static(br#"{"message":"m"}"#);
            attempt.on_response(answer.body(body).unwrap(), elapsed)
        }
        Result::Failure(fate) => attempt.on_failure(fate.delivery(), (), elapsed),
        Result::Timeout(fate) => attempt.on_error(CallError::timeout(fate.delivery()), elapsed),
        Result::TooLarge => attempt.on_error(CallError::too_large(None), elapsed),
    }
}

fn assert_end(
    result: std::result::Result<cometly_core::AuthOutcome<Bytes>, CallError<()>>,
    last: Result,
    known: &Known,
) {
    match (result, last) {
        (Ok(outcome), Result::Answer { status, .. }) => {
            assert_eq!((outcome.status().as_u16(), outcome.tries()), (status_of(status), known.sent));
        }
        (Err(error), Result::Failure(fate) | Result::Timeout(fate)) => {
            let worst = if known.may_have_arrived { Delivery::Unknown } else { fate.delivery() };
            assert_failure(&error, worst, known);
        }
        (Err(error), Result::TooLarge) => assert_failure(&error, Delivery::Unknown, known),
        (result, last) => panic!("{last:?} became {result:?}"),
    }
}

fn assert_failure(error: &CallError<()>, worst: Delivery, known: &Known) {
    assert_eq!((error.delivery(), error.tries()), (Some(worst), known.sent));
    assert_eq!(error.last_answer(), known.last_answer);
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
