//! Callers, the network and the server, moved along event by event.

use crate::{
    agenda::Agenda,
    caller::{Caller, Engine, Letter, Next, Patience, Process},
    random::Random,
    server::{Answer, Limit, Server},
};

/// One row: who calls what, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) limit: Limit,
    pub(crate) processes: u64,
    /// Of each process.
    pub(crate) jobs: u64,
    pub(crate) patience: Patience,
    /// The mean round trip; each way is between half and one and a half of its half.
    pub(crate) round_trip: u64,
    /// All jobs of a process begin within a second; or one after the other, with this mean pause in milliseconds.
    pub(crate) every: Option<u64>,
    /// How many answers of a thousand are lost: the call is counted, and its caller waits five seconds for nothing.
    pub(crate) lost: u64,
    /// How many jobs of a thousand give up, and the longest that they wait, in milliseconds.
    pub(crate) cancelled: u64,
    pub(crate) cancelled_within: u64,
    /// Calls that a rival without a pacer takes at each opening, and when it leaves, in milliseconds.
    pub(crate) rival: u64,
    pub(crate) rival_until: u64,
    /// The round trip to the engine of a fleet; and how many of the processes share no engine.
    pub(crate) engine: Option<u64>,
    pub(crate) loners: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) calls: u64,
    pub(crate) refused: u64,
    /// When the last job was done.
    pub(crate) drain: u64,
    /// Of each process: when its jobs were done.
    pub(crate) successes: Vec<Vec<u64>>,
    /// The longest time in which callers waited, the server had room, and none was sent.
    pub(crate) silence: u64,
    pub(crate) polls: u64,
    /// Milliseconds that callers waited, all together.
    pub(crate) waited: u64,
    /// How long the job took that took longest.
    pub(crate) longest: u64,
    /// When the last call was sent while the rival was there, and the first after.
    pub(crate) after_rival: Option<u64>,
    /// Questions to the engine.
    pub(crate) questions: u64,
}

enum Event {
    Start(usize),
    /// The job sends, or asks its pacer.
    Ready(usize),
    Arrives {
        job: usize,
        way: u64,
    },
    Answered {
        job: usize,
        answer: Option<Answer>,
    },
    Cancel(usize),
    Rival,
    /// A question of this process reaches the engine, and its answer the process.
    Asked(usize, Letter),
    Said(usize, Letter),
}

struct Job {
    process: usize,
    started: u64,
    caller: Option<Caller>,
    /// Whether a call of it is on its way.
    is_sent: bool,
}

/// The end of every simulation.
const END: u64 = 400 * 3_600_000;

pub(crate) fn run(scene: &Scene, is_paced: bool, seed: u64) -> Run {
    let mut world = World::new(scene, is_paced, seed);
    let jobs = scene.processes * scene.jobs;
    while let Some((now, event)) = world.agenda.next() {
        if now > END || world.run.done + world.run.failed >= jobs {
            break;
        }
        world.happen(now, event);
    }
    world.run
}

struct World {
    scene: Scene,
    random: Random,
    agenda: Agenda<Event>,
    server: Server,
    processes: Vec<Process>,
    engine: Engine,
    /// Whether a process has a question under way.
    is_asking: Vec<bool>,
    jobs: Vec<Job>,
    waiting: u64,
    room_since: Option<u64>,
    rival_window: u64,
    rival_taken: u64,
    seen_at: u64,
    run: Run,
}

impl World {
    fn new(scene: &Scene, is_paced: bool, seed: u64) -> Self {
        let mut world = Self {
            scene: *scene,
            random: Random::new(seed),
            agenda: Agenda::new(),
            server: Server::new(scene.limit),
            processes: (0..scene.processes)
                .filter_map(|number| Process::new(is_paced, scene.engine.is_some() && number >= scene.loners))
                .collect(),
            engine: Engine::default(),
            is_asking: vec![false; scene.processes as usize],
            jobs: Vec::new(),
            waiting: 0,
            room_since: None,
            rival_window: 0,
            rival_taken: 0,
            seen_at: 0,
            run: Run { successes: vec![Vec::new(); scene.processes as usize], ..Run::default() },
        };
        for process in 0..scene.processes as usize {
            let mut start = 0;
            for _ in 0..scene.jobs {
                start = match scene.every {
                    Some(every) => start + world.random.below(2 * every),
                    None => world.random.below(1_000),
                };
                let number = world.jobs.len();
                world.jobs.push(Job { process, started: start, caller: None, is_sent: false });
                world.agenda.add(start, Event::Start(number));
                if world.random.below(1_000) < scene.cancelled {
                    let at = start + world.random.below(scene.cancelled_within);
                    world.agenda.add(at, Event::Cancel(number));
                }
            }
        }
        if scene.rival > 0 {
            world.agenda.add(0, Event::Rival);
        }
        world
    }

