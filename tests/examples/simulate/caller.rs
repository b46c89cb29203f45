//! One call, driven by the real code. All that the simulator knows of its types is here.

use std::time::Duration;

use cometly_core::{
    Api, ApiKey, Attempt, Delivery, Moment, Next as Step, Operation, Pacer, RetryPolicy, TransportError,
    TransportLimits,
    bytes::Bytes,
    http::{HeaderValue, Response, StatusCode},
};

use crate::server::Answer;

/// A process: all calls that share a pacer, or none.
#[derive(Clone)]
pub(crate) struct Process {
    api: Api,
}

/// A call: waiting to be asked, or sent.
pub(crate) enum Caller {
    Waiting(Operation<Bytes, ()>),
    Sent(Attempt),
    Over,
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
    /// `RetryPolicy::default()`: three attempts within a minute.
    Default,
    /// `RetryPolicy::within` this many hours.
    Hours(u64),
}

impl Process {
    pub(crate) fn new(is_paced: bool) -> Option<Self> {
        let builder = Api::builder(ApiKey::new("1|simulated").ok()?);
        let builder = if is_paced { builder.pacer(Pacer::new()) } else { builder };
        Some(Self { api: builder.build() })
    }

    pub(crate) fn call(&self, path: &str, patience: Patience, seed: u64, now: u64) -> Caller {
        let policy = match patience {
            Patience::Default => RetryPolicy::default(),
            Patience::Hours(hours) => RetryPolicy::within(Duration::from_secs(hours.saturating_mul(3600))),
        };
        let call = self.api.get(path.to_owned());
        call.start(&policy, &TransportLimits::default(), seed, at(now)).map_or(Caller::Over, Caller::Waiting)
    }
}

fn at(now: u64) -> Moment {
    Moment::since_origin(Duration::from_millis(now))
}

impl Caller {
    pub(crate) fn next(&mut self, now: u64) -> Next {
        let Self::Waiting(operation) = std::mem::replace(self, Self::Over) else { return Next::Done(false) };
        match operation.next(at(now)) {
            Step::Wait { pause, operation } => {
                *self = Self::Waiting(operation);
                // Timers wake late rather than early.
                Next::Sleep(millis(pause))
            }
            Step::Send(attempt) => {
                *self = Self::Sent(attempt);
                Next::Send
            }
            Step::Done(result) => Next::Done(result.is_ok_and(|outcome| outcome.error().is_none())),
        }
    }

    /// What the server answered; `None` if nothing came.
    pub(crate) fn answered(&mut self, answer: Option<Answer>, now: u64) -> Next {
        let Self::Sent(attempt) = std::mem::replace(self, Self::Over) else { return Next::Done(false) };
        let answer = match answer {
            Some(answer) => Ok(response(answer)),
            None => Err(TransportError::timed_out(Delivery::Unknown)),
        };
        *self = Self::Waiting(attempt.finish(answer, at(now)));
        // A call that is sent again sleeps first, for its backoff or its turn; the world asks it then.
        self.next(now)
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
    }
    response
}
