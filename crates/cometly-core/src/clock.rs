//! The caller's clock as one call or one job sees it.

use std::time::Duration;

use crate::Moment;

/// A clock that never goes back, and at most one pause on it.
///
/// An earlier moment than one before counts as no time gone by. From there on what the caller's clock gains counts, so a
/// clock that is set back makes a pause longer by no more than the time between two looks. A clock that is stopped cannot
/// hold a pause for ever: see [`MAX_IDLE_WAKES`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// The moment that the caller gave last, and the latest of all that it gave.
    given: Moment,
    highest: Moment,
    now: Moment,
    /// When the pause is over.
    resume_at: Option<Moment>,
    /// How often in a row the caller came back in a pause without its clock having moved.
    idle_wakes: u8,
}

/// After this many wake-ups without the clock having moved, the pause counts as gone by.
const MAX_IDLE_WAKES: u8 = 100;

impl Clock {
    pub(crate) fn new(now: Moment) -> Self {
        Self { given: now, highest: now, now, ..Self::default() }
    }

    /// Takes the caller's moment.
    pub(crate) fn advance(&mut self, now: Moment) {
        // A look that lies back among later ones takes nothing from them, and gives nothing twice.
        let gained = now.duration_since(if now < self.highest { self.given } else { self.highest });
        (self.given, self.highest) = (now, self.highest.max(now));
        self.now = self.now.saturating_add(gained);
        if !gained.is_zero() {
            self.idle_wakes = 0;
        } else if let Some(until) = self.resume_at {
            self.idle_wakes = self.idle_wakes.saturating_add(1);
            if self.idle_wakes > MAX_IDLE_WAKES {
                (self.now, self.idle_wakes) = (self.now.max(until), 0);
            }
        }
    }

    /// The current moment, never earlier than one before.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// The current moment as the caller gave it, for a pacer, which others with the same clock share.
    pub(crate) fn given(&self) -> Moment {
        self.given
    }

    /// Begins a pause.
    pub(crate) fn pause_for(&mut self, pause: Duration) {
        self.resume_at = Some(self.now.saturating_add(pause));
    }

    /// Ends the pause.
    pub(crate) fn resume(&mut self) {
        self.resume_at = None;
    }

    /// What is left of the pause.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        let pause = self.resume_at?.duration_since(self.now);
        if pause.is_zero() {
            self.resume_at = None;
        }
        Some(pause).filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::since_origin(Duration::from_secs(seconds))
    }

    fn left(clock: &mut Clock, now: u64) -> u64 {
        clock.advance(at(now));
        clock.pause().map_or(0, |pause| pause.as_secs())
    }

    #[test]
    fn a_pause_on_a_clock_that_is_set_back_ends_when_its_time_is_gone_by() {
        let mut clock = Clock::new(at(10_000));
        clock.pause_for(Duration::from_secs(30));
        assert_eq!(left(&mut clock, 10_010), 20);
        assert_eq!(left(&mut clock, 5_000), 20, "the time between two looks is lost");
        assert_eq!(clock.given(), at(5_000));
        assert_eq!(left(&mut clock, 5_015), 5);
        assert_eq!(left(&mut clock, 5_020), 0);
        assert_eq!(clock.now(), at(10_030));
    }

    #[test]
    fn one_look_that_lies_back_changes_nothing() {
        let mut clock = Clock::new(at(0));
        let looks = [50, 0, 50, 60, 59, 61, 2, 100].map(|now| {
            clock.advance(at(now));
            clock.now()
        });
        assert_eq!(looks, [50, 50, 50, 60, 60, 61, 61, 100].map(at));
    }

    #[test]
    fn a_pause_on_a_stopped_clock_ends_after_100_wake_ups() {
        let mut clock = Clock::new(at(7));
        clock.pause_for(Duration::from_secs(30));
        assert!((0..100).all(|_| left(&mut clock, 7) == 30));
        assert_eq!(left(&mut clock, 7), 0);
        assert_eq!(clock.now(), at(37));
        clock.advance(at(8));
        assert_eq!(clock.now(), at(38), "it goes on from there");
    }

    #[test]
    fn looks_without_a_pause_are_no_wake_ups() {
        let mut clock = Clock::default();
        (0..1000).for_each(|_| clock.advance(at(1)));
        clock.pause_for(Duration::from_secs(1));
        assert_eq!(left(&mut clock, 1), 1);
        clock.resume();
        assert_eq!(left(&mut clock, 1), 0);
    }
}
