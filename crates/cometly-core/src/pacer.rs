//! Whose turn it is, where many callers share one limit.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Method;

use crate::{AuthOutcome, Moment, jitter::Jitter};

mod endpoint;
mod endpoints;
mod queue;
mod window;

use endpoint::{Endpoint, Later};
use endpoints::{Endpoints, SharedEndpoint};
use window::Lease;
pub(crate) use window::Told;

/// Lets calls wait for their turn instead of being refused: one for each Space, shared by all who call it.
#[derive(Clone, Default)]
pub struct Pacer {
    endpoints: Arc<Mutex<Endpoints>>,
}

/// What a [`Pacer`] says to a call.
#[derive(Debug)]
#[must_use = "a permit or a place in line is given back when it is dropped"]
pub(crate) enum Turn {
    /// Send it now.
    Go(Permit),
    /// Sleep for `pause`, then poll the ticket. Its turn comes after `turn`, as far as is known; later than its deadline
    /// only if the server itself said no until then.
    Wait { pause: Duration, turn: Duration, ticket: Ticket },
}

/// Leave to send one call. Dropped without an answer, the call counts as sent, and as one that gets none.
#[must_use = "dropped, the call counts as one that got no answer"]
pub(crate) struct Permit {
    seat: Option<Seat>,
    lease: Lease,
}

/// A place in line. Dropped, it is given back.
#[must_use = "dropped, the place in line is given back"]
pub(crate) struct Ticket {
    seat: Option<Seat>,
    /// When its turn comes, as far as was known when it last asked.
    turn: Moment,
}

/// What a permit and a ticket share: where they belong, and since when.
struct Seat {
    endpoint: SharedEndpoint,
    number: u64,
    deadline: Option<Moment>,
    jitter: Jitter,
}

impl Pacer {
    /// A pacer that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for leave to send one call of this endpoint, which is of no use after `deadline`. Each call has its own `seed`.
    pub(crate) fn ask(
        &self,
        method: &Method,
        path_template: &str,
        now: Moment,
        seed: u64,
        deadline: Option<Moment>,
    ) -> Turn {
        let path = path_template.trim_start_matches('/');
        let endpoint = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).find(method, path);
        let number = lock(&endpoint).join();
        Ticket { seat: Some(Seat { endpoint, number, deadline, jitter: Jitter::new(seed) }), turn: now }.poll(now)
    }
}

impl Ticket {
    /// Asks again.
    pub(crate) fn poll(mut self, now: Moment) -> Turn {
        let Some(mut seat) = self.seat.take() else {
            // Only `poll` and `drop` take it, and both end the ticket.
            return Turn::Wait { pause: Duration::ZERO, turn: Duration::ZERO, ticket: self };
        };
        let (left, draw) = (seat.left(now), seat.jitter.seed());
        let asked = lock(&seat.endpoint).ask(seat.number, now, left, draw);
        match asked {
            Ok(lease) => Turn::Go(Permit { seat: Some(seat), lease }),
            Err(Later { pause, turn }) => {
                Turn::Wait { pause, turn, ticket: Self { seat: Some(seat), turn: now.saturating_add(turn) } }
            }
        }
    }

    /// How long until its turn comes, as far as is known.
    pub(crate) fn turn(&self, now: Moment) -> Duration {
        self.turn.duration_since(now)
    }
}

impl Permit {
    /// Takes the answer. A call that was refused by the limit keeps its place in line.
    pub(crate) fn on_answer(mut self, told: Told, now: Moment) -> Option<Ticket> {
        let mut seat = self.seat.take()?;
        let (left, draw) = (seat.left(now), seat.jitter.seed());
        let later = lock(&seat.endpoint).answer(seat.number, self.lease, told, now, left, draw)?;
        Some(Ticket { seat: Some(seat), turn: now.saturating_add(later.turn) })
    }
}

impl Seat {
    fn left(&self, now: Moment) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.duration_since(now))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            lock(&seat.endpoint).lose(seat.number, self.lease);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            lock(&seat.endpoint).leave(seat.number);
        }
    }
}

impl<B> From<&AuthOutcome<B>> for Told {
    fn from(outcome: &AuthOutcome<B>) -> Self {
        let rate = outcome.rate_limit();
        Self {
            is_refused: outcome.is_rate_limited(),
            is_success: outcome.is_success(),
            limit: rate.limit(),
            remaining: rate.remaining(),
            wait: outcome.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// An endpoint is whole after every step, so a panic elsewhere while it was locked spoils nothing.
fn lock(endpoint: &SharedEndpoint) -> MutexGuard<'_, Endpoint> {
    endpoint.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Pacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Pacer").field("endpoints", &endpoints).finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
