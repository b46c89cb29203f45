//! Whose turn it is, where many callers share one limit.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::Method;

use crate::{AuthOutcome, Moment, retry::Jitter};

mod lane;
mod line;
mod open;
mod window;

use lane::{Lane, Turn};

/// Lets calls wait for their turn instead of being refused: one for each Space, shared by all who call it.
///
/// Cometly allows 5 to 60 calls a minute for each endpoint, to a whole Space. A pacer learns each endpoint's limit and
/// window from what is answered, lets as many calls go as will get through, and tells each of the others how long to
/// sleep. It does no IO and reads no clock: `now` is given. An endpoint that never showed a limit is not held back.
///
/// It needs a policy that may wait for longer than a window: [`RetryPolicy::within`](crate::RetryPolicy::within). With the
/// default, a call whose turn comes later than its minute ends as `RateLimited` or as
/// [`CallError::Paced`](crate::CallError::Paced). Learning the window costs one 429, which a policy that retries hides.
///
/// Given to [`ApiBuilder::pacer`](crate::ApiBuilder::pacer), it is asked by [`Attempt::pace`](crate::Attempt::pace), and
/// there is nothing more to do. Clones share what was learned. With a loop of your own:
///
/// ```
/// use std::time::Duration;

/// use cometly_core::{Api, Pace, Pacer, http::{Method, Response}};
/// # fn sleep(_: Duration) {}
/// # fn send() -> Response<&'static str> { Response::new("{}") }
/// # fn paced(api: &Api, pacer: &Pacer, now: impl Fn() -> Moment, seed: u64) {
///
/// let mut pace = pacer.poll(&Method::GET, "events", now(), seed);
/// let permit = loop {
///     match pace {
///         Pace::Go(permit) => break permit,
///         Pace::Wait { after, ticket, .. } => {
///             sleep(after);
///             pace = ticket.poll(now()); // keeps its place in line
///         }
///     }
/// };
/// let outcome = api.read(send());
/// permit.on_outcome(&outcome, now());
/// # }
/// ```
///
/// # The rule
/// - Nothing known of a window: one call goes first, and the others wait for what its answer tells, a second at most.
/// - Calls left: no more under way than are left, or than 8. If others take calls too, only our share of what is left.
/// - None left: closed until a window after the first call of this one. The first time, when the length of the window is
///   not known yet, one call asks: what it is told to wait tells the length.
/// - Refused: closed for `Retry-After`.
/// - Most of a window went to others, programs of the same Space that share no pacer with this one: some windows are left
///   to them, drawn from up to 1, 3, 7, then 15 with each such window in a row; 8 for whoever has more than one call.
/// - All of a window was ours, and the next does not begin full: calls come back one by one, and go one by one.
///
/// Whoever waits is let go in the order of asking. Who does not come back in time lets others pass and is the next when
/// it does. What is kept is bounded: the endpoints used last, [256](Pacer::MAX_ENDPOINTS) of them.
#[derive(Clone, Default)]
pub struct Pacer {
    shared: Arc<Mutex<Vec<Endpoint>>>,
}

type SharedLane = Arc<Mutex<Lane>>;

struct Endpoint {
    method: Method,
    path: Box<str>,
    lane: SharedLane,
}

/// What a [`Pacer`] says.
#[derive(Debug)]
#[must_use = "a permit or a place in line is given back when it is dropped"]
pub(crate) enum Pace {
    /// Send the call now.
    Go(Permit),
    /// Sleep, then ask again with the ticket.
    #[non_exhaustive]
    Wait {
        /// How long to sleep.
        after: Duration,
        /// The place in line.
        ticket: Ticket,
    },
}

/// Leave to send one call. Dropped without an outcome, the call counts as sent, with an unknown fate.
#[must_use = "dropped, the call counts as one whose fate is not known"]
pub(crate) struct Permit {
    seat: Option<Seat>,
    granted: lane::Grant,
}

