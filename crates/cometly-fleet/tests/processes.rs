//! Twenty processes, on three clients, with 30 events each, where 60 a second are allowed, and an engine that fails in every
//! way: each event is taken once, and none waits for longer than it would without a fleet.
//!
//! Each process is this program again, with a fleet and a client of its own. The tests take turns, since each wants both
//! cores; while one runs, the next warms up.
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
    collections::BTreeMap,
    env,
    fs::{self, File},
    future::Future,
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread::{self, sleep},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cometly_core::{Api, ApiKey, Call, RetryPolicy};
use cometly_emulator::Emulator;
use cometly_fleet::Fleet;

use support::Server;

const PROCESSES: usize = 20;
const CALLS: usize = 30;
const LIMIT: u32 = 60;
const WINDOW: Duration = Duration::from_secs(1);

/// A process ends itself after this.
const LONGEST: Duration = Duration::from_secs(60);

/// What the engine suffers begins this long after the first calls, and lasts as long.
const FAULT: Duration = Duration::from_secs(2);

/// The environment of a process.
const FOLDER: &str = "FLEET_FOLDER";
const NUMBER: &str = "FLEET_NUMBER";
const BASE_URL: &str = "FLEET_BASE_URL";
const KEY: &str = "FLEET_KEY";
const ENGINE: &str = "FLEET_ENGINE";

fn millis_since_1970() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn event(api: &Api, name: &str) -> Call {
    let body = r#"{"event_name":"purchase","email":"a@example.com"}"#;
    api.post("events/track").idempotency_key(name).body(body)
}

/// Sends all calls at once; when each was taken.
async fn send_all<F: Future<Output = ()> + 'static>(send: impl Fn(usize) -> F) -> Vec<u64> {
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = (0..CALLS)
        .map(|call| {
            let call = send(call);
            local.spawn_local(async move {
                call.await;
                millis_since_1970()
            })
        })
        .collect();
    local.await;
    let mut taken = Vec::new();
    for task in tasks {
        taken.push(task.await.unwrap());
    }
    taken
}

