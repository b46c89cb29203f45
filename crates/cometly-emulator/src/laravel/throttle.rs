//! Rate limits as Laravel's `throttle` keeps them: a fixed window for each Space and endpoint, which begins at its first
//! call. A refused call does not count.

use std::collections::HashMap;

use crate::keys::Space;
use crate::laravel::refusal::TooMany;
use crate::path::Endpoint;

pub(crate) struct Limits {
    window_seconds: u64,
    /// What each endpoint allows in a window, in the order in which they are shown.
    most: Vec<(Endpoint, u32)>,
    windows: HashMap<(Space, Endpoint), Window>,
}

#[derive(Clone)]
struct Window {
    ends: u64,
    calls: u32,
}

/// What a call that was let through may tell its client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
}

impl Limits {
    pub(crate) fn new(window_seconds: u64, most: Vec<(Endpoint, u32)>) -> Self {
        Self { window_seconds, most, windows: HashMap::new() }
    }

    /// What an endpoint allows in a window.
    pub(crate) fn of(&self, endpoint: Endpoint) -> Option<u32> {
        self.most.iter().find(|(limited, _)| *limited == endpoint).map(|(_, limit)| *limit)
    }

    /// Every limit of a Space: what it allows, how much of it is used, and in how many seconds it starts afresh.
    pub(crate) fn look(&self, space: Space, now: u64) -> impl Iterator<Item = (Endpoint, u32, u32, u64)> {
        self.most.iter().map(move |&(endpoint, limit)| {
            let window = self.windows.get(&(space, endpoint)).filter(|window| now < window.ends);
            let (used, resets) = window.map_or((0, 0), |window| (window.calls, window.ends.saturating_sub(now)));
            (endpoint, limit, used, resets)
        })
    }

    /// Counts a call; `None` if nothing limits it.
    pub(crate) fn take(&mut self, space: Space, endpoint: Endpoint, now: u64) -> Result<Option<Allowance>, TooMany> {
        let Some(limit) = self.of(endpoint) else { return Ok(None) };
        let fresh = Window { ends: now.saturating_add(self.window_seconds), calls: 0 };
        let window = self.windows.entry((space, endpoint)).or_insert_with(|| fresh.clone());
        if now >= window.ends {
            *window = fresh;
        }
        if window.calls >= limit {
            return Err(TooMany { limit, retry_after: window.ends.saturating_sub(now), reset: window.ends });
        }
        window.calls = window.calls.saturating_add(1);
        Ok(Some(Allowance { limit, remaining: limit.saturating_sub(window.calls) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: Endpoint = ("GET", "/events");

    fn limits(most: u32) -> Limits {
        Limits::new(60, vec![(EVENTS, most)])
    }

    #[test]
    fn the_window_begins_at_its_first_call_and_refused_calls_do_not_count() {
        let mut limits = limits(2);
        let space = Space::active();
        assert_eq!(limits.take(space, EVENTS, 100), Ok(Some(Allowance { limit: 2, remaining: 1 })));
        assert_eq!(limits.take(space, EVENTS, 130), Ok(Some(Allowance { limit: 2, remaining: 0 })));
        assert_eq!(limits.take(space, EVENTS, 130), Err(TooMany { limit: 2, retry_after: 30, reset: 160 }));
        assert_eq!(limits.take(space, EVENTS, 159), Err(TooMany { limit: 2, retry_after: 1, reset: 160 }));
        assert_eq!(limits.take(space, EVENTS, 160), Ok(Some(Allowance { limit: 2, remaining: 1 })));
    }

    #[test]
    fn spaces_and_endpoints_do_not_share() {
        let mut limits = limits(1);
        assert!(limits.take(Space::active(), EVENTS, 0).is_ok());
        assert!(limits.take(Space::active(), EVENTS, 0).is_ok());
        assert_eq!(limits.take(Space::active(), ("GET", "/contacts"), 0), Ok(None));
    }

    #[test]
    fn a_limit_of_none_refuses_all() {
        let mut limits = limits(0);
        let space = Space::active();
        assert_eq!(limits.take(space, EVENTS, 7), Err(TooMany { limit: 0, retry_after: 60, reset: 67 }));
    }
}
