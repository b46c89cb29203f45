//! Whose turn it is, where many callers share one limit.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::Method;

use crate::{
    AuthOutcome, Moment,
    retry::{DOCUMENTED_WINDOW, Jitter},
};

mod endpoint;
mod endpoints;
mod queue;
mod shared;
mod sight;
mod window;

use endpoint::{Endpoint, Later, Leave, step};
use endpoints::{Endpoints, SharedEndpoint};
pub use shared::{BadAnswer, InvalidSpace, Mailbox, Question, lane::SharedLane};
pub(crate) use window::Told;

/// Makes calls wait for their turn, so that the rate limit does not refuse them: one for each Space, shared by all calls to it.
///
/// Cometly allows 5 to 60 calls a minute for each endpoint, to a whole Space. A pacer learns each endpoint's limit and window
/// from the answers, sends as many calls as get through, and tells each of the others how long to sleep. It does no IO and
/// reads no clock. Given to [`ApiBuilder::pacer`](crate::ApiBuilder::pacer), it is asked before each attempt, and there is
/// nothing more to do. Clones share what was learned.
///
/// # The rule
/// 1. An endpoint is a method and a path template; a window is a minute until the endpoint shows another length.
/// 2. One call opens an unknown endpoint; while no answer tells a limit, the calls under way double with each round trip.
/// 3. No more calls are under way than the lowest `Remaining` of the window; an answer to a call that was sent before the last
///    answer came never raises it.
/// 4. Calls that fit into what is left go at once; when more wait, half of the limit goes at once and the rest is spaced over
///    the window, so that other processes get in.
/// 5. When none is left, one call asks, once; its answer teaches when the window ends, and whether calls come back one by one,
///    as in a sliding window or a bucket.
/// 6. Any 429 closes the endpoint for its `Retry-After`, at most an hour; without one, for a window. After several short waits in
///    a row it stays closed longer, up to a window.
/// 7. When more of the limit is used than this pacer's calls explain, or a refusal comes that they do not explain, other
///    processes call too. The pacer takes that for true for two windows.
/// 8. While other processes call, it sends one call at a time, or spaces them. It begins each window after a random delay of up
///    to a second, and of one to two seconds if it got calls through in the window before. If a call was refused and none got
///    through, it sends one call in each of the next three windows.
/// 9. After five windows in a row in which calls were refused and none got through, it sends nothing for a random number of
///    windows, at most eight. The first success ends this.
/// 10. A call waits until a second before its time is over ([`Operation`](crate::Operation) says what that time is; 60 s by
///     default), and no longer than [`RetryPolicy::max_retry_after`](crate::RetryPolicy::max_retry_after). Then it goes without
///     its turn. If the server itself said no until later, it does not wait but fails at once with
///     [`CallErrorKind::Paced`](crate::CallErrorKind::Paced).
///
/// Waiting calls go first in, first out. A call that polls more than a quarter of a second late is passed by others, and goes
/// first when it polls.
///
/// # What it keeps to
/// `cargo xtask simulate` measures each in virtual time on this code, beside the same callers without a pacer:
///
/// | | |
/// | --- | --- |
/// | alive | a waiting call is sent at most two windows after the server has room for it; after five refused windows in a row, at most eleven |
/// | never worse than no pacer | at least 99 % as many successes as the same callers have without a pacer, in at most 1.1 of their time |
/// | unfelt | a burst that fits into what is left goes at once; one process alone takes at most 1.1 of the shortest possible time |
/// | fair | 2 to 10 equal processes and 100 windows of work: half-way, the process with the fewest calls has at least a third of an equal share, and the one in the middle at least 0.85 of it; 99 of 100 pauses between two successes of a process are at most 2.5 times its equal part of the window's length, and 1.5 windows |
/// | polite | alone, at most 0.01 refusals for each success, 0.03 in any run; 10,000 processes of one call, 25 at a limit of 60 and 175 at 7; a server that says `Retry-After: 0`, or nothing, for ever gets at most 40 calls an hour |
/// | cheap | joining, polling and leaving the line take O(log waiters); at most 128 bytes and 20 polls a second for each waiting call; of endpoints that are not in use, 256 are remembered |
///
/// Where it comes to less:
/// - Another process without a pacer takes 13 of the 15 calls of each window, and each call has a minute: 97 % as many
///   successes as without a pacer.
/// - One call every 5 s at a limit of 7 a minute, which is more than the limit, and each call has a minute: 98 % as many.
/// - Half of the callers give up at some time: 90 % as many successes as without a pacer.
/// - 2 processes with round trips of 2 s: at least a third of an equal share each, and no bound on the one in the middle.
/// - Alone against a sliding log: 1.2 of the shortest possible time. Against a sliding counter: no bound on the time, and 0.02
///   refusals for each success.
/// - Alone against a bucket: up to 0.03 refusals for each success.
/// - Two or more processes against a sliding window: 1.2 of the time that they need without a pacer; 1,000 processes, 1.3;
///   against a small bucket, 2.
/// - 100 processes of 100 calls: up to 1.5 refusals for each success at a limit of 60, and in one of a hundred cases 20 windows
///   between two successes of a process; up to 7 refusals at a limit of 7.
///
/// It promises no fairness on a sliding window or a bucket between processes that share nothing, since none sees that another
/// one lost, and nothing at all with a server that counts the calls that it refuses. If the clock jumps ahead, that time counts
/// as gone by.
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
    /// A pacer that has learned no limit yet, for this process alone; [`shared`](Pacer::shared) makes one for many processes.
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
        let number = step(&endpoint, Endpoint::join);
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
        let asked = step(&seat.endpoint, |endpoint| endpoint.ask(seat.number, now, left, draw));
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
        let later = step(&seat.endpoint, |endpoint| endpoint.answer(seat.number, self.leave, told, now, left, draw))?;
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
            step(&seat.endpoint, |endpoint| endpoint.lose(seat.number, self.leave));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            step(&seat.endpoint, |endpoint| endpoint.leave(seat.number));
        }
    }
}

impl<B> From<&AuthOutcome<B>> for Told {
    fn from(outcome: &AuthOutcome<B>) -> Self {
        let (rate, wait) = (outcome.rate_limit(), outcome.wait());
        // Where no length can be read, the pacer takes its own window.
        let wait = wait.known().and(wait.or_window(DOCUMENTED_WINDOW));
        Self {
            is_refused: matches!(outcome, AuthOutcome::RateLimited(_)),
            is_success: matches!(outcome, AuthOutcome::Success(_)),
            limit: rate.limit(),
            remaining: rate.remaining(),
            wait: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        }
    }
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
