//! Whether to send again: the table in the docs of [`RetryPolicy`](crate::RetryPolicy), on plain data.

use std::time::Duration;

use http::StatusCode;

use super::{
    backoff::{MOST_ALONE, windows},
    policy::Rules,
};
use crate::{AuthOutcome, Delivery, RetryReason, transport_error::TransportFailure};

/// What one attempt came to, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TryResult {
    /// 401 to a key that was replaced while the call was under way.
    KeyRotated,
    /// 429.
    Refused,
    /// 502, 503 or 504.
    Unavailable,
    NotSent,
    /// No answer, and it may have arrived.
    NoAnswer,
    /// Whatever another attempt would not change, or must not repeat.
    Final,
}

impl TryResult {
    /// `key_was_replaced`: the attempt carried another key than the one that is current now.
    pub(crate) fn of_answer<B>(outcome: &AuthOutcome<B>, key_was_replaced: bool) -> Self {
        match (outcome, outcome.status()) {
            (AuthOutcome::Unauthenticated(_), _) if key_was_replaced => Self::KeyRotated,
            (AuthOutcome::RateLimited(_), _) => Self::Refused,
            (
                AuthOutcome::ServerError(_),
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
            ) => Self::Unavailable,
            _ => Self::Final,
        }
    }

    pub(crate) fn of_failure(failure: TransportFailure) -> Self {
        match failure {
            TransportFailure::Failed(Delivery::NotSent)
            | TransportFailure::TimedOut(Delivery::NotSent)
            | TransportFailure::ConnectTimedOut(_) => Self::NotSent,
            TransportFailure::Failed(Delivery::Unknown) | TransportFailure::TimedOut(Delivery::Unknown) => {
                Self::NoAnswer
            }
            _ => Self::Final,
        }
    }

    fn reason(self, is_idempotent: bool, retry_server_errors: bool) -> Option<RetryReason> {
        match self {
            Self::KeyRotated => Some(RetryReason::KeyRotated),
            Self::Refused => Some(RetryReason::RateLimited),
            Self::NotSent => Some(RetryReason::NotSent),
            Self::Unavailable if is_idempotent && retry_server_errors => Some(RetryReason::Unavailable),
            Self::NoAnswer if is_idempotent => Some(RetryReason::NoAnswer),
            Self::Unavailable | Self::NoAnswer | Self::Final => None,
        }
    }
}

/// What the decision depends on beside the policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) result: TryResult,
    pub(crate) is_idempotent: bool,
    /// Attempts so far, without those to a key that was replaced.
    pub(crate) attempts: u32,
    /// 429s in a row, this one included.
    pub(crate) refusals: u32,
    /// Whether the budget pays for a retry.
    pub(crate) has_budget: bool,
    pub(crate) server_wait: Option<Duration>,
    /// The window to spread over.
    pub(crate) window: Duration,
    /// How long until its turn, if a pacer spreads this call instead.
    pub(crate) turn: Option<Duration>,
    pub(crate) time_left: Duration,
    /// The time that an attempt needs at least.
    pub(crate) least_attempt: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Stop,
    /// Wait `at_least` and a time drawn from below `jitter`, then send again.
    Retry {
        reason: RetryReason,
        at_least: Duration,
        jitter: Duration,
    },
}

impl Rules {
    pub(crate) fn decide(&self, facts: &Facts) -> Decision {
        let Some(reason) = facts.result.reason(facts.is_idempotent, self.retry_server_errors) else {
            return Decision::Stop;
        };
        // A policy of a single attempt is meant as such.
        if reason == RetryReason::KeyRotated && self.max_attempts > 1 {
            // At the call's deadline the caller gets the 401.
            if facts.time_left.is_zero() {
                return Decision::Stop;
            }
            return Decision::Retry { reason, at_least: Duration::ZERO, jitter: Duration::ZERO };
        }
        if facts.attempts >= self.max_attempts {
            return Decision::Stop;
        }
        let asked = facts.server_wait.max(facts.turn).unwrap_or_default();
        if asked > self.max_retry_after {
            return Decision::Stop;
        }
        let is_refused = reason == RetryReason::RateLimited;
        let says_when = facts.server_wait.is_some_and(|wait| !wait.is_zero());
        let at_least = match (is_refused, facts.has_budget) {
            // A server that asks for no wait at all is not asked again at once.
            (true, _) => asked.max(self.initial_backoff),
            (false, true) => asked,
            (false, false) if self.is_patient => asked.max(self.max_backoff),
            (false, false) => return Decision::Stop,
        };
        // Else the caller would get a time-out in place of the answer that there is.
        if at_least >= facts.time_left || at_least.saturating_add(facts.least_attempt) > facts.time_left {
            return Decision::Stop;
        }
        let jitter = match is_refused {
            true if facts.turn.is_some() && says_when => Duration::ZERO,
            // A pacer knows only what the server said.
            true if facts.turn.is_some() => self.backoff(facts.attempts),
            true if self.is_patient => facts.window.saturating_mul(windows(facts.refusals, MOST_ALONE)),
            _ => self.backoff(facts.attempts),
        };
        // The try needs time as well.
        let room = facts.time_left.saturating_sub(at_least).checked_div(2).unwrap_or_default();
        Decision::Retry { reason, at_least, jitter: jitter.min(room) }
    }