/// One of the processes. Its calls begin when its standard input ends.
fn play(folder: &Path) {
    thread::spawn(|| {
        sleep(LONGEST);
        eprintln!("it takes more than {LONGEST:?}");
        process::exit(3);
    });
    let variable = |name: &str| env::var(name).unwrap();
    let number: usize = variable(NUMBER).parse().unwrap();
    let fleet = Fleet::connect(&variable(ENGINE)).unwrap();
    let api = Api::builder(ApiKey::new(variable(KEY)).unwrap())
        .base_url(variable(BASE_URL).parse().unwrap())
        .pacer(fleet.pacer("space-42").unwrap())
        .build();
    let policy = RetryPolicy::within(LONGEST);
    let call = |call: usize| event(&api, &format!("{number}-{call}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let begin = || {
        fs::write(folder.join(format!("{number}.ready")), "").unwrap();
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
    };
    let taken = match number % 3 {
        0 => {
            let client = cometly_reqwest::Client::builder().retry_policy(policy).build().unwrap();
            begin();
            runtime.block_on(send_all(|number| {
                let (client, call) = (client.clone(), call(number));
                async move { drop(client.send(call).await.unwrap().into_result().unwrap()) }
            }))
        }
        1 => {
            let client = cometly_isahc::Client::builder().retry_policy(policy).build().unwrap();
            begin();
            runtime.block_on(send_all(|number| {
                let (client, call) = (client.clone(), call(number));
                async move { drop(client.send(call).await.unwrap().into_result().unwrap()) }
            }))
        }
        _ => {
            let client = cometly_ureq::Client::builder().retry_policy(policy).build().unwrap();
            begin();
            thread::scope(|scope| {
                let (client, call) = (&client, &call);
                let threads: Vec<_> = (0..CALLS)
                    .map(|number| {
                        scope.spawn(move || {
                            client.send(call(number)).unwrap().into_result().unwrap();
                            millis_since_1970()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            })
        }
    };
    let taken: Vec<String> = taken.iter().map(u64::to_string).collect();
    let status = fleet.status();
    let told = format!("{} {} {}", status.answered, status.failed, taken.join(" "));
    fs::write(folder.join(number.to_string()), told).unwrap();
}

/// All processes, which end with this.
struct Processes {
    children: Vec<Child>,
    folder: PathBuf,
}

impl Processes {
    fn start(test: &str, folder: &Path, emulator: &Emulator, server: &Server) -> Self {
        let child = |number: usize| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", test, "--nocapture"])
                .env(FOLDER, folder)
                .env(NUMBER, number.to_string())
                .env(BASE_URL, emulator.base_url())
                .env(KEY, &emulator.keys().full)
                .env(ENGINE, server.url())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(File::create(folder.join(format!("{number}.stderr"))).unwrap())
                .spawn()
                .unwrap()
        };
        Self { children: (0..PROCESSES).map(child).collect(), folder: folder.to_owned() }
    }

    /// Lets all go at once.
    fn go(&mut self) {
        let file = |number: usize| self.folder.join(format!("{number}.ready"));
        support::until("all processes are ready", || (0..PROCESSES).all(|number| file(number).exists()));
        for child in &mut self.children {
            drop(child.stdin.take());
        }
    }

    /// Questions answered and failed, and when each call was taken, in order.
    fn end(&mut self) -> (u64, u64, Vec<u64>) {
        let (mut answered, mut failed, mut taken) = (0, 0, Vec::new());
        for (number, child) in self.children.iter_mut().enumerate() {
            let status = child.wait().unwrap();
            let said = || fs::read_to_string(self.folder.join(format!("{number}.stderr"))).unwrap();
            assert!(status.success(), "process {number}: {status}: {}", said());
            let told = fs::read_to_string(self.folder.join(number.to_string())).unwrap();
            let mut told = told.split(' ').map(|word| word.parse::<u64>().unwrap());
            answered += told.next().unwrap();
            failed += told.next().unwrap();
            taken.extend(told);
        }
        taken.sort_unstable();
        (answered, failed, taken)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Two calls in each of a few windows, until the engine knows how long a window is: a minute is expected at first. How many
/// calls that took.
fn warm_up(fleet: &Fleet, emulator: &Emulator) -> usize {
    let api = Api::builder(ApiKey::new(&*emulator.keys().full).unwrap())
        .base_url(emulator.base_url().parse().unwrap())
        .pacer(fleet.pacer("space-42").unwrap())
        .build();
    let client = cometly_ureq::Client::new().unwrap();
    for window in 1..=20 {
        for call in 0..2 {
            let name = format!("warm-up-{window}-{call}");
            client.send(event(&api, &name)).unwrap().into_result().unwrap();
        }
        assert!(fleet.settle(WINDOW));
        let held = fleet.endpoints("space-42", &[("POST", "events/track")]).unwrap();
        let resets_in = held[0].as_ref().and_then(|held| held.resets_in);
        if window >= 4 && resets_in.is_some_and(|resets_in| resets_in <= WINDOW * 3 / 2) {
            return window * 2;
        }
        sleep(WINDOW + WINDOW / 20);
    }
    panic!("the engine does not learn how long a window is");
}

/// What is promised: refusals in all, windows until all is done, and windows without a call that is taken.
struct Most {
    refused: usize,
    drain: f64,
    stall: f64,
}

/// The 600 calls while this happens to the engine.
fn under(what: &str, server: fn() -> Option<Server>, most: &Most, fault: impl FnOnce(&mut Server)) {
    static TURN: Mutex<()> = Mutex::new(());

    if let Some(folder) = env::var_os(FOLDER) {
        return play(Path::new(&folder));
    }
    let Some(mut server) = server() else { return };
    let test = thread::current().name().unwrap().to_owned();
    let emulator = Emulator::builder().limit("POST", "/events/track", LIMIT).window(WINDOW).keep_requests(20_000);
    let emulator = emulator.start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let warming = warm_up(&Fleet::connect(&server.url()).unwrap(), &emulator);
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut processes = Processes::start(&test, folder.path(), &emulator, &server);
    processes.go();
    let begun = Instant::now();
    sleep(FAULT);
    fault(&mut server);
    let (answered, failed, taken) = processes.end();
    assert!(begun.elapsed() < LONGEST);
    drop(turn);

    let (mut done, mut refused) = (BTreeMap::<Vec<u8>, usize>::new(), 0);
    for request in emulator.received_requests() {
        match request.status.as_u16() {
            202 => *done.entry(request.body.to_vec()).or_default() += 1,
            429 => refused += 1,
            status => panic!("{status}: {request:?}"),
        }
    }
    let windows = |millis: u64| millis as f64 / WINDOW.as_millis() as f64;
    let drain = windows(taken[taken.len() - 1] - taken[0]);
    let stall = windows(taken.windows(2).map(|two| two[1] - two[0]).max().unwrap());
    println!(
        "{what}: {refused} refusals of {} calls, all taken in {drain:.1} windows of the 9 that it takes, longest stall \
         {stall:.1} windows, {answered} questions answered and {failed} not",
        taken.len()
    );
    assert_eq!(taken.len(), PROCESSES * CALLS);
    assert_eq!(done.len(), PROCESSES * CALLS + warming, "{what}: each event is taken");
    assert!(done.values().all(|times| *times == 1), "{what}: and once");
    assert!(refused <= most.refused, "{what}: {refused} refusals, promised {}", most.refused);
    assert!(drain <= most.drain, "{what}: {drain} windows, promised {}", most.drain);
    assert!(stall <= most.stall, "{what}: a stall of {stall} windows, promised {}", most.stall);
    if what == "no fault" {
        assert_eq!(failed, 0, "{what}: {failed} questions without an answer");
    }
}

/// What a command of the server's own does.
fn command(server: &Server, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    let _: () = command.arg(&words[1..]).query(&mut server.connection()).unwrap();
}

const PROMISED: Most = Most { refused: 600, drain: 45.0, stall: 9.0 };

fn plain() -> Option<Server> {
    Server::start(&[])
}

#[test]
fn no_fault() {
    under("no fault", plain, &PROMISED, |_| {});
}

#[test]
fn a_server_that_is_killed_and_started_again() {
    under("kill -9, and started again 2 s later", plain, &PROMISED, |server| {
        server.kill();
        sleep(FAULT);
        server.restart();
    });
}

#[test]
fn a_server_that_is_paused() {
    under("SIGSTOP for 2 s", plain, &PROMISED, |server| {
        server.signal("STOP");
        sleep(FAULT);
        server.signal("CONT");
    });
}

#[test]
fn a_server_that_loses_its_scripts() {
    under("SCRIPT FLUSH", plain, &PROMISED, |server| command(server, &["SCRIPT", "FLUSH"]));
}

#[test]
fn a_server_that_loses_its_keys() {
    under("FLUSHALL", plain, &PROMISED, |server| command(server, &["FLUSHALL"]));
}

#[test]
fn a_server_that_is_full() {
    under("maxmemory reached for 2 s", plain, &PROMISED, |server| {
        command(server, &["CONFIG", "SET", "maxmemory", "1"]);
        sleep(FAULT);
        command(server, &["CONFIG", "SET", "maxmemory", "0"]);
    });
}

#[test]
fn a_server_whose_clock_is_set() {
    under("its clock an hour ahead, and 2 s later right", Server::start_with_clock, &PROMISED, |server| {
        let time = |server: &Server| -> u64 {
            let time: Vec<String> = redis::cmd("TIME").query(&mut server.connection()).unwrap();
            time[0].parse().unwrap()
        };
        let before = time(server);
        server.set_clock(3_600);
        assert!(time(server) >= before + 3_600, "the clock moves");
        sleep(FAULT);
        server.set_clock(0);
        assert!(time(server) < before + 3_600, "and back");
    });
}
