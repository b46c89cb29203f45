//! Jobs, the network and the server, moved along event by event.

use std::time::Instant;

use cometly_core::{
    Api, ApiKey, Attempt, Pacer, RetryPolicy, Step,
    bytes::Bytes,
    http::{HeaderValue, Response, StatusCode},
};

use super::{
    clock::{Agenda, Seconds, duration, instant},
    plain::Plain,
    random::Random,
    server::{Answer, Counting, Server},
};

/// What everybody who asks for a job may wait for: also the end of the simulation.
const DEADLINE: Seconds = 48.0 * 3600.0;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Setup {
    pub(super) counting: Counting,
    pub(super) limit: u32,
    pub(super) window_seconds: u32,
    /// The mean; each is between half and one and a half of it.
    pub(super) round_trip: Seconds,
}

impl Default for Setup {
    fn default() -> Self {
        Self { counting: Counting::Fixed, limit: 60, window_seconds: 60, round_trip: 0.1 }
    }
}

impl Setup {
    /// When the last of so many jobs would be done if each window were used up at its beginning.
    pub(super) fn ideal(&self, jobs: u32) -> Seconds {
        let windows = jobs.div_ceil(self.limit).saturating_sub(1);
        f64::from(windows) * f64::from(self.window_seconds)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// `within` the deadline, and a pacer for each process.
    Cometly {
        processes: u32,
    },
    Plain(Plain),
}

/// What came of it.
#[derive(Default)]
pub(super) struct Run {
    pub(super) done: u32,
    pub(super) refused: u64,
    /// When the last job was done.
    pub(super) drain: Seconds,
    /// Calls that came in each second, and how many of them were refused.
    pub(super) seconds: Vec<(u32, u32)>,
    /// The most calls of a second, the first window left out: all policies begin with the same herd.
    pub(super) peak: u32,
}

enum Event {
    /// The job sends, or asks its pacer.
    Ready(usize),
    /// Its call comes in; the way back takes as long as the way there.
    Arrives {
        job: usize,
        way: Seconds,
    },
    Answered {
        job: usize,
        answer: Answer,
    },
}

enum Job {
    Cometly { attempt: Attempt, started: Seconds },
    Plain { refusals: u32 },
    Over,
}

pub(super) fn run(setup: &Setup, policy: Policy, jobs: u32, seed: u64) -> Run {
    let mut world = World::new(setup, policy, jobs, seed);
    while let Some((now, event)) = world.agenda.next() {
        if now > DEADLINE || world.over >= jobs {
            break;
        }
        world.happen(now, event);
    }
    world.finish()
}

struct World {
    setup: Setup,
    policy: Policy,
    start: Instant,
    random: Random,
    agenda: Agenda<Event>,
    server: Server,
    jobs: Vec<Job>,
    over: u32,
    run: Run,
}

impl World {
    fn new(setup: &Setup, policy: Policy, jobs: u32, seed: u64) -> Self {
        let mut world = Self {
            setup: *setup,
            policy,
            start: Instant::now(),
            random: Random::new(seed),
            agenda: Agenda::new(),
            server: Server::new(setup.counting, setup.limit, f64::from(setup.window_seconds)),
            jobs: Vec::new(),
            over: 0,
            run: Run::default(),
        };
        let patient = RetryPolicy::within(duration(DEADLINE));
        let apis: Vec<Api> = match policy {
            Policy::Cometly { processes } => (0..processes).filter_map(|_| api()).collect(),
            Policy::Plain(_) => Vec::new(),
        };
        let mut processes = apis.iter().cycle();
        for job in 0..usize::try_from(jobs).unwrap_or_default() {
            // All begin within a second.
            let started = world.random.part();
            let attempt =
                processes.next().and_then(|api| api.get("events").attempt(&patient, world.random.bits()).ok());
            world.jobs.push(match attempt {
                Some(attempt) => Job::Cometly { attempt, started },
                None => Job::Plain { refusals: 0 },
            });
            world.agenda.add(started, Event::Ready(job));
        }
        world
    }

    fn happen(&mut self, now: Seconds, event: Event) {
        match event {
            Event::Ready(job) => self.ready(now, job),
            Event::Arrives { job, way } => {
                let answer = self.server.answer(now);
                self.count(now, answer);
                self.agenda.add(now + way, Event::Answered { job, answer });
            }
            Event::Answered { job, answer } => self.answered(now, job, answer),
        }
    }

