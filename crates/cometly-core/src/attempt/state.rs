//! What an attempt remembers from try to try.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Uri};

use crate::{
    Api, ApiErrorKind, AuthOutcome, CallError, Moment, RetryPolicy, RetryReason,
    call_error::History,
    decision::{Decision, Facts, Happened},
    jitter::Jitter,
    pacer::{Permit, Ticket},
    spread::DOCUMENTED_WINDOW,
    time::left,
};

pub(super) struct State {
    pub(super) api: Api,
    pub(super) source: Source,
    pub(super) is_idempotent: bool,
    pub(super) policy: RetryPolicy,
    pub(super) jitter: Jitter,
    /// This try, from 1.
    pub(super) number: u32,
    pub(super) reason: Option<RetryReason>,
    /// 429s in a row.
    pub(super) refusals: u32,
    /// The longest wait that the server asked for with a 429.
    pub(super) longest_wait: Duration,
    /// At least this much time has gone by: a clock that steps back gives no time back.
    pub(super) elapsed: Duration,
    pub(super) may_have_arrived: bool,
    pub(super) last_answer: Option<ApiErrorKind>,
    pub(super) place: Place,
}

/// What is sent at each try.
pub(super) enum Source {
    Call { template: Cow<'static, str>, method: Method, uri: Uri, body: Bytes },
    Request(Request<Bytes>),
}

impl Source {
    pub(super) fn method(&self) -> &Method {
        match self {
            Self::Call { method, .. } => method,
            Self::Request(request) => request.method(),
        }
    }
}

/// Where this call stands with the pacer.
pub(super) enum Place {
    None,
    Waiting(Ticket),
    /// Allowed to go, and when that was on the caller's two clocks.
    Going {
        permit: Permit,
        at: Instant,
        elapsed: Duration,
    },
}

impl State {
    /// What a try needs at least: a second, or a tenth of a shorter call.
    pub(super) fn least_try(&self) -> Duration {
        self.policy.total_time().checked_div(10).unwrap_or_default().min(Duration::from_secs(1))
    }

    /// Its turn comes too late: this try was not sent.
    pub(super) fn paced<E>(&self, turn: Duration) -> CallError<E> {
        CallError::paced(turn, History { tries: self.number.saturating_sub(1), ..self.history() })
    }

    pub(super) fn history(&self) -> History {
        History { tries: self.number, last_answer: self.last_answer, may_have_arrived: self.may_have_arrived }
    }

    /// Remembers what an answer means for the tries that may follow.
    pub(super) fn note<B>(&mut self, outcome: &AuthOutcome<B>) {
        self.last_answer = outcome.kind();
        self.may_have_arrived |= outcome.is_server_error();
        if outcome.is_rate_limited() {
            self.refusals = self.refusals.saturating_add(1);
            self.longest_wait = self.longest_wait.max(outcome.retry_after().unwrap_or_default());
        } else {
            self.refusals = 0;
        }
    }

    /// Tells the pacer what came of the try that it let go. One that was refused keeps its place in line; how long until
    /// its turn, if there is a pacer.
    pub(super) fn settle<B>(&mut self, outcome: Option<&AuthOutcome<B>>, elapsed: Duration) -> Option<Duration> {
        let Place::Going { permit, at, elapsed: then } = std::mem::replace(&mut self.place, Place::None) else {
            return None;
        };
        let now = at.checked_add(left(elapsed, then)).unwrap_or(at);
        let ticket = permit.on_answer(outcome?.into(), Moment::from(now))?;
        let turn = ticket.turn(Moment::from(now));
        self.place = Place::Waiting(ticket);
        Some(turn)
    }

    pub(super) fn decide(
        &mut self,
        happened: Happened,
        server_wait: Option<Duration>,
        turn: Option<Duration>,
        elapsed: Duration,
    ) -> Option<(Duration, RetryReason)> {
        self.elapsed = self.elapsed.max(elapsed);
        if self.number == 1 {
            self.policy.budget.deposit();
        }
        let mut facts = Facts {
            happened,
            is_idempotent: self.is_idempotent,
            tried: self.number,
            refusals: self.refusals,
            has_budget: true,
            server_wait,
            window: if self.longest_wait.is_zero() { DOCUMENTED_WINDOW } else { self.longest_wait },
            turn,
            time_left: left(self.policy.total_time(), self.elapsed),
        };
        let mut decision = self.policy.rules.decide(&facts);
        // Paid only for what would be sent again.
        if let Decision::Retry { reason, .. } = decision {
            if reason != RetryReason::RateLimited && !self.policy.budget.withdraw() {
                facts.has_budget = false;
                decision = self.policy.rules.decide(&facts);
            }
        }
        match decision {
            Decision::Stop => None,
            Decision::Retry { reason, at_least, jitter } => {
                Some((at_least.saturating_add(self.jitter.below(jitter)), reason))
            }
        }
    }
}
