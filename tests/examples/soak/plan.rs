//! What is to happen to a call, try by try, and what must come of it.

use cometly_conformance::Sent;
use cometly_core::{ApiError, ApiErrorKind, CallErrorKind};

/// How often a call is sent at most.
pub(crate) const TRIES: usize = 3;

/// Which calls are sent again after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// Those that may be done twice.
    IfHarmless,
    Always,
}

/// One thing that a server can do with one attempt.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// How often it is drawn, in relation to the others.
    pub(crate) weight: u64,
    pub(crate) again: Again,
    /// As [`told`] tells it.
    pub(crate) outcome: &'static str,
}

const fn step(name: &'static str, weight: u64, again: Again, outcome: &'static str) -> Step {
    Step { name, weight, again, outcome }
}

use Again::{Always, IfHarmless, Never};

pub(crate) const LOST: &str = "Transport, Some(Unknown)";
pub(crate) const TIMED_OUT: &str = "Timeout, Some(Unknown)";
pub(crate) const NOT_SENT: &str = "Transport, Some(NotSent)";

/// What the fault server does.
pub(crate) const STEPS: &[Step] = &[
    step("fine", 500, Never, "Success, 200"),
    step("late", 60, Never, "Success, 200"),
    step("announced close", 20, Never, "Success, 200"),
    step("chunks", 40, Never, "Success, 200"),
    step("401", 20, Never, "Unauthenticated, 401"),
    step("403", 20, Never, "Forbidden(Permission), 403"),
    step("422", 20, Never, "Rejected, 422"),
    step("429", 40, Always, "RateLimited, 429"),
    step("429-1", 20, Always, "RateLimited, 429"),
    step("500", 20, Never, "ServerError, 500"),
    step("502", 30, IfHarmless, "ServerError, 502"),
    step("503", 30, IfHarmless, "ServerError, 503"),
    step("503-1", 10, IfHarmless, "ServerError, 503"),
    step("reset", 30, IfHarmless, LOST),
    step("close", 30, IfHarmless, LOST),
    step("half", 30, IfHarmless, LOST),
    step("half-chunk", 20, IfHarmless, LOST),
    step("half-reset", 20, IfHarmless, LOST),
    step("garbage", 20, IfHarmless, LOST),
    step("silence", 4, IfHarmless, TIMED_OUT),
    step("crawl", 4, IfHarmless, TIMED_OUT),
    step("huge", 20, Never, "TooLarge, 200"),
    step("endless", 10, Never, "TooLarge, 200"),
    step("page", 20, Never, "Unexpected(NotJson), 200"),
    step("redirect", 20, Never, "Unexpected(Redirect), 302"),
];

/// What the emulator does with a call to the contact of that number, from 1, every time.
pub(crate) const CONTACTS: &[Step] = &[
    step("slow, 50 ms", 200, Never, "Success, 200"),
    step("slow, 300 ms", 200, Never, "Success, 200"),
    step("slow, 600 ms", 100, Never, "Success, 200"),
    step("trickle", 20, Never, "Success, 200"),
    step("cut body", 20, IfHarmless, LOST),
    step("endless", 20, Never, "TooLarge, 200"),
    step("reset before", 20, IfHarmless, LOST),
    step("reset after", 20, IfHarmless, LOST),
    step("silence", 1, IfHarmless, TIMED_OUT),
    step("unauthenticated", 20, Never, "Unauthenticated, 401"),
    step("forbidden", 20, Never, "Forbidden(Permission), 403"),
    step("inactive subscription", 20, Never, "Forbidden(InactiveSubscription), 403"),
    step("too many requests", 20, Always, "RateLimited, 429"),
    step("500", 20, Never, "ServerError, 500"),
    step("502", 20, IfHarmless, "ServerError, 502"),
    step("maintenance", 10, IfHarmless, "ServerError, 503"),
    step("login redirect", 20, Never, "Unexpected(Redirect), 302"),
    step("Cloudflare challenge", 20, Never, "Unexpected(Challenge), 403"),
    step("WAF challenge", 20, Never, "Unexpected(Challenge), 202"),
    step("HTML page", 20, Never, "Unexpected(NotJson), 200"),
];

/// What became of a call, in a few words.
pub(crate) fn told(sent: &Sent) -> String {
    match sent {
        Ok(outcome) => {
            let kind = match outcome.error().map(ApiError::kind) {
                None => "Success".to_owned(),
                Some(ApiErrorKind::Unexpected(cause)) => format!("Unexpected({cause:?})"),
                Some(kind) => format!("{kind:?}"),
            };
            format!("{kind}, {}", outcome.status().as_u16())
        }
        Err(error) if error.kind() == CallErrorKind::TooLarge => {
            format!("TooLarge, {}", error.status().map_or_else(String::new, |status| status.as_u16().to_string()))
        }
        Err(error) if matches!(error.kind(), CallErrorKind::Timeout | CallErrorKind::Transport) => {
            format!("{:?}, {:?}", error.kind(), error.delivery())
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Draws a step by its weight.
pub(crate) fn draw(steps: &'static [Step], drawn: u64) -> Option<(usize, &'static Step)> {
    let total = steps.iter().map(|step| step.weight).sum::<u64>();
    let mut left = drawn.checked_rem(total)?;
    steps.iter().enumerate().find(|(_, step)| {
        let is_it = left < step.weight;
        left = left.saturating_sub(step.weight);
        is_it
    })
}

/// The numbers that everything is drawn from: `SplitMix64`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }
}
