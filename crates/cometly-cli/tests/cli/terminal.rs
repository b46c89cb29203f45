//! On a terminal: the prompt shows nothing of the key, and a long wait is counted down.

use std::process::Command;

use cometly_emulator::Emulator;
use rexpect::session::{PtySession, spawn_command};

use crate::{
    program::{KEY, Program, mode},
    script::{Server, answer, json},
};

/// The same program, with a terminal in place of the pipes.
fn on_terminal(program: &Program, arguments: &[&str]) -> PtySession {
    let piped = program.command(arguments);
    // As a person's terminal, it shows what is typed unless it is told not to; this library's does not.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "stty echo; echo ready; exec \"$0\" \"$@\""]).arg(piped.get_program()).args(piped.get_args());
    command.current_dir(program.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    command.envs(piped.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut terminal = spawn_command(command, Some(20_000)).unwrap();
    terminal.exp_string("ready\r\n").unwrap();
    terminal
}

#[test]
fn the_prompt_shows_nothing_of_the_key() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let key = &emulator.keys().full;
    let program = Program::new(emulator.base_url(), key).without_key();
    let mut terminal = on_terminal(&program, &["auth", "login"]);
    terminal.exp_string("API key (not shown): ").unwrap();
    terminal.send_line(key).unwrap();
    let shown = terminal.exp_eof().unwrap();
    assert!(shown.contains("for you alone to read") && !shown.contains(key), "{shown}");
    assert_eq!(mode(&program.credentials()), 0o600);

    // Had the prompt not hidden it, it would have been seen.
    let mut terminal = on_terminal(&program, &["auth", "login", "--with-token"]);
    terminal.send_line(key).unwrap();
    terminal.send_control('d').unwrap();
    assert!(terminal.exp_eof().unwrap().contains(key));
}

#[test]
fn a_wait_is_counted_down_and_the_items_stay_whole_lines() {
    let server = Server::start(|number, _| match number {
        0 => json(200, r#"{"data":[1,2],"next_cursor":"a"}"#),
        1 => answer(429, "Retry-After: 2\r\n", r#"{"message":"Too Many Attempts."}"#),
        _ => json(200, r#"{"data":[3],"next_cursor":null}"#),
    });
    let program = Program::new(&server.base_url, KEY);
    let mut terminal = on_terminal(&program, &["request", "GET", "x", "--paginate"]);
    terminal.exp_string("2 items, 1 pages, ").unwrap();
    terminal.exp_string("2 s to wait: the rate limit is used up").unwrap();
    terminal.exp_string("1 s to wait").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("3\r\n"), "{rest:?}");
}

#[test]
fn without_a_terminal_or_with_quiet_there_is_no_progress() {
    let server = Server::start(|_, _| json(200, r#"{"data":[1],"next_cursor":null}"#));
    let program = Program::new(&server.base_url, KEY);
    assert_eq!(program.run(&["request", "GET", "x", "--paginate"]).ends(0).stderr, "");
    let shown = on_terminal(&program, &["request", "GET", "x", "--paginate", "--quiet"]).exp_eof().unwrap();
    assert_eq!(shown, "1\r\n");
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let program = Program::new("http://127.0.0.1:1/", KEY);
    let coloured = |environment: Option<&str>, arguments: &[&str]| {
        let piped = program.command(arguments);
        let mut command = Command::new(piped.get_program());
        command.args(piped.get_args()).env_clear().env("TERM", "xterm").env("HOME", program.folder.path());
        command.envs(environment.map(|name| (name, "1")));
        spawn_command(command, Some(20_000)).unwrap().exp_eof().unwrap().contains("\u{1b}[")
    };
    let request = ["request", "GET", "x"];
    assert!(coloured(None, &request));
    assert!(!coloured(Some("NO_COLOR"), &request));
    assert!(!coloured(None, &[&request[..], &["--color", "never"]].concat()));
    assert!(!program.run(&request).ends(8).stderr.contains('\u{1b}'));
}