    fn happen(&mut self, now: u64, event: Event) {
        self.watch(now);
        match event {
            Event::Start(job) => {
                let seed = self.random.bits();
                if let Some(job) = self.jobs.get_mut(job) {
                    let process = &self.processes[job.process];
                    job.caller = Some(process.call("events", self.scene.patience, seed, now));
                    self.waiting += 1;
                }
                self.ready(now, job);
            }
            Event::Ready(job) => self.ready(now, job),
            Event::Arrives { job, way } => {
                let answer = self.server.answer(now);
                self.run.calls += 1;
                if let Answer::Refused { .. } = answer {
                    self.run.refused += 1;
                }
                if self.random.below(1_000) < self.scene.lost {
                    self.agenda.add(now + 5_000, Event::Answered { job, answer: None });
                } else {
                    self.agenda.add(now + way, Event::Answered { job, answer: Some(answer) });
                }
            }
            Event::Answered { job, answer } => {
                let Some(state) = self.jobs.get_mut(job) else { return };
                state.is_sent = false;
                let Some(caller) = &mut state.caller else { return };
                self.waiting += 1;
                let next = caller.answered(answer, now);
                self.follow(now, job, next);
            }
            Event::Cancel(job) => {
                if self.jobs.get(job).is_some_and(|job| job.caller.is_some()) {
                    self.end(now, job, false);
                }
            }
            Event::Rival => self.rival(now),
            Event::Asked(process, letter) => {
                self.run.questions += 1;
                let answer = self.engine.answer(letter, now);
                self.agenda.add(now + self.scene.engine.unwrap_or_default().div_ceil(2), Event::Said(process, answer));
            }
            Event::Said(process, letter) => {
                self.processes[process].on_answer(letter, now);
                self.is_asking[process] = false;
                self.post(now, process);
            }
        }
    }

    /// Sends the next question of a process, one at a time.
    fn post(&mut self, now: u64, process: usize) {
        if self.is_asking[process] {
            return;
        }
        if let Some(letter) = self.processes[process].next_question() {
            self.is_asking[process] = true;
            self.agenda.add(now + self.scene.engine.unwrap_or_default() / 2, Event::Asked(process, letter));
        }
    }

    /// Keeps account of how long the server has had room while callers wait and none is under way.
    fn watch(&mut self, now: u64) {
        self.run.waited += self.waiting * (now - self.seen_at);
        self.seen_at = now;
        if self.waiting == 0 || self.server.room(now) == 0 {
            self.room_since = None;
        } else {
            let since = *self.room_since.get_or_insert(now);
            self.run.silence = self.run.silence.max(now - since);
        }
    }

    fn ready(&mut self, now: u64, job: usize) {
        let Some(Job { caller: Some(caller), .. }) = self.jobs.get_mut(job) else { return };
        let next = caller.next(now);
        self.run.polls += u64::from(matches!(next, Next::Sleep(_)));
        self.follow(now, job, next);
    }

    fn follow(&mut self, now: u64, job: usize, next: Next) {
        self.post(now, self.jobs[job].process);
        match next {
            Next::Sleep(pause) => self.agenda.add(now.saturating_add(pause).max(now + 1), Event::Ready(job)),
            Next::Done(is_success) => self.end(now, job, is_success),
            Next::Send => {
                self.waiting = self.waiting.saturating_sub(1);
                self.room_since = None;
                if let Some(job) = self.jobs.get_mut(job) {
                    job.is_sent = true;
                }
                if now > self.scene.rival_until && self.scene.rival > 0 && self.run.after_rival.is_none() {
                    self.run.after_rival = Some(now - self.scene.rival_until);
                }
                let mean = self.scene.round_trip / 2;
                let way = mean / 2 + self.random.below(mean + 1);
                self.agenda.add(now + way, Event::Arrives { job, way });
            }
        }
    }

    fn end(&mut self, now: u64, number: usize, is_success: bool) {
        let Some(job) = self.jobs.get_mut(number) else { return };
        job.caller = None;
        let process = job.process;
        if !job.is_sent {
            self.waiting = self.waiting.saturating_sub(1);
        }
        if is_success {
            self.run.done += 1;
            self.run.drain = now;
            self.run.longest = self.run.longest.max(now - job.started);
            self.run.successes[job.process].push(now);
        } else {
            self.run.failed += 1;
        }
        self.post(now, process);
    }

    fn rival(&mut self, now: u64) {
        if now > self.scene.rival_until {
            return;
        }
        let window = self.server.window(now);
        if window != self.rival_window {
            (self.rival_window, self.rival_taken) = (window, 0);
        }
        if self.rival_taken < self.scene.rival && self.server.room(now) > 0 {
            self.server.answer(now);
            // The first call opens a window whose end is then known.
            self.rival_window = self.server.window(now);
            self.rival_taken += 1;
        }
        self.agenda.add(now + 100, Event::Rival);
    }
}
