//! Policies as they are mostly written, for comparison: each call on its own.

use super::{clock::Seconds, random::Random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// Doubled from a second up to a minute, without jitter.
    Exponential,
    /// Drawn below a second, doubled up to 20.
    FullJitter,
    /// What the server says.
    RetryAfter,
}

impl Plain {
    pub(super) const ALL: [Self; 3] = [Self::Exponential, Self::FullJitter, Self::RetryAfter];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Exponential => "exponential, cap 60 s",
            Self::FullJitter => "full jitter, cap 20 s",
            Self::RetryAfter => "Retry-After exactly",
        }
    }

    /// How long it waits after a refusal, of which it has had so many.
    pub(super) fn wait(self, refusals: u32, retry_after: Seconds, random: &mut Random) -> Seconds {
        let doubled = f64::from(1_u32.checked_shl(refusals.saturating_sub(1)).unwrap_or(u32::MAX));
        match self {
            Self::Exponential => doubled.min(60.0),
            Self::FullJitter => random.part() * doubled.min(20.0),
            Self::RetryAfter => retry_after,
        }
    }
}
