//! When a call is sent again, and for how long.

use std::{fmt, time::Duration};

use crate::RetryBudget;

/// When a call is sent again, how long to wait before, and how long all of it may take.
///
/// Three to choose from, and setters to change them, of which the last call counts:
///
/// | | attempts | whole call | waits at most | for |
/// | --- | --- | --- | --- | --- |
/// | [`default`](RetryPolicy::default) | 3 | 60 s | 60 s | a call that a person waits for |
/// | [`none`](RetryPolicy::none) | 1 | not bounded here | – | programs with a loop of their own |
/// | [`within`](RetryPolicy::within) | any | the time given | as long as the server says | jobs that must get through |
///
/// # The decision
/// After each attempt, the first row that fits:
///
/// | what happened | sent again | after at least | plus jitter below |
/// | --- | --- | --- | --- |
/// | 401 to a key that was [rotated](crate::Api::rotate) away meanwhile | once with each new key (16 at most, none counts as an attempt), a POST too: the key is looked at before the work | | |
/// | success, 401, 403, 404, 422 or another 4xx; anything `Unexpected`; `Untrusted`; an answer too large; a proxy that refuses | never | | |
/// | 500, 501, 505 and every other 5xx but the next row's | never: the call itself may have broken the server | | |
/// | 502, 503, 504 | if idempotent, and not [switched off](RetryPolicy::retry_server_errors) | `Retry-After` | backoff |
/// | no answer, or a time-out: it may have arrived | if idempotent | | backoff |
/// | nothing was sent | always | | backoff |
/// | 429 | always: it was refused before any work | `Retry-After`, or a window if it tells none | backoff; `within`: the spread |
///
/// Then it stops at once, with the answer or error of that attempt, if
/// - the attempts are used up;
/// - the server asks for a longer wait than [allowed](RetryPolicy::max_retry_after), or the time that is left does not hold the
///   wait and an attempt, which needs a second, or a tenth of a shorter call: a 429 is then `RateLimited` with that wait;
/// - the [`RetryBudget`] is empty, and it was neither a 429 nor a rotated key; but `within` goes on, after at least the
///   longest backoff.
///
/// *Idempotent* is GET, PUT, DELETE, a call with an [idempotency key](crate::Call::idempotency_key), or one that is
/// [marked](crate::Call::idempotent). *Backoff* is the initial one, doubled with each attempt up to the longest; the wait is
/// drawn evenly below it (full jitter). *A window* is the longest `Retry-After` that this call met, or a minute; a wait whose
/// length cannot be read counts as one. *The spread* is 1, 3, 7, then 15 windows with each 429 in a row, and more beyond 40 of
/// them. Jitter is cut so that it leaves half of the time for the attempt. A call that a [`Pacer`](crate::Pacer) let go waits
/// until it says, instead of the spread.
///
/// ```
/// use std::time::Duration;
/// use cometly_core::RetryPolicy;
///
/// let patient = RetryPolicy::within(Duration::from_secs(48 * 60 * 60));
/// let quick = RetryPolicy::default().max_attempts(2).timeout(Duration::from_secs(5));
/// # let _ = (patient, quick);
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until a call is sent with it"]
pub struct RetryPolicy {
    pub(crate) rules: Rules,
    pub(crate) budget: RetryBudget,
}

/// The plain numbers of a policy, on which the decision depends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_attempts: u32,
    pub(crate) initial_backoff: Duration,
    pub(crate) max_backoff: Duration,
    pub(crate) max_retry_after: Duration,
    pub(crate) retry_server_errors: bool,
    /// `None` if it was not set.
    pub(crate) timeout: Option<Duration>,
    /// Whether the call must get through: then it spreads over whole windows, and an empty budget only slows it.
    pub(crate) is_patient: bool,
}

/// The time for a whole call, if none is set.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A wait of zero, over and over, would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

impl RetryPolicy {
    /// One attempt. It has no time-out of its own, so the client's holds: an attempt takes 30 s at most, unless the client says
    /// otherwise.
    pub fn none() -> Self {
        Self::default().max_attempts(1).timeout(Duration::MAX)
    }

    /// For a job that must get through: any number of attempts within `timeout`, which bounds the whole call with its waits. It
    /// waits as long as the server asks; the backoff is at most 60 s. After a 429 without a [`Pacer`](crate::Pacer) it waits a
    /// random time more, below 1, 3, 7, then 15 windows of the rate limit with each 429 in a row, so that thousands of jobs do
    /// not come at the same time and are refused again.
    ///
    /// The call fails with [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout) when the time is over; before, with its
    /// last answer or error, if what is left does not hold the next wait and an attempt.
    pub fn within(timeout: Duration) -> Self {
        let mut policy = Self::default()
            .max_attempts(u32::MAX)
            .max_backoff(Duration::from_secs(60))
            .max_retry_after(timeout)
            .timeout(timeout);
        policy.rules.is_patient = true;
        policy
    }

