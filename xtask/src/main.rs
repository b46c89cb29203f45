//! The project's own commands, as `cargo xtask COMMAND`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use cometly_conformance::BoxError;

mod api;
mod bench;
mod breaks;
mod budget;
mod ci;
mod copy;
mod cost;
mod demo;
mod docs;
mod fuzz;
mod libraries;
mod minimal;
mod mutants;
mod page;
mod panics;
mod proof;
mod publish;
mod samples;
mod semver;
mod simulate;
mod soak;
mod sources;
mod steps;
mod tool;

type Result<T> = std::result::Result<T, BoxError>;

/// What a command comes to: whether all is well, or why it could not be found out.
type Outcome = Result<bool>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nowhere to say that standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

/// One command, what it does in a line, and what runs it.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(lexopt::Parser) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "demo",
        about: "the calls of Cometly's authentication page on the built-in emulator, over every HTTP stack",
        run: demo::run,
    },
    Command { name: "ci", about: "everything that CI runs; with --skip-tests, all but the tests", run: ci::run },
    Command {
        name: "proof",
        about: "what the README promises, by command: the quick half; with --full, all of it",
        run: proof::run,
    },
    Command {
        name: "api",
        about: "the public API is the one written down, and names few foreign types",
        run: api::run,
    },
    Command { name: "docs", about: "the documentation as docs.rs builds it", run: docs::run },
    Command { name: "semver", about: "what would break a program that uses the last release", run: semver::run },
    Command {
        name: "publish",
        about: "a rehearsal of publishing, by a cargo that remembers no other",
        run: publish::run,
    },
    Command {
        name: "minimal",
        about: "the libraries with the oldest versions that their manifests admit",
        run: minimal::run,
    },
    Command { name: "simulate", about: "our retries and pacing against others', in virtual time", run: simulate::run },
    Command {
        name: "samples",
        about: "the four programs of Cometly's authentication page, beside our own calls",
        run: samples::run,
    },
    Command { name: "fuzz", about: "so many runs of each fuzz target, and what they saw", run: fuzz::run },
    Command { name: "panics", about: "where the compiled core could panic: nowhere", run: panics::run },
    Command { name: "budget", about: "how many crates the core brings, and that none does IO", run: budget::run },
    Command {
        name: "bench",
        about: "what a call costs, in instructions and allocations, beside others",
        run: bench::run,
    },
    Command { name: "cost", about: "what it costs to have us: crates, time to build, size", run: cost::run },
    Command { name: "soak", about: "every flavour for minutes under seeded faults, and what grows", run: soak::run },
    Command { name: "breaks", about: "each guard taken out in turn, and the test that notices", run: breaks::run },
    Command {
        name: "mutants",
        about: "any fault put into the code, one at a time, and whether a test notices",
        run: mutants::run,
    },
];

fn run() -> Outcome {
    let mut arguments = lexopt::Parser::from_env();
    match arguments.next()? {
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => say(&help()),
        Some(lexopt::Arg::Value(name)) => match COMMANDS.iter().find(|command| name == command.name) {
            Some(command) => (command.run)(arguments),
            None => Err(format!("no such command: {}\n\n{}", name.display(), help()).into()),
        },
        Some(other) => Err(format!("{}\n\n{}", other.unexpected(), help()).into()),
        None => Err(help().into()),
    }
}

fn help() -> String {
    let lines = COMMANDS.iter().map(|command| format!("cargo xtask {:<10} {}", command.name, command.about));
    let commands = lines.collect::<Vec<_>>().join("\n");
    format!("The project's own commands.\n\n{commands}\n\nEach says more with --help.\n")
}

/// Whether a command that takes nothing else was asked what it does.
fn asks_for_help(mut arguments: lexopt::Parser) -> Result<bool> {
    match arguments.next()? {
        None => Ok(false),
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => Ok(true),
        Some(other) => Err(other.unexpected().into()),
    }
}

/// Prints, and is content.
fn say(text: &str) -> Outcome {
    io::stdout().write_all(text.as_bytes())?;
    Ok(true)
}
