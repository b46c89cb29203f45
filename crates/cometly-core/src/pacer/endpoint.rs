//! One endpoint: its window, its queue and its clock.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    queue::Queue,
    shared::{
        post::{Asking, Asks, EngineSaid},
        share::{Asked, FleetLease, Share},
    },
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

pub(super) struct Endpoint {
    window: Window,
    queue: Queue,
    /// Its part of what a fleet shares, and the endpoint's name there.
    share: Option<(u64, Box<Share>)>,
    /// The latest time seen, and what is added to the caller's clock since it was set back.
    latest: u64,
    ahead_of_clock: u64,
}

/// Leave to send one call: by the rule of this process, which may forget it, and by the fleet's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    own: Option<Lease>,
    fleet: Option<FleetLease>,
    at: u64,
}

/// The answer to a waiter: how long to sleep, and how long until its turn as far as is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Later {
    pub(super) pause: Duration,
    pub(super) turn: Duration,
}

impl Endpoint {
    pub(super) fn new() -> Self {
        Self { window: Window::new(), queue: Queue::default(), share: None, latest: 0, ahead_of_clock: 0 }
    }

    /// One that a fleet shares, under this name.
    pub(super) fn shared(name: u64, share: Share) -> Self {
        Self { share: Some((name, Box::new(share))), ..Self::new() }
    }

    /// Milliseconds on a clock that never goes back.
    fn time(&mut self, now: Moment) -> u64 {
        let clock = clock(now);
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
    ) -> Result<Leave, Later> {
        let time = self.time(now);
        let deadline = deadline.map(|left| time.saturating_add(millis(left)));
        let ahead = self.queue.ahead_of(number, time);
        let waiting = self.queue.waiting_with(number);
        let is_last_chance = deadline.is_some_and(|deadline| deadline <= time);
        if let Some((_, share)) = &mut self.share {
            let is_ours_to_decide = is_last_chance && share.said_no() <= time;
            let asked = if is_ours_to_decide { Asked::Alone } else { share.ask(ahead, waiting, time) };
            match asked {
                Asked::Go(lease) => {
                    self.queue.step_aside(number);
                    // The rule of this process goes on learning, for when it is alone.
                    let event = Event::Ask { ahead: 0, waiting: 1, is_last_chance: true };
                    let own = match self.window.step(time, event, draw) {
                        Said::Go(own) => Some(own),
                        Said::Wait(_) | Said::Noted => None,
                    };
                    return Ok(Leave { own, fleet: Some(lease), at: time });
                }
                Asked::Later { pause, turn } => return Err(self.nap(number, time, pause, turn, deadline)),
                Asked::Alone => {}
            }
        }
        match self.window.step(time, Event::Ask { ahead, waiting, is_last_chance }, draw) {
            Said::Go(lease) => {
                self.queue.step_aside(number);
                Ok(Leave { own: Some(lease), fleet: None, at: time })
            }
            Said::Wait(turn) => Err(self.sleep(number, time, turn, ahead, deadline)),
            Said::Noted => Err(self.sleep(number, time, time, ahead, deadline)),
        }
    }

    /// The same while the fleet decides.
    fn nap(&mut self, number: u64, time: u64, pause: u64, turn: u64, deadline: Option<u64>) -> Later {
        let said_no = self.share.as_ref().map_or(0, |(_, share)| share.said_no()).max(self.window.said_no());
        let last = deadline.filter(|deadline| said_no <= *deadline).unwrap_or(u64::MAX);
        let pause = pause.min(last.saturating_sub(time)).max(1);
        self.queue.wait(number, time.saturating_add(pause));
        let until_turn = turn.min(last).saturating_sub(time);
        Later { pause: Duration::from_millis(pause), turn: Duration::from_millis(until_turn) }
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
        leave: Leave,
        told: Told,
        now: Moment,
        deadline: Option<Duration>,
        draw: u64,
    ) -> Option<Later> {
        let time = self.time(now);
        if let Some(lease) = leave.own {
            self.window.step(time, Event::Answer { lease, told }, draw);
        }
        if let Some((_, share)) = &mut self.share {
            share.tell(leave.fleet, told, time.saturating_sub(leave.at), time);
        }
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
    pub(super) fn lose(&mut self, number: u64, leave: Leave) {
        if let Some(lease) = leave.own {
            self.window.step(self.latest, Event::Lost { lease }, 0);
        }
        if let (Some((_, share)), Some(lease)) = (&mut self.share, leave.fleet) {
            share.lose(lease, self.latest);
        }
        self.queue.leave(number);
    }

    pub(super) fn leave(&mut self, number: u64) {
        self.queue.leave(number);
        if let Some((_, share)) = &mut self.share {
            share.shrink(self.queue.waiting(), self.latest);
        }
    }
}

/// Takes one step of an endpoint, and then, when it is locked no more, wakes what carries its questions: a waker may do
/// anything. An endpoint is whole after every step, so a panic elsewhere while it was locked spoils nothing.
pub(super) fn step<T>(endpoint: &Mutex<Endpoint>, step: impl FnOnce(&mut Endpoint) -> T) -> T {
    let mut locked = endpoint.lock().unwrap_or_else(PoisonError::into_inner);
    let done = step(&mut locked);
    let waker = locked.share.as_mut().and_then(|(_, share)| share.take_waker());
    drop(locked);
    if let Some(waker) = waker {
        waker.wake();
    }
    done
}

impl Asks for Mutex<Endpoint> {
    fn take_question(&self) -> Option<(u64, Asking)> {
        step(self, |endpoint| {
            let (name, share) = endpoint.share.as_mut()?;
            Some((*name, share.take_question()?))
        })
    }

    fn on_answer(&self, said: &EngineSaid, number: Option<u64>, now: Moment) {
        step(self, |endpoint| {
            let time = endpoint.time(now);
            if let Some((_, share)) = &mut endpoint.share {
                share.on_answer(said, number, time);
                // Those that asked may have given up meanwhile.
                share.shrink(endpoint.queue.waiting(), time);
            }
        });
    }
}

/// Milliseconds of the caller's clock.
pub(super) fn clock(now: Moment) -> u64 {
    millis(now.duration_since(Moment::since_origin(Duration::ZERO)))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
