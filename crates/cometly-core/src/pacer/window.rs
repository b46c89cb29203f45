//! The rule: when a call of one endpoint may go. A step function on integers; what it learns of an answer is in [`Sight`].
//!
//! Times are milliseconds. What the server told is the truth; everything else only decides how soon to ask it.
//!
//! | state | `left` | `opens` | who goes |
//! | --- | --- | --- | --- |
//! | unknown | none | past | `probes` calls at once: 1, and one more with each answer that tells no limit |
//! | open | 1 or more | past | all, if no more wait than are left; else half of the limit at once, the rest spaced |
//! | used up | 0 | past | none until `ends`; one call that asks, if the window's phase is not known |
//! | closed | none | future | none: `Retry-After`, a jitter if others call too, whole windows after five refused ones |
//!
//! ```text
//!             Remaining: n                    Remaining: 0
//!   unknown ───────────────▶ open ────────────────────────▶ used up
//!    ▲   ▲ │ 429               │ 429   │ ends              │ 429  │ ends
//!    │   │ ▼                   ▼       │                   ▼      │
//!    │  closed ◀───────────────┴───────┼───────────────────┘      │
//!    └─────────────────────────────────┴──────────────────────────┘
//! ```

use super::sight::{DOCUMENTED, LONGEST_CLOSED, Refusal, Sight};

/// How long an answer may take before one more call goes instead.
const PATIENCE: u64 = 1_000;

/// The jitter at the opening of a window that others use too; who had half of the last one waits as much longer.
const JITTER: u64 = 1_000;

/// After this many refused windows in a row up to `MOST_SKIPPED` whole windows are left out.
const REFUSED_WINDOWS: u32 = 5;
const MOST_SKIPPED: u64 = 8;

/// One endpoint of one Space, as this process sees it.
#[derive(Clone, Debug)]
pub(super) struct Window {
    sight: Sight,
    /// Calls of this window that were taken.
    taken: u64,
    /// Only one call a window goes until then.
    meek: u64,
    /// Windows in a row in which a call was refused and none taken, and when the last of these was counted.
    windows: u32,
    counted: u64,
}

/// What happens to an endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A call asks to be sent, with `ahead` others before it of the `waiting` ones, which include it. One that is at its
    /// deadline goes, unless the server itself said no until later.
    Ask { ahead: u64, waiting: u64, is_last_chance: bool },
    /// The answer to a call.
    Answer { lease: Lease, told: Told },
    /// No answer came and none will.
    Lost { lease: Lease },
}

/// Leave for one call: the window that it was given in, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    window: u64,
    at: u64,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) is_refused: bool,
    pub(crate) is_success: bool,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: Option<u64>,
    /// `Retry-After`, or the time until the reset.
    pub(crate) wait: Option<u64>,
}

