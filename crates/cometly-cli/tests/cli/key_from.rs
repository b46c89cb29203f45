//! `--key-from`, and `auth rotate`: a key that is kept elsewhere, and a new one in its place.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    thread,
    time::{Duration, Instant},
};

use cometly_emulator::{Ability, Emulator};

use crate::program::{Program, mode, signal};

const ROTATE: [&str; 3] = ["auth", "rotate", "--with-token"];

fn with_file(emulator: &Emulator) -> Program {
    let program = Program::new(emulator.base_url(), &emulator.keys().full).without_key();
    let path = program.write("key", format!("{}\n", emulator.keys().full));
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    program
}

fn another_key(emulator: &Emulator) -> String {
    emulator.issue_key(emulator.space(), &[Ability::CompaniesRead])
}

#[test]
fn a_key_comes_from_a_file_or_a_command_and_status_names_it() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = with_file(&emulator);
    let ending = &emulator.keys().full[emulator.keys().full.len() - 4..];
    for (reference, shown) in [("file:key", "file:key"), ("cmd:cat key", "cmd:cat …")] {
        let status = program.run(&["auth", "status", "--json", "--key-from", reference]).ends(0).json();
        let expected = serde_json::json!({"source": "reference", "reference": shown, "key": "accepted"});
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&status[name], value, "{status}");
        }
        assert_eq!(status["key_ending"], *ending);
        program.run(&["request", "GET", "companies", "--key-from", reference]).ends(0);
    }
    // As `auth login --with-token` takes it.
    let marked = program.write("marked", format!("\u{feff}{}\r\n", emulator.keys().full));
    fs::set_permissions(marked, fs::Permissions::from_mode(0o600)).unwrap();
    for reference in ["file:marked", "cmd:cat marked"] {
        program.run(&["auth", "status", "--key-from", reference]).ends(0);
    }
    let first = ["auth", "status", "--key-from", "env:NOT_SET", "--key-from", "file:key"];
    let told = program.run(&first).ends(0).stdout;
    assert!(told.contains("Key:     from --key-from: file:key, ends in"), "{told}");
    assert!(told.contains("Not:     env:NOT_SET: the environment variable is not set"), "{told}");
}

#[test]
fn a_reference_without_a_key_is_told_by_kind_and_a_key_is_no_reference() {
    let program = Program::alone();
    program.write("open", "12|other-canary");
    for (reference, code, words) in [
        ("12|other-canary", 2, "env:NAME"),
        ("env:12|other-canary", 2, "name of an environment variable"),
        ("env:NOT_SET", 3, "not set"),
        ("file:.", 3, "not a regular file"),
        ("file:open", 3, "chmod 600"),
        ("cmd:sh -c 'echo other-canary >&2; exit 7'", 3, "exit code 7"),
        ("cmd:printf {other-canary}", 3, "JSON"),
        ("cmd:echo 12|other-canary | head -1", 2, "cmd:sh -c 'PROGRAM | PROGRAM'"),
        ("file:12|other-canary", 2, "looks like a key"),
        ("cmd:12|other-canary", 2, "looks like a key"),
        ("cmd:othercanary0123456789ABCDEFGHIJKLMNOP", 2, "looks like a key"),
    ] {
        let ran = program.run(&["request", "GET", "companies", "--key-from", reference]).ends(code).says(words);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
    program.run(&["auth", "status", "--key-from", "env:A", "--profile", "a"]).ends(2).says("one of them");
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_the_program_that_is_asked_for_a_key() {
    let program = Program::alone();
    // The second process is one that the first started.
    program.write("helper", "sleep 60 & echo $$ $! > pids.new; mv pids.new pids; wait");
    for (name, command) in
        [("INT", &["request", "GET", "companies"][..]), ("TERM", &["auth", "login"]), ("HUP", &["companies", "list"])]
    {
        let child = program.command(&[command, &["--key-from", "cmd:sh helper"]].concat()).spawn().unwrap();
        until("the program runs", || program.path("pids").exists());
        signal(&child, name);
        program.finish(child).ends(130);
        for pid in program.read("pids").split_whitespace() {
            until("it has ended", || {
                let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                state.is_empty() || state.contains(") Z")
            });
        }
        fs::remove_file(program.path("pids")).unwrap();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(5), "not within 5 s: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_profile_can_hold_a_reference_instead_of_a_key() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = with_file(&emulator);
    let reference = format!("cmd:cat '{}'", program.path("key").display());
    program.run(&["auth", "login", "--key-from", &reference]).ends(0).says("stays where it is");
    assert!(!program.read("config/cometly/credentials.json").contains(&emulator.keys().full));
    let listed = program.run(&["auth", "list"]).ends(0).stdout;
    assert!(listed.contains("key from cmd:cat …"), "{listed}");
    let status = program.run(&["auth", "status", "--json"]).ends(0).json();
    assert_eq!((&status["source"], &status["reference"]), (&"file".into(), &"cmd:cat …".into()));
    let ran = program.run_with_input(&ROTATE, another_key(&emulator).as_bytes());
    ran.ends(2).says("only its owner can change");
}

#[test]
fn a_stored_key_is_rotated_once_the_server_has_taken_the_new_one() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full).without_key();
    program.run_with_input(&["auth", "login", "--with-token"], emulator.keys().full.as_bytes()).ends(0);
    let stored = || program.read("config/cometly/credentials.json");
    let before = stored();
    for (key, code, words) in [
        ("9|refused-refused-refused", 3, "The key in use stays"),
        (&emulator.keys().no_permission, 4, "The key in use stays"),
        (&emulator.keys().full, 2, "in use already"),
        ("", 2, "empty"),
    ] {
        program.run_with_input(&ROTATE, key.as_bytes()).ends(code).says(words);
        assert_eq!(stored(), before);
    }
    let key = another_key(&emulator);
    let ran = program.run_with_input(&["auth", "rotate", "--with-token", "--json"], key.as_bytes()).ends(0);
    let told = ran.json();
    assert_eq!(told["delete_old_key_after_seconds"], 120);
    assert_eq!(told["key_ending"], key[key.len() - 4..]);
    assert!(ran.stderr.contains("Delete it at https://app.cometly.com/integrations in two minutes"), "{}", ran.stderr);
    assert!(!ran.stderr.contains(&key) && stored().contains(&key) && !stored().contains(&emulator.keys().full));
    emulator.revoke_key(&emulator.keys().full);
    program.run(&["auth", "status"]).ends(0);
}

#[test]
fn a_keys_file_is_rotated_behind_its_symlink_and_stays_as_private_as_it_was() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = with_file(&emulator);
    fs::set_permissions(program.path("key"), fs::Permissions::from_mode(0o400)).unwrap();
    symlink("key", program.path("link")).unwrap();
    let key = another_key(&emulator);
    program.run_with_input(&["auth", "rotate", "--with-token", "--key-from", "file:link"], key.as_bytes()).ends(0);
    assert_eq!(program.read("key"), format!("{key}\n"));
    assert_eq!(mode(&program.path("key")), 0o400);
    assert!(program.path("link").symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_dir(program.folder.path()).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn a_key_of_the_environment_is_not_ours_to_rotate() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    let ran = program.run_with_input(&ROTATE, another_key(&emulator).as_bytes());
    ran.ends(2).says("COMETLY_API_KEY");
    assert_eq!(emulator.request_count(), 0);
}
