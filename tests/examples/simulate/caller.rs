//! One call, driven by the real code. All that the simulator knows of its types is here.

use std::time::Duration;

use cometly_core::{
    Api, ApiKey, Attempt, Delivery, Mailbox, Moment, Next as Step, Operation, Pacer, Question, RetryPolicy, SharedLane,
    TransportError, TransportLimits,
    bytes::Bytes,
    http::{HeaderValue, Response, StatusCode},
};

use crate::server::Answer;

/// A process: all calls that share a pacer, or none.
pub(crate) struct Process {
    api: Api,
    /// Of one in a fleet.
    mailbox: Option<Mailbox>,
}

/// What a process asks the engine, and what the engine says.
pub(crate) enum Letter {
    Question(Question),
    Answer(Question, [u64; SharedLane::ANSWER]),
}

/// The engine: the one endpoint, as the fleet sees it.
#[derive(Default)]
pub(crate) struct Engine {
    lane: SharedLane,
}

impl Engine {
    pub(crate) fn answer(&mut self, letter: Letter, now: u64) -> Letter {
        match letter {
            Letter::Question(question) => {
                // A clock of its own.
                let answer = self.lane.answer(now + 1_764_000_000_000, question.events());
                Letter::Answer(question, answer)
            }
            answer @ Letter::Answer(..) => answer,
        }
    }
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
    pub(crate) fn new(is_paced: bool, is_in_fleet: bool) -> Option<Self> {
        let builder = Api::builder(ApiKey::new("1|simulated").ok()?);
        let (builder, mailbox) = match (is_paced, is_in_fleet) {
            (false, _) => (builder, None),
            (true, false) => (builder.pacer(Pacer::new()), None),
            (true, true) => {
                let (pacer, mailbox) = Pacer::shared("space-42").ok()?;
                (builder.pacer(pacer), Some(mailbox))
            }
        };
        Some(Self { api: builder.build(), mailbox })
    }

    /// What it has to ask the engine.
    pub(crate) fn next_question(&self) -> Option<Letter> {
        self.mailbox.as_ref()?.next_question().map(Letter::Question)
    }

    pub(crate) fn on_answer(&self, letter: Letter, now: u64) {
        if let (Some(mailbox), Letter::Answer(question, answer)) = (&self.mailbox, letter) {
            mailbox.answer(question, &answer, at(now)).unwrap_or_default();
        }
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
