//! A small world in virtual time: callers of the real pacer, and a server that counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::*;

#[derive(Clone, Copy)]
enum Kind {
    Window { ends: u64, is_clock: bool },
    Bucket { size: u64, filled_at: u64 },
    Refusing(Option<u64>),
    Hanging,
}

#[derive(Clone, Copy)]
pub(super) struct Server {
    kind: Kind,
    limit: u64,
    /// Calls taken in this window; or left in the bucket.
    count: u64,
    /// Calls that a rival takes as soon as a window opens.
    pub(super) rival: u64,
    /// Answers of a thousand that are lost.
    pub(super) lost: u64,
}

impl Server {
    fn new(kind: Kind, limit: u64, count: u64) -> Self {
        Self { kind, limit, count, rival: 0, lost: 0 }
    }

    /// A window begins at its first call.
    pub(super) fn fixed(limit: u64) -> Self {
        Self::new(Kind::Window { ends: 0, is_clock: false }, limit, 0)
    }

    pub(super) fn clock(limit: u64, into: u64) -> Self {
        Self::new(Kind::Window { ends: MINUTE - into, is_clock: true }, limit, 0)
    }

    pub(super) fn bucket(limit: u64, size: u64) -> Self {
        Self::new(Kind::Bucket { size, filled_at: 0 }, limit, size)
    }

    pub(super) fn refusing(wait: Option<u64>) -> Self {
        Self::new(Kind::Refusing(wait), 7, 0)
    }

    pub(super) fn hanging() -> Self {
        Self::new(Kind::Hanging, 7, 0)
    }

    fn has_room(&self, now: u64) -> bool {
        match self.kind {
            Kind::Window { ends, .. } => now >= ends || self.count < self.limit,
            Kind::Bucket { filled_at, .. } => self.count > 0 || now >= filled_at + MINUTE / self.limit,
            Kind::Refusing(_) | Kind::Hanging => false,
        }
    }

    fn answer(&mut self, now: u64) -> Option<Told> {
        match &mut self.kind {
            Kind::Window { ends, is_clock } => {
                if now >= *ends {
                    *ends = if *is_clock { *ends + (now - *ends) / MINUTE * MINUTE + MINUTE } else { now + MINUTE };
                    self.count = self.rival;
                }
                if self.count >= self.limit {
                    return Some(refused(Some((*ends - now).div_ceil(1_000) * 1_000)));
                }
                self.count += 1;
                Some(taken(self.limit, self.limit - self.count))
            }
            Kind::Bucket { size, filled_at } => {
                let step = MINUTE / self.limit;
                let filled = (now - *filled_at) / step;
                *filled_at += filled * step;
                self.count = (self.count + filled).min(*size);
                if self.count == 0 {
                    return Some(refused(Some((*filled_at + step - now).div_ceil(1_000) * 1_000)));
                }
                self.count -= 1;
                Some(taken(*size, self.count))
            }
            Kind::Refusing(wait) => Some(refused(*wait)),
            Kind::Hanging => None,
        }
    }
}

enum Job {
    Waiting(Ticket),
    Sent(Permit),
    /// Its answer, on the way back.
    Answered(Permit, Option<Told>),
    Over,
}

pub(super) struct World {
    server: Server,
    jitter: Jitter,
    round_trip: u64,
    pacers: Vec<Pacer>,
    jobs: Vec<Job>,
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
    now: u64,
    waiting: usize,
    under_way: usize,
    room_since: Option<u64>,
    /// When each success came, and of which process.
    pub(super) done: Vec<(u64, usize)>,
    pub(super) refused: usize,
    pub(super) cancelled: usize,
    /// The longest time in which the server had room, a call waited and none was under way or sent.
    pub(super) silence: u64,
    /// The most that a call was sent before those that asked earlier and were waiting.
    pub(super) overtaken: u64,
    pub(super) polls: BTreeMap<usize, u64>,
    pub(super) waited: BTreeMap<usize, u64>,
}

impl World {
    /// As many processes, and jobs in all, which begin at once.
    pub(super) fn new(server: Server, processes: usize, jobs: usize) -> Self {
        let pacers = (0..processes).map(|_| Pacer::new()).collect();
        Self {
            server,
            jitter: Jitter::new(1),
            round_trip: 100,
            pacers,
            jobs: (0..jobs).map(|_| Job::Over).collect(),
            agenda: (0..jobs).map(|job| Reverse((0, job))).collect(),
            now: 0,
            waiting: 0,
            under_way: 0,
            room_since: None,
            done: Vec::new(),
            refused: 0,
            cancelled: 0,
            silence: 0,
            overtaken: 0,
            polls: BTreeMap::new(),
            waited: BTreeMap::new(),
        }
    }

    pub(super) fn seeded(mut self, seed: u64) -> Self {
        self.jitter = Jitter::new(seed);
        self
    }

    pub(super) fn slow(mut self, round_trip: u64) -> Self {
        self.round_trip = round_trip;
        self
    }

    pub(super) fn run(&mut self) {
        self.run_until(200 * 3_600_000);
    }