/// What comes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Go(Lease),
    /// Not before this time, as far as is known.
    Wait(u64),
    Noted,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { sight: Sight::new(DOCUMENTED), taken: 0, meek: 0, windows: 0, counted: 0 }
    }

    /// The one step. `draw` is a random number; the same state, time, event and draw give the same.
    pub(super) fn step(&mut self, now: u64, event: Event, draw: u64) -> Said {
        match event {
            Event::Ask { ahead, waiting, is_last_chance } => {
                if self.sight.left.is_some() && now >= self.sight.ends {
                    let jitter = self.jitter(now, draw);
                    self.close(self.sight.ends.saturating_add(jitter));
                }
                let turn = self.turn(now, ahead, waiting);
                if turn > now && !(is_last_chance && now >= self.sight.said_no) {
                    return Said::Wait(turn);
                }
                self.sight.sends(now);
                Said::Go(Lease { window: self.sight.number, at: now })
            }
            Event::Answer { lease, told } if told.is_refused => self.refused(now, lease, told, draw),
            Event::Answer { lease, told } => self.answered(now, lease, told),
            Event::Lost { lease } => {
                if lease.window == self.sight.number {
                    self.sight.lost();
                }
                Said::Noted
            }
        }
    }

    /// The time before which the server itself said no.
    pub(super) fn said_no(&self) -> u64 {
        self.sight.said_no
    }

    /// Whether no call can go before [`turn`](Self::turn) says so, whatever is answered or given back meanwhile.
    pub(super) fn is_closed(&self, now: u64) -> bool {
        now < self.sight.opens
    }

    pub(super) fn opens(&self) -> u64 {
        self.sight.opens
    }

    pub(super) fn length(&self) -> u64 {
        self.sight.length
    }

    /// When a call may go, as far as is known: `now` or earlier is at once.
    pub(super) fn turn(&self, now: u64, ahead: u64, waiting: u64) -> u64 {
        if now < self.sight.opens {
            return self.window_of(self.sight.opens, ahead);
        }
        let is_crowded = now < self.sight.others;
        // Full when it was last seen to open, and over since: what fits goes at once.
        let is_full = self.sight.is_aligned && !is_crowded;
        let all = match self.sight.left {
            None if is_full && waiting.saturating_add(self.sight.under_way) <= self.sight.limit => self.sight.limit,
            None => self.sight.probes,
            Some(0) if self.sight.may_ask() => 1,
            Some(left) => left,
        };
        let free = all.saturating_sub(self.sight.under_way);
        if ahead >= free {
            let is_slow = ahead == 0 && now >= self.sight.last_sent.saturating_add(PATIENCE);
            return match self.sight.left {
                None if is_slow => now,
                None => now.saturating_add(1).saturating_add(ahead),
                Some(_) => self.window_of(self.sight.ends, ahead.saturating_sub(free)),
            };
        }
        if waiting <= free || self.sight.left.is_none() || self.sight.left == Some(0) {
            return now;
        }
        if is_crowded && now < self.meek {
            return self.window_of(self.sight.ends, ahead);
        }
        // The rest is spaced, so that a process that lost the opening gets in, and the others see it.
        let is_fast = free > self.sight.limit / 2 && (!is_crowded || self.sight.under_way == 0);
        let is_one_by_one = !self.sight.is_aligned || self.sight.is_early == Some(true);
        if is_fast || (is_one_by_one && !is_crowded) {
            return now;
        }
        let gap = self
            .sight
            .ends
            .saturating_sub(self.sight.last_sent)
            .checked_div(free.saturating_add(1))
            .unwrap_or_default();
        self.sight.last_sent.saturating_add(gap.saturating_mul(ahead.saturating_add(1)))
    }

    /// When the window of a call opens that has `ahead` before it from `opens` on.
    fn window_of(&self, opens: u64, ahead: u64) -> u64 {
        let windows = ahead.checked_div(self.sight.limit).unwrap_or_default();
        opens.saturating_add(windows.saturating_mul(self.sight.length))
    }

    fn close(&mut self, opens: u64) {
        self.sight.close(opens);
        self.taken = 0;
    }

    fn jitter(&self, now: u64, draw: u64) -> u64 {
        if now >= self.sight.others {
            return 0;
        }
        let winner = if self.taken > 0 { JITTER } else { 0 };
        scale(draw, JITTER.checked_div(u64::from(self.windows).saturating_add(1)).unwrap_or_default())
            .saturating_add(winner)
    }

    fn answered(&mut self, now: u64, lease: Lease, told: Told) -> Said {
        if told.is_success || told.remaining.is_some() {
            (self.sight.early, self.windows) = (0, 0);
        }
        if lease.window == self.sight.number {
            let is_another = self.sight.answered(now, lease.at, told.limit, told.remaining);
            self.taken = if is_another { 1 } else { self.taken.saturating_add(1) };
        }
        Said::Noted
    }

    fn refused(&mut self, now: u64, lease: Lease, told: Told, draw: u64) -> Said {
        let wait = told.wait.map(|wait| wait.min(LONGEST_CLOSED));
        self.sight.limit = told.limit.unwrap_or(self.sight.limit);
        if lease.window != self.sight.number {
            self.sight.refused_late(now, wait);
            return Said::Noted;
        }
        let Refusal { wait, is_question } = self.sight.refused(now, wait);
        let is_crowded_out = wait > self.sight.length / 8;
        if is_crowded_out && now >= self.counted.saturating_add((self.sight.length / 4).saturating_mul(3)) {
            self.counted = now;
            self.windows = self.windows.saturating_add(1);
        }
        if is_crowded_out && !is_question && self.sight.sent <= self.sight.limit.max(1) {
            self.sight.others_call(now);
            if self.taken == 0 {
                self.meek = now.saturating_add(self.sight.length.saturating_mul(3));
            }
        }
        self.sight.said_no = self.sight.said_no.max(now.saturating_add(wait));
        let leaves_out = is_crowded_out && self.windows >= REFUSED_WINDOWS;
        let skipped = if leaves_out { scale(draw.rotate_left(32), MOST_SKIPPED + 1) } else { 0 };
        let jitter = self.jitter(now, draw);
        let opens = self.sight.said_no.saturating_add(jitter);
        self.close(opens.saturating_add(skipped.saturating_mul(self.sight.length)));
        Said::Noted
    }
}

