//! One call, driven by the real code. All that the simulator knows of its types is here.

use std::time::{Duration, Instant};

use cometly_core::{
    Api, ApiKey, Attempt, Delivery, Pacer, RetryPolicy, Step,
    bytes::Bytes,
    http::{HeaderValue, Response, StatusCode},
};

use crate::server::Answer;

/// A process: all calls that share a pacer, or none.
#[derive(Clone)]
pub(crate) struct Process {
    api: Api,
    origin: Instant,
}

pub(crate) struct Caller {
    attempt: Option<Attempt>,
    origin: Instant,
    started: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Send,
    Sleep(u64),
    /// Whether it succeeded.
    Done(bool),
}

/// The policies that are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// `RetryPolicy::default()`: three tries within a minute.
    Default,
    /// `RetryPolicy::within` so many hours.
    Hours(u64),
}

impl Process {
    pub(crate) fn new(is_paced: bool) -> Option<Self> {
        let builder = Api::builder(ApiKey::new("1|simulated").ok()?);
        let builder = if is_paced { builder.pacer(Pacer::new()) } else { builder };
        Some(Self { api: builder.build(), origin: origin() })
    }

    pub(crate) fn call(&self, path: &str, patience: Patience, seed: u64, now: u64) -> Caller {
        let policy = match patience {
            Patience::Default => RetryPolicy::default(),
            Patience::Hours(hours) => RetryPolicy::within(Duration::from_secs(hours * 3600)),
        };
        let attempt = self.api.get(path.to_owned()).attempt(&policy, seed).ok();
        Caller { attempt, origin: self.origin, started: now }
    }
}

/// One for all runs of the program: `Instant`s are the only clock that the core takes.
fn origin() -> Instant {
    static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

impl Caller {
    fn elapsed(&self, now: u64) -> Duration {
        Duration::from_millis(now.saturating_sub(self.started))
    }

    pub(crate) fn next(&mut self, now: u64) -> Next {
        let elapsed = self.elapsed(now);
        let Some(attempt) = &mut self.attempt else { return Next::Done(false) };
        match attempt.pace::<()>(self.origin + Duration::from_millis(now), elapsed) {
            Ok(None) => Next::Send,
            // Timers wake late rather than early.
            Ok(Some(pause)) => Next::Sleep(millis(pause)),
            Err(_) => Next::Done(false),
        }
    }

    /// What the server answered; `None` if nothing came.
    pub(crate) fn answered(&mut self, answer: Option<Answer>, now: u64) -> Next {
        let elapsed = self.elapsed(now);
        let Some(attempt) = self.attempt.take() else { return Next::Done(false) };
        let step = match answer {
            Some(answer) => attempt.on_response::<_, ()>(response(answer), elapsed),
            None => attempt.on_failure(Delivery::Unknown, (), elapsed),
        };
        match step {
            Step::Retry { after, next } => {
                self.attempt = Some(next);
                Next::Sleep(millis(after))
            }
            Step::Done(result) => Next::Done(result.is_ok_and(|outcome| outcome.is_success())),
        }
    }
}

fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// What Cometly answers.
fn response(answer: Answer) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(br#"{"message": "m"}"#));
    match answer {
        Answer::Taken { limit, remaining } => {
            response.headers_mut().insert("x-ratelimit-limit", limit.into());
            response.headers_mut().insert("x-ratelimit-remaining", remaining.into());
        }
        Answer::Refused { limit, retry_after } => {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response.headers_mut().insert("x-ratelimit-limit", limit.into());
            response.headers_mut().insert("x-ratelimit-remaining", 0.into());
            response.headers_mut().insert("retry-after", HeaderValue::from(retry_after));
        }
        Answer::Status(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default(),
    }
    response
}
