//! How much more than its calls a program may send.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// What one retry costs, in what one call brings in: ten calls pay for one retry.
const PRICE: u32 = 10;

/// A bound on retries, so that an outage is not met by a storm of them: at most one retry for every ten calls, plus a small
/// reserve.
///
/// Each call pays in a tenth of a retry when its first attempt ends, and each retry after a failure (an answer of 502, 503 or
/// 504, nothing sent, no answer) takes a whole one. What is saved never grows beyond the reserve of [10](RetryBudget::RESERVE),
/// so that `n` calls that meet an outage make at most `n / 10 + 10` retries together. A retry after a 429 costs nothing, since
/// its wait is what the server asked for, nor does one with a replaced key. Without enough left, a failure ends the call with
/// its answer or error; for [`RetryPolicy::within`](crate::RetryPolicy::within) it only makes the wait longer.
///
/// Clones share what is left; so do the clones of a [`RetryPolicy`](crate::RetryPolicy). Give one budget to all policies that
/// speak to the same servers:
///
/// ```
/// use cometly_core::{RetryBudget, RetryPolicy};
///
/// let budget = RetryBudget::new();
/// let pages = RetryPolicy::default().budget(budget.clone());
/// let events = RetryPolicy::default().max_attempts(5).budget(budget);
/// # let _ = (pages, events);
/// ```
#[derive(Clone)]
pub struct RetryBudget {
    shared: Arc<Shared>,
}

struct Shared {
    saved: AtomicU32,
    most: u32,
}

impl RetryBudget {
    /// The reserve of a budget from [`new`](RetryBudget::new): 10 retries.
    pub const RESERVE: u32 = 10;

    /// A full budget with a reserve of [10](RetryBudget::RESERVE) retries.
    #[must_use]
    pub fn new() -> Self {
        Self::with_reserve(Self::RESERVE)
    }

    /// A full budget with a reserve of this many retries: that many are possible at once, then one for every ten calls, and no
    /// more than the reserve is ever saved up. With 0 there is no retry after a failure.
    #[must_use]
    pub fn with_reserve(reserve: u32) -> Self {
        let most = reserve.saturating_mul(PRICE);
        Self { shared: Arc::new(Shared { saved: AtomicU32::new(most), most }) }
    }

    /// Takes note of a call.
    pub(crate) fn deposit(&self) {
        let add = |saved: u32| (saved < self.shared.most).then(|| saved.saturating_add(1));
        // An error is a full budget.
        let _ = self.shared.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Pays for a retry, if there is enough left.
    pub(crate) fn withdraw(&self) -> bool {
        let take = |saved: u32| saved.checked_sub(PRICE);
        self.shared.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let retries = self.shared.saved.load(Ordering::Relaxed) / PRICE;
        f.debug_struct("RetryBudget").field("retries", &retries).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn calls_that_all_fail_make_a_tenth_more_and_the_reserve() {
        let budget = RetryBudget::new();
        let retries = (0..1_000)
            .filter(|_| {
                budget.deposit();
                budget.withdraw()
            })
            .count();
        assert_eq!(retries, 100 + 9, "the first deposit finds the budget full");
    }

    #[test]
    fn what_good_times_save_is_no_more_than_the_reserve() {
        let budget = RetryBudget::default();
        (0..1_000_000).for_each(|_| budget.deposit());
        assert_eq!(format!("{budget:?}"), "RetryBudget { retries: 10 }");
        assert_eq!((0..1_000).filter(|_| budget.withdraw()).count(), 10);
        assert_eq!(format!("{budget:?}"), "RetryBudget { retries: 0 }");
    }

    #[test]
    fn without_a_reserve_there_is_no_retry() {
        let budget = RetryBudget::with_reserve(0);
        (0..100).for_each(|_| budget.deposit());
        assert!(!budget.withdraw());
        assert!(RetryBudget::with_reserve(u32::MAX).withdraw());
    }

    #[test]
    fn clones_on_many_threads_share_it() {
        let budget = RetryBudget::with_reserve(100);
        let taken: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let budget = budget.clone();
                    scope.spawn(move || (0..100).filter(|_| budget.withdraw()).count())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 100);
    }
}
