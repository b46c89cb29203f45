//! The thread that carries the pacers' questions to the engine and its answers back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::SyncSender},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Mailbox, Moment, Question};

use crate::{
    FleetError, FleetStatus, SpaceStatus,
    engine::{Address, Engine, Trouble},
    telemetry,
};

/// A connection that failed is made anew at once, and then after 1, 2, 4 … 30 s.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long the thread sleeps if nothing wakes it: it then looks for pacers that are gone.
const IDLE: Duration = Duration::from_secs(10);

/// What the fleet's handles and its thread share.
pub(crate) struct Post {
    state: Mutex<State>,
}

struct State {
    spaces: Vec<(Box<str>, Arc<Mailbox>)>,
    is_closed: bool,
    engine: String,
    is_connected: bool,
    problem: Option<String>,
    answered: u64,
    failed: u64,
    /// How often the thread found nothing to carry.
    idle_rounds: u64,
}

pub(crate) struct Carrier {
    address: Address,
    post: Arc<Post>,
    engine: Option<Engine>,
    /// Failures since the last answer, and when to connect again.
    failures: u32,
    retry_at: Instant,
    /// Whether the engine is gone and that was reported to telemetry.
    is_missed: bool,
}

impl Post {
    pub(crate) fn new(engine: String) -> Self {
        let state = State {
            spaces: Vec::new(),
            is_closed: false,
            engine,
            is_connected: false,
            problem: None,
            answered: 0,
            failed: 0,
            idle_rounds: 0,
        };
        Self { state: Mutex::new(state) }
    }

    pub(crate) fn add(&self, space: &str, mailbox: Mailbox) {
        self.lock().spaces.push((space.into(), Arc::new(mailbox)));
    }

    /// The last handle is dropped. The pacers go on.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    pub(crate) fn status(&self) -> FleetStatus {
        let now = Moment::now();
        let mut state = self.lock();
        state.drop_unused();
        let space = |(name, mailbox): &(Box<str>, Arc<Mailbox>)| SpaceStatus {
            name: name.to_string(),
            is_alone: mailbox.is_away(now),
        };
        FleetStatus {
            engine: state.engine.clone(),
            is_connected: state.is_connected,
            problem: state.problem.clone(),
            answered: state.answered,
            failed: state.failed,
            spaces: state.spaces.iter().map(space).collect(),
        }
    }

    fn idle(&self) {
        let mut state = self.lock();
        state.idle_rounds = state.idle_rounds.wrapping_add(1);
    }

    /// How often the thread found nothing to carry so far.
    pub(crate) fn idle_rounds(&self) -> u64 {
        self.lock().idle_rounds
    }

    /// The mailboxes of the pacers in use; `None` if the fleet was dropped and none is in use: then the thread ends.
    fn mailboxes(&self) -> Option<Vec<Arc<Mailbox>>> {
        let mut state = self.lock();
        state.drop_unused();
        let is_over = state.is_closed && state.spaces.is_empty();
        (!is_over).then(|| state.spaces.iter().map(|(_, mailbox)| Arc::clone(mailbox)).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_unused(&mut self) {
        self.spaces.retain(|(_, mailbox)| !mailbox.is_closed());
    }
}

impl Carrier {
    pub(crate) fn new(address: Address, post: Arc<Post>) -> Self {
        Self { address, post, engine: None, failures: 0, retry_at: Instant::now(), is_missed: false }
    }

    /// Sends the result of the first connection to `first`, then carries questions until the fleet and all pacers are dropped.
    pub(crate) fn run(mut self, first: &SyncSender<Result<(), FleetError>>) {
        let connected = match self.address.connect() {
            Ok(engine) => {
                self.connected(engine);
                Ok(())
            }
            Err(trouble) => {
                self.failed(&trouble);
                match trouble {
                    Trouble::Lasting(error) => Err(error),
                    Trouble::Passing(_) => Ok(()),
                }
            }
        };
        let is_lasting = connected.is_err();
        if first.send(connected).is_ok() && is_lasting {
            return;
        }
        while let Some(mailboxes) = self.post.mailboxes() {
            self.reconnect(&mailboxes);
            let mut is_idle = true;
            for mailbox in &mailboxes {
                if let Some(question) = mailbox.next_question() {
                    is_idle = false;
                    self.carry(mailbox, question);
                }
            }
            if is_idle {
                drop(mailboxes);
                self.post.idle();
                let until_retry = self.retry_at.saturating_duration_since(Instant::now());
                thread::park_timeout(if self.engine.is_some() { IDLE } else { until_retry });
            }
        }
    }

    fn carry(&mut self, mailbox: &Mailbox, question: Question) {
        let Some(engine) = &mut self.engine else {
            mailbox.away(Moment::now());
            let mut state = self.post.lock();
            state.failed = state.failed.saturating_add(1);
            return;
        };
        let trouble = match engine.ask(&question.key(), question.events()) {
            Ok(answer) => match mailbox.answer(question, &answer, Moment::now()) {
                Ok(()) => {
                    self.failures = 0;
                    let mut state = self.post.lock();
                    state.answered = state.answered.saturating_add(1);
                    state.problem = None;
                    return;
                }
                Err(error) => Trouble::Passing(error.to_string()),
            },
            Err(error) => self.address.trouble(&error),
        };
        mailbox.away(Moment::now());
        self.failed(&trouble);
        let mut state = self.post.lock();
        state.failed = state.failed.saturating_add(1);
    }

    fn reconnect(&mut self, mailboxes: &[Arc<Mailbox>]) {
        if self.engine.is_some() || Instant::now() < self.retry_at {
            return;
        }
        match self.address.connect() {
            Ok(engine) => {
                self.connected(engine);
                for mailbox in mailboxes {
                    mailbox.back(Moment::now());
                }
            }
            Err(trouble) => self.failed(&trouble),
        }
    }

    fn connected(&mut self, engine: Engine) {
        self.engine = Some(engine);
        let mut state = self.post.lock();
        state.is_connected = true;
        let engine = state.engine.clone();
        drop(state);
        if std::mem::take(&mut self.is_missed) {
            telemetry::back(&engine);
        }
    }

    /// Whatever failed, the next question goes by a new connection: after a failover it may lead to another server.
    fn failed(&mut self, trouble: &Trouble) {
        self.engine = None;
        let doublings = self.failures.saturating_sub(1).min(5);
        let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(1)).min(LONGEST_PAUSE);
        let pause = if self.failures == 0 { Duration::ZERO } else { pause };
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Instant::now().checked_add(pause).unwrap_or(self.retry_at);
        let mut state = self.post.lock();
        state.is_connected = false;
        let (engine, problem) = (state.engine.clone(), trouble.to_string());
        state.problem = Some(problem.clone());
        drop(state);
        // Once for each time that it is gone, however often it is tried meanwhile.
        if !std::mem::replace(&mut self.is_missed, true) {
            telemetry::gone(&engine, &problem);
        }
    }
}
