//! `emulator`: what a script reads of it, what can be done with it, and how it ends.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::{Program, signal};

/// Starts one, reads its first line, and leaves the key to `program`.
fn start(more: &[&str]) -> (Child, Value) {
    let command = [&["emulator", "--json"], more].concat();
    let mut child = Program::alone().command(&command).stdin(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn ends(mut child: Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if started.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn its_keys_do_what_their_names_say() {
    let (child, told) = start(&[]);
    for (key, code) in [("full", 0), ("no_permission", 4), ("inactive", 4)] {
        let program = Program::new(text(&told["base_url"]), text(&told["keys"][key]));
        program.run(&["auth", "status"]).ends(code);
    }
    signal(&child, "INT");
    assert_eq!(ends(child), Some(0));
}

#[test]
fn keys_and_data_outlive_it_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--data-dir", folder.path().to_str().unwrap(), "--seed", "7"];
    let (mut first, told) = start(&settings);
    Program::new(text(&told["base_url"]), text(&told["keys"]["full"])).run(&["auth", "status"]).ends(0);
    first.kill().unwrap();
    first.wait().unwrap();
    let (second, again) = start(&settings);
    assert_eq!(told["keys"], again["keys"]);
    Program::alone().run(&[&["emulator"], &settings[..]].concat()).ends(1).says("cannot start the emulator");
    Program::alone().run(&["emulator", "--data-dir", settings[1], "--seed", "8"]).ends(1);
    signal(&second, "TERM");
    assert_eq!(ends(second), Some(0));
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    Program::alone().run(&["emulator", "--port", &port]).ends(1).says("is in use; name another with --port");
    drop(taken);
    let (child, told) = start(&["--port", &port]);
    assert!(text(&told["base_url"]).contains(&port));
    signal(&child, "TERM");
    assert_eq!(ends(child), Some(0));
}

#[test]
fn it_ends_with_its_stdin_or_a_signal_and_not_before() {
    for end in ["TERM", "stdin"] {
        let (mut child, _) = start(&[]);
        thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().unwrap().is_none());
        match end {
            "stdin" => drop(child.stdin.take()),
            name => signal(&child, name),
        }
        assert_eq!(ends(child), Some(0), "{end}");
    }
}

#[test]
fn one_in_the_background_of_a_shell_keeps_running() {
    // A shell gives /dev/null to what it puts there.
    let mut child = Program::alone().command(&["emulator"]).stdin(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("A Cometly listens at http://127.0.0.1:"), "{line}");
    thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none());
    signal(&child, "TERM");
    assert_eq!(ends(child), Some(0));
}

#[test]
fn a_port_of_0_is_told_as_it_is_and_each_key_with_what_it_may_do() {
    let arguments = ["emulator", "--port", "0", "--listen", "0.0.0.0", "--public-url", "http://emulator.test:8080"];
    let keys = ["--key", "1|key-for-all", "--key", "2|key-that-reads=events:read", "--key", "3|key-for-none=none"];
    let mut child = Program::alone().command(&[&arguments[..], &keys].concat()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("Ctrl-C") {
        assert_ne!(stdout.read_line(&mut told).unwrap(), 0, "{told}");
    }
    let port = told.split("by 0.0.0.0:").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    let base_url = format!("http://127.0.0.1:{port}/public-api/v1");
    Program::new(&base_url, "1|key-for-all").run(&["auth", "status"]).ends(0);
    for line in [
        "'1|key-for-all'  has all permissions",
        "'2|key-that-reads'  has events:read",
        "'3|key-for-none'  has no permission",
    ] {
        assert!(told.contains(line), "{told}");
    }
    signal(&child, "TERM");
    Program::alone().finish(child).ends(0).says(&format!("Other machines can reach 0.0.0.0:{port}, over"));
}

#[test]
fn a_team_reaches_it_by_the_name_and_the_keys_that_were_written_down() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (all, reads) = ("1|key-of-the-compose-file", "2|key-that-only-reads");
    let limited = format!("{reads}=companies:read,contacts:read");
    let (child, told) = start(&[
        "--listen",
        "0.0.0.0",
        "--port",
        &port,
        "--public-url",
        "http://emulator.test:8080",
        "--key",
        all,
        "--key",
        &limited,
    ]);
    assert_eq!(text(&told["base_url"]), "http://emulator.test:8080/public-api/v1");
    assert_eq!(text(&told["address"]), format!("0.0.0.0:{port}"));
    let fixed = &told["fixed_keys"];
    assert_eq!((&fixed[0]["key"], fixed[0]["abilities"].as_array().unwrap().len()), (&all.into(), 6));
    assert_eq!(fixed[1], serde_json::json!({"key": reads, "abilities": ["companies:read", "contacts:read"]}));
    let here = format!("http://127.0.0.1:{port}/public-api/v1");
    Program::new(&here, all).run(&["auth", "status"]).ends(0);
    let program = Program::new(&here, reads);
    program.run(&["request", "GET", "companies"]).ends(0);
    program
        .run(&["request", "POST", "events/track", "--field", "event_name=purchase", "--field", "email=a@b.example"])
        .ends(4);
    // From another machine it is plain http, which has to be allowed by name.
    let elsewhere = format!("http://{}:{port}/public-api/v1", "0.0.0.0");
    program.run(&["request", "GET", "companies", "--base-url", &elsewhere]).ends(2).says("--insecure-http 0.0.0.0");
    signal(&child, "TERM");
    let ran = Program::alone().finish(child).ends(0);
    assert!(ran.stderr.contains("Other machines can reach 0.0.0.0"), "{}", ran.stderr);
    for (more, words) in [
        (&["--listen", "everywhere"][..], "expected a number as 0.0.0.0"),
        (&["--listen", "127.0.0.1:1", "--port", "2"], "different ports"),
        (&["--key", "3|some-key=events:burn"], "expected events:read"),
        (&["--key", ""], "4 to 512 printable ASCII characters"),
        (&["--key", "3|some-key", "--key", "3|some-key=none"], "the same key twice"),
        (&["--public-url", "foo"], "http://host:port"),
        (&["--public-url", "foo", "--data-dir", "data"], "http://host:port"),
    ] {
        Program::alone().run(&[&["emulator"], more].concat()).ends(2).says(words);
    }
}
