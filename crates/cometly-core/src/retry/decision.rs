//! Whether to send again: the table in the docs of [`RetryPolicy`](crate::RetryPolicy), on plain data.

use std::time::Duration;

use http::StatusCode;

use super::{
    backoff::{MOST_ALONE, windows},
    policy::Rules,
};
use crate::{AuthOutcome, Delivery, RetryReason};

/// What one try came to, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// 429.
    Refused,
    /// 502, 503 or 504.
    Unavailable,
    NotSent,
    /// No answer, and it may have arrived.
    NoAnswer,
    /// Whatever another try would not change, or must not repeat.
    Final,
}

impl Happened {
    pub(crate) fn answered<B>(outcome: &AuthOutcome<B>) -> Self {
        match (outcome, outcome.status()) {
            (AuthOutcome::RateLimited(_), _) => Self::Refused,
            (
                AuthOutcome::ServerError(_),
                StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
            ) => Self::Unavailable,
            _ => Self::Final,
        }
    }

    pub(crate) fn failed(delivery: Delivery) -> Self {
        match delivery {
            Delivery::NotSent => Self::NotSent,
            Delivery::Untrusted => Self::Final,
            Delivery::Unknown => Self::NoAnswer,
        }
    }

    fn reason(self, is_idempotent: bool, retry_server_errors: bool) -> Option<RetryReason> {
        match self {
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
    pub(crate) happened: Happened,
    pub(crate) is_idempotent: bool,
    /// Tries so far, at least one.
    pub(crate) tried: u32,
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
        let Some(reason) = facts.happened.reason(facts.is_idempotent, self.retry_server_errors) else {
            return Decision::Stop;
        };
        if facts.tried >= self.tries {
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
            (true, _) => asked.max(self.base),
            (false, true) => asked,
            (false, false) if self.is_patient => asked.max(self.cap),
            (false, false) => return Decision::Stop,
        };
        if at_least >= facts.time_left {
            return Decision::Stop;
        }
        let jitter = match is_refused {
            true if facts.turn.is_some() && says_when => Duration::ZERO,
            // A pacer knows only what the server said.
            true if facts.turn.is_some() => self.backoff(facts.tried),
            true if self.is_patient => facts.window.saturating_mul(windows(facts.refusals, MOST_ALONE)),
            _ => self.backoff(facts.tried),
        };
        // The try needs time as well.
        let room = facts.time_left.saturating_sub(at_least).checked_div(2).unwrap_or_default();
        Decision::Retry { reason, at_least, jitter: jitter.min(room) }
    }

    fn backoff(&self, tried: u32) -> Duration {
        let doubled = 1_u32.checked_shl(tried.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(doubled).min(self.cap)
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
    fn facts(happened: Happened) -> Facts {
        Facts {
            happened,
            is_idempotent: true,
            tried: 1,
            refusals: u32::from(happened == Happened::Refused),
            has_budget: true,
            server_wait: None,
            window: Duration::from_secs(60),
            turn: None,
            time_left: HOUR,
        }
    }

    fn retry(reason: RetryReason, at_least: f64, jitter: f64) -> Decision {
        Decision::Retry { reason, at_least: secs(at_least), jitter: secs(jitter) }
    }

    /// The rows of the docs of `RetryPolicy`, one by one.
    #[test]
    fn the_decision_is_its_table() {
        use Decision::Stop;
        use Happened as H;
        use RetryReason as R;

        let default = RetryPolicy::default().rules;
        let within = RetryPolicy::within(HOUR).rules;
        let no_5xx = RetryPolicy::default().retry_server_errors(false).rules;
        let asks = |happened, wait| Facts { server_wait: Some(secs(wait)), ..facts(happened) };
        let post = |facts| Facts { is_idempotent: false, ..facts };
        let tried = |tried, facts| Facts { tried, ..facts };
        let refused = |refusals| Facts { refusals, ..asks(H::Refused, 30.0) };
        let paced = |turn| Facts { turn: Some(secs(turn)), ..asks(H::Refused, 30.0) };
        let left = |time, facts| Facts { time_left: secs(time), ..facts };
        let broke = |facts| Facts { has_budget: false, ..facts };
        let table = [
            // What happened × idempotent.
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
            // The backoff and the spread.
            ("second try", default, tried(2, facts(H::NotSent)), retry(R::NotSent, 0.0, 1.0)),
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
                Facts { turn: Some(secs(0.25)), server_wait: Some(secs(0.0)), tried: 5, ..facts(H::Refused) },
                retry(R::RateLimited, 0.5, 8.0),
            ),
            ("jitter leaves half the time", within, left(70.0, refused(1)), retry(R::RateLimited, 30.0, 20.0)),
            // Tries left.
            ("last try", default, tried(3, facts(H::NotSent)), Stop),
            ("last try, 429", default, tried(3, asks(H::Refused, 1.0)), Stop),
            // The server's wait against the longest allowed.
            ("the longest wait", default, left(99.0, asks(H::Refused, 60.0)), retry(R::RateLimited, 60.0, 0.5)),
            ("a longer wait", default, asks(H::Refused, 61.0), Stop),
            ("a longer wait, 5xx", default, asks(H::Unavailable, 61.0), Stop),
            ("a longer wait, a job", within, asks(H::Refused, 61.0), retry(R::RateLimited, 61.0, 60.0)),
            // The time left.
            ("no time for the wait", default, left(30.0, asks(H::Refused, 30.0)), Stop),
            ("no time at all", default, left(0.0, facts(H::NotSent)), Stop),
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
                429 => Happened::Refused,
                502..=504 => Happened::Unavailable,
                _ => Happened::Final,
            };
            assert_eq!(Happened::answered(&api.read(response)), expected, "{status}");
        }
    }

    #[test]
    fn a_challenge_is_final_on_any_status_and_a_429_is_a_refusal_whatever_its_body() {
        let api = crate::Api::new(crate::ApiKey::new("k").unwrap());
        let challenge = http::Response::builder().status(503).header("cf-mitigated", "challenge").body("").unwrap();
        let page = http::Response::builder().status(429).header("retry-after", "1").body("<html>").unwrap();
        assert_eq!(Happened::answered(&api.read(challenge)), Happened::Final);
        assert_eq!(Happened::answered(&api.read(page)), Happened::Refused);
    }

    #[test]
    fn what_a_failure_is_follows_from_its_delivery() {
        assert_eq!(Happened::failed(Delivery::NotSent), Happened::NotSent);
        assert_eq!(Happened::failed(Delivery::Untrusted), Happened::Final);
        assert_eq!(Happened::failed(Delivery::Unknown), Happened::NoAnswer);
    }

    #[test]
    fn no_wait_overflows() {
        for time_left in [Duration::ZERO, Duration::MAX] {
            for happened in [Happened::Refused, Happened::NotSent] {
                let most = Facts {
                    tried: u32::MAX,
                    refusals: u32::MAX,
                    window: Duration::MAX,
                    server_wait: Some(Duration::MAX),
                    time_left,
                    ..facts(happened)
                };
                let _ = RetryPolicy::within(Duration::MAX).rules.decide(&most);
                let _ = RetryPolicy::none().base(Duration::MAX).tries(9).cap(Duration::MAX).rules.decide(&most);
            }
        }
    }
}
