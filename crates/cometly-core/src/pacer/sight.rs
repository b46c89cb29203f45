//! What the server has shown of an endpoint's window: the part that the rule of one process and the rule of a fleet have in
//! common. Times are milliseconds.

/// A window as Cometly documents it, until an endpoint shows another; the shortest and the longest that are learnt.
pub(super) const DOCUMENTED: u64 = 60_000;
pub(super) const SHORTEST_WINDOW: u64 = 250;
pub(super) const LONGEST_WINDOW: u64 = 15 * 60_000;

/// The longest that one refusal closes an endpoint.
pub(super) const LONGEST_CLOSED: u64 = 60 * 60_000;

/// The most calls under way before an answer tells a limit.
const MOST_PROBES: u64 = 1 << 20;

/// A wait doubles at most this often.
const MOST_DOUBLED: u64 = 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sight {
    /// Counts refusals and turn-overs: an answer to a call of an earlier number opens nothing.
    pub(super) number: u64,
    /// Calls allowed in a window, as last told; 0 before.
    pub(super) limit: u64,
    pub(super) length: u64,
    /// The last measured length that has not been believed yet.
    pub(super) measured: u64,
    /// The lowest `Remaining` told in this window; none before the first.
    pub(super) left: Option<u64>,
    /// When the last answer came that was in order.
    pub(super) as_of: u64,
    pub(super) opened: u64,
    pub(super) ends: u64,
    /// The server said no until then; and none goes before `opens`, which is the same or later.
    pub(super) said_no: u64,
    pub(super) opens: u64,
    /// Whether this window began full with a call of ours, so that it is known when it ends.
    pub(super) is_aligned: bool,
    /// Whether room comes back before `ends`, as in a bucket; asked once at none left.
    pub(super) is_early: Option<bool>,
    /// When none was left, and after how long there was room again, as last measured.
    pub(super) emptied: u64,
    pub(super) regain: u64,
    /// Calls of this window: the most under way before an answer tells a limit, those under way, and those sent.
    pub(super) probes: u64,
    pub(super) under_way: u64,
    pub(super) sent: u64,
    pub(super) last_sent: u64,
    /// Calls that had been counted before our first of this window.
    pub(super) before: u64,
    /// Calls of ours that were taken since `rolled`, and in at least a window before: what a sliding server still counts.
    pub(super) recent: u64,
    pub(super) earlier: u64,
    pub(super) rolled: u64,
    /// Until when callers that do not share this pacer are taken to call too.
    pub(super) others: u64,
    /// Refusals in a row that told a short wait.
    pub(super) early: u64,
}

/// What a refusal shows.
pub(super) struct Refusal {
    /// How long to wait: as long as the server says, and longer after several short waits in a row.
    pub(super) wait: u64,
    /// Whether the call asked at none left.
    pub(super) is_question: bool,
}

impl Sight {
    /// An endpoint of which nothing is known.
    pub(super) fn new(length: u64) -> Self {
        Self { length, measured: length, probes: 1, ..Self::default() }
    }

    /// Whether it is worth asking at none left: the window may be over before `ends`.
    pub(super) fn may_ask(&self) -> bool {
        !self.is_aligned || self.is_early != Some(false)
    }

    /// A call is sent.
    pub(super) fn sends(&mut self, now: u64) {
        self.under_way = self.under_way.saturating_add(1);
        self.sent = self.sent.saturating_add(1);
        self.last_sent = now;
    }

    /// The window is over, or a call was refused: the next one is not known to be open before `opens`.
    pub(super) fn close(&mut self, opens: u64) {
        self.number = self.number.saturating_add(1);
        if opens >= self.rolled.saturating_add(self.length) {
            (self.earlier, self.recent, self.rolled) = (self.recent, 0, opens);
        }
        self.opens = self.opens.max(opens);
        (self.left, self.probes, self.under_way, self.sent) = (None, 1, 0, 0);
    }

