//! Fleets on sockets: clients of several kinds, a Cometly that counts, and a real Redis that fails in every way.
#![allow(
    clippy::arithmetic_side_effects,
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
    fmt::Write as _,
    net::TcpListener,
    thread::{self, sleep},
    time::{Duration, Instant},
};

use cometly_core::{Api, ApiKey, BaseUrl, Call, Pacer, RetryPolicy};
use cometly_emulator::Emulator;
use cometly_fleet::{Fleet, FleetError};
use redis::Commands as _;

use support::{Server, free_port, until};

const LIMIT: u32 = 60;

fn emulator() -> Emulator {
    let window = Duration::from_secs(1);
    Emulator::builder().limit("POST", "/events/track", LIMIT).window(window).keep_requests(10_000).start().unwrap()
}

fn api(emulator: &Emulator, pacer: Pacer) -> Api {
    let key = ApiKey::new(emulator.keys().full.clone()).unwrap();
    Api::builder(key).base_url(BaseUrl::new(emulator.base_url()).unwrap()).pacer(pacer).build()
}

fn event(api: &Api, name: &str) -> Call {
    let body = format!(r#"{{"event_name":"purchase","email":"a@example.com","order_id":"{name}"}}"#);
    api.post("events/track").body(body)
}

/// Many times longer than the calls take.
fn patience() -> RetryPolicy {
    RetryPolicy::within(Duration::from_secs(60))
}

/// Sends this many calls at once, blocking: a thread each.
fn send_blocking(api: &Api, process: usize, calls: usize) {
    let client = cometly_ureq::Client::builder().retry_policy(patience()).build().unwrap();
    thread::scope(|scope| {
        for call in 0..calls {
            let client = &client;
            scope.spawn(move || {
                client.send(event(api, &format!("{process}-{call}"))).unwrap().into_result().unwrap();
            });
        }
    });
}

/// The same, async, on one thread.
fn send_async(api: &Api, process: usize, calls: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = cometly_reqwest::Client::builder().retry_policy(patience()).build().unwrap();
        let tasks: Vec<_> = (0..calls)
            .map(|call| {
                let (client, call) = (client.clone(), event(api, &format!("{process}-{call}")));
                tokio::spawn(async move { client.send(call).await.unwrap().into_result().unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// What came of calls of several processes.
#[derive(Debug)]
struct Outcome {
    refused: usize,
    took: Duration,
}

/// Sends two calls in each of four windows, so that the length of a window is known: a minute is expected at first.
fn warm_up(fleet: &Fleet, emulator: &Emulator) {
    let api = api(emulator, fleet.pacer("space-42").unwrap());
    let client = cometly_ureq::Client::new().unwrap();
    for window in 0..4 {
        for call in 0..2 {
            client.send(event(&api, &format!("warm-up-{window}-{call}"))).unwrap().into_result().unwrap();
        }
        sleep(Duration::from_millis(1_050));
    }
}

/// Each fleet is a process with a connection of its own. `meanwhile` runs beside them.
fn run(fleets: &[Fleet], calls: usize, emulator: &Emulator, meanwhile: impl FnOnce()) -> Outcome {
    warm_up(&fleets[0], emulator);
    let start = Instant::now();
    thread::scope(|scope| {
        for (process, fleet) in fleets.iter().enumerate() {
            let api = api(emulator, fleet.pacer("space-42").unwrap());
            let send = if process % 2 == 0 { send_blocking } else { send_async };
            scope.spawn(move || send(&api, process, calls));
        }
        meanwhile();
    });
    let took = start.elapsed();
    let mut done = BTreeMap::<Vec<u8>, usize>::new();
    let mut refused = 0;
    for request in emulator.received_requests() {
        match request.status.as_u16() {
            202 => *done.entry(request.body.to_vec()).or_default() += 1,
            429 => refused += 1,
            status => panic!("{status}: {request:?}"),
        }
    }
    assert_eq!(done.len(), fleets.len() * calls + 8, "each call is done");
    assert!(done.values().all(|times| *times == 1), "and once");
    Outcome { refused, took }
}

fn fleets(server: &Server, many: usize) -> Vec<Fleet> {
    (0..many).map(|_| Fleet::connect(&server.url()).unwrap()).collect()
}

/// All keys of fleets, and how long each is kept.
fn keys(server: &Server) -> Vec<(String, i64)> {
    let mut connection = server.connection();
    let keys: Vec<String> = connection.keys("cometly:*").unwrap();
    keys.into_iter()
        .map(|key| {
            let kept = connection.pttl(&key).unwrap();
            (key, kept)
        })
        .collect()
}

#[test]
fn processes_with_mixed_clients_share_one_window() {
    let Some(server) = Server::start(&[]) else { return };
    let (emulator, fleets) = (emulator(), fleets(&server, 8));
    let outcome = run(&fleets, 40, &emulator, || {});
    let answered: u64 = fleets.iter().map(|fleet| fleet.status().answered).sum();
    println!("320 calls of 8 processes, {LIMIT} a second: {outcome:?}, {answered} questions");
    assert!(outcome.refused <= 96, "{outcome:?}");
    assert!(outcome.took < Duration::from_secs(30), "{outcome:?}");
    for (key, kept) in keys(&server) {
        assert!(key.starts_with("cometly:1:{space-42}:"), "{key}");
        assert!(kept > 0 && kept < 30 * 60_000, "{key} is kept for {kept} ms");
        let bytes: u64 = redis::cmd("MEMORY").arg("USAGE").arg(&key).query(&mut server.connection()).unwrap();
        assert!(bytes <= 1_024, "{key} takes {bytes} bytes");
    }
}

/// The same calls while this happens to the server, a second after they began.
fn under(what: &str, options: &[&str], fault: impl FnOnce(&mut Server)) {
    let Some(mut server) = Server::start(options) else { return };
    let (emulator, fleets) = (emulator(), fleets(&server, 4));
    let outcome = run(&fleets, 45, &emulator, || {
        sleep(Duration::from_secs(1));
        fault(&mut server);
    });
    println!("180 calls of 4 processes, {what}: {outcome:?}");
    assert!(outcome.refused <= 180, "{what}: {outcome:?}");
    assert!(outcome.took < Duration::from_secs(40), "{what}: {outcome:?}");
}

#[test]
fn a_server_that_is_killed_and_started_again_costs_refusals_alone() {
    under("kill -9", &[], |server| {
        server.kill();
        sleep(Duration::from_millis(1_500));
        server.restart();
    });
}

#[test]
fn a_server_that_is_paused_costs_refusals_alone() {
    under("SIGSTOP", &[], |server| {
        server.signal("STOP");
        sleep(Duration::from_millis(1_500));
        server.signal("CONT");
    });
}

#[test]
fn a_server_that_forgets_costs_refusals_alone() {
    under("SCRIPT FLUSH and FLUSHALL", &[], |server| {
        let mut connection = server.connection();
        let _: () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut connection).unwrap();
        sleep(Duration::from_millis(500));
        let _: () = redis::cmd("FLUSHALL").query(&mut connection).unwrap();
    });
}

#[test]
fn a_server_that_is_full_costs_refusals_alone() {
    under("maxmemory", &[], |server| {
        let mut connection = server.connection();
        let mut set = |bytes: u64| {
            let _: () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).query(&mut connection).unwrap();
        };
        set(1);
        sleep(Duration::from_millis(1_500));
        set(0);
    });
}

#[test]
fn rubbish_under_a_key_is_replaced() {
    under("rubbish", &[], |server| {
        let mut connection = server.connection();
        for (key, _) in keys(server) {
            let _: () = connection.del(&key).unwrap();
            let _: () = connection.rpush(&key, "rubbish").unwrap();
        }
        sleep(Duration::from_millis(300));
        for (key, _) in keys(server) {
            let _: () = connection.set(&key, "2 of another version").unwrap();
        }
    });
}

#[test]
fn a_server_that_goes_holds_a_call_up_for_a_moment_and_is_used_again() {
    let Some(mut server) = Server::start(&[]) else { return };
    let fleet = Fleet::connect(&server.url()).unwrap();
    let emulator = emulator();
    let api = api(&emulator, fleet.pacer("space-42").unwrap());
    let client = cometly_ureq::Client::builder().retry_policy(patience()).build().unwrap();
    let send = |name: &str| {
        let start = Instant::now();
        client.send(event(&api, name)).unwrap().into_result().unwrap();
        start.elapsed()
    };
    send("before");
    let is_alone = || fleet.status().spaces[0].is_alone;
    assert!(!is_alone() && fleet.status().is_connected);
    assert_eq!(keys(&server).len(), 1);

    server.signal("STOP");
    let took = send("paused");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(is_alone());
    until("the problem is reported", || fleet.status().problem.is_some());
    let status = fleet.status().to_string();
    assert!(status.contains("1 of 1 pacers alone: Redis at 127.0.0.1:"), "{status}");
    server.signal("CONT");
    until("it is connected again", || fleet.status().is_connected && !is_alone());
    let answered = fleet.status().answered;
    send("after");
    until("the engine is asked again", || fleet.status().answered > answered);
    assert_eq!(fleet.status().problem, None);

    server.kill();
    let took = send("killed");
    assert!(took < Duration::from_secs(3), "{took:?}");
    until("the loss is reported", || !fleet.status().is_connected);
    server.restart();
    until("it is connected again", || fleet.status().is_connected);
    send("restarted");
    until("the state is there again", || keys(&server).len() == 1);
}

#[test]
fn the_thread_goes_on_for_a_pacer_and_ends_with_the_last() {
    let Some(server) = Server::start(&[]) else { return };
    let mut connection = server.connection();
    let mut clients = || {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
        list.lines().count()
    };
    let emulator = emulator();
    let api = {
        let fleet = Fleet::connect(&server.url()).unwrap();
        api(&emulator, fleet.clone().pacer("space-42").unwrap())
    };
    cometly_ureq::Client::new().unwrap().send(event(&api, "one")).unwrap().into_result().unwrap();
    until("the fleet was asked", || keys(&server).len() == 1);
    assert_eq!(clients(), 2);
    drop(api);
    until("the connection is closed", || clients() == 1);

    let fleet = Fleet::connect(&server.url()).unwrap();
    assert_eq!(clients(), 2);
    drop(fleet);
    until("the connection is closed", || clients() == 1);
}

fn refused(url: &str) -> FleetError {
    Fleet::connect(url).expect_err("there is no such fleet")
}

#[test]
fn a_url_that_leads_to_no_fleet_is_refused_with_what_to_do() {
    let not_redis = emulator();
    let mut all = String::new();
    for url in ["", "redis://", "http://secret@localhost", "redis://:secret@localhost:port", "localhost:6379"] {
        let error = refused(url);
        assert!(matches!(error, FleetError::InvalidUrl), "{url}: {error}");
        write!(all, "{error} {error:?}").unwrap();
    }
    let error = refused(&format!("redis://:secret@{}", not_redis.address()));
    assert!(matches!(error, FleetError::NotRedis { .. }), "{error}");
    write!(all, "{error} {error:?}").unwrap();
    if cfg!(not(feature = "tls")) {
        assert!(matches!(refused("rediss://:secret@localhost"), FleetError::TlsIsOff));
    }
    if let Some(server) = Server::start(&["--requirepass", "right"]) {
        for user in ["", ":secret@", "user:secret@"] {
            let error = refused(&server.url().replace("://", &format!("://{user}")));
            assert!(matches!(error, FleetError::WrongPassword { .. }), "{user}: {error}");
            write!(all, "{error} {error:?}").unwrap();
        }
        let fleet = Fleet::connect(&server.url().replace("://", "://:right@")).unwrap();
        write!(all, "{fleet:?} {}", fleet.status()).unwrap();
        assert!(fleet.status().is_connected && !all.contains("right"), "{all}");
    }
    assert!(!all.contains("secret"), "{all}");
}

#[test]
fn a_cluster_is_refused_by_name() {
    let Some(server) = Server::start(&["--cluster-enabled", "yes"]) else { return };
    let error = refused(&server.url());
    assert!(matches!(error, FleetError::Cluster { .. }) && error.to_string().contains("cluster mode"), "{error}");
}

#[test]
fn a_server_that_is_not_there_is_no_error() {
    let start = Instant::now();
    let fleet = Fleet::connect(&format!("redis://:secret@127.0.0.1:{}", free_port())).unwrap();
    let status = fleet.status().to_string();
    assert!(status.contains("not connected") && status.contains("refused: is it running?"), "{status}");
    assert!(!status.contains("secret"), "{status}");

    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = Fleet::connect(&format!("redis://{}", silent.local_addr().unwrap())).unwrap();
    until("the problem is reported", || slow.status().to_string().contains("does not answer in time"));

    let emulator = emulator();
    for fleet in [fleet, slow] {
        let api = api(&emulator, fleet.pacer("space-42").unwrap());
        cometly_ureq::Client::new().unwrap().send(event(&api, "alone")).unwrap().into_result().unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_server_that_only_reads_is_left_alone() {
    let (Some(primary), Some(server)) = (Server::start(&[]), Server::start(&[])) else { return };
    let port = primary.url().rsplit(':').next().unwrap().to_owned();
    let _: () = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(port).query(&mut server.connection()).unwrap();
    let fleet = Fleet::connect(&server.url()).unwrap();
    let emulator = emulator();
    let api = api(&emulator, fleet.pacer("space-42").unwrap());
    cometly_ureq::Client::new().unwrap().send(event(&api, "alone")).unwrap().into_result().unwrap();
    until("the problem is reported", || fleet.status().failed > 0);
    let status = fleet.status().to_string();
    assert!(status.contains("it is read-only") || status.contains("it is starting"), "{status}");
}

#[test]
fn names_of_spaces_are_checked() {
    let fleet = Fleet::connect(&format!("redis://127.0.0.1:{}", free_port())).unwrap();
    for name in ["", "12|secret", "a\nb", &"x".repeat(129)] {
        let error = fleet.pacer(name).unwrap_err().to_string();
        assert!(error.contains("the name of the Space") && !error.contains("secret"), "{error}");
    }
}
