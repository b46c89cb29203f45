//! On a terminal: the prompt shows nothing of the key, and a long wait is counted down.

use std::{process::Command, time::Duration};

use cometly_emulator::{Emulator, Fault};
use rexpect::session::{PtySession, spawn_command};

use crate::{
    program::{KEY, Program, mode},
    script::{Server, answer, json},
};

/// The same program, with a terminal in place of the pipes.
fn on_terminal(program: &Program, arguments: &[&str]) -> PtySession {
    let piped = program.command(arguments);
    // As a person's terminal, it echoes what is typed unless echo is off; this library's has echo off.
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

    // What is to be piped in is asked for in the same way.
    let mut terminal = on_terminal(&program, &["auth", "login", "--with-token"]);
    terminal.exp_string("API key (not shown): ").unwrap();
    terminal.send_line(key).unwrap();
    assert!(!terminal.exp_eof().unwrap().contains(key));

    // Had the prompt not hidden it, it would have been seen.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "stty echo; echo ready; exec cat >/dev/null"]);
    let mut terminal = spawn_command(command, Some(20_000)).unwrap();
    terminal.exp_string("ready\r\n").unwrap();
    terminal.send_line(key).unwrap();
    terminal.send_control('d').unwrap();
    assert!(terminal.exp_eof().unwrap().contains(key));
}

/// Runs the command under a shell that says how it ended and whether the terminal shows what is typed.
fn under_a_shell(program: &Program, arguments: &[&str]) -> PtySession {
    let piped = program.command(arguments);
    let mut command = Command::new("/bin/sh");
    let script = "stty echo; echo \"on $(tty)\"; echo \"shell $$\"; \"$0\" \"$@\"; echo \"ended $?\"; stty -a | grep -Eo -e '-?echo( |$)|(quit|susp) = [^;]*'";
    command.args(["-c", script]).arg(piped.get_program()).args(piped.get_args());
    command.current_dir(program.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
    command.envs(piped.get_envs().filter_map(|(name, value)| Some((name, value?))));
    spawn_command(command, Some(20_000)).unwrap()
}

// `docs/faults.md` 120.
#[test]
fn an_interrupted_prompt_leaves_the_terminal_as_it_was() {
    let program = Program::alone();
    let mut terminal = under_a_shell(&program, &["auth", "login"]);
    terminal.exp_string("API key (not shown): ").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("ended 130").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("echo") && !rest.contains("-echo"), "{rest:?}");

    // SIGTERM, from elsewhere.
    let mut terminal = under_a_shell(&program, &["auth", "login"]);
    let (_, shell) = terminal.exp_regex("shell [0-9]+").unwrap();
    let shell = shell.trim_start_matches("shell ");
    terminal.exp_string("API key (not shown): ").unwrap();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
    assert!(Command::new("sh").args(["-c", "kill -s TERM $0", children.trim()]).status().unwrap().success());
    terminal.exp_string("ended 130").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("echo") && !rest.contains("-echo"), "{rest:?}");
}

#[test]
fn a_prompt_is_not_ended_or_stopped_by_a_key_that_would_leave_the_echo_off() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full).without_key();
    let modes = |terminal: &mut PtySession| {
        let rest = terminal.exp_eof().unwrap();
        assert!(rest.contains("echo") && !rest.contains("-echo"), "{rest:?}");
        assert!(rest.contains("quit = ^\\") && rest.contains("susp = ^Z"), "{rest:?}");
    };
    // Ctrl-\ would end it, with a core dump in which the key is; Ctrl-Z would stop it. Ctrl-U takes both back.
    let mut terminal = under_a_shell(&program, &["auth", "login"]);
    let (_, name) = terminal.exp_regex("on /dev/[^\r]+").unwrap();
    terminal.exp_string("API key (not shown): ").unwrap();
    let now = Command::new("stty").args(["-a", "-F", name.trim_start_matches("on ")]).output().unwrap().stdout;
    let now = String::from_utf8(now).unwrap();
    assert!(now.contains("quit = <undef>") && now.contains("susp = <undef>"), "{now}");
    for control in ['\\', 'z', 'u'] {
        terminal.send_control(control).unwrap();
    }
    terminal.send_line(&emulator.keys().full).unwrap();
    terminal.exp_string("for you alone to read").unwrap();
    terminal.exp_string("ended 0").unwrap();
    modes(&mut terminal);

    let mut terminal = under_a_shell(&program, &["auth", "login"]);
    terminal.exp_string("API key (not shown): ").unwrap();
    terminal.send_control('c').unwrap();
    terminal.exp_string("ended 130").unwrap();
    modes(&mut terminal);
}