    /// An answer to a call of this window that was sent at `at`. Whether it shows that another window has begun.
    pub(super) fn answered(&mut self, now: u64, at: u64, limit: Option<u64>, remaining: Option<u64>) -> bool {
        self.under_way = self.under_way.saturating_sub(1);
        self.recent = self.recent.saturating_add(1);
        let Some(remaining) = remaining else {
            self.probes = self.probes.saturating_add(1).min(MOST_PROBES);
            return false;
        };
        self.limit = limit.unwrap_or_else(|| self.limit.max(remaining.saturating_add(1)));
        let used = self.limit.saturating_sub(remaining);
        let in_order = at >= self.as_of;
        if self.is_early != Some(false) && used.saturating_mul(4) <= self.limit {
            // Nearly all had come back, and not all at once: each comes back sooner.
            self.regain = self.regain.checked_div(remaining.saturating_add(1)).unwrap_or_default();
        }
        let is_another = in_order && self.left.is_some_and(|left| remaining > left);
        match self.left {
            Some(left) if is_another => {
                // More than before: another window has begun, or calls come back one by one. Half of the limit at once is
                // another window, though others have opened it. How long the last one took is known if it began full.
                self.sent = self.under_way.saturating_add(1);
                let is_full = used <= self.sent;
                if is_full && self.is_aligned {
                    self.learn(now.saturating_sub(self.opened));
                }
                if is_full || remaining.saturating_sub(left) >= self.limit.div_ceil(2) {
                    self.open(now);
                }
                self.is_aligned = is_full;
                self.before = used.saturating_sub(self.sent);
                self.left = Some(remaining);
            }
            Some(left) => {
                self.left = Some(left.min(remaining));
                if used > self.before.saturating_add(self.sent) {
                    self.others_call(now);
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
                    self.others_call(now);
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
        is_another
    }

    /// No answer came to a call of this window.
    pub(super) fn lost(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.probes = self.probes.saturating_add(1).min(MOST_PROBES);
        // It may have been counted.
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    /// A call of this window was refused, for `wait` if the server told one.
    pub(super) fn refused(&mut self, now: u64, wait: Option<u64>) -> Refusal {
        let told = wait.unwrap_or(self.length);
        if self.left.is_some() && self.is_aligned && wait.is_some() {
            let length = now.saturating_add(told).saturating_sub(self.opened);
            if length > self.length {
                self.learn(length);
            }
        }
        let is_question = self.left == Some(0);
        if is_question {
            self.is_early = Some(now.saturating_add(told).saturating_add(self.length / 8) < self.ends);
            self.regain = now.saturating_add(told).saturating_sub(self.emptied);
        }
        // A call that came a little too soon was not crowded out; but one that always does must come later.
        self.early = if told <= self.length / 8 { self.early.saturating_add(1).min(MOST_DOUBLED) } else { 0 };
        let doublings = u32::try_from(self.early).unwrap_or_default();
        let backoff = 500_u64.checked_shl(doublings).unwrap_or(u64::MAX).min(self.length);
        Refusal { wait: told.max(backoff), is_question }
    }

    /// A call of an earlier window was refused: it closes for as long as it says, and shows no more.
    pub(super) fn refused_late(&mut self, now: u64, wait: Option<u64>) {
        self.said_no = self.said_no.max(now.saturating_add(wait.unwrap_or(self.length)));
        self.opens = self.opens.max(self.said_no);
    }

    /// Others are taken to call too, for two windows.
    pub(super) fn others_call(&mut self, now: u64) {
        self.others = now.saturating_add(self.length.saturating_mul(2));
    }

    fn open(&mut self, now: u64) {
        self.opened = now;
        self.ends = now.saturating_add(self.length);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_back_early_if_it_does_an_eighth_of_a_window_before_the_end() {
        for (wait, is_early) in [(42_499, true), (42_500, false)] {
            let mut sight = Sight { left: Some(0), opened: 1, ends: 60_000, ..Sight::new(DOCUMENTED) };
            assert!(sight.refused(10_000, Some(wait)).is_question);
            assert_eq!(sight.is_early, Some(is_early), "{wait}");
        }
    }

    #[test]
    fn a_length_that_is_near_the_known_one_changes_nothing_and_another_is_believed_when_seen_twice() {
        for (first, second, known) in [
            (60_100, 60_100, DOCUMENTED),
            (45_000, 45_000, DOCUMENTED),
            (44_999, 44_999, 44_999),
            (10_000, 20_000, 20_000),
            (75_000, 75_000, DOCUMENTED),
            (90_000, 75_001, 75_001),
            (10_000, 60_000, DOCUMENTED),
            (1, 1, SHORTEST_WINDOW),
        ] {
            let mut sight = Sight::new(DOCUMENTED);
            sight.learn(first);
            assert_eq!(sight.length, DOCUMENTED, "{first}");
            sight.learn(second);
            assert_eq!(sight.length, known, "{first}, {second}");
        }
    }
}
