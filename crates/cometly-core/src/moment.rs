//! A point in time, as the core sees it.

use std::time::{Duration, Instant};

/// The time since an origin that all who share a [`Pacer`](crate::Pacer) share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Duration);

impl Moment {
    /// The moment that is this long after the origin.
    #[must_use]
    pub const fn since_origin(since: Duration) -> Self {
        Self(since)
    }

    /// The moment that is `by` later, or the last one that there is.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// The time from `earlier` to this moment; zero if it is later.
    #[must_use]
    pub fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The origin of the process's monotonic clock is the first `Instant` that was asked about.
impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        static ORIGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        Self(instant.saturating_duration_since(*ORIGIN.get_or_init(|| instant)))
    }
}
