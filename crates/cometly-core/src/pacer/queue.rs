//! The calls that wait for one endpoint, first in first out.

/// How late a waiter may poll before others pass, in milliseconds. It keeps its place and goes first when it polls.
const PATIENCE: u64 = 250;

/// Waiters in the order of their numbers, which only grow. A Fenwick tree over them counts those ahead in O(log n); the
/// entries of those that left are dropped when they are more than the others, so a step is O(log n) on average.
#[derive(Debug, Default)]
pub(super) struct Queue {
    last_number: u64,
    /// In ascending order of their numbers.
    entries: Vec<Entry>,
    /// `tree[i - 1]` counts the waiting entries below `i` that end at `i`, as many as the lowest bit of `i` says.
    tree: Vec<u32>,
    held: usize,
    waiting: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Sleeps, and polls again then.
    Waiting {
        until: u64,
    },
    /// Keeps its number: under way, refused, or late.
    Away,
    Gone,
}

impl Queue {
    /// A place at the end, not yet waiting.
    pub(super) fn join(&mut self) -> u64 {
        if self.entries.len() > self.held.saturating_mul(2).saturating_add(16) {
            self.compact();
        }
        self.last_number = self.last_number.saturating_add(1);
        self.entries.push(Entry { number: self.last_number, state: State::Away });
        self.held = self.held.saturating_add(1);
        self.grow();
        self.last_number
    }

    /// It sleeps, and polls again at `until`.
    pub(super) fn wait(&mut self, number: u64, until: u64) {
        self.put(number, State::Waiting { until });
    }

    /// It keeps its place and waits no more.
    pub(super) fn step_aside(&mut self, number: u64) {
        self.put(number, State::Away);
    }

    /// It gives its place back.
    pub(super) fn leave(&mut self, number: u64) {
        self.put(number, State::Gone);
    }

    /// How many wait before `number`, not counting those at the head that are late.
    pub(super) fn ahead_of(&mut self, number: u64, now: u64) -> u64 {
        while let Some(Entry { number: first, state: State::Waiting { until } }) = self.head() {
            if first >= number || now <= until.saturating_add(PATIENCE) {
                break;
            }
            self.step_aside(first);
        }
        let index = self.entries.partition_point(|entry| entry.number < number);
        u64::from(self.sum(index))
    }

    /// How many hold a place and are not under way, this one included.
    pub(super) fn waiting_with(&self, number: u64) -> u64 {
        let is_counted = self.find(number).and_then(|index| self.entries.get(index)).is_some_and(is_waiting);
        let waiting = u64::try_from(self.waiting).unwrap_or(u64::MAX);
        if is_counted { waiting } else { waiting.saturating_add(1) }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> u64 {
        u64::try_from(self.waiting).unwrap_or(u64::MAX)
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |entry| entry.number).ok()
    }

    fn put(&mut self, number: u64, state: State) {
        let Some(index) = self.find(number) else { return };
        let Some(entry) = self.entries.get_mut(index) else { return };
        let before = std::mem::replace(&mut entry.state, state);
        if before == State::Gone {
            entry.state = State::Gone;
            return;
        }
        if state == State::Gone {
            self.held = self.held.saturating_sub(1);
        }
        let was_waiting = matches!(before, State::Waiting { .. });
        match (was_waiting, matches!(state, State::Waiting { .. })) {
            (false, true) => self.count(index, true),
            (true, false) => self.count(index, false),
            _ => {}
        }
    }

    /// The first that waits: the tree is walked down to the last place before which there is none.
    fn head(&self) -> Option<Entry> {
        let mut index = 0_usize;
        let mut step = self.tree.len().checked_next_power_of_two().unwrap_or_default();
        while step > 0 {
            let next = index.saturating_add(step);
            if next.checked_sub(1).and_then(|at| self.tree.get(at)) == Some(&0) {
                index = next;
            }
            step /= 2;
        }
        self.entries.get(index).copied()
    }

    /// How many of the first `count` entries wait.
    fn sum(&self, count: usize) -> u32 {
        let mut at = count;
        let mut sum = 0_u32;
        while let Some(node) = at.checked_sub(1).and_then(|index| self.tree.get(index)) {
            sum = sum.saturating_add(*node);
            at = at.saturating_sub(lowest_bit(at));
        }
        sum
    }

    fn count(&mut self, index: usize, one_more: bool) {
        let mut at = index.saturating_add(1);
        while let Some(node) = self.tree.get_mut(at.saturating_sub(1)) {
            *node = if one_more { node.saturating_add(1) } else { node.saturating_sub(1) };
            at = at.saturating_add(lowest_bit(at));
        }
        self.waiting = if one_more { self.waiting.saturating_add(1) } else { self.waiting.saturating_sub(1) };
    }

