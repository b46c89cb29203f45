//! `auth login`, `status`, `logout`: where the key is kept, and who gets to see it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use cometly_emulator::Emulator;

use crate::{
    program::{KEY, Program, mode},
    script::{Server, json},
};

fn fresh(emulator: &Emulator) -> Program {
    Program::new(emulator.base_url(), &emulator.keys().full).without_key()
}

fn logged_in(emulator: &Emulator) -> Program {
    let program = fresh(emulator);
    let key = format!("{}\n", emulator.keys().full);
    program.run_with_input(&["auth", "login", "--with-token"], key.as_bytes()).ends(0).says("for you alone");
    program
}

#[test]
fn a_key_is_checked_then_kept_for_its_owner_alone_then_used_then_forgotten() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    assert_eq!(emulator.request_count(), 1);
    assert_eq!(emulator.received_requests()[0].query.as_deref(), Some("per_page=1"));
    assert_eq!((mode(&program.credentials()), mode(program.credentials().parent().unwrap())), (0o600, 0o700));

    let status = program.run(&["auth", "status", "--json"]).ends(0).json();
    let ending = &emulator.keys().full[emulator.keys().full.len() - 4..];
    assert_eq!(
        (&status["source"], &status["key"], &status["key_ending"]),
        (&"file".into(), &"accepted".into(), &ending.into())
    );

    program.run(&["auth", "logout"]).ends(0).says("forgotten");
    program.run(&["auth", "logout"]).ends(0).says("no stored key");
    program.run(&["request", "GET", "companies"]).ends(3).says("auth login");
}

#[test]
fn a_key_that_the_server_refuses_or_does_not_speak_of_is_not_kept() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), "9|refused-refused-refused").without_key();
    let login = ["auth", "login", "--with-token"];
    program.run_with_input(&login, b"9|refused-refused-refused").ends(3).says("not stored");
    let busy = Server::start(|_, _| json(500, r#"{"message":"Server Error"}"#));
    let elsewhere = Program::new(&busy.base_url, "9|key-key-key-key-key").without_key();
    elsewhere.run_with_input(&login, b"9|key-key-key-key-key").ends(7).says("not stored");
    assert!(!program.credentials().exists() && !elsewhere.credentials().exists());
    for (input, words) in
        [(&b""[..], "empty"), (b"1|a b", "white space"), (b"1|a\n2|b", "line break"), (b"\xff", "stdin")]
    {
        let ran = program.run_with_input(&login, input).says(words);
        assert!([1, 2].contains(&ran.code));
    }
}

#[test]
fn a_key_without_permission_is_a_right_key() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let key = emulator.keys().no_permission.clone();
    let program = Program::new(emulator.base_url(), &key).without_key();
    program.run_with_input(&["auth", "login", "--with-token"], key.as_bytes()).ends(0).says("no permission");
    program.run(&["auth", "status"]).ends(4);
}

#[test]
fn a_file_that_others_can_read_is_not_used() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    for open in [0o644, 0o640, 0o604] {
        fs::set_permissions(program.credentials(), fs::Permissions::from_mode(open)).unwrap();
        program.run(&["auth", "status"]).ends(1).says("chmod 600");
    }
    fs::set_permissions(program.credentials(), fs::Permissions::from_mode(0o600)).unwrap();
    program.run(&["auth", "status"]).ends(0);
}

#[test]
fn half_a_file_is_an_error_that_shows_nothing_of_it() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = logged_in(&emulator);
    let whole = fs::read(program.credentials()).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 1] {
        fs::write(program.credentials(), &whole[..length]).unwrap();
        program.run(&["auth", "status"]).ends(1).says("cometly auth login");
    }
    fs::remove_file(program.credentials()).unwrap();
    fs::create_dir(program.credentials()).unwrap();
    program.run(&["auth", "status"]).ends(1);
}

#[test]
fn the_environment_wins_and_takes_no_stored_key_elsewhere() {
    let (first, second) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    let program = logged_in(&first);
    let elsewhere = |arguments: &[&str], key: Option<&str>| {
        let mut command = program.command(arguments);
        command.env("COMETLY_BASE_URL", second.base_url()).envs(key.map(|key| ("COMETLY_API_KEY", key)));
        program.finish(command.spawn().unwrap())
    };
    elsewhere(&["auth", "status"], None).ends(2).says("not sent elsewhere");
    assert_eq!(second.request_count(), 0);
    let status = elsewhere(&["auth", "status", "--json"], Some(&second.keys().full)).ends(0).json();
    assert_eq!(status["source"], "environment");
    let mut stored = program.command(&["auth", "status"]);
    stored.env_remove("COMETLY_BASE_URL");
    program.finish(stored.spawn().unwrap()).ends(0);
}

#[test]
fn a_key_on_the_command_line_is_refused_and_not_repeated() {
    let emulator = Emulator::start().unwrap();
    let program = fresh(&emulator);
    for arguments in [
        &["auth", "login", "--key", "7|canary"][..],
        &["auth", "login", "7|canary"],
        &["auth", "login", "--token=7|canary"],
        &["request", "GET", "companies", "--api-key", "7|canary"],
        &["--json", "--key=7|canary", "auth", "status"],
        &["7|canary"],
        &["auth", "7|canary"],
        &["auth", "status", "7|canary"],
        &["request", "GET", "companies", "--transport", "7|canary"],
    ] {
        let ran = program.run(arguments).ends(2);
        assert!(!ran.stderr.contains("canary") && ran.stdout.is_empty(), "{}", ran.stderr);
    }
    assert_eq!(emulator.request_count(), 0);
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let emulator = Emulator::start().unwrap();
    fresh(&emulator).run(&["auth", "login"]).ends(2).says("--with-token");
}

#[test]
fn status_tells_the_source_even_if_nobody_answers() {
    let program = Program::new("http://127.0.0.1:1/", KEY);
    let ran = program.run(&["auth", "status"]).ends(8);
    assert!(ran.stdout.contains("from the environment") && ran.stdout.contains("refused"), "{}", ran.stdout);
    let json = program.run(&["auth", "status", "--json"]).ends(8).json();
    assert_eq!(json["key"], "unknown");
}
