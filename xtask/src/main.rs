//! The project's own commands, as `cargo xtask COMMAND`.

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

mod breaks;
mod budget;
mod ci;
mod demo;
mod samples;
mod simulate;

const HELP: &str = "\
The project's own commands.

cargo xtask demo      the calls of Cometly's authentication page on the built-in emulator, over every HTTP stack
cargo xtask ci        everything that CI runs; with --skip-tests, all but the tests
cargo xtask simulate  our retries and pacing against others', in virtual time
cargo xtask samples   the four programs of Cometly's authentication page, beside our own calls
cargo xtask breaks    each guard taken out in turn, and the test that notices

Each says more with --help.
";

/// What a command comes to: whether all is well, or why it could not be found out.
type Outcome = Result<bool, Box<dyn Error + Send + Sync>>;

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

fn run() -> Outcome {
    let mut arguments = lexopt::Parser::from_env();
    match arguments.next()? {
        Some(lexopt::Arg::Value(command)) if command == "demo" => demo::run(arguments),
        Some(lexopt::Arg::Value(command)) if command == "ci" => ci::run(arguments),
        Some(lexopt::Arg::Value(command)) if command == "simulate" => simulate::run(arguments),
        Some(lexopt::Arg::Value(command)) if command == "samples" => samples::run(arguments),
        Some(lexopt::Arg::Value(command)) if command == "breaks" => breaks::run(arguments),
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => say(HELP),
        Some(other) => Err(format!("{}\n\n{HELP}", other.unexpected()).into()),
        None => Err(HELP.into()),
    }
}

/// Prints, and is content.
fn say(text: &str) -> Outcome {
    io::stdout().write_all(text.as_bytes())?;
    Ok(true)
}