    pub(super) fn run_until(&mut self, end: u64) {
        while let Some(Reverse((when, job))) = self.agenda.peek().copied() {
            if when > end {
                return;
            }
            self.agenda.pop();
            self.now = when;
            self.watch();
            self.step(job);
        }
    }

    /// Keeps this many of the waiting jobs, drawn at random, and drops the others.
    pub(super) fn cancel_all_but(&mut self, kept: usize) {
        let waiting = self.jobs.iter().filter(|job| matches!(job, Job::Waiting(_))).count();
        self.cancel(waiting.saturating_sub(kept));
    }

    /// Drops this many waiting jobs, drawn at random.
    pub(super) fn cancel(&mut self, many: usize) {
        let mut waiting: Vec<_> =
            (0..self.jobs.len()).filter(|job| matches!(self.jobs[*job], Job::Waiting(_))).collect();
        for _ in 0..many.min(waiting.len()) {
            let drawn = usize::try_from(self.jitter.seed() >> 1).unwrap_or_default() % waiting.len();
            let job = waiting.swap_remove(drawn);
            drop(self.put(job, Job::Over));
            self.cancelled += 1;
        }
    }

    pub(super) fn drained(&self) -> u64 {
        self.done.last().map_or(0, |(when, _)| *when)
    }

    pub(super) fn longest_gap(&self) -> u64 {
        self.done.windows(2).map(|two| two[1].0 - two[0].0).max().unwrap_or_default()
    }

    fn put(&mut self, job: usize, state: Job) -> Job {
        let before = std::mem::replace(&mut self.jobs[job], state);
        let waits = |job: &Job| usize::from(matches!(job, Job::Waiting(_)));
        let is_sent = |job: &Job| usize::from(matches!(job, Job::Sent(_) | Job::Answered(..)));
        self.waiting = self.waiting + waits(&self.jobs[job]) - waits(&before);
        self.under_way = self.under_way + is_sent(&self.jobs[job]) - is_sent(&before);
        before
    }

    fn watch(&mut self) {
        if self.under_way > 0 || self.waiting == 0 || !self.server.has_room(self.now) {
            self.room_since = None;
        } else {
            let since = *self.room_since.get_or_insert(self.now);
            self.silence = self.silence.max(self.now - since);
        }
    }

    fn step(&mut self, job: usize) {
        let process = job % self.pacers.len();
        let is_first = !self.polls.contains_key(&job);
        match self.put(job, Job::Over) {
            Job::Over if is_first => {
                let seed = self.jitter.seed();
                let turn = self.pacers[process].ask(&Method::GET, "events", at(self.now), seed, None);
                self.follow(job, turn);
            }
            Job::Over => {}
            Job::Waiting(ticket) => {
                let turn = ticket.poll(at(self.now));
                self.follow(job, turn);
            }
            Job::Sent(permit) => {
                let mut answer = self.server.answer(self.now);
                if self.jitter.seed() % 1_000 < self.server.lost {
                    answer = None;
                }
                self.put(job, Job::Answered(permit, answer));
                let hangs = matches!(self.server.kind, Kind::Hanging);
                let way = if hangs {
                    MINUTE
                } else if answer.is_none() {
                    5_000
                } else {
                    self.way()
                };
                self.agenda.push(Reverse((self.now + way, job)));
            }
            Job::Answered(permit, None) => {
                // It is sent again, as a call of its own.
                drop(permit);
                let seed = self.jitter.seed();
                let turn = self.pacers[process].ask(&Method::GET, "events", at(self.now), seed, None);
                self.follow(job, turn);
            }
            Job::Answered(permit, Some(told)) => match permit.on_answer(told, at(self.now)) {
                Some(ticket) => {
                    self.refused += 1;
                    let pause = ticket.turn(at(self.now)).max(Duration::from_millis(told.wait.unwrap_or_default()));
                    self.sleep(job, pause, ticket);
                }
                None => self.done.push((self.now, process)),
            },
        }
    }

    fn way(&mut self) -> u64 {
        self.round_trip / 4 + self.jitter.seed() % (self.round_trip / 2 + 1)
    }

    fn follow(&mut self, job: usize, turn: Turn) {
        *self.polls.entry(job).or_default() += 1;
        match turn {
            Turn::Wait { pause, ticket, .. } => self.sleep(job, pause, ticket),
            Turn::Go(permit) => {
                let earlier = self.jobs[..job].iter().filter(|job| matches!(job, Job::Waiting(_))).count();
                if self.pacers.len() == 1 {
                    self.overtaken = self.overtaken.max(u64::try_from(earlier).unwrap_or(u64::MAX));
                }
                self.put(job, Job::Sent(permit));
                let way = self.way();
                self.agenda.push(Reverse((self.now + way, job)));
            }
        }
    }

    fn sleep(&mut self, job: usize, pause: Duration, ticket: Ticket) {
        let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
        *self.waited.entry(job).or_default() += pause;
        self.put(job, Job::Waiting(ticket));
        self.agenda.push(Reverse((self.now.saturating_add(pause), job)));
    }
}
