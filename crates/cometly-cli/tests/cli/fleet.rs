//! `--fleet` and `fleet status`, with a real Redis: one limit for commands that run one after the other.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cometly_emulator::Emulator;
use tempfile::TempDir;

use crate::{
    program::{Program, Ran},
    script::Server,
};

const PASSWORD: &str = "engine-canary";

/// A Redis on a free port of loopback, with a folder of its own. Killed when dropped.
pub(crate) struct Redis {
    _folder: TempDir,
    port: u16,
    child: Child,
}

impl Redis {
    /// None, and a line, where there is no redis-server.
    #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let version =
            Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no redis-server");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--dir", folder.path().to_str().unwrap(), "--logfile", "log", "--daemonize", "no"])
            .args(options)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(10));
            thread::sleep(Duration::from_millis(10));
        }
        Some(Self { _folder: folder, port, child })
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// As one more process of the fleet `space-42`, whose URL is in the environment.
fn run(program: &Program, url: &str, arguments: &[&str]) -> Ran {
    let mut command = program.command(arguments);
    command.env("COMETLY_FLEET_URL", url).env("COMETLY_SPACE", "space-42");
    let ran = program.finish(command.spawn().unwrap());
    assert!(!ran.stdout.contains(PASSWORD) && !ran.stderr.contains(PASSWORD), "{}{}", ran.stdout, ran.stderr);
    ran
}

/// An engine that listens and is none.
fn no_redis() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    url
}