    /// The most attempts, the first included; 3 by default. 0 counts as 1. A 401 to a key that was replaced meanwhile does not
    /// count. After the last one the call ends with its answer or error. A second call replaces it.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.rules.max_attempts = attempts.max(1);
        self
    }

    /// The bound of the wait after the first attempt, if it failed: the wait is drawn evenly from 0 up to it, and comes on top
    /// of a `Retry-After`. The bound doubles with each further attempt, up to [`max_backoff`](Self::max_backoff). 500 ms by
    /// default; less than 1 ms counts as 1 ms. After a 429 it is also the shortest wait. A second call replaces it.
    pub fn initial_backoff(mut self, backoff: Duration) -> Self {
        self.rules.initial_backoff = backoff.max(SHORTEST);
        self
    }

    /// The bound that the doubled backoff does not exceed; 20 s by default, 60 s for [`within`](RetryPolicy::within). Less than
    /// 1 ms counts as 1 ms. A second call replaces it.
    pub fn max_backoff(mut self, backoff: Duration) -> Self {
        self.rules.max_backoff = backoff.max(SHORTEST);
        self
    }

    /// The longest wait before an attempt that is accepted, be it asked for by the server (`Retry-After`) or by a
    /// [`Pacer`](crate::Pacer): 60 s by default; of a policy from [`within`](RetryPolicy::within), all of its time. A longer
    /// one ends the call at once: after an attempt with its answer or error, as a 429 or a 503; before an attempt, if the pacer
    /// asks for it, with [`CallErrorKind::Paced`](crate::CallErrorKind::Paced). A second call replaces it.
    pub fn max_retry_after(mut self, longest: Duration) -> Self {
        self.rules.max_retry_after = longest;
        self
    }

    /// Whether an idempotent call is sent again after 502, 503 or 504; true by default. If not, that answer ends the call. A second
    /// call replaces it.
    pub fn retry_server_errors(mut self, retry: bool) -> Self {
        self.rules.retry_server_errors = retry;
        self
    }

    /// How long the whole call may take, all attempts and waits included; 60 s by default. When it is over, the call fails with
    /// [`CallErrorKind::Timeout`](crate::CallErrorKind::Timeout); it ends before, with its last answer or error, if what is left
    /// does not hold the next wait and an attempt. Zero fails every call before it is sent. The client's own time-out, if it has
    /// one, comes first, unless this policy is the call's. It does not end a streamed body that has begun, or the download of a
    /// file. A second call replaces it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.rules.timeout = Some(timeout);
        self
    }

    /// The budget that pays for retries after failures, to be shared with other policies: a retry takes what ten calls bring
    /// in, whatever they are answered. Without enough left, a failure ends the call; with [`within`](Self::within) it only
    /// waits longer. By default each new policy has a budget of its own with a reserve of 10 retries, which its clones share. A
    /// second call replaces it.
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }
}

impl Default for RetryPolicy {
    /// For a call that a person waits for: 3 attempts within 60 s.
    fn default() -> Self {
        Self {
            rules: Rules {
                max_attempts: 3,
                initial_backoff: Duration::from_millis(500),
                max_backoff: Duration::from_secs(20),
                max_retry_after: Duration::from_secs(60),
                retry_server_errors: true,
                timeout: None,
                is_patient: false,
            },
            budget: RetryBudget::new(),
        }
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy").field("rules", &self.rules).field("budget", &self.budget).finish()
    }
}

/// Why a call is sent again, for logs; from [`Attempt::reason`](crate::Attempt::reason).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryReason {
    /// 401 to a key that was replaced while the call was under way: the call is sent again with the new one.
    KeyRotated,
    /// 429: the rate limit is used up.
    RateLimited,
    /// 502, 503 or 504: the server could not serve the call.
    Unavailable,
    /// The attempt before did not reach the server.
    NotSent,
    /// The attempt before got no answer, and the call is idempotent.
    NoAnswer,
}

impl RetryReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::KeyRotated => "the key was replaced meanwhile",
            Self::RateLimited => "the rate limit is used up",
            Self::Unavailable => "the server could not serve it",
            Self::NotSent => "nothing was sent",
            Self::NoAnswer => "it got no answer",
        }
    }
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_three_policies_are_what_their_table_says() {
        for (policy, tries, total, longest) in [
            (RetryPolicy::default(), 3, None, secs(60)),
            (RetryPolicy::none(), 1, Some(Duration::MAX), secs(60)),
            (RetryPolicy::within(secs(7)), u32::MAX, Some(secs(7)), secs(7)),
        ] {
            let rules = policy.rules;
            assert_eq!(
                (rules.max_attempts, rules.timeout, rules.max_retry_after),
                (tries, total, longest),
                "{policy:?}"
            );
        }
    }

    #[test]
    fn a_policy_shows_its_rules_and_what_is_left_of_its_budget() {
        let shown = format!("{:?}", RetryPolicy::none());
        assert!(
            shown
                .starts_with("RetryPolicy { rules: Rules { max_attempts: 1, initial_backoff: 500ms, max_backoff: 20s,"),
            "{shown}"
        );
        assert!(shown.ends_with("is_patient: false }, budget: RetryBudget { retries: 10 } }"), "{shown}");
    }

    #[test]
    fn the_reason_of_a_retry_reads_as_one() {
        use RetryReason::{NoAnswer, NotSent, RateLimited, Unavailable};
        let reasons = [RateLimited, Unavailable, NotSent, NoAnswer].map(|reason| reason.to_string());
        let expected =
            ["the rate limit is used up", "the server could not serve it", "nothing was sent", "it got no answer"];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn what_would_never_send_or_never_wait_is_raised_to_the_least() {
        let rules =
            RetryPolicy::default().max_attempts(0).initial_backoff(Duration::ZERO).max_backoff(Duration::ZERO).rules;
        assert_eq!((rules.max_attempts, rules.initial_backoff, rules.max_backoff), (1, SHORTEST, SHORTEST));
    }

    #[test]
    fn clones_share_a_budget_and_policies_do_not() {
        let policy = RetryPolicy::default().budget(RetryBudget::with_reserve(1));
        assert!(policy.clone().budget.withdraw() && !policy.budget.withdraw());
        let (one, other) = (RetryPolicy::default(), RetryPolicy::default());
        while one.budget.withdraw() {}
        assert!(other.budget.withdraw());
    }
}
