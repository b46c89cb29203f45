//! Ten thousand calls that wait in one process: what they cost, and that none is passed over.
//!
//! The calls are the core's operations on one thread of tokio, the engine is a real Redis, and the server is a counter in this
//! process, so that all that is measured is the waiting. `COMETLY_WAITERS_SECONDS=110 cargo test --release -p cometly-fleet
//! --test waiters -- --nocapture` is the whole size, a million seconds that calls wait; without the variable it is 8 seconds.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may fail, and says what it measured"
)]

mod support;

use std::{
    cell::RefCell,
    env, fs,
    rc::Rc,
    time::{Duration, Instant},
};

use cometly_core::{
    Api, ApiKey, Moment, Next, Operation, RetryPolicy, TransportLimits,
    bytes::Bytes,
    http::{Response, StatusCode},
};
use cometly_fleet::Fleet;
use tokio::{task::LocalSet, time::sleep};

use support::Server;

const WAITERS: usize = 10_000;
const LIMIT: u64 = 100;
const WINDOW: Duration = Duration::from_secs(2);
const ROUND_TRIP: Duration = Duration::from_millis(10);

/// A window that begins at its first call.
struct Counter {
    ends: Instant,
    used: u64,
    refused: u64,
}

impl Counter {
    fn answer(&mut self) -> Response<Bytes> {
        let now = Instant::now();
        if now >= self.ends {
            (self.ends, self.used) = (now + WINDOW, 0);
        }
        let mut response = Response::new(Bytes::new());
        if self.used < LIMIT {
            self.used += 1;
        } else {
            self.refused += 1;
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            response.headers_mut().insert("retry-after", 2.into());
        }
        response.headers_mut().insert("x-ratelimit-limit", LIMIT.into());
        response.headers_mut().insert("x-ratelimit-remaining", (LIMIT - self.used).into());
        response
    }
}

struct World {
    api: Api,
    counter: RefCell<Counter>,
    /// When each call was taken, in the order in which they joined; none if it still waits.
    taken: RefCell<Vec<Option<Instant>>>,
    polls: RefCell<u64>,
}

/// One call from its place at the end of the line to its answer.
async fn call(world: &World) {
    let number = {
        let mut taken = world.taken.borrow_mut();
        taken.push(None);
        taken.len() - 1
    };
    let policy = RetryPolicy::within(Duration::from_secs(3_600));
    let call = world.api.get("events");
    let mut operation: Operation<Bytes, ()> =
        call.start(&policy, &TransportLimits::default(), number as u64, Moment::now()).unwrap();
    loop {
        match operation.next(Moment::now()) {
            Next::Wait { pause, operation: waiting } => {
                *world.polls.borrow_mut() += 1;
                sleep(pause).await;
                operation = waiting;
            }
            Next::Send(attempt) => {
                sleep(ROUND_TRIP).await;
                let answer = world.counter.borrow_mut().answer();
                if answer.status() == StatusCode::OK {
                    world.taken.borrow_mut()[number] = Some(Instant::now());
                }
                operation = attempt.finish(Ok(answer), Moment::now());
            }
            Next::Done(result) => return drop(result.unwrap()),
        }
    }
}

/// Memory in use in bytes, and processor time so far.
fn used() -> (u64, Duration) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    let memory: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().skip(11).take(2);
    // Linux counts hundredths of a second.
    let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
    (memory << 10, Duration::from_millis(ticks * 10))
}

#[test]
fn ten_thousand_calls_wait_in_the_order_in_which_they_came() {
    let Some(server) = Server::start(&[]) else { return };
    let seconds = env::var("COMETLY_WAITERS_SECONDS").ok().and_then(|value| value.parse().ok()).unwrap_or(8);
    let fleet = Fleet::connect(&server.url()).unwrap();
    let api = Api::builder(ApiKey::new("12|abcdef").unwrap()).pacer(fleet.pacer("space-42").unwrap()).build();
    let world = Rc::new(World {
        api,
        counter: RefCell::new(Counter { ends: Instant::now(), used: 0, refused: 0 }),
        taken: RefCell::default(),
        polls: RefCell::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        // Two calls in each of four windows, so that the length of a window is known: a minute is expected at first.
        for _ in 0..4 {
            for _ in 0..2 {
                call(&world).await;
            }
            sleep(WINDOW + WINDOW / 20).await;
        }
        world.taken.borrow_mut().clear();
        *world.polls.borrow_mut() = 0;
        world.counter.borrow_mut().refused = 0;

        let (memory, processor) = used();
        let (answered, begun) = (fleet.status().answered, Instant::now());
        for _ in 0..WAITERS {
            let world = Rc::clone(&world);
            tokio::task::spawn_local(async move {
                // Another takes its place at the end, so that there are always as many.
                loop {
                    call(&world).await;
                }
            });
        }
        sleep(Duration::from_secs(seconds)).await;
        let (more, later) = used();
        let (took, end) = (begun.elapsed(), Instant::now());

        let all = world.taken.borrow();
        let mut order: Vec<Instant> = all.iter().flatten().copied().collect();
        order.sort_unstable();
        // The first to come is due when the first is taken, and so on.
        let late = |(due, taken): (&Instant, &Option<Instant>)| taken.unwrap_or(end).saturating_duration_since(*due);
        let longest = order.iter().zip(all.iter()).map(late).max().unwrap();
        let waited = WAITERS as f64 * took.as_secs_f64();
        let questions = fleet.status().answered - answered;
        println!(
            "{WAITERS} calls wait for {took:.1?}: {waited:.0} waiter-seconds, {} taken, {} refused, {:.2} questions a call, \
             {:.3} polls a waiter-second, {:.2} µs of processor a waiter-second, {} bytes a waiter, none later than {:.2} \
             windows behind its turn",
            order.len(),
            world.counter.borrow().refused,
            questions as f64 / order.len() as f64,
            *world.polls.borrow() as f64 / waited,
            later.saturating_sub(processor).as_secs_f64() * 1e6 / waited,
            more.saturating_sub(memory) / WAITERS as u64,
            longest.as_secs_f64() / WINDOW.as_secs_f64()
        );
        assert!(order.len() as u64 >= LIMIT * seconds / 4, "{} of {} calls", order.len(), LIMIT * seconds / 2);
        assert!(longest <= 2 * WINDOW, "one is {longest:?} behind its turn");
        assert!(questions <= 4 * order.len() as u64, "{questions} questions for {} calls", order.len());
    }));
}
