//! What a shared pacer's endpoints and its mailbox have in common: which endpoints have something to ask, and whether the
//! engine is away.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
    task::Waker,
};

use crate::Moment;

/// How long an engine that failed is left alone: 1, 2, 4 … 30 s.
const FIRST_PAUSE: u64 = 1_000;
const LONGEST_PAUSE: u64 = 30_000;

/// An endpoint, as the mailbox sees it.
pub(in super::super) trait Asks: Send + Sync {
    /// Its next question, and its name at the engine.
    fn take_question(&self) -> Option<(u64, Asking)>;

    /// Takes the answer to the question of this number.
    fn on_answer(&self, said: &EngineSaid, number: Option<u64>, now: Moment);
}

/// What a question carries.
pub(in super::super) struct Asking {
    pub(in super::super) events: Vec<u64>,
    pub(in super::super) number: Option<u64>,
}

/// An engine's answer, read.
pub(in super::super) struct EngineSaid {
    pub(in super::super) granted: u64,
    pub(in super::super) epoch: u64,
    pub(in super::super) window: u64,
    pub(in super::super) at: u64,
    pub(in super::super) start: u64,
    pub(in super::super) count: u64,
    pub(in super::super) wait: u64,
    pub(in super::super) closed_for: u64,
    pub(in super::super) limit: u64,
    pub(in super::super) length: u64,
}

pub(in super::super) struct Post {
    space: Box<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Endpoints that have something to ask or to tell, each once.
    queue: VecDeque<Weak<dyn Asks>>,
    waker: Option<Waker>,
    away_until: u64,
    /// How long it was left alone the last time; 0 if it answered since.
    pause: u64,
    is_closed: bool,
}

impl Post {
    pub(super) fn new(space: &str) -> Self {
        Self { space: space.into(), state: Mutex::default() }
    }

    pub(super) fn space(&self) -> &str {
        &self.space
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next endpoint that has something to ask or to tell.
    pub(super) fn next(&self) -> Option<Weak<dyn Asks>> {
        self.lock().queue.pop_front()
    }

    /// Notes that this endpoint has something to ask or to tell. The waker is given and not woken: it may do anything, and
    /// the endpoint is locked.
    pub(super) fn queue(&self, endpoint: Weak<dyn Asks>) -> Option<Waker> {
        let mut state = self.lock();
        state.queue.push_back(endpoint);
        state.waker.clone()
    }

    pub(super) fn set_waker(&self, waker: Waker) {
        let mut state = self.lock();
        let is_due = !state.queue.is_empty();
        let earlier = state.waker.replace(waker.clone());
        drop(state);
        drop(earlier);
        if is_due {
            waker.wake();
        }
    }

    pub(super) fn is_away(&self, now: u64) -> bool {
        let state = self.lock();
        state.is_closed || now < state.away_until
    }

    /// The engine failed, or did not answer in time.
    pub(super) fn slow(&self, now: u64) {
        let mut state = self.lock();
        if now >= state.away_until {
            state.pause = state.pause.saturating_mul(2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            state.away_until = now.saturating_add(state.pause);
        }
    }

    /// The engine answered.
    pub(super) fn answered(&self, now: u64) {
        let mut state = self.lock();
        if !state.is_closed && now >= state.away_until {
            state.pause = 0;
        }
    }

    /// The engine can be asked again.
    pub(super) fn back(&self, now: u64) {
        let mut state = self.lock();
        state.away_until = state.away_until.min(now);
    }

    pub(super) fn close(&self) {
        let queue = {
            let mut state = self.lock();
            state.is_closed = true;
            std::mem::take(&mut state.queue)
        };
        drop(queue);
    }
}
