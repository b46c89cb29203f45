//! One endpoint: what is known of its limit, and who may go.

use std::time::Duration;

use crate::Moment;

use super::{line::Line, open::Open, window::Window};
use crate::{
    AuthOutcome,
    retry::{Jitter, MOST_ALONE, MOST_OF_MANY, windows},
};

/// The highest limit that Cometly documents, for estimates before an endpoint has told its own.
const MOST_DOCUMENTED: u64 = 60;

/// How long a slow answer holds back the others.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whatever one refusal said, somebody asks again after this. Who was refused itself waits as long as it was told.
const MOST_CLOSED: Duration = Duration::from_secs(60 * 60);

/// The least pause after a refusal that asks for none.
const LEAST_WAIT: Duration = Duration::from_millis(250);

pub(super) struct Lane {
    line: Line,
    last_number: u64,
    last_used: Moment,
    last_grant: Option<Moment>,
    under_way: u64,
    round_trip: Duration,
    shown: Shown,
    limit: Option<u64>,
    length: Window,
    /// When a window last began with a call of ours: between these two moments.
    began: Option<(Moment, Moment)>,
    open: Open,
    /// Whether the window before was all ours.
    had_all: bool,
    /// Whether calls come back one by one, not all at the end of a window.
    is_sliding: bool,
    closed_until: Option<Moment>,
    /// Windows in a row that others had, less those that were shared.
    refusals: u32,
}

/// What the calls that have come to an end showed.
#[derive(PartialEq, Eq)]
enum Shown {
    Nothing,
    /// None had a limit: nobody is held back.
    NoLimit,
    Limit,
}

/// Leave for one call.
#[derive(Clone, Copy)]
pub(super) struct Grant {
    at: Moment,
    is_asking: bool,
}

pub(super) enum Turn {
    Now(Grant),
    Later { after: Duration, turn: Moment },
}

/// What an answer says of the limit.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) is_refused: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
}

impl<B> From<&AuthOutcome<B>> for Told {
    fn from(outcome: &AuthOutcome<B>) -> Self {
        let rate = outcome.rate_limit();
        Self {
            is_refused: matches!(outcome, AuthOutcome::RateLimited(_)),
            // What cannot be read counts as a window.
            retry_after: outcome.wait().known(),
            limit: rate.limit(),
            remaining: rate.remaining(),
        }
    }
}

