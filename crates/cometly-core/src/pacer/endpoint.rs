//! One endpoint: its window, its queue and its clock.

use std::time::Duration;

use super::{
    queue::Queue,
    window::{Event, Lease, Said, Told, Window},
};
use crate::Moment;

/// No waiter polls sooner than after this: at most 20 times a second.
const SHORTEST_NAP: u64 = 50;

/// How much longer a waiter sleeps for each one ahead of it: while the endpoint is open, and at its opening.
const NAP_BEHIND: u64 = 20;
const OPENING_BEHIND: u64 = 1;

/// A clock that goes back by more than this was set, not read late by another thread.
const CLOCK_SET: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Endpoint {
    window: Window,
    queue: Queue,
    /// The latest time seen, and what is added to the caller's clock since it was set back.
    latest: u64,
    ahead_of_clock: u64,
}

/// The answer to a waiter: how long to sleep, and how long until its turn as far as is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Later {
    pub(super) pause: Duration,
    pub(super) turn: Duration,
}

impl Endpoint {
    pub(super) fn new() -> Self {
        Self { window: Window::new(), queue: Queue::default(), latest: 0, ahead_of_clock: 0 }
    }

    /// Milliseconds on a clock that never goes back.
    fn time(&mut self, now: Moment) -> u64 {
        let clock = millis(now.duration_since(Moment::since_origin(Duration::ZERO)));
        let mut time = clock.saturating_add(self.ahead_of_clock);
        if time.saturating_add(CLOCK_SET) < self.latest {
            self.ahead_of_clock = self.latest.saturating_sub(clock);
            time = self.latest;
        }
        self.latest = self.latest.max(time);
        self.latest
    }

    /// A place at the end of the queue.
    pub(super) fn join(&mut self) -> u64 {
        self.queue.join()
    }

    /// Leave to send, or how long to wait.
    pub(super) fn ask(
        &mut self,
        number: u64,
        now: Moment,
        deadline: Option<Duration>,
        draw: u64,
    ) -> Result<Lease, Later> {
        let time = self.time(now);
        let deadline = deadline.map(|left| time.saturating_add(millis(left)));
        let ahead = self.queue.ahead_of(number, time);
        let waiting = self.queue.waiting_with(number);
        let is_last_chance = deadline.is_some_and(|deadline| deadline <= time);
        match self.window.step(time, Event::Ask { ahead, waiting, is_last_chance }, draw) {
            Said::Go(lease) => {
                self.queue.step_aside(number);
                Ok(lease)
            }
            Said::Wait(turn) => Err(self.sleep(number, time, turn, ahead, deadline)),
            Said::Noted => Err(self.sleep(number, time, time, ahead, deadline)),
        }
    }

    fn sleep(&mut self, number: u64, time: u64, turn: u64, ahead: u64, deadline: Option<u64>) -> Later {
        // Its turn is at its deadline, unless the server said no until later.
        let last = deadline.filter(|deadline| self.window.said_no() <= *deadline);
        let turn = turn.min(last.unwrap_or(u64::MAX)).max(time);
        let until_turn = turn.saturating_sub(time);
        let pause = if self.window.is_closed(time) {
            // None can go before, so all sleep; and not all wake at once.
            let behind = ahead.saturating_mul(OPENING_BEHIND).min(self.window.length() / 2);
            self.window.opens().saturating_sub(time).saturating_add(behind)
        } else {
            until_turn.min(ahead.saturating_mul(NAP_BEHIND).min(self.window.length() / 4).saturating_add(SHORTEST_NAP))
        };
        let pause = pause.min(last.map_or(u64::MAX, |last| last.saturating_sub(time))).max(SHORTEST_NAP);
        self.queue.wait(number, time.saturating_add(pause));
        Later { pause: Duration::from_millis(pause), turn: Duration::from_millis(until_turn) }
    }

    /// Takes the answer to a call. One that was refused keeps its place: how long until its turn.
    pub(super) fn answer(
        &mut self,
        number: u64,
        lease: Lease,
        told: Told,
        now: Moment,
        deadline: Option<Duration>,
        draw: u64,
    ) -> Option<Later> {
        let time = self.time(now);
        self.window.step(time, Event::Answer { lease, told }, draw);
        if !told.is_refused {
            self.queue.leave(number);
            return None;
        }
        let ahead = self.queue.ahead_of(number, time);
        let waiting = self.queue.waiting_with(number);
        let turn = self.window.turn(time, ahead, waiting);
        let deadline = deadline.map(|left| time.saturating_add(millis(left)));
        let later = self.sleep(number, time, turn, ahead, deadline);
        if told.wait.is_some_and(|wait| later.pause < Duration::from_millis(wait)) {
            // It sleeps for longer than the endpoint is closed, and is in no other's way meanwhile.
            self.queue.step_aside(number);
        }
        Some(later)
    }

    /// No answer came.
    pub(super) fn lose(&mut self, number: u64, lease: Lease) {
        self.window.step(self.latest, Event::Lost { lease }, 0);
        self.queue.leave(number);
    }

    pub(super) fn leave(&mut self, number: u64) {
        self.queue.leave(number);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