    fn ready(&mut self, now: Seconds, job: usize) {
        if let Some(Job::Cometly { attempt, started }) = self.jobs.get_mut(job) {
            let elapsed = duration(now - *started);
            match attempt.pace::<()>(instant(self.start, now), elapsed) {
                Ok(None) => {}
                Ok(Some(wait)) => return self.agenda.add(now + wait.as_secs_f64(), Event::Ready(job)),
                Err(_) => return self.end(job),
            }
        }
        let way = self.setup.round_trip * (0.5 + self.random.part()) / 2.0;
        self.agenda.add(now + way, Event::Arrives { job, way });
    }

    fn answered(&mut self, now: Seconds, job: usize, answer: Answer) {
        let Some(state) = self.jobs.get_mut(job) else { return };
        match (std::mem::replace(state, Job::Over), answer) {
            (Job::Cometly { attempt, started }, _) => {
                let response = response(self.setup.limit, answer);
                match attempt.on_response::<_, ()>(response, duration(now - started)) {
                    Step::Retry { after, next } => {
                        *state = Job::Cometly { attempt: next, started };
                        self.agenda.add(now + after.as_secs_f64(), Event::Ready(job));
                    }
                    Step::Done(Ok(outcome)) if outcome.is_success() => self.done(now, job),
                    Step::Done(_) => self.end(job),
                }
            }
            (Job::Plain { .. }, Answer::Taken { .. }) => self.done(now, job),
            (Job::Plain { refusals }, Answer::Refused { retry_after }) => {
                let refusals = refusals.saturating_add(1);
                *state = Job::Plain { refusals };
                if let Policy::Plain(plain) = self.policy {
                    let wait = plain.wait(refusals, retry_after, &mut self.random);
                    self.agenda.add(now + wait, Event::Ready(job));
                }
            }
            (Job::Over, _) => {}
        }
    }

    fn done(&mut self, now: Seconds, job: usize) {
        self.run.done = self.run.done.saturating_add(1);
        self.run.drain = now;
        self.end(job);
    }

    fn end(&mut self, job: usize) {
        self.over = self.over.saturating_add(1);
        if let Some(state) = self.jobs.get_mut(job) {
            *state = Job::Over;
        }
    }

    fn count(&mut self, now: Seconds, answer: Answer) {
        let second = usize::try_from(duration(now).as_secs()).unwrap_or_default();
        if self.run.seconds.len() <= second {
            self.run.seconds.resize(second.saturating_add(1), (0, 0));
        }
        let Some((calls, refused)) = self.run.seconds.get_mut(second) else { return };
        *calls = calls.saturating_add(1);
        if let Answer::Refused { .. } = answer {
            *refused = refused.saturating_add(1);
            self.run.refused = self.run.refused.saturating_add(1);
        }
    }

    fn finish(mut self) -> Run {
        let first = usize::try_from(self.setup.window_seconds).unwrap_or_default();
        self.run.peak = self.run.seconds.iter().skip(first).map(|(calls, _)| *calls).max().unwrap_or_default();
        self.run
    }
}

fn api() -> Option<Api> {
    let key = ApiKey::new("1|simulated").ok()?;
    Some(Api::builder(key).pacer(Pacer::new()).build())
}

/// What Cometly answers.
fn response(limit: u32, answer: Answer) -> Response<Bytes> {
    const TAKEN: &[u8] = br#"{"data": []}"#;
    const REFUSED: &[u8] = br#"{"message": "Too Many Attempts."}"#;

    let (status, body, remaining) = match answer {
        Answer::Taken { remaining } => (StatusCode::OK, TAKEN, remaining),
        Answer::Refused { .. } => (StatusCode::TOO_MANY_REQUESTS, REFUSED, 0),
    };
    let mut response = Response::new(Bytes::from_static(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", limit.into());
    headers.insert("x-ratelimit-remaining", remaining.into());
    if let Answer::Refused { retry_after } = answer {
        headers.insert("retry-after", HeaderValue::from(duration(retry_after).as_secs()));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_plays_the_same_run() {
        let play = |seed| {
            let run = run(&Setup::default(), Policy::Cometly { processes: 4 }, 200, seed);
            (run.done, run.refused, run.seconds)
        };
        assert_eq!(play(1), play(1));
        assert_ne!(play(1).2, play(2).2);
    }

    #[test]
    fn each_policy_gets_its_jobs_done() {
        for policy in [Policy::Cometly { processes: 1 }, Policy::Plain(Plain::RetryAfter)] {
            for counting in [Counting::Fixed, Counting::Sliding] {
                let run = run(&Setup { counting, ..Setup::default() }, policy, 200, 1);
                assert_eq!(run.done, 200, "{policy:?} {counting:?}");
                assert!(run.drain >= 180.0 && run.drain < 260.0, "{policy:?} {counting:?}: {} s", run.drain);
            }
        }
    }
}
