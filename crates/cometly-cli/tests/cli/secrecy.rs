//! The key is in no output and in no command line, for every command and level of detail.

use std::{fs, thread, time::Duration};

use cometly_emulator::Emulator;

use crate::{
    program::{KEY, Program, signal},
    script::{Server, answer, json},
};

const EVENT: &str = r#"{"event_name":"purchase","email":"a@example.com"}"#;

/// `Program::run` searches all that is printed; this makes it print as much as there is.
#[test]
fn no_command_prints_the_key_at_any_verbosity() {
    // The server says the key back wherever it can.
    let server = Server::start(|_, request| {
        let quoted = format!(r#"{{"message":"Bad key {KEY}","errors":{{"{KEY}":["{KEY}"]}}}}"#);
        // By the target alone: the port in `Host` may hold any of these numbers.
        let target = request.head.split(' ').nth(1).unwrap_or_default();
        let has = |path: &&str| target.split(['/', '?']).any(|part| part == *path);
        let status = ["companies", "events", "401", "403", "422", "429", "500"].iter().position(has);
        match status {
            Some(3) => json(403, &quoted),
            Some(4) => json(422, &quoted),
            Some(5) => answer(429, "Retry-After: 1\r\n", &quoted),
            Some(6) => json(500, &quoted),
            Some(_) => json(401, &quoted),
            None => answer(302, &format!("Location: /login?key={KEY}\r\n"), ""),
        }
    });
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", EVENT);
    for command in [
        &["auth", "status"][..],
        &["auth", "status", "--limits"],
        &["request", "GET", "403"],
        &["request", "POST", "422", "--field", "a=b", "--include"],
        &["request", "GET", "429", "--timeout", "3"],
        &["request", "GET", "500", "--paginate"],
        &["request", "GET", "elsewhere"],
        &["request", "GET", "403", "--dry-run"],
        &["events", "track", "--input", "events.ndjson"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["auth", "logout"],
    ] {
        for more in
            [&[][..], &["--verbose"], &["--json"], &["--json", "--verbose"], &["--quiet"], &["--color", "always"]]
        {
            let ran = program.run(&[command, more].concat());
            assert!((0..10).contains(&ran.code), "{command:?}: {}", ran.code);
        }
    }
    program.run_with_input(&["auth", "login", "--with-token", "--verbose"], KEY.as_bytes()).ends(3);
    assert!(server.seen().iter().all(|request| request.head.contains(KEY)), "a key that is not sent cannot leak");
    for file in ["events.ndjson.cometly-journal", "events.ndjson.cometly-refused"] {
        assert!(!fs::read_to_string(program.path(file)).unwrap_or_default().contains(KEY), "{file}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_process_of_ours_has_the_key_on_its_command_line() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let slow = Server::start(|_, _| {
        thread::sleep(Duration::from_millis(300));
        json(202, r#"{"data":[],"next_cursor":null,"status":202}"#)
    });
    let program = Program::new(&slow.base_url, KEY);
    program.write("events.ndjson", EVENT);
    for command in [
        &["auth", "status"][..],
        &["request", "GET", "x", "--paginate"],
        &["events", "track", "--input", "events.ndjson"],
    ] {
        let child = program.command(command).spawn().unwrap();
        thread::sleep(Duration::from_millis(150));
        let line = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
        assert!(line.contains("cometly") && !line.contains(KEY), "{line}");
        let threads = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        let names = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default());
        assert!(names.collect::<Vec<_>>().concat().find(KEY).is_none());
        program.finish(child).ends(0);
    }
    let child = program.command(&["emulator"]).spawn().unwrap();
    thread::sleep(Duration::from_millis(150));
    assert!(!fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap().contains('|'));
    signal(&child, "TERM");
    program.finish(child).ends(0);
    drop(emulator);
}

/// What people copy from our pages must not teach them to put a key there.
#[test]
fn no_documented_command_has_a_key_in_it() {
    let program = Program::alone();
    let pages = ["README.md", "../../docs/keys.md"];
    let mut pages = pages.map(|page| (page.to_owned(), fs::read_to_string(page).unwrap())).to_vec();
    for command in [
        &["--help"][..],
        &["auth", "login", "--help"],
        &["request", "--help"],
        &["events", "track", "--help"],
        &["man"],
    ] {
        pages.push((command.join(" "), program.run(command).ends(0).stdout));
    }
    for (page, text) in pages {
        for line in text.lines().filter(|line| line.contains("cometly ")) {
            // It says where a key is.
            let line = line.replace("--key-from ", "");
            for option in ["--key", "--token", "--api-key", "COMETLY_API_KEY=", "Bearer "] {
                assert!(!line.contains(option), "{page}: {line}");
            }
        }
    }
}
