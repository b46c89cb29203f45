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

    /// Remembers `item`, which holds about so many `bytes`, and gives back what had to be forgotten for it.
    pub(crate) fn push(&mut self, item: T, bytes: usize) -> Vec<T> {
        self.items.push_back((bytes, item));
        self.bytes = self.bytes.saturating_add(bytes);
        let mut forgotten = Vec::new();
        while self.items.len() > self.max_items || self.bytes > self.max_bytes {
            let Some((bytes, item)) = self.items.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(bytes);
            forgotten.push(item);
        }
        forgotten
    }

    /// What is remembered, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.items.iter().map(|(_, item)| item)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map(|(_, item)| item)
    }

    /// The item that `compare` finds equal, if the items are in its order.
    pub(crate) fn find(&self, compare: impl Fn(&T) -> Ordering) -> Option<&T> {
        let index = self.items.binary_search_by(|(_, item)| compare(item)).ok()?;
        self.items.get(index).map(|(_, item)| item)
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
}