/// A number below `ceiling`, each as likely as any other; 0 below 0.
fn scale(draw: u64, ceiling: u64) -> u64 {
    u64::try_from(u128::from(draw).wrapping_mul(u128::from(ceiling)) >> 64).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "numbers of the tests' own")]
mod tests {
    use super::*;

    fn taken(limit: u64, remaining: u64) -> Told {
        Told { is_success: true, limit: Some(limit), remaining: Some(remaining), ..Told::default() }
    }

    fn refused(wait: u64) -> Told {
        Told { is_refused: true, wait: Some(wait), ..Told::default() }
    }

    impl Window {
        fn asked(&mut self, now: u64, waiting: u64, draw: u64) -> Said {
            self.step(now, Event::Ask { ahead: 0, waiting, is_last_chance: false }, draw)
        }

        #[track_caller]
        fn go(&mut self, now: u64) -> Lease {
            match self.asked(now, 1, 0) {
                Said::Go(lease) => lease,
                other => panic!("{other:?}"),
            }
        }

        /// A call that is sent at `now` and answered 100 ms later.
        #[track_caller]
        fn call(&mut self, now: u64, told: Told, draw: u64) {
            let lease = self.go(now);
            self.step(now + 100, Event::Answer { lease, told }, draw);
        }
    }

    #[test]
    fn half_of_a_window_goes_at_once_and_each_other_call_has_its_time() {
        let mut window = Window::new();
        window.call(0, taken(60, 59), 0);
        for _ in 0..29 {
            assert!(matches!(window.asked(200, 99, 0), Said::Go(_)));
        }
        // 30 are left until 60,100 ms, 1,932 ms apart.
        for (ahead, waiting, turn) in
            [(0, 30, 200), (0, 31, 2_132), (29, 70, 58_160), (30, 200, 60_100), (89, 200, 60_100), (90, 200, 120_100)]
        {
            assert_eq!(window.turn(200, ahead, waiting), turn, "{ahead} of {waiting}");
        }
        assert_eq!(window.length(), DOCUMENTED);
    }

    #[test]
    fn an_answer_that_takes_a_second_holds_the_next_call_up_no_longer() {
        let mut window = Window::new();
        let _lease = window.go(0);
        assert_eq!(window.asked(999, 1, 0), Said::Wait(PATIENCE));
        assert!(matches!(window.asked(PATIENCE, 1, 0), Said::Go(_)));
    }

    #[test]
    fn where_our_earlier_calls_still_count_nothing_is_held_back() {
        let mut window = Window::new();
        for remaining in [6, 5, 4] {
            window.call(0, taken(7, remaining), 0);
        }
        window.call(60_100, taken(7, 3), 0);
        assert_eq!(window.turn(60_300, 0, 5), 60_300);
    }

