//! How long the window of an endpoint is.

use std::time::Duration;

use crate::retry::DOCUMENTED_WINDOW;

/// No wait beyond this is taken for a window: a server that sends everybody away for an hour has not counted calls.
const LONGEST: Duration = Duration::from_secs(15 * 60);

const SECOND: Duration = Duration::from_secs(1);

/// What is known of the length: it is longer than `above` and at most `up_to`.
pub(super) struct Window {
    above: Duration,
    up_to: Duration,
    length: Duration,
    evidence: Evidence,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Evidence {
    None,
    /// Waits of which is not known how much of the window had gone by: the longest of them.
    Waits,
    /// A wait in a window that was seen to begin.
    Measured,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { above: Duration::ZERO, up_to: Duration::MAX, length: DOCUMENTED_WINDOW, evidence: Evidence::None }
    }

    pub(super) fn get(&self) -> Duration {
        self.length
    }

    /// Whether no refusal has told anything of it.
    pub(super) fn is_assumed(&self) -> bool {
        self.evidence == Evidence::None
    }

    /// A refusal asked for this wait. Only what was measured makes a window longer than a minute: one that is taken for too
    /// long is never seen to be too long.
    pub(super) fn waits(&mut self, wait: Duration) {
        if wait.is_zero() || wait > LONGEST {
            return;
        }
        let wait = wait.min(DOCUMENTED_WINDOW);
        match self.evidence {
            Evidence::None => (self.length, self.evidence) = (wait, Evidence::Waits),
            Evidence::Waits => self.length = self.length.max(wait),
            // Not the window that was measured.
            Evidence::Measured if wait > self.up_to => {
                *self = Self { length: wait, evidence: Evidence::Waits, ..Self::new() }
            }
            Evidence::Measured => {}
        }
    }

    /// A refusal in a window that was seen to begin says that it is longer than `above` and at most `up_to`.
    pub(super) fn measured(&mut self, above: Duration, up_to: Duration) {
        if up_to > LONGEST || above >= up_to {
            return;
        }
        let (tighter_above, tighter_up_to) = (self.above.max(above), self.up_to.min(up_to));
        let agree = self.evidence == Evidence::Measured && tighter_above < tighter_up_to;
        (self.above, self.up_to) = if agree { (tighter_above, tighter_up_to) } else { (above, up_to) };
        self.evidence = Evidence::Measured;
        self.length = self.likely();
    }

    /// Another window was seen to begin within this time after one began.
    pub(super) fn turned(&mut self, within: Duration) {
        if within < self.length {
            self.measured(Duration::ZERO, within);
        }
    }

    /// The documented minute if it can be; else the shortest whole second, for one that is too short shows at the next
    /// refusal and one that is too long never does.
    fn likely(&self) -> Duration {
        if self.above < DOCUMENTED_WINDOW && DOCUMENTED_WINDOW <= self.up_to {
            return DOCUMENTED_WINDOW;
        }
        let whole = Duration::from_secs(self.above.as_secs()).saturating_add(SECOND);
        whole.min(self.up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn it_is_a_minute_until_a_refusal_tells_otherwise() {
        let mut window = Window::new();
        assert!(window.is_assumed() && window.get() == secs(60.0));
        window.waits(secs(3.0));
        assert!(!window.is_assumed() && window.get() == secs(3.0));
        window.waits(secs(20.0));
        window.waits(secs(5.0));
        assert_eq!(window.get(), secs(20.0), "the longest wait is the nearest to the window");
    }

    #[test]
    fn a_window_that_was_seen_to_begin_is_measured_to_the_second() {
        for (above, up_to, length) in [
            (58.9, 60.1, 60.0),
            (0.1, 1.3, 1.0),
            (29.0, 30.2, 30.0),
            (28.9, 30.1, 29.0),
            (0.0, 0.4, 0.4),
            (99.5, 100.9, 100.0),
            (899.5, 900.0, 900.0),
            (60.0, 61.0, 61.0),
        ] {
            let mut window = Window::new();
            window.measured(secs(above), secs(up_to));
            assert_eq!(window.get(), secs(length), "{above} to {up_to}");
        }
    }

    #[test]
    fn refusals_narrow_it_down_and_a_contradiction_starts_anew() {
        let mut window = Window::new();
        window.measured(secs(28.9), secs(30.1));
        window.measured(secs(29.4), secs(30.6));
        assert_eq!(window.get(), secs(30.0));
        window.waits(secs(12.0));
        window.waits(secs(30.1));
        assert_eq!(window.get(), secs(30.0));
        window.measured(secs(28.0), secs(29.9));
        assert_eq!(window.get(), secs(29.9), "longer than 29.4 as well");
        window.waits(secs(45.0));
        assert!(!window.is_assumed() && window.get() == secs(45.0));
        window.measured(secs(59.5), secs(60.5));
        window.measured(secs(0.5), secs(1.5));
        assert_eq!(window.get(), secs(1.0));
        window.measured(secs(1.5), secs(2.0));
        assert_eq!(window.get(), secs(2.0), "not longer than 1.5 and at most that");
    }

    #[test]
    fn a_window_that_turns_over_when_it_should_tells_nothing_new() {
        let mut window = Window::new();
        window.turned(secs(60.0));
        assert!(window.is_assumed());
        window.turned(secs(1.5));
        assert!(!window.is_assumed() && window.get() == secs(1.0));
    }

    #[test]
    fn a_wait_of_none_or_of_hours_is_no_window() {
        let mut window = Window::new();
        window.waits(Duration::ZERO);
        window.waits(Duration::MAX);
        window.measured(secs(3000.0), secs(3600.0));
        window.measured(secs(2.0), secs(1.0));
        assert!(window.is_assumed());
    }

    #[test]
    fn one_long_wait_does_not_slow_an_endpoint_down_for_good() {
        let mut window = Window::new();
        window.waits(secs(900.0));
        assert!(!window.is_assumed() && window.get() == secs(60.0));
        window.measured(secs(299.5), secs(300.5));
        assert_eq!(window.get(), secs(300.0));
    }
}