#[test]
fn the_password_of_a_proxy_is_asked_for_and_not_shown() {
    let proxy = Server::start(|_, _| answer(502, "", ""));
    let url = proxy.base_url.replace("//", "//ada@").replace("/public-api/v1", "");
    let program = Program::new("https://127.0.0.1:1/", KEY);
    let mut terminal = on_terminal(&program, &["request", "GET", "x", "--timeout", "3", "--proxy", &url]);
    terminal.exp_string("Password of ada at the proxy (not shown): ").unwrap();
    terminal.send_line("p@ss word").unwrap();
    let shown = terminal.exp_eof().unwrap();
    assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
    // ada:p@ss word
    let head = proxy.seen()[0].head.to_lowercase();
    assert!(head.contains("proxy-authorization: basic ywrhonbac3mgd29yza=="), "{head}");
}

#[test]
fn json_is_indented_and_coloured_for_a_person_and_as_it_came_for_a_program() {
    const BODY: &str = r#"{"data":[1.50,"a"],"next_cursor":null}"#;
    let server = Server::start(|_, _| json(200, BODY));
    let program = Program::new(&server.base_url, KEY);
    let get = ["request", "GET", "x"];
    for more in [&[][..], &["--color", "always"]] {
        assert_eq!(program.run(&[&get[..], more].concat()).ends(0).stdout, format!("{BODY}\n"));
    }
    let shown = on_terminal(&program, &[&get[..], &["--quiet"]].concat()).exp_eof().unwrap();
    assert!(shown.contains("\u{1b}[") && shown.contains("1.50"), "{shown:?}");
    let shown = on_terminal(&program, &[&get[..], &["--quiet", "--color", "never"]].concat()).exp_eof().unwrap();
    let lines = "{\r\n  \"data\": [\r\n    1.50,\r\n    \"a\"\r\n  ],\r\n  \"next_cursor\": null\r\n}\r\n";
    assert_eq!(shown, lines);
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
    terminal.exp_string("2 rows, ").unwrap();
    terminal.exp_string(" a second, 1 pages, ").unwrap();
    terminal.exp_string("2 s to wait: the rate limit is used up").unwrap();
    terminal.exp_string("1 s to wait").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(rest.contains("3\r\n"), "{rest:?}");
}

#[test]
fn an_export_shows_how_far_it_is_and_a_list_is_a_table() {
    let emulator = Emulator::builder().no_limits().seed(0).seeded_events(60_000).start().unwrap();
    emulator.inject(Fault::slow_download(Duration::from_millis(100)));
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    let mut terminal = on_terminal(&program, &["events", "export", "--on", "2026-01-02", "--output", "e.ndjson"]);
    for shown in ["is queued", "KiB/s, ", " to go, download", "2000 rows are in "] {
        terminal.exp_string(shown).unwrap();
    }
    terminal.exp_eof().unwrap();
    let mut terminal = on_terminal(&program, &["companies", "list", "--per-page", "5000", "--quiet"]);
    terminal.exp_string("id   domain               name\r\n1    company-1.example    Company 1\r\n").unwrap();
    terminal.exp_eof().unwrap();
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