    #[test]
    fn after_a_short_refusal_one_call_goes_whatever_was_left() {
        let mut window = Window::new();
        window.call(0, taken(60, 59), 0);
        window.call(200, refused(0), 0);
        assert!(window.is_closed(1_299) && !window.is_closed(1_300));
        assert_eq!(window.asked(1_299, 100, 0), Said::Wait(1_300));
        assert_eq!(window.turn(1_300, 1, 100), 1_302);
        assert!(matches!(window.asked(1_300, 100, 0), Said::Go(_)));
    }

    #[test]
    fn beside_others_calls_go_one_by_one_and_the_window_opens_late() {
        let mut window = Window::new();
        window.call(0, taken(60, 40), 0);
        assert!(matches!(window.asked(200, 50, 0), Said::Go(_)));
        // 39 are left until 60,100 ms.
        assert_eq!(window.turn(200, 0, 49), 200 + 59_900 / 40);
        // It had calls of the window, so it leaves the next opening to others for a second, and a part of one by the draw.
        assert_eq!(window.clone().asked(60_100, 1, 0), Said::Wait(61_100));
        assert_eq!(window.asked(60_100, 1, u64::MAX), Said::Wait(62_099));
    }

    #[test]
    fn one_that_got_no_call_through_beside_others_sends_one_a_window_for_three_windows() {
        let mut window = Window::new();
        window.call(0, refused(30_000), 0);
        for (sent, ends) in [(30_100, 90_200), (91_200, 151_300), (152_300, 212_400)] {
            assert_eq!(window.asked(sent - 1, 1, 0), Said::Wait(sent));
            window.call(sent, taken(60, 40), 0);
            assert_eq!(window.turn(sent + 200, 0, 50), ends);
        }
        // Three windows after that refusal.
        assert_eq!((window.turn(180_099, 0, 50), window.turn(180_100, 0, 50)), (212_400, 180_100));
    }

    #[test]
    fn any_answer_that_shows_the_window_ends_a_row_of_short_refusals() {
        let shows = |told: Option<Told>| {
            let mut window = Window::new();
            window.call(0, refused(0), 0);
            window.call(1_100, refused(0), 0);
            if let Some(told) = told {
                window.call(3_200, told, 0);
            }
            window.call(3_400, refused(0), 0);
            window.said_no() - 3_500
        };
        assert_eq!(shows(None), 4_000);
        assert_eq!(shows(Some(Told::default())), 4_000);
        assert_eq!(shows(Some(Told { is_success: true, ..Told::default() })), 1_000);
        assert_eq!(shows(Some(Told { is_success: false, ..taken(7, 5) })), 1_000);
    }

    #[test]
    fn refused_windows_are_counted_once_in_three_quarters_of_one() {
        let mut window = Window::new();
        let mut counted = Vec::new();
        for (sent, told) in [
            (44_899, refused(30_000)),
            (74_999, refused(7_500)),
            (90_000, refused(30_000)),
            (134_999, refused(30_000)),
            (180_000, refused(30_000)),
        ] {
            window.call(sent, told, 0);
            counted.push(window.windows);
        }
        assert_eq!(counted, [0, 0, 1, 1, 2]);
        // The more there were, the sooner it comes at an opening: its part of a second.
        let opens = window.opens() - window.said_no();
        window.call(window.opens(), refused(30_000), u64::MAX);
        assert_eq!((opens, window.opens() - window.said_no()), (0, JITTER / 3 - 1));
        // After five, up to eight windows are left out.
        for _ in 3..REFUSED_WINDOWS {
            window.call(window.opens() + 45_000, refused(30_000), 0);
        }
        window.call(window.opens() + 45_000, refused(30_000), u64::MAX);
        assert_eq!(window.opens() - window.said_no(), MOST_SKIPPED * DOCUMENTED + JITTER / 6 - 1);
    }
}