/// A place in line. Dropped, it is given back.
#[must_use = "dropped, the place in line is given back"]
pub(crate) struct Ticket {
    seat: Option<Seat>,
    turn: Option<Moment>,
}

/// What a permit and a ticket share: where they belong, and since when.
struct Seat {
    lane: SharedLane,
    number: u64,
    jitter: Jitter,
}

impl Pacer {
    /// The most endpoints that are kept in mind.
    pub const MAX_ENDPOINTS: usize = 256;

    /// A pacer that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for leave to send one call of this endpoint. Use another `seed` for each call.
    pub(crate) fn poll(&self, method: &Method, path_template: &str, now: Moment, seed: u64) -> Pace {
        let lane = self.lane(method, path_template.trim_start_matches('/'), now);
        let number = lock(&lane).draw_number();
        Ticket { seat: Some(Seat { lane, number, jitter: Jitter::new(seed) }), turn: None }.poll(now)
    }

    fn lane(&self, method: &Method, path: &str, now: Moment) -> SharedLane {
        let mut endpoints = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = endpoints.iter().find(|known| *known.path == *path && known.method == *method) {
            return Arc::clone(&known.lane);
        }
        if endpoints.len() >= Self::MAX_ENDPOINTS {
            forget_oldest(&mut endpoints);
        }
        let lane = Arc::new(Mutex::new(Lane::new(now)));
        // All others are in use: this one is held back by none, and not kept.
        if endpoints.len() < Self::MAX_ENDPOINTS {
            endpoints.push(Endpoint { method: method.clone(), path: path.into(), lane: Arc::clone(&lane) });
        }
        lane
    }
}

/// Forgets the endpoint that was used least lately, of those that nobody waits for.
fn forget_oldest(endpoints: &mut Vec<Endpoint>) {
    let idle = endpoints.iter().map(|endpoint| &endpoint.lane).filter(|lane| Arc::strong_count(lane) == 1);
    if let Some(oldest) = idle.min_by_key(|lane| lock(lane).last_used()).cloned() {
        endpoints.retain(|endpoint| !Arc::ptr_eq(&endpoint.lane, &oldest));
    }
}

impl Ticket {
    /// Asks again.
    pub(crate) fn poll(mut self, now: Moment) -> Pace {
        let Some(seat) = self.seat.take() else {
            // Only `poll` and `drop` take it, and both end the ticket.
            return Pace::Wait { after: Duration::ZERO, ticket: self };
        };
        let turn = lock(&seat.lane).ask(seat.number, now);
        match turn {
            Turn::Now(granted) => Pace::Go(Permit { seat: Some(seat), granted }),
            Turn::Later { after, turn } => Pace::Wait { after, ticket: Self { seat: Some(seat), turn: Some(turn) } },
        }
    }

    /// How long until its turn comes, as far as is known. While the length of the window is a guess, this is only the time
    /// until it is worth asking again.
    #[must_use]
    pub(crate) fn turn(&self, now: Moment) -> Duration {
        self.turn.map_or(Duration::ZERO, |turn| turn.duration_since(now))
    }
}

impl Permit {
    /// Tells what came of the call. One that was refused by the limit keeps its place in line.
    pub(crate) fn on_outcome<B>(mut self, outcome: &AuthOutcome<B>, now: Moment) -> Option<Ticket> {
        let mut seat = self.seat.take()?;
        let turn = lock(&seat.lane).settle(self.granted, outcome.into(), now, seat.number, &mut seat.jitter);
        turn.map(|turn| Ticket { seat: Some(seat), turn: Some(turn) })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            lock(&seat.lane).lose();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            lock(&seat.lane).leave(seat.number);
        }
    }
}

/// A lane is whole after every step, so a panic elsewhere while it was locked spoils nothing.
fn lock(lane: &SharedLane) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Pacer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.shared.lock().unwrap_or_else(PoisonError::into_inner).len();
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