    /// One node more, for an entry that does not wait.
    fn grow(&mut self) {
        let at = self.tree.len().saturating_add(1);
        let below = self.sum(at.saturating_sub(lowest_bit(at)));
        let node = self.sum(at.saturating_sub(1)).saturating_sub(below);
        self.tree.push(node);
    }

    fn compact(&mut self) {
        self.entries.retain(|entry| entry.state != State::Gone);
        self.entries.shrink_to(self.entries.len().saturating_mul(2));
        self.tree.clear();
        self.tree.shrink_to(self.entries.len().saturating_mul(2));
        self.waiting = 0;
        for index in 0..self.entries.len() {
            self.grow();
            if self.entries.get(index).is_some_and(is_waiting) {
                self.count(index, true);
            }
        }
    }
}

fn is_waiting(entry: &Entry) -> bool {
    matches!(entry.state, State::Waiting { .. })
}

fn lowest_bit(of: usize) -> usize {
    of & of.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Does {
        Joins,
        Waits(usize),
        StepsAside(usize),
        Leaves(usize),
    }

    fn does() -> impl Strategy<Value = Does> {
        prop_oneof![
            3 => Just(Does::Joins),
            4 => any::<usize>().prop_map(Does::Waits),
            1 => any::<usize>().prop_map(Does::StepsAside),
            2 => any::<usize>().prop_map(Does::Leaves),
        ]
    }

    #[test]
    fn the_first_that_waits_is_passed_a_quarter_of_a_second_after_it_should_have_polled() {
        let mut queue = Queue::default();
        let [_under_way, first, second, third] = [(); 4].map(|()| queue.join());
        for (number, until) in [(first, 100), (second, 200), (third, 1_000)] {
            queue.wait(number, until);
        }
        let ahead = [350, 351, 450, 451].map(|now| queue.ahead_of(third, now));
        assert_eq!(ahead, [2, 1, 1, 0]);
    }

    #[test]
    fn many_that_left_at_once_are_dropped_when_the_next_one_joins() {
        for (many, kept) in [(16, 17), (17, 1), (100, 1)] {
            let mut queue = Queue::default();
            let numbers: Vec<_> = (0..many).map(|_| queue.join()).collect();
            for number in numbers {
                queue.leave(number);
            }
            queue.join();
            assert_eq!((queue.entries.len(), queue.tree.len()), (kept, kept), "{many}");
        }
    }

    proptest! {
        #[test]
        fn it_counts_as_a_list_does(all in prop::collection::vec(does(), 1..300)) {
            let (mut queue, mut list) = (Queue::default(), BTreeMap::<u64, bool>::new());
            for step in all {
                let (Does::Waits(which) | Does::StepsAside(which) | Does::Leaves(which)) = step else {
                    list.insert(queue.join(), false);
                    continue;
                };
                let Some(number) = list.keys().nth(which.checked_rem(list.len()).unwrap_or(0)).copied() else { continue };
                match step {
                    Does::Waits(_) => {
                        queue.wait(number, 1_000);
                        list.insert(number, true);
                    }
                    Does::StepsAside(_) => {
                        queue.step_aside(number);
                        list.insert(number, false);
                    }
                    _ => {
                        queue.leave(number);
                        list.remove(&number);
                    }
                }
                for (number, waits) in &list {
                    let ahead = list.range(..number).filter(|(_, waits)| **waits).count();
                    prop_assert_eq!(queue.ahead_of(*number, 0), u64::try_from(ahead).unwrap());
                    let waiting = list.values().filter(|waits| **waits).count().saturating_add(usize::from(!waits));
                    prop_assert_eq!(queue.waiting_with(*number), u64::try_from(waiting).unwrap());
                }
            }
        }
    }

    #[test]
    fn those_that_left_take_no_memory_for_long() {
        let mut queue = Queue::default();
        for _ in 0..100_000 {
            let number = queue.join();
            queue.wait(number, 0);
            queue.leave(number);
        }
        assert!(queue.entries.len() <= 32 && queue.tree.len() <= 32, "{}", queue.entries.len());
    }

    #[test]
    fn a_late_waiter_is_passed_by_those_behind_alone_and_comes_first_when_it_polls() {
        let mut queue = Queue::default();
        let (late, behind) = (queue.join(), queue.join());
        queue.wait(late, 100);
        queue.wait(behind, 100);
        assert_eq!(queue.ahead_of(behind, 100 + PATIENCE), 1);
        assert_eq!(queue.ahead_of(behind, 101 + PATIENCE), 0);
        assert_eq!(queue.ahead_of(late, 101 + PATIENCE), 0);
        queue.wait(late, 500);
        assert_eq!(queue.ahead_of(behind, 400), 1);
    }
}
