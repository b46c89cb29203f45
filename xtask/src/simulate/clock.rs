//! Virtual time: seconds since the start, and what is to happen when.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    time::{Duration, Instant},
};

/// Seconds since the start.
pub(super) type Seconds = f64;

pub(super) fn duration(seconds: Seconds) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

pub(super) fn instant(start: Instant, at: Seconds) -> Instant {
    start.checked_add(duration(at)).unwrap_or(start)
}

/// Events in the order of their time, and of their coming in at the same time.
pub(super) struct Agenda<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    count: u64,
}

struct Entry<E> {
    at: Seconds,
    count: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }

    pub(super) fn add(&mut self, at: Seconds, event: E) {
        self.count = self.count.saturating_add(1);
        self.heap.push(Reverse(Entry { at, count: self.count, event }));
    }

    pub(super) fn next(&mut self) -> Option<(Seconds, E)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.count.cmp(&other.count))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}
