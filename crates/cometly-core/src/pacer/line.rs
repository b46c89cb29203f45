//! Who waits, in the order of asking.

use std::{collections::VecDeque, time::Duration};

use crate::Moment;

/// How late somebody may come back before others pass.
const PATIENCE: Duration = Duration::from_millis(250);

/// Those who sleep and will ask again, by their number.
#[derive(Default)]
pub(super) struct Line {
    /// In ascending order of their numbers.
    sleepers: VecDeque<Sleeper>,
}

struct Sleeper {
    number: u64,
    wakes: Moment,
}

impl Line {
    /// Puts somebody in line, before all who asked later.
    pub(super) fn join(&mut self, number: u64, wakes: Moment) {
        match self.place(number) {
            Ok(place) => {
                if let Some(sleeper) = self.sleepers.get_mut(place) {
                    sleeper.wakes = wakes;
                }
            }
            Err(place) => {
                // Each of those behind moves on by one.
                let mut next = Sleeper { number, wakes };
                self.sleepers.iter_mut().skip(place).for_each(|behind| std::mem::swap(behind, &mut next));
                self.sleepers.push_back(next);
            }
        }
    }

    pub(super) fn leave(&mut self, number: u64) {
        if let Ok(place) = self.place(number) {
            self.sleepers.remove(place);
        }
    }

    /// How many are before `number`, not counting those at the head who have not come back: they are put out of line,
    /// and come in again at their old place.
    pub(super) fn ahead_of(&mut self, number: u64, now: Moment) -> usize {
        while let Some(first) = self.sleepers.front() {
            if first.number >= number || now.duration_since(first.wakes) <= PATIENCE {
                break;
            }
            self.sleepers.pop_front();
        }
        self.place(number).unwrap_or_else(|place| place)
    }

    fn place(&self, number: u64) -> Result<usize, usize> {
        self.sleepers.binary_search_by_key(&number, |sleeper| sleeper.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_not_the_time_of_joining_give_the_place() {
        let now = Moment::since_origin(Duration::from_secs(100_000));
        let mut line = Line::default();
        for number in [5, 1, 3] {
            line.join(number, now);
        }
        line.join(3, now);
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|number| line.ahead_of(number, now)), [0, 0, 1, 1, 2, 2, 3]);
        line.leave(1);
        line.leave(9);
        assert_eq!(line.ahead_of(5, now), 1);
    }

    #[test]
    fn who_does_not_come_back_lets_others_pass_and_comes_in_again_at_the_head() {
        let now = Moment::since_origin(Duration::from_secs(100_000));
        let mut line = Line::default();
        line.join(1, now);
        line.join(2, now + Duration::from_secs(9));
        assert_eq!(line.ahead_of(3, now + PATIENCE), 2);
        assert_eq!(line.ahead_of(3, now + PATIENCE + Duration::from_nanos(1)), 1);
        line.join(1, now + Duration::from_secs(9));
        assert_eq!([line.ahead_of(1, now), line.ahead_of(3, now)], [0, 2]);
    }
}