impl Lane {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            line: Line::default(),
            last_number: 0,
            last_used: now,
            last_grant: None,
            under_way: 0,
            round_trip: Duration::from_millis(100),
            shown: Shown::Nothing,
            limit: None,
            length: Window::new(),
            began: None,
            open: Open::new(now),
            had_all: false,
            is_sliding: false,
            closed_until: None,
            refusals: 0,
        }
    }

    pub(super) fn last_used(&self) -> Moment {
        self.last_used
    }

    /// A place at the end of the line.
    pub(super) fn draw_number(&mut self) -> u64 {
        self.last_number = self.last_number.saturating_add(1);
        self.last_number
    }

    /// Whether `number` may go now, and when else.
    pub(super) fn ask(&mut self, number: u64, now: Moment) -> Turn {
        self.last_used = now;
        if self.closed_until.or_else(|| self.end()).is_some_and(|over| over <= now) {
            self.closed_until = None;
            self.had_all = self.limit.is_some_and(|limit| self.open.taken >= limit);
            self.open = Open::new(now);
        }
        let ahead = u64::try_from(self.line.ahead_of(number, now)).unwrap_or(u64::MAX);
        if !self.may_go(ahead, now) {
            let mut turn = self.turn(ahead, now);
            if self.closed_until.is_none() && self.length.is_assumed() {
                // A guess: nobody is sent away, or to sleep for long, because of it.
                turn = turn.min(later(now, PATIENCE));
            }
            let after = self.nap(turn.duration_since(now));
            let back = later(now, after);
            self.line.join(number, back);
            // Nobody should give up for a guess.
            let turn = if self.length.is_assumed() { back } else { turn };
            return Turn::Later { after, turn };
        }
        let is_asking = self.open.left == Some(0);
        self.line.leave(number);
        self.under_way = self.under_way.saturating_add(1);
        self.last_grant = Some(now);
        Turn::Now(Grant { at: now, is_asking })
    }

    /// A call has ended as `told`. One that was refused gets its place back, and its turn.
    pub(super) fn settle(
        &mut self,
        grant: Grant,
        told: Told,
        now: Moment,
        number: u64,
        jitter: &mut Jitter,
    ) -> Option<Moment> {
        self.lose();
        let round_trip = now.duration_since(grant.at);
        self.round_trip =
            self.round_trip.saturating_mul(7).saturating_add(round_trip).checked_div(8).unwrap_or_default();
        if told.is_refused || told.limit.is_some() || told.remaining.is_some() {
            self.shown = Shown::Limit;
        }
        self.limit = told.limit.or(self.limit);
        if told.is_refused {
            let turn = self.refuse(grant, told.retry_after, now, jitter);
            self.line.join(number, turn);
            return Some(turn);
        }
        if let Some(remaining) = told.remaining {
            self.take(grant, remaining, now, jitter);
        }
        None
    }

    /// A call has ended, nobody knows how.
    pub(super) fn lose(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.shown == Shown::Nothing {
            self.shown = Shown::NoLimit;
        }
    }

    pub(super) fn leave(&mut self, number: u64) {
        self.line.leave(number);
    }

    /// When the window is over, if it is known to be open.
    fn end(&self) -> Option<Moment> {
        // When the first call was taken is known as well as the round trip is.
        let guard = self.round_trip.checked_div(4).unwrap_or_default().saturating_add(Duration::from_millis(5));
        self.open.first.map(|first| later(later(first, self.length.get()), guard))
    }

    fn may_go(&self, ahead: u64, now: Moment) -> bool {
        if self.closed_until.is_some() {
            return false;
        }
        if self.shown == Shown::NoLimit {
            return true;
        }
        let before = self.under_way.saturating_add(ahead);
        let is_slow = ahead == 0 && self.last_grant.is_none_or(|last| now.duration_since(last) >= PATIENCE);
        match self.open.left {
            None => before == 0 || is_slow,
            // One at a time asks whether there is more by now.
            Some(0) => before == 0,
            Some(left) => before < self.open.room(left, self.limit) || (is_slow && before < left),
        }
    }

    /// When the turn comes of somebody with so many ahead, as far as is known.
    fn turn(&self, ahead: u64, now: Moment) -> Moment {
        let in_window = self.limit.unwrap_or(MOST_DOCUMENTED).max(1);
        let (opens, ahead) = match (self.closed_until, self.open.left) {
            (until, _) if self.is_sliding => {
                let those = self.pause().saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
                return later(until.unwrap_or(now), those.max(self.round_trip.checked_div(8).unwrap_or_default()));
            }
            (Some(until), _) => (until, ahead),
            (None, Some(0)) => (later(now, self.round_trip), ahead),
            // Some of those under way may be counted in what is left.
            (None, left) => match ahead.checked_sub(left.unwrap_or(in_window)) {
                None => return self.after(now, ahead.saturating_add(1)),
                Some(ahead) => (self.end().unwrap_or_else(|| later(now, self.length.get())), ahead),
            },
        };
        let skipped = ahead.checked_div(in_window).and_then(|skipped| u32::try_from(skipped).ok()).unwrap_or(u32::MAX);
        let opens = later(opens, self.length.get().saturating_mul(skipped));
        self.after(opens, ahead.checked_rem(in_window).unwrap_or_default())
    }

    /// How long until one call more is left, when they come back one by one.
    fn pause(&self) -> Duration {
        self.length
            .get()
            .checked_div(u32::try_from(self.limit.unwrap_or(1).max(1)).unwrap_or(u32::MAX))
            .unwrap_or_default()
    }

    /// When so many have been answered, from `start` on.
    fn after(&self, start: Moment, calls: u64) -> Moment {
        let calls = u32::try_from(calls).unwrap_or(u32::MAX);
        later(start, self.round_trip.saturating_mul(calls).checked_div(8).unwrap_or_default())
    }

    /// How long to sleep for a turn that far away: not all of a long time, for those ahead may leave.
    fn nap(&self, turn: Duration) -> Duration {
        turn.min(self.length.get().saturating_mul(2).max(turn.checked_div(2).unwrap_or_default()))
            .max(Duration::from_millis(1))
    }

    /// A call was taken, and left so many.
    fn take(&mut self, grant: Grant, remaining: u64, now: Moment, jitter: &mut Jitter) {
        let taken = later(grant.at, now.duration_since(grant.at).checked_div(2).unwrap_or_default());
        if self.limit == remaining.checked_add(1) {
            if let Some((sent, _)) = self.began {
                self.length.turned(now.duration_since(sent));
            }
            self.began = Some((grant.at, now));
            (self.open.first, self.open.taken) = (Some(taken), 0);
        }
        if grant.at < self.open.since {
            return;
        }
        // All of a window was ours, and the next has less: the one before is not over.
        if self.open.left.is_none() && (self.had_all || self.is_sliding) {
            self.is_sliding = self.limit > remaining.checked_add(1);
        }
        self.open.first.get_or_insert(taken);
        self.open.taken = self.open.taken.saturating_add(1);
        let left = self.open.note(remaining, self.under_way);
        if left == 0 && self.is_sliding {
            self.closed_until = Some(later(now, self.pause()));
        } else if left == 0 && !self.length.is_assumed() {
            let spread = self.spread(jitter);
            self.closed_until = self.end().map(|end| later(end, spread));
        }
    }

    /// A call was refused: closed for as long as it was told to wait, and after windows that others had for more.
    fn refuse(&mut self, grant: Grant, wait: Option<Duration>, now: Moment, jitter: &mut Jitter) -> Moment {
        if let Some(wait) = wait {
            self.learn(grant, wait, now);
        }
        let length = self.length.get();
        let wait = wait.unwrap_or(length).clamp(LEAST_WAIT, MOST_CLOSED);
        let is_known = self.closed_until.is_some() || grant.at < self.open.since || grant.is_asking;
        // Not crowded out, but a little too soon for the next window.
        let is_early = wait.saturating_mul(8) <= length;
        let spread = if is_known || is_early { Duration::ZERO } else { self.spread(jitter) };
        let opens = later(later(now, wait), spread);
        let until = self.closed_until.map_or(opens, |until| until.max(opens));
        self.closed_until = Some(until);
        until
    }

    fn learn(&mut self, grant: Grant, wait: Duration, now: Moment) {
        match self.began {
            // Waits are told in whole seconds, rounded up.
            Some((sent, answered)) if grant.at >= answered && grant.at.duration_since(sent) < self.length.get() => {
                let above = later(grant.at, wait).duration_since(later(answered, Duration::from_secs(1)));
                self.length.measured(above, later(now, wait).duration_since(sent));
            }
            _ => self.length.waits(wait),
        }
    }

    /// Whether others had most of this window.
    fn is_crowded(&self) -> bool {
        !self.is_sliding && self.open.is_crowded(self.limit)
    }

    /// How long to leave the endpoint to others once this window is over: whole windows, and less than half of one so
    /// that not all who were refused at the same time come back at the same time.
    fn spread(&mut self, jitter: &mut Jitter) -> Duration {
        if !self.is_crowded() {
            self.refusals = self.refusals.saturating_sub(1);
            return Duration::ZERO;
        }
        self.refusals = self.refusals.saturating_add(1);
        let most = if self.last_number <= 1 { MOST_ALONE } else { MOST_OF_MANY };
        let skipped = jitter.index(windows(self.refusals, most).saturating_add(1));
        let length = self.length.get();
        let within =
            if self.open.taken == 0 { jitter.below(length.checked_div(2).unwrap_or_default()) } else { Duration::ZERO };
        length.saturating_mul(skipped).saturating_add(within)
    }
}

/// The sum, or the same moment if there is none: nobody waits for the end of time.
fn later(moment: Moment, by: Duration) -> Moment {
    moment.saturating_add(by)
}
