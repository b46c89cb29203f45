//! The one clock: time since an origin that the caller chooses.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A point in time on the caller's clock: the time since an origin that the caller chooses. All that share a
/// [`Pacer`](crate::Pacer) need the same origin.
///
/// The core reads no clock; each step takes the current moment as an argument. A moment that is earlier than the latest one
/// seen counts as the latest.
///
/// | where | a moment comes from |
/// | --- | --- |
/// | a program with std's clock | [`Moment::now`] |
/// | tokio, so that paused time works | `Moment::from(tokio::time::Instant::now().into_std())` |
/// | wasm, a simulation, a test | [`Moment::since_origin`] |
///
/// ```
/// use std::time::Duration;
/// use cometly_core::Moment;
///
/// let start = Moment::since_origin(Duration::ZERO);
/// let later = start.saturating_add(Duration::from_secs(7));
/// assert_eq!(later.duration_since(start), Duration::from_secs(7));
/// assert_eq!(start.duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment that is `time` after the origin.
    #[must_use]
    pub const fn since_origin(time: Duration) -> Self {
        Self(time)
    }

    /// The current moment of std's monotonic clock, with one origin for the whole process. Panics where std has no clock
    /// (`wasm32-unknown-unknown`), as [`Instant::now`] does; take [`Moment::since_origin`] there.
    #[must_use]
    pub fn now() -> Self {
        Self::from(Instant::now())
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment that is `time` after this one; the last moment there is if that is out of range.
    #[must_use]
    pub const fn saturating_add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

/// The moment of an [`Instant`], with the origin of [`Moment::now`].
impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();

        // An instant before the first one seen must not become the origin itself, so the origin lies a year before it.
        const BEFORE: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let origin = *ORIGIN.get_or_init(|| instant);
        match instant.checked_duration_since(origin) {
            Some(after) => Self(BEFORE.saturating_add(after)),
            None => Self(BEFORE.saturating_sub(origin.saturating_duration_since(instant))),
        }
    }
}

#[cfg(test)]
impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        self.saturating_add(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_before_the_first_one_keeps_its_distance_for_most_of_a_year() {
        let (first, now) = (Instant::now(), Moment::now());
        let day = Duration::from_secs(86_400);
        for days in [0, 1, 300] {
            // Some systems know of no instant before the machine was started.
            let Some(earlier) = first.checked_sub(day * days) else { continue };
            assert_eq!(Moment::from(first).duration_since(Moment::from(earlier)), day * days, "{days}");
        }
        assert_eq!(Moment::from(first + day).duration_since(Moment::from(first)), day);
        assert!(now >= Moment::from(first) && Moment::now() >= now);
    }
}
