//! The rule: when a call of one endpoint may go. A step function on integers, and all of it.
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

/// A window as Cometly documents it, until an endpoint shows another.
pub(super) const DOCUMENTED: u64 = 60_000;

/// The longest that one refusal closes an endpoint, and the longest window that is learnt.
const LONGEST_CLOSED: u64 = 60 * 60_000;
const LONGEST_WINDOW: u64 = 15 * 60_000;
const SHORTEST_WINDOW: u64 = 250;

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
    /// Counts refusals and turn-overs: an answer to a call of an earlier number opens nothing.
    number: u64,
    /// Calls allowed in a window, as last told; 0 before.
    limit: u64,
    length: u64,
    /// The last measured length that has not been believed yet.
    measured: u64,
    /// The lowest `Remaining` told in this window; none before the first.
    left: Option<u64>,
    /// When the last answer came that was in order.
    as_of: u64,
    opened: u64,
    ends: u64,
    /// The server said no until then; and none goes before `opens`, which is the same or later.
    said_no: u64,
    opens: u64,
    /// Whether this window began full with a call of ours, so that it is known when it ends.
    is_aligned: bool,
    /// Whether room comes back before `ends`, as in a bucket; asked once at none left.
    is_early: Option<bool>,
    /// When none was left, and how long after that one was, when it was last asked.
    emptied: u64,
    regain: u64,
    /// Calls of this window: the most under way before an answer tells a limit, those under way, those sent, and those taken.
    probes: u64,
    under_way: u64,
    sent: u64,
    taken: u64,
    last_sent: u64,
    /// Calls that had been counted before our first of this window.
    before: u64,
    /// Calls of ours that were taken since `rolled`, and in at least a window before: what a sliding server still counts.
    recent: u64,
    earlier: u64,
    rolled: u64,
    /// Others are taken to call too until then; and only one call a window goes until `meek`.
    others: u64,
    meek: u64,
    /// Refusals in a row that told a short wait; windows in a row in which a call was refused and none taken, and when
    /// the last of these was counted.
    early: u32,
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
        Self {
            number: 0,
            limit: 0,
            length: DOCUMENTED,
            measured: DOCUMENTED,
            left: None,
            as_of: 0,
            opened: 0,
            ends: 0,
            said_no: 0,
            opens: 0,
            is_aligned: false,
            is_early: None,
            emptied: 0,
            regain: 0,
            probes: 1,
            under_way: 0,
            sent: 0,
            taken: 0,
            last_sent: 0,
            before: 0,
            recent: 0,
            earlier: 0,
            rolled: 0,
            others: 0,
            meek: 0,
            early: 0,
            windows: 0,
            counted: 0,
        }
    }

    /// The one step. `draw` is a random number; the same state, time, event and draw give the same.
    pub(super) fn step(&mut self, now: u64, event: Event, draw: u64) -> Said {
        match event {
            Event::Ask { ahead, waiting, is_last_chance } => {
                if self.left.is_some() && now >= self.ends {
                    let jitter = self.jitter(now, draw);
                    self.close(self.ends.saturating_add(jitter));
                }
                let turn = self.turn(now, ahead, waiting);
                if turn > now && !(is_last_chance && now >= self.said_no) {
                    return Said::Wait(turn);
                }
                self.under_way = self.under_way.saturating_add(1);
                self.sent = self.sent.saturating_add(1);
                self.last_sent = now;
                Said::Go(Lease { window: self.number, at: now })
            }
            Event::Answer { lease, told } if told.is_refused => self.refused(now, lease, told, draw),
            Event::Answer { lease, told } => self.answered(now, lease, told),
            Event::Lost { lease } => self.lost(lease),
        }
    }

    /// The time before which the server itself said no.
    pub(super) fn said_no(&self) -> u64 {
        self.said_no
    }

    /// Whether no call can go before [`turn`](Self::turn) says so, whatever is answered or given back meanwhile.
    pub(super) fn is_closed(&self, now: u64) -> bool {
        now < self.opens
    }

    pub(super) fn opens(&self) -> u64 {
        self.opens
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// When a call may go, as far as is known: `now` or earlier is at once.
    pub(super) fn turn(&self, now: u64, ahead: u64, waiting: u64) -> u64 {
        if now < self.opens {
            return self.window_of(self.opens, ahead);
        }
        let is_crowded = now < self.others;
        // Full when it was last seen to open, and over since: what fits goes at once.
        let is_full = self.is_aligned && !is_crowded && self.limit > 0;
        let all = match self.left {
            None if is_full && waiting.saturating_add(self.under_way) <= self.limit => self.limit,
            None => self.probes,
            Some(0) if self.may_ask() => 1,
            Some(left) => left,
        };
        let free = all.saturating_sub(self.under_way);
        if ahead >= free {
            let is_slow = ahead == 0 && now >= self.last_sent.saturating_add(PATIENCE);
            return match self.left {
                None if is_slow => now,
                None => now.saturating_add(1).saturating_add(ahead),
                Some(_) => self.window_of(self.ends, ahead.saturating_sub(free)),
            };
        }
        if waiting <= free || self.left.is_none() || self.left == Some(0) {
            return now;
        }
        if is_crowded && now < self.meek && self.sent > 0 {
            return self.window_of(self.ends, ahead);
        }
        // The rest is spaced, so that a process that lost the opening gets in, and the others see it.
        let is_fast = free > self.limit / 2 && (!is_crowded || self.under_way == 0);
        let is_one_by_one = !self.is_aligned || self.is_early == Some(true);
        if is_fast || (is_one_by_one && !is_crowded) {
            return now;
        }
        let gap = self.ends.saturating_sub(self.last_sent).checked_div(free.saturating_add(1)).unwrap_or_default();
        self.last_sent.saturating_add(gap.saturating_mul(ahead.saturating_add(1)))
    }

    /// Whether it is worth asking at none left: the window may be over before `ends`.
    fn may_ask(&self) -> bool {
        !self.is_aligned || self.is_early != Some(false)
    }

    /// When the window of a call opens that has `ahead` before it from `opens` on.
    fn window_of(&self, opens: u64, ahead: u64) -> u64 {
        let windows = ahead.checked_div(self.limit).unwrap_or_default();
        opens.saturating_add(windows.saturating_mul(self.length))
    }

    /// The window is over, or a call was refused: the next one is not known to be open before `opens`.
    fn close(&mut self, opens: u64) {
        self.number = self.number.saturating_add(1);
        if opens >= self.rolled.saturating_add(self.length) {
            (self.earlier, self.recent, self.rolled) = (self.recent, 0, opens);
        }
        self.opens = self.opens.max(opens);
        (self.left, self.probes, self.under_way, self.sent, self.taken) = (None, 1, 0, 0, 0);
    }

    fn jitter(&self, now: u64, draw: u64) -> u64 {
        if now >= self.others {
            return 0;
        }
        let winner = if self.taken > 0 { JITTER } else { 0 };
        scale(draw, JITTER.checked_div(u64::from(self.windows).saturating_add(1)).unwrap_or_default())
            .saturating_add(winner)
    }

    fn answered(&mut self, now: u64, lease: Lease, told: Told) -> Said {
        if told.is_success || told.remaining.is_some() {
            (self.early, self.windows) = (0, 0);
        }
        if lease.window != self.number {
            return Said::Noted;
        }
        self.under_way = self.under_way.saturating_sub(1);
        self.taken = self.taken.saturating_add(1);
        self.recent = self.recent.saturating_add(1);
        let Some(remaining) = told.remaining else {
            self.probes = self.probes.saturating_add(1);
            return Said::Noted;
        };
        self.limit = told.limit.unwrap_or_else(|| self.limit.max(remaining.saturating_add(1)));
        let used = self.limit.saturating_sub(remaining);
        let in_order = lease.at >= self.as_of;
        if used.saturating_mul(4) <= self.limit {
            // Nearly all had come back: each comes back sooner.
            self.regain = self.regain.checked_div(remaining.saturating_add(1)).unwrap_or_default();
        }
        match self.left {
            Some(left) if in_order && remaining > left => {
                // More than before: another window has begun, or calls come back one by one.
                (self.sent, self.taken) = (self.under_way.saturating_add(1), 1);
                if used <= self.sent {
                    self.learn(now.saturating_sub(self.opened));
                    self.open(now);
                }
                self.is_aligned = used <= self.sent;
                self.before = used.saturating_sub(self.sent);
                self.left = Some(remaining);
            }
            Some(left) => {
                self.left = Some(left.min(remaining));
                if used > self.before.saturating_add(self.sent) {
                    self.others = now.saturating_add(self.length.saturating_mul(2));
                    self.before = used.saturating_sub(self.sent);
                }
            }
            None => {
                self.open(now);
                self.is_aligned = used <= self.sent;
                if self.is_aligned {
                    // Over when it was thought to be: a shorter one that was measured before is not its length.
                    self.measured = self.length;
                }
                self.before = used.saturating_sub(self.sent);
                self.left = Some(remaining);
                if self.before > self.recent.saturating_add(self.earlier) {
                    self.others = now.saturating_add(self.length.saturating_mul(2));
                }
            }
        }
        if in_order {
            self.as_of = now;
        }
        if self.left == Some(0) && self.may_ask() {
            self.emptied = now;
            let back = now.saturating_add(self.regain);
            if self.is_early == Some(true) {
                self.ends = self.ends.max(back);
            }
            self.opens = self.opens.max(self.ends.min(back));
        }
        Said::Noted
    }

    fn open(&mut self, now: u64) {
        self.opened = now;
        self.ends = now.saturating_add(self.length);
    }

    fn lost(&mut self, lease: Lease) -> Said {
        if lease.window == self.number {
            self.under_way = self.under_way.saturating_sub(1);
            self.probes = self.probes.saturating_add(1);
            // It may have been counted.
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        Said::Noted
    }

    fn refused(&mut self, now: u64, lease: Lease, told: Told, draw: u64) -> Said {
        let wait = told.wait.unwrap_or(self.length).min(LONGEST_CLOSED);
        self.limit = told.limit.unwrap_or(self.limit);
        if lease.window != self.number {
            self.said_no = self.said_no.max(now.saturating_add(wait));
            self.opens = self.opens.max(self.said_no);
            return Said::Noted;
        }
        if self.left.is_some() && self.is_aligned && told.wait.is_some() {
            let length = now.saturating_add(wait).saturating_sub(self.opened);
            if length > self.length {
                self.learn(length);
            }
        }
        let is_question = self.left == Some(0);
        if is_question {
            self.is_early = Some(now.saturating_add(wait).saturating_add(self.length / 8) < self.ends);
            self.regain = now.saturating_add(wait).saturating_sub(self.emptied);
        }
        // A call that came a little too soon was not crowded out; but one that always does must come later.
        self.early = if wait <= self.length / 8 { self.early.saturating_add(1) } else { 0 };
        let backoff = 500_u64.checked_shl(self.early.min(20)).unwrap_or(u64::MAX).min(self.length);
        let wait = wait.max(backoff);
        let is_crowded_out = wait > self.length / 8;
        if is_crowded_out && now >= self.counted.saturating_add((self.length / 4).saturating_mul(3)) {
            self.counted = now;
            self.windows = self.windows.saturating_add(1);
        }
        if is_crowded_out && !is_question && self.sent <= self.limit.max(1) {
            self.others = now.saturating_add(self.length.saturating_mul(2));
            if self.taken == 0 {
                self.meek = now.saturating_add(self.length.saturating_mul(3));
            }
        }
        self.said_no = self.said_no.max(now.saturating_add(wait));
        let leaves_out = is_crowded_out && self.windows >= REFUSED_WINDOWS;
        let skipped = if leaves_out { scale(draw.rotate_left(32), MOST_SKIPPED + 1) } else { 0 };
        let jitter = self.jitter(now, draw);
        self.close(self.said_no.saturating_add(jitter).saturating_add(skipped.saturating_mul(self.length)));
        Said::Noted
    }

    /// A window took this long. Believed when seen twice: the first of two windows of the clock is seen to be shorter.
    fn learn(&mut self, length: u64) {
        let length = length.clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
        let (low, high) = (length.min(self.measured), length.max(self.measured));
        if high < (self.length / 4).saturating_mul(3) {
            self.length = high;
        } else if low > (self.length / 4).saturating_mul(5) {
            self.length = low;
        }
        self.measured = length;
    }
}

/// A number below `ceiling`, each as likely as any other; 0 below 0.
fn scale(draw: u64, ceiling: u64) -> u64 {
    u64::try_from(u128::from(draw).wrapping_mul(u128::from(ceiling)) >> 64).unwrap_or_default()
}
