//! Whose turn it is, where many callers share one limit.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Method;

use crate::{AuthOutcome, Moment, retry::Jitter};

mod endpoint;
mod endpoints;
mod queue;
mod shared;
mod sight;
mod window;

use endpoint::{Endpoint, Later, Leave};
use endpoints::{Endpoints, SharedEndpoint};
pub use shared::{BadAnswer, InvalidSpace, Mailbox, Question, lane::SharedLane};
pub(crate) use window::Told;

/// Lets calls wait for their turn instead of being refused: one for each Space, shared by all who call it.
///
/// Cometly allows 5 to 60 calls a minute for each endpoint, to a whole Space. A pacer learns each endpoint's limit and
/// window from the answers, sends as many calls as get through, and tells each of the others how long to sleep. It does
/// no IO and reads no clock. Given to [`ApiBuilder::pacer`](crate::ApiBuilder::pacer), it is asked before each attempt, and
/// there is nothing more to do. Clones share what was learned.
///
/// # The rule
/// 1. An endpoint is a method and a path template; a window is a minute until the endpoint shows another length.
/// 2. One call opens an unknown endpoint; while no answer tells a limit, the calls under way double with each round trip.
/// 3. No more calls are under way than the lowest `Remaining` of the window; an answer to a call that was sent before the
///    last answer came never raises it.
/// 4. Calls that fit into what is left go at once; when more wait, half of the limit goes at once and the rest is spaced
///    over the window, so that other processes get in.
/// 5. When none is left, one call asks, once; its answer teaches when the window ends, and whether calls come back
///    one by one, as in a sliding window or a bucket.
/// 6. Any 429 closes the endpoint for its `Retry-After`, at most an hour; without one, for a window.
/// 7. Others are taken to call too for two windows after more was used than our calls explain, or after a refusal that
///    they do not explain.
/// 8. Meanwhile one call is under way or the calls are spaced, and a window is entered up to a second late, a second
///    later by a process that had some of the last one; a process that had none takes one call a window for three.
/// 9. After five refused windows in a row, up to eight whole windows are left out, drawn at random; a success ends it.
/// 10. A call at its deadline goes, unless the server itself said no until later.
///
/// Waiters go first in, first out. One that polls more than a quarter of a second late is passed, and goes first when it
/// polls.
///
/// # What it keeps to
/// `cargo xtask simulate` measures each in virtual time on this code, beside the same callers without a pacer:
///
/// | | |
/// | --- | --- |
/// | alive | a waiter is sent within two windows of the server's having room; after five refused windows in a row, nine more |
/// | no worse than none | 99 % of the successes of the same callers without a pacer, at most 1.1 of their time |
/// | unfelt | a burst that fits into what is left goes at once; alone, 1.1 of the shortest time there is |
/// | fair | 2 to 10 equal processes, 100 windows: the least has a third of its share at half time, the median 0.85 |
/// | polite | alone, at most 0.01 refusals a success; `Retry-After: 0` or none for ever: 40 calls an hour |
/// | cheap | a poll and a cancellation in O(log waiters), 128 bytes and 20 polls a second a waiter, 256 idle endpoints |
///
/// Where it comes to less:
/// - A rival without a pacer takes 13 of 15 calls of each window: 97 % of the successes without one, within a minute.
/// - A call each 5 s at a limit of 7, more than the limit allows, within a minute: 98 %.
/// - Alone on a sliding log: 1.2 of the shortest time. On a sliding counter: no bound on it, and 0.02 refusals a success.
/// - Alone on a bucket: up to 0.03 refusals a success.
/// - Two or more processes on a sliding window: 1.2 of the time without a pacer, 1,000 of them 1.3; on a small bucket, 2.
/// - 100 processes at a limit of 60: up to 1.5 refusals a success, and one in a hundred successes comes 20 windows after
///   the one before.
///
/// It does not promise fairness on a sliding window or a bucket between processes that share nothing, since none sees that
/// another lost; nor anything with a server that counts what it refuses. A time of the clock that jumps ahead counts as
/// gone by.
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
    leave: Leave,
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
            Ok(leave) => Turn::Go(Permit { seat: Some(seat), leave }),
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
        let later = lock(&seat.endpoint).answer(seat.number, self.leave, told, now, left, draw)?;
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
            lock(&seat.endpoint).lose(seat.number, self.leave);
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
            is_refused: matches!(outcome, AuthOutcome::RateLimited(_)),
            is_success: matches!(outcome, AuthOutcome::Success(_)),
            limit: rate.limit(),
            remaining: rate.remaining(),
            wait: outcome.wait().known().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
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
