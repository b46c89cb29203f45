//! A memory of the latest things, bounded in number and in bytes.

use std::cmp::Ordering;
use std::collections::VecDeque;

pub(crate) struct Ring<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    max_items: usize,
    max_bytes: usize,
}

impl<T> Ring<T> {
    pub(crate) fn new(max_items: usize, max_bytes: usize) -> Self {
        Self { items: VecDeque::new(), bytes: 0, max_items, max_bytes }
    }

    /// Pushes `item` (about `bytes` bytes); returns what was evicted.
    pub(crate) fn push(&mut self, item: T, bytes: usize) -> Vec<T> {
        self.items.push_back((bytes, item));
        self.bytes = self.bytes.saturating_add(bytes);
        let mut evicted = Vec::new();
        while self.items.len() > self.max_items || self.bytes > self.max_bytes {
            let Some((bytes, item)) = self.items.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(bytes);
            evicted.push(item);
        }
        evicted
    }

    /// Whether an item of `bytes` bytes can be pushed without evicting another.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.items.len() < self.max_items && self.bytes.saturating_add(bytes) <= self.max_bytes
    }

    /// All items, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter().map(|(_, item)| item)
    }

    pub(crate) fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.items.iter_mut().map(|(_, item)| item)
    }

    /// The item that `compare` finds equal, if the items are in its order.
    pub(crate) fn find(&self, compare: impl Fn(&T) -> Ordering) -> Option<&T> {
        let index = self.items.binary_search_by(|(_, item)| compare(item)).ok()?;
        self.items.get(index).map(|(_, item)| item)
    }

    /// The items from the first one on that `is_before` is false for, if those for which it is true come first.
    pub(crate) fn from(&self, is_before: impl Fn(&T) -> bool) -> impl DoubleEndedIterator<Item = &T> {
        let start = self.items.partition_point(|(_, item)| is_before(item));
        self.items.range(start..).map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let mut ring = Ring::new(2, 10);
        assert!(ring.push('a', 1).is_empty());
        assert!(ring.push('b', 1).is_empty());
        assert_eq!(ring.push('c', 1), ['a']);
        assert_eq!(ring.push('d', 9), ['b']);
        assert_eq!(ring.iter().collect::<String>(), "cd");
        assert_eq!(ring.push('e', 11), ['c', 'd', 'e']);
        assert_eq!(ring.bytes, 0);
    }

    #[test]
    fn a_ring_of_no_size_remembers_nothing() {
        let mut ring = Ring::new(0, 10);
        assert_eq!(ring.push('a', 0), ['a']);
        assert_eq!(ring.iter().count(), 0);
    }

    #[test]
    fn it_says_whether_there_is_room_and_finds_its_place() {
        let mut ring = Ring::new(3, 10);
        for number in [2, 4, 6] {
            assert!(ring.has_room(3));
            ring.push(number, 3);
        }
        assert!(!ring.has_room(0) && !Ring::<u8>::new(9, 10).has_room(11));
        assert_eq!(ring.from(|number| *number <= 3).collect::<Vec<_>>(), [&4, &6]);
        assert_eq!(ring.from(|_| true).count(), 0);
    }
}
