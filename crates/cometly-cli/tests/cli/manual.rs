//! `completions`, `man`, `--version`: what other programs read of this one. And the command lines on the pages.

use std::{fs, process::Command};

use cometly_emulator::Emulator;

use crate::program::Program;

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full).without_key();
    let login = ["auth", "login", "--with-token", "--profile", "profile-of-mine"];
    program.run_with_input(&login, emulator.keys().full.as_bytes()).ends(0);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = program.run(&["completions", shell]).ends(0).stdout;
        assert!(script.contains("paginate") && script.contains("with-token"), "{shell}");
        // What the generators complete: fish's no arguments without a name, those of PowerShell and Elvish no values.
        let values: &[&str] = match shell {
            "bash" | "zsh" => &["PATCH", "contacts/exports", "profile-of-mine"],
            "fish" => &["profile-of-mine"],
            _ => &[],
        };
        for value in values {
            assert!(script.contains(value), "{value} for {shell}");
        }
        program.write(shell, script);
    }
    let checked = Command::new("bash").arg("-n").arg(program.path("bash")).status().unwrap();
    assert!(checked.success());
    program.run(&["completions", "cmd"]).ends(2);
    // As the shell would complete: bash's own words of the script, run by bash.
    let complete = |words: &str, number: usize| {
        let script = format!(
            "source ./bash; COMP_WORDS=(cometly {words} ''); COMP_CWORD={number}; _cometly cometly '' {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.split(' ').next_back().unwrap()
        );
        let run = Command::new("bash").args(["-c", &script]).current_dir(program.folder.path()).output().unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    assert!(complete("request", 2).contains("PATCH\n"));
    assert!(complete("request GET", 3).contains("contacts/exports"));
    assert!(complete("auth switch", 3).contains("profile-of-mine"));
    assert!(complete("auth list --profile", 4).contains("profile-of-mine"));
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let program = Program::alone();
    let page = program.run(&["man"]).ends(0).stdout;
    assert!(page.contains(".TH cometly 1") && page.contains("COMETLY_API_KEY"));
    program.run(&["man", "--dir", "pages"]).ends(0);
    for name in ["cometly.1", "cometly-auth-login.1", "cometly-events-track.1", "cometly-request.1"] {
        assert!(fs::metadata(program.path("pages").join(name)).unwrap().len() > 100, "{name}");
    }
}

#[test]
fn what_cannot_be_printed_is_a_failure() {
    let program = Program::alone();
    for arguments in [&["--help"][..], &["request", "--help"], &["--version"], &["completions", "bash"], &["man"]] {
        let mut command = program.command(arguments);
        let ran = program.finish(command.stdout(fs::File::create("/dev/full").unwrap()).spawn().unwrap());
        ran.ends(1).says("cannot write to stdout: No space left");
    }
}

#[test]
fn the_version_is_the_crates() {
    let version = format!("cometly {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Program::alone().run(&["--version"]).ends(0).stdout, version);
}

/// The words of a command line up to a comment, a pipe or a redirection; quotes keep a word together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote, mut is_between) = (Vec::<String>::new(), None, true);
    for char in line.chars() {
        match (quote, char) {
            (None, '#' | '>' | '|') if is_between => break,
            (None, char) if char.is_whitespace() => is_between = true,
            (Some(open), char) if open == char => quote = None,
            (quoted, char) => {
                if std::mem::take(&mut is_between) {
                    words.push(String::new());
                }
                match (quoted, char) {
                    (None, '\'' | '"') => quote = Some(char),
                    _ => words.last_mut().unwrap().push(char),
                }
            }
        }
    }
    words
}

#[test]
fn every_command_line_on_a_page_is_accepted() {
    let program = Program::alone();
    for page in ["README.md", "../../README.md", "../../docs/fleet.md", "../../docs/keys.md"] {
        let text = fs::read_to_string(page).unwrap();
        let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        let lines: Vec<_> = blocks.flat_map(str::lines).filter_map(|line| line.split_once("cometly ")).collect();
        assert!(!lines.is_empty(), "{page}");
        for (before, line) in lines {
            // Behind a pipe, or on a line of its own; `cargo install cometly …` is no line of ours.
            if !before.trim().is_empty() && !before.ends_with("| ") {
                continue;
            }
            let words = words(line);
            // All of the line is read before the help is shown, and a wrong word is an error.
            let arguments: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
            let ran = program.run(&arguments);
            assert!(ran.stderr.is_empty() && ran.stdout.contains("Usage:"), "{page}: {line}: {}", ran.stderr);
        }
    }
}
