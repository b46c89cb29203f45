//! The project's own commands, as `cargo xtask COMMAND`.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

mod api;
mod bench;
mod breaks;
mod budget;
mod ci;
mod copy;
mod cost;
mod fuzz;
mod libraries;
mod minimal;
mod mutants;
mod page;
mod panics;
mod proof;
mod publish;
mod rows;
mod sources;
mod steps;
mod tool;
mod wasm;

use rows::Rows;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

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

/// One command, and what it does in a line.
struct Command {
    name: &'static str,
    about: &'static str,
    run: Run,
}

enum Run {
    Own(fn(lexopt::Parser) -> Outcome),
    /// Programs that cargo runs.
    Rows(&'static Rows),
}

const fn own(name: &'static str, about: &'static str, run: fn(lexopt::Parser) -> Outcome) -> Command {
    Command { name, about, run: Run::Own(run) }
}

const fn rows(name: &'static str, about: &'static str, rows: &'static Rows) -> Command {
    Command { name, about, run: Run::Rows(rows) }
}

const COMMANDS: &[Command] = &[
    rows(
        "demo",
        "the calls of Cometly's authentication page on the built-in emulator, over every HTTP stack",
        &rows::DEMO,
    ),
    own("ci", "everything that CI runs; with --skip-tests, all but the tests", ci::run),
    own("proof", "what the README promises, by command: the quick half; with --full, all of it", proof::run),
    own("api", "the public API is the one written down, and names few foreign types", api::run),
    rows("docs", "the documentation as docs.rs builds it", &rows::DOCS),
    rows("semver", "what would break a program that uses the last release", &rows::SEMVER),
    own("publish", "a rehearsal of publishing; nothing is sent", publish::run),
    own("minimal", "the libraries with the oldest versions that their manifests admit", minimal::run),
    own("wasm", "what needs no sockets, for WebAssembly", wasm::run),
    rows("simulate", "our retries and pacing against others', in virtual time", &rows::SIMULATE),
    rows("samples", "the four programs of Cometly's authentication page, beside our own calls", &rows::SAMPLES),
    own("fuzz", "runs of each fuzz target, and what they saw", fuzz::run),
    own("panics", "where the compiled core could panic: nowhere", panics::run),
    own("budget", "how many crates the core brings, and that none does IO", budget::run),
    own("bench", "what a call costs, in instructions and allocations, beside others", bench::run),
    own("cost", "what it costs to have us: crates, time to build, size", cost::run),
    rows("soak", "every flavour for minutes under seeded faults, and what grows", &rows::SOAK),
    own("breaks", "each guard taken out in turn, and the test that notices", breaks::run),
    own("mutants", "any fault put into the code, one at a time, and whether a test notices", mutants::run),
];

fn run() -> Outcome {
    let mut arguments = lexopt::Parser::from_env();
    match arguments.next()? {
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => say(&help()),
        Some(lexopt::Arg::Value(name)) => match COMMANDS.iter().find(|command| name == command.name) {
            Some(Command { run: Run::Own(run), .. }) => run(arguments),
            // All that follows the command's name.
            Some(Command { run: Run::Rows(rows), .. }) => rows.run(&env::args_os().skip(2).collect::<Vec<_>>()),
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

/// Prints; the command ends well.
fn say(text: &str) -> Outcome {
    io::stdout().write_all(text.as_bytes())?;
    Ok(true)
}
