//! The window that is open, as it is seen from here.

use crate::Moment;

/// The most calls under way: so many are refused at worst when somebody else uses the limit up.
const MOST_UNDER_WAY: u64 = 8;

/// Who got less than this part of a window leaves the next ones to the others.
const LEAST_SHARE: u64 = 6;

pub(super) struct Open {
    pub(super) since: Moment,
    /// When the first call of ours was taken.
    pub(super) first: Option<Moment>,
    /// How many of ours were.
    pub(super) taken: u64,
    /// The least that was left after any; not known before the first.
    pub(super) left: Option<u64>,
}

impl Open {
    pub(super) fn new(since: Moment) -> Self {
        Self { since, first: None, taken: 0, left: None }
    }

    /// Takes note of what a call left while so many were under way.
    pub(super) fn note(&mut self, remaining: u64, under_way: u64) -> u64 {
        let left = match self.left {
            // Answers overtake each other; but more than they explain is another window.
            Some(known) if remaining <= known.saturating_add(under_way) => known.min(remaining),
            _ => remaining,
        };
        self.left = Some(left);
        left
    }

    /// How many may be under way when so many are left: our share of them, going by who took the others, and few before
    /// there is much to go by.
    pub(super) fn room(&self, left: u64, limit: Option<u64>) -> u64 {
        let share = left.saturating_mul(self.taken).checked_div(self.used(left, limit)).unwrap_or(left);
        share.min(self.taken.saturating_mul(2)).clamp(1, MOST_UNDER_WAY)
    }

    /// Whether others had most of it.
    pub(super) fn is_crowded(&self, limit: Option<u64>) -> bool {
        self.taken.saturating_mul(LEAST_SHARE) <= self.used(self.left.unwrap_or_default(), limit)
    }

    /// How many calls were taken, ours and those of others.
    fn used(&self, left: u64, limit: Option<u64>) -> u64 {
        limit.unwrap_or_default().saturating_sub(left).max(self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(taken: u64) -> Open {
        Open { taken, ..Open::new(Moment::since_origin(std::time::Duration::from_secs(100_000))) }
    }

    #[test]
    fn the_least_that_was_left_counts_unless_it_is_another_window() {
        let mut open = open(0);
        for (remaining, under_way, left) in [(57, 3, 57), (59, 2, 57), (58, 1, 57), (56, 0, 56), (59, 0, 59)] {
            assert_eq!(open.note(remaining, under_way), left, "{remaining}");
        }
    }

    #[test]
    fn as_many_go_as_are_ours_of_what_is_left() {
        let limit = Some(60);
        for (taken, left, room) in [
            (1, 59, 2), // alone, and not much to go by
            (2, 58, 4),
            (4, 56, 8),
            (50, 10, 8),
            (55, 5, 5),
            (59, 1, 1),
            (10, 20, 5), // a quarter of the 40 that are gone was ours
            (1, 20, 1),
            (1, 0, 1),
        ] {
            assert_eq!(open(taken).room(left, limit), room, "{taken} of {left}");
        }
        assert_eq!(open(9).room(5, None), 5, "without a limit told, all of them");
        assert_eq!(open(u64::MAX).room(u64::MAX, Some(u64::MAX)), 1, "no number overflows");
    }

    #[test]
    fn a_sixth_of_a_window_is_crowded_out() {
        let crowded = |taken, left| Open { left, ..open(taken) }.is_crowded(Some(60));
        assert!(crowded(0, None) && crowded(10, Some(0)) && crowded(1, Some(30)));
        assert!(!crowded(11, Some(0)) && !crowded(1, Some(59)));
    }
}
