//! What one process has of an endpoint that a fleet shares: its place in line, leases in hand, and what it has to tell.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    task::Waker,
};

use super::{
    super::window::Told,
    lane::{EVENT, event},
    post::{Asking, Asks, EngineSaid, Post},
};

/// How long an engine may take for an answer before the process decides alone.
const SLOW: u64 = 50;

/// How much longer a waiter sleeps for each one ahead of it in this process, and the most.
const BEHIND: u64 = 5;
const MOST_BEHIND: u64 = 15_000;

/// How long a lease in hand is of use: its waiter was asleep, and the window may be over.
const HAND_EXPIRES: u64 = 1_000;

/// Events that wait for the next question. Beyond, the oldest is dropped: its lease ends with its window.
const MOST_EVENTS: usize = 64;

pub(in super::super) struct Share {
    post: Arc<Post>,
    endpoint: Weak<dyn Asks>,
    /// The place in line: `count` numbers from `start` on, of the state `epoch`.
    epoch: u64,
    start: u64,
    count: u64,
    /// Leases that no call has taken yet: how many, and since when.
    hand: VecDeque<(FleetLease, u64, u64)>,
    in_hand: u64,
    ask_at: u64,
    /// The question under way: since when, for how many, and its number. An answer to an earlier one is given back.
    asked: Option<u64>,
    want: u64,
    number: u64,
    events: VecDeque<[u64; EVENT]>,
    is_queued: bool,
    /// Woken when a question is queued, after the lock is let go.
    waker: Option<Waker>,
    /// What the engine said last: the server said no until then; calls a window, and how long one is; 0 if unknown.
    said_no: u64,
    limit: u64,
    length: u64,
}

/// Leave for one call of the fleet.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct FleetLease {
    epoch: u64,
    window: u64,
    at: u64,
}

/// What comes of asking.
pub(in super::super) enum Asked {
    Go(FleetLease),
    /// Ask again after `pause`; the turn is at `turn`, as far as is known.
    Later {
        pause: u64,
        turn: u64,
    },
    /// The engine is away: this process decides alone.
    Alone,
}

impl Share {
    pub(in super::super) fn new(post: Arc<Post>, endpoint: Weak<dyn Asks>) -> Self {
        Self {
            post,
            endpoint,
            epoch: 0,
            start: 0,
            count: 0,
            hand: VecDeque::new(),
            in_hand: 0,
            ask_at: 0,
            asked: None,
            want: 0,
            number: 0,
            events: VecDeque::new(),
            is_queued: false,
            waker: None,
            said_no: 0,
            limit: 0,
            length: 0,
        }
    }

    pub(in super::super) fn said_no(&self) -> u64 {
        self.said_no
    }

    /// A lease for a waiter that has `ahead` others of the `waiting` ones of this process before it.
    pub(in super::super) fn ask(&mut self, ahead: u64, waiting: u64, now: u64) -> Asked {
        if ahead < self.in_hand {
            if let Some(lease) = self.take_lease(now) {
                return Asked::Go(lease);
            }
        }
        if self.post.is_away(now) {
            self.forget_question();
            return Asked::Alone;
        }
        let behind = ahead.saturating_mul(BEHIND).min(MOST_BEHIND);
        let windows = ahead.checked_div(self.limit).unwrap_or_default();
        let turn = self.ask_at.max(now).saturating_add(windows.saturating_mul(self.length));
        if self.ask_at > now {
            return Asked::Later { pause: self.ask_at.saturating_sub(now).saturating_add(behind), turn };
        }
        let since = *self.asked.get_or_insert(now);
        if since == now {
            self.want = waiting;
            self.queue();
        }
        let age = now.saturating_sub(since);
        if age >= SLOW {
            self.forget_question();
            self.post.slow(now);
            return Asked::Alone;
        }
        let nap = age.saturating_add(1).min(SLOW.saturating_sub(age));
        Asked::Later { pause: nap.saturating_add(behind), turn }
    }

    fn take_lease(&mut self, now: u64) -> Option<FleetLease> {
        while let Some((lease, many, since)) = self.hand.pop_front() {
            if now > since.saturating_add(HAND_EXPIRES) {
                self.in_hand = self.in_hand.saturating_sub(many);
                self.give_back(lease, many, now);
                continue;
            }
            self.in_hand = self.in_hand.saturating_sub(1);
            if many > 1 {
                self.hand.push_front((lease, many.saturating_sub(1), since));
            }
            return Some(lease);
        }
        None
    }

