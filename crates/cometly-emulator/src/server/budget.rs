//! A bound on the bytes that are held at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this size, rounded up.
const UNIT: usize = 1024;

#[derive(Clone)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    all: u32,
}

/// A part of a budget, given back when it is dropped.
pub(crate) struct Share(#[expect(dead_code, reason = "it is held to be dropped")] OwnedSemaphorePermit);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        let all = units(bytes);
        Self { units: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX))), all }
    }

    /// Waits until `bytes` are free; more than the whole budget counts as the whole.
    pub(crate) async fn take(&self, bytes: usize) -> Option<Share> {
        let units = units(bytes).min(self.all);
        // It fails if the semaphore is closed, which it never is.
        Arc::clone(&self.units).acquire_many_owned(units).await.ok().map(Share)
    }

    /// A share of `bytes`, if they are free.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let units = units(bytes).min(self.all);
        Arc::clone(&self.units).try_acquire_many_owned(units).ok().map(Share)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_free_again_when_it_is_dropped() {
        let budget = Budget::new(10 * UNIT);
        let share = budget.try_take(9 * UNIT + 1).unwrap();
        assert!(budget.try_take(1).is_none());
        drop(share);
        assert!(budget.try_take(usize::MAX).is_some());
    }
}