#[test]
fn commands_one_after_the_other_share_what_is_left_and_status_tells_it() {
    let Some(redis) = Redis::start(&[]) else { return };
    let emulator = Emulator::builder().limit("GET", "/companies", 7).start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    let url = redis.url();
    let fleet = ["--fleet", &url, "--space", "space-42"];
    let status = || program.run(&[&["fleet", "status"], &fleet[..]].concat()).ends(0).stdout;
    assert!(status().contains("no call of this Space"), "{}", status());
    let started = Instant::now();
    for _ in 0..4 {
        program.run(&[&["request", "GET", "companies"], &fleet[..]].concat()).ends(0);
    }
    program.run(&[&["companies", "list", "--format", "csv"], &fleet[..]].concat()).ends(0);
    // A command that did not tell its answer would let the next one wait for a second.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let told = status();
    let expected = format!("Engine:  Redis at 127.0.0.1:{}, connected\nSpace:   space-42\n", redis.port);
    assert!(told.starts_with(&expected), "{told}");
    // On a busy machine a command may have found the engine slow, and not told it of its calls.
    let left = 7 - emulator.request_count()..7;
    let words = |count: u64| format!("Limit:   GET companies: {count} of 7 calls left, 0 under way, 0 waiting, ");
    assert!(left.clone().any(|count| told.contains(&words(count))), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
    let told = run(&program, &url, &["fleet", "status", "--json"]).ends(0).json();
    let endpoint = &told["endpoints"][0];
    assert_eq!((&told["connected"], &told["space"]), (&true.into(), &"space-42".into()));
    assert_eq!((&endpoint["call"], &endpoint["limit"]), (&"GET companies".into(), &7.into()));
    assert!(left.contains(&endpoint["left"].as_u64().unwrap()), "{told}");
    // Another Space has limits of its own.
    let other = program.run(&["fleet", "status", "--fleet", &url, "--space", "other"]).ends(0).stdout;
    assert!(other.contains("no call of this Space"), "{other}");
}

#[test]
fn events_and_exports_go_by_the_fleet_too() {
    let Some(redis) = Redis::start(&["--requirepass", PASSWORD]) else { return };
    let emulator = Emulator::builder().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    program.write("events.ndjson", r#"{"event_name":"purchase","email":"a@example.com"}"#);
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", redis.port);
    run(&program, &url, &["events", "track", "--input", "events.ndjson"]).ends(0);
    run(&program, &url, &["companies", "export", "--from", "2026-01-01", "--to", "2026-01-02", "--output", "c.csv"])
        .ends(0);
    let told = run(&program, &url, &["fleet", "status"]).ends(0).stdout;
    for call in ["POST events/track", "POST companies/exports", "GET companies/exports/{id}"] {
        assert!(told.contains(call), "{told}");
    }
}

#[test]
fn an_engine_that_cannot_be_used_is_an_error_of_status_and_a_line_of_other_commands() {
    let closed = format!("redis://:{PASSWORD}@127.0.0.1:{}", free_port());
    let mut cases = vec![(closed, "the connection is refused"), (no_redis(), "does not answer as Redis")];
    let (locked, cluster) = (Redis::start(&["--requirepass", PASSWORD]), Redis::start(&["--cluster-enabled", "yes"]));
    if let (Some(locked), Some(cluster)) = (&locked, &cluster) {
        cases.push((locked.url(), "refused the fleet's user or password"));
        cases
            .push((format!("redis://:{PASSWORD}-x@127.0.0.1:{}", locked.port), "refused the fleet's user or password"));
        cases.push((cluster.url(), "cluster mode"));
    }
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    for (url, words) in cases {
        let ran = run(&program, &url, &["fleet", "status"]).ends(8).says(words).says("COMETLY_FLEET_URL");
        assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{}", ran.stderr);
        let ran = run(&program, &url, &["fleet", "status", "--json"]).ends(8);
        let told: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(told["error"]["kind"], "network");
        let ran = run(&program, &url, &["request", "GET", "companies"]).ends(0).says(words).says("paces itself alone");
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        let ran = run(&program, &url, &["request", "GET", "companies", "--json"]).ends(0);
        let told: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert!(told["warning"].as_str().unwrap().contains(words), "{told}");
        let ran = run(&program, &url, &["request", "GET", "companies", "--quiet"]).ends(0);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn what_is_wrong_with_the_command_line_is_told_without_a_password_and_before_a_call() {
    let server = Server::start(|_, _| String::new());
    let program = Program::new(&server.base_url, "9|key-of-a-scripted-server");
    let long = "x".repeat(129);
    for (url, more, words) in [
        ("redis://:engine-canary@127.0.0.1", &["--space", "s"][..], "put the whole URL into COMETLY_FLEET_URL"),
        ("redis://engine-canary@127.0.0.1", &["--space", "s"], "COMETLY_FLEET_URL"),
        ("unix:///tmp/x?pass=engine-canary", &["--space", "s"], "COMETLY_FLEET_URL"),
        ("redis://127.0.0.1:1", &[], "--space space-42 or COMETLY_SPACE"),
        ("redis://127.0.0.1:1", &["--space", ""], "--space cannot be used"),
        ("redis://127.0.0.1:1", &["--space", &long], "at most 128"),
        ("redis://127.0.0.1:1", &["--space", "12|engine-canary"], "looks like an API key"),
        ("redis://redis.example", &["--space", "s"], "rediss://"),
        ("engine-canary", &["--space", "s"], "no URL of Redis"),
        ("http://engine-canary", &["--space", "s"], "no URL of Redis"),
        ("", &["--space", "s"], "no URL of Redis"),
    ] {
        for command in [&["request", "GET", "companies"][..], &["fleet", "status"], &["companies", "list", "--json"]] {
            let ran = program.run(&[command, &["--fleet", url], more].concat()).ends(2).says(words);
            assert!(!ran.stderr.contains(PASSWORD) && ran.stdout.is_empty(), "{}", ran.stderr);
        }
    }
    for url in ["redis://user:engine-canary@redis.example:6379", "nonsense:engine-canary"] {
        run(&program, url, &["request", "GET", "companies"]).ends(2).says("URL");
    }
    let mut named = program.command(&["fleet", "status", "--fleet", "redis://127.0.0.1:1"]);
    named.env("COMETLY_SPACE", "12|engine-canary");
    program.finish(named.spawn().unwrap()).ends(2).says("COMETLY_SPACE cannot be used");
    run(&program, "redis://:engine-canary@127.0.0.1:1", &["flet", "redis://:engine-canary@h"]).ends(2);
    let ran = program.run(&["redis://:engine-canary@127.0.0.1"]).ends(2);
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
    program.run(&["fleet", "status", "--space", "s"]).ends(2).says("--fleet redis://127.0.0.1:6379");
    assert!(server.seen().is_empty());
    // Signing in asks no fleet.
    let ran = run(&program, "nonsense", &["auth", "list"]).ends(0);
    assert!(!ran.stderr.contains("URL"), "{}", ran.stderr);
}