    fn forget_question(&mut self) {
        if self.asked.take().is_some() {
            self.number = self.number.saturating_add(1);
        }
        self.events.clear();
    }

    /// The answer to a call that took `took` milliseconds.
    pub(in super::super) fn tell(&mut self, lease: Option<FleetLease>, told: Told, took: u64, now: u64) {
        let says = [
            (told.is_refused, event::IS_REFUSED),
            (told.is_success, event::IS_SUCCESS),
            (told.limit.is_some(), event::HAS_LIMIT),
            (told.remaining.is_some(), event::HAS_REMAINING),
            (told.wait.is_some(), event::HAS_WAIT),
            (lease.is_none(), event::IS_UNLEASED),
        ];
        let flags = says.into_iter().filter(|(is_so, _)| *is_so).map(|(_, flag)| flag).sum();
        let FleetLease { epoch, window, at } = lease.unwrap_or(FleetLease { epoch: 0, window: 0, at: took });
        let [limit, remaining, wait] = [told.limit, told.remaining, told.wait].map(Option::unwrap_or_default);
        self.push([event::TOLD, epoch, window, at, flags, limit, remaining, wait], now);
    }

    /// No answer came.
    pub(in super::super) fn lose(&mut self, lease: FleetLease, now: u64) {
        self.push([event::LOST, lease.epoch, lease.window, 0, 0, 0, 0, 0], now);
    }

    /// Only `waiting` calls wait in this process: gives back what they cannot use.
    pub(in super::super) fn shrink(&mut self, waiting: u64, now: u64) {
        while self.in_hand > waiting {
            let Some((lease, many, _)) = self.hand.pop_back() else { break };
            self.in_hand = self.in_hand.saturating_sub(many);
            self.give_back(lease, many, now);
        }
        if waiting == 0 && self.count > 0 && self.asked.is_none() {
            let (start, count) = (self.start, std::mem::take(&mut self.count));
            self.push([event::ASK, self.epoch, start, count, 0, 0, 0, 0], now);
            self.ask_at = 0;
        }
    }

    fn give_back(&mut self, lease: FleetLease, many: u64, now: u64) {
        self.push([event::BACK, lease.epoch, lease.window, many, 0, 0, 0, 0], now);
    }

    fn push(&mut self, event: [u64; EVENT], now: u64) {
        if self.post.is_away(now) {
            return;
        }
        if self.events.len() >= MOST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
        self.queue();
    }

    fn queue(&mut self) {
        if !self.is_queued {
            self.is_queued = true;
            self.waker = self.post.queue(self.endpoint.clone());
        }
    }

    /// Who has to be woken for what was queued since the last time.
    pub(in super::super) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// The next question, if there is anything to ask or to tell.
    pub(in super::super) fn take_question(&mut self) -> Option<Asking> {
        self.is_queued = false;
        let mut events: Vec<u64> = self.events.drain(..).flatten().collect();
        let number = self.asked.map(|_| self.number);
        if number.is_some() {
            events.extend([event::ASK, self.epoch, self.start, self.count, self.want, self.length, 0, 0]);
        }
        (!events.is_empty()).then_some(Asking { events, number })
    }

    /// Takes the engine's answer to the question `number`.
    pub(in super::super) fn on_answer(&mut self, said: &EngineSaid, number: Option<u64>, now: u64) {
        self.said_no = now.saturating_add(said.closed_for);
        if said.limit > 0 {
            // An engine that forgot all has no limit yet: what it said before is what it needs to hear.
            (self.limit, self.length) = (said.limit, said.length);
        }
        let Some(number) = number else { return };
        let lease = FleetLease { epoch: said.epoch, window: said.window, at: said.at };
        if number != self.number || self.asked.is_none() {
            // Too late: the process has decided alone.
            if said.granted > 0 {
                self.give_back(lease, said.granted, now);
            }
            return;
        }
        self.asked = None;
        self.number = self.number.saturating_add(1);
        (self.epoch, self.start, self.count) = (said.epoch, said.start, said.count);
        self.ask_at = now.saturating_add(said.wait);
        if said.granted > 0 {
            self.hand.push_back((lease, said.granted, now));
            self.in_hand = self.in_hand.saturating_add(said.granted);
        }
    }
}
