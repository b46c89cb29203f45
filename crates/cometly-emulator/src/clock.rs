//! The time that the emulator goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::dates::{END_OF_TIME, http_date};

/// The clock of an emulator: the system's, as by default, or a stopped one; given to it by
/// [`EmulatorBuilder::clock`](crate::EmulatorBuilder::clock). Either can be pushed forward, by any clone.
///
/// Clones show the same time, so a test keeps one and gives the other to the emulator:
///
/// ```
/// use std::time::Duration;
/// use cometly_emulator::{Clock, Emulator};
///
/// # fn main() -> std::io::Result<()> {
/// let clock = Clock::stopped();
/// let emulator = Emulator::builder().clock(clock.clone()).start()?;
/// clock.advance(Duration::from_secs(60)); // every rate limit starts afresh
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock {
    stopped_at: Option<u64>,
    ahead_millis: Arc<AtomicU64>,
}

impl Clock {
    /// A clock that shows the system's time, and what [`advance`](Self::advance) adds.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that is stopped at the present moment, and moves only by [`advance`](Self::advance).
    #[must_use]
    pub fn stopped() -> Self {
        Self { stopped_at: Some(system_millis()), ..Self::default() }
    }

    /// A clock stopped at this moment, in milliseconds since 1970.
    #[cfg(fuzzing)]
    pub(crate) fn stopped_at(millis: u64) -> Self {
        Self { stopped_at: Some(millis), ..Self::default() }
    }

    /// Pushes the clock, and every clone of it, forward by this time. It cannot be set back, and stops at the end of the year 9999.
    /// A fraction of a millisecond is cut. The rate limits and dates go by whole seconds.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        let ahead = |millis: u64| Some(millis.saturating_add(by));
        // The closure never declines, so there is no failure to hear of.
        let _ = self.ahead_millis.fetch_update(Ordering::Relaxed, Ordering::Relaxed, ahead);
    }

    /// Whole seconds since 1970: all that Laravel's rate limiter knows of time.
    pub(crate) fn seconds(&self) -> u64 {
        let now = self.stopped_at.unwrap_or_else(system_millis);
        (now.saturating_add(self.ahead_millis.load(Ordering::Relaxed)) / 1000).min(END_OF_TIME)
    }

    /// The same moment as a `Date` header.
    pub(crate) fn date(&self) -> String {
        http_date(self.seconds())
    }
}

fn system_millis() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_pushed_and_takes_its_clones_along() {
        let clock = Clock::stopped();
        let twin = clock.clone();
        let start = clock.seconds();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(clock.seconds(), start);
        clock.advance(Duration::from_secs(61));
        assert_eq!(twin.seconds(), start + 61);
    }

    #[test]
    fn the_system_clock_runs_and_can_be_pushed() {
        let clock = Clock::system();
        let before = clock.seconds();
        clock.advance(Duration::from_secs(3600));
        assert!((before + 3600..before + 3605).contains(&clock.seconds()));
    }

    #[test]
    fn no_push_is_too_far() {
        let clock = Clock::stopped();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.date(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
