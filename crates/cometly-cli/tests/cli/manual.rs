//! `completions`, `man`, `--version`: what other programs read of this one.

use std::{fs, process::Command};

use crate::program::Program;

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    let program = Program::alone();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = program.run(&["completions", shell]).ends(0).stdout;
        assert!(script.contains("paginate") && script.contains("with-token"), "{shell}");
        program.write(shell, script);
    }
    let checked = Command::new("bash").arg("-n").arg(program.path("bash")).status().unwrap();
    assert!(checked.success());
    program.run(&["completions", "cmd"]).ends(2);
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