    fn backoff(&self, tried: u32) -> Duration {
        let doubled = 1_u32.checked_shl(tried.saturating_sub(1)).unwrap_or(u32::MAX);
        self.initial_backoff.saturating_mul(doubled).min(self.max_backoff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RetryPolicy;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// A first GET of which nothing is known, with time and budget.
    fn facts(result: TryResult) -> Facts {
        Facts {
            result,
            is_idempotent: true,
            attempts: 1,
            refusals: u32::from(result == TryResult::Refused),
            has_budget: true,
            server_wait: None,
            window: Duration::from_secs(60),
            turn: None,
            time_left: HOUR,
            least_attempt: Duration::ZERO,
        }
    }

    fn retry(reason: RetryReason, at_least: f64, jitter: f64) -> Decision {
        Decision::Retry { reason, at_least: secs(at_least), jitter: secs(jitter) }
    }

    /// The rows of the docs of `RetryPolicy`, one by one.
    #[test]
    fn the_decision_is_its_table() {
        use Decision::Stop;
        use RetryReason as R;
        use TryResult as H;

        let default = RetryPolicy::default().rules;
        let within = RetryPolicy::within(HOUR).rules;
        let no_5xx = RetryPolicy::default().retry_server_errors(false).rules;
        let asks = |result, wait| Facts { server_wait: Some(secs(wait)), ..facts(result) };
        let post = |facts| Facts { is_idempotent: false, ..facts };
        let tried = |tried, facts| Facts { attempts: tried, ..facts };
        let refused = |refusals| Facts { refusals, ..asks(H::Refused, 30.0) };
        let paced = |turn| Facts { turn: Some(secs(turn)), ..asks(H::Refused, 30.0) };
        let left = |time, facts| Facts { time_left: secs(time), ..facts };
        let sending = |time, facts| Facts { least_attempt: secs(1.0), ..left(time, facts) };
        let broke = |facts| Facts { has_budget: false, ..facts };
        let table = [
            // What result × idempotent.
            ("final", default, facts(H::Final), Stop),
            ("final, a job", within, facts(H::Final), Stop),
            ("5xx, GET", default, facts(H::Unavailable), retry(R::Unavailable, 0.0, 0.5)),
            ("5xx, POST", default, post(facts(H::Unavailable)), Stop),
            ("5xx, switched off", no_5xx, facts(H::Unavailable), Stop),
            ("5xx with a wait", default, asks(H::Unavailable, 7.0), retry(R::Unavailable, 7.0, 0.5)),
            ("no answer, GET", default, facts(H::NoAnswer), retry(R::NoAnswer, 0.0, 0.5)),
            ("no answer, GET, 5xx off", no_5xx, facts(H::NoAnswer), retry(R::NoAnswer, 0.0, 0.5)),
            ("no answer, POST", default, post(facts(H::NoAnswer)), Stop),
            ("no answer, POST, a job", within, post(facts(H::NoAnswer)), Stop),
            ("nothing sent, GET", default, facts(H::NotSent), retry(R::NotSent, 0.0, 0.5)),
            ("nothing sent, POST", default, post(facts(H::NotSent)), retry(R::NotSent, 0.0, 0.5)),
            ("429, GET", default, asks(H::Refused, 30.0), retry(R::RateLimited, 30.0, 0.5)),
            ("429, POST", default, post(asks(H::Refused, 30.0)), retry(R::RateLimited, 30.0, 0.5)),
            ("429 without a wait", default, facts(H::Refused), retry(R::RateLimited, 0.5, 0.5)),
            ("429 with a wait of 0", default, asks(H::Refused, 0.0), retry(R::RateLimited, 0.5, 0.5)),
            ("401 to an old key, POST", default, post(facts(H::KeyRotated)), retry(R::KeyRotated, 0.0, 0.0)),
            (
                "401 to an old key, last attempt",
                default,
                tried(3, facts(H::KeyRotated)),
                retry(R::KeyRotated, 0.0, 0.0),
            ),
            ("401 to an old key, no budget", default, broke(facts(H::KeyRotated)), retry(R::KeyRotated, 0.0, 0.0)),
            // The backoff and the spread.
            ("second attempt", default, tried(2, facts(H::NotSent)), retry(R::NotSent, 0.0, 1.0)),
            ("backoff cap", within, tried(99, facts(H::NotSent)), retry(R::NotSent, 0.0, 60.0)),
            ("429, a job", within, refused(1), retry(R::RateLimited, 30.0, 60.0)),
            ("second 429, a job", within, refused(2), retry(R::RateLimited, 30.0, 180.0)),
            ("ninth 429, a job", within, refused(9), retry(R::RateLimited, 30.0, 900.0)),
            ("429, its turn later", within, paced(90.0), retry(R::RateLimited, 90.0, 0.0)),
            ("429, its turn sooner", within, paced(9.0), retry(R::RateLimited, 30.0, 0.0)),
            ("429, its turn too late", default, paced(90.0), Stop),
            (
                "429 without a wait, its turn at once, again and again",
                within,
                Facts { turn: Some(secs(0.25)), server_wait: Some(secs(0.0)), attempts: 5, ..facts(H::Refused) },
                retry(R::RateLimited, 0.5, 8.0),
            ),
            ("jitter leaves half the time", within, left(70.0, refused(1)), retry(R::RateLimited, 30.0, 20.0)),
            // Tries left.
            ("last attempt", default, tried(3, facts(H::NotSent)), Stop),
            ("last attempt, 429", default, tried(3, asks(H::Refused, 1.0)), Stop),
            // The server's wait against the longest allowed.
            ("the longest wait", default, left(99.0, asks(H::Refused, 60.0)), retry(R::RateLimited, 60.0, 0.5)),
            ("a longer wait", default, asks(H::Refused, 61.0), Stop),
            ("a longer wait, 5xx", default, asks(H::Unavailable, 61.0), Stop),
            ("a longer wait, a job", within, asks(H::Refused, 61.0), retry(R::RateLimited, 61.0, 60.0)),
            // The time left.
            ("time for the wait, and none to send", default, sending(30.9, asks(H::Refused, 30.0)), Stop),
            ("time for both", default, sending(31.0, asks(H::Refused, 30.0)), retry(R::RateLimited, 30.0, 0.5)),
            ("no time for the wait", default, left(30.0, asks(H::Refused, 30.0)), Stop),
            ("no time at all", default, left(0.0, facts(H::NotSent)), Stop),
            ("401 to an old key, no time at all", default, left(0.0, facts(H::KeyRotated)), Stop),
            // The budget.
            ("budget empty, 5xx", default, broke(facts(H::Unavailable)), Stop),
            ("budget empty, nothing sent", default, broke(facts(H::NotSent)), Stop),
            ("budget empty, no answer", default, broke(facts(H::NoAnswer)), Stop),
            ("budget empty, 429", default, broke(asks(H::Refused, 1.0)), retry(R::RateLimited, 1.0, 0.5)),
            ("budget empty, a job", within, broke(facts(H::NotSent)), retry(R::NotSent, 60.0, 0.5)),
        ];
        for (row, rules, facts, expected) in table {
            assert_eq!(rules.decide(&facts), expected, "{row}: {facts:?}");
        }
    }

    #[test]
    fn only_three_of_the_5xx_and_the_429_are_worth_another_try() {
        let api = crate::Api::new(crate::ApiKey::new("k").unwrap());
        for status in 100..=999 {
            let response = http::Response::builder().status(status).body(r#"{"message": "m"}"#).unwrap();
            let expected = match status {
                429 => TryResult::Refused,
                502..=504 => TryResult::Unavailable,
                _ => TryResult::Final,
            };
            assert_eq!(TryResult::of_answer(&api.read(response), false), expected, "{status}");
        }
    }

    #[test]
    fn a_challenge_is_final_on_any_status_and_a_429_is_a_refusal_whatever_its_body() {
        let api = crate::Api::new(crate::ApiKey::new("k").unwrap());
        let challenge = http::Response::builder().status(503).header("cf-mitigated", "challenge").body("").unwrap();
        let page = http::Response::builder().status(429).header("retry-after", "1").body("<html>").unwrap();
        assert_eq!(TryResult::of_answer(&api.read(challenge), false), TryResult::Final);
        assert_eq!(TryResult::of_answer(&api.read(page), false), TryResult::Refused);
    }

    #[test]
    fn what_a_failure_is_follows_from_its_delivery() {
        use TransportFailure as F;
        for (failure, expected) in [
            (F::Failed(Delivery::NotSent), TryResult::NotSent),
            (F::Failed(Delivery::Untrusted), TryResult::Final),
            (F::Failed(Delivery::Unknown), TryResult::NoAnswer),
            (F::TimedOut(Delivery::NotSent), TryResult::NotSent),
            (F::ConnectTimedOut(None), TryResult::NotSent),
            (F::TimedOut(Delivery::Unknown), TryResult::NoAnswer),
            (F::Setup, TryResult::Final),
            (F::ProxyRefused(None), TryResult::Final),
            (F::HeadTooLarge(None), TryResult::Final),
            (F::BodyTooLarge(StatusCode::OK), TryResult::Final),
        ] {
            assert_eq!(TryResult::of_failure(failure), expected, "{failure:?}");
        }
    }

    #[test]
    fn no_wait_overflows() {
        for time_left in [Duration::ZERO, Duration::MAX] {
            for result in [TryResult::Refused, TryResult::NotSent] {
                let most = Facts {
                    attempts: u32::MAX,
                    refusals: u32::MAX,
                    window: Duration::MAX,
                    server_wait: Some(Duration::MAX),
                    time_left,
                    least_attempt: Duration::from_secs(1),
                    ..facts(result)
                };
                let _ = RetryPolicy::within(Duration::MAX).rules.decide(&most);
                let _ = RetryPolicy::none()
                    .initial_backoff(Duration::MAX)
                    .max_attempts(9)
                    .max_backoff(Duration::MAX)
                    .rules
                    .decide(&most);
            }
        }
    }
}
