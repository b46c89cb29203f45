//! The `cometly` command: checks a key, makes any call of the API, lists and exports, tracks events so that none is lost or
//! doubled, and runs an emulator.
//!
//! | to see | read |
//! | --- | --- |
//! | what can be asked for, and how a command ends | `arguments`, `exit`, `failure` |
//! | where words and data go | `terminal` |
//! | whose key is used, and where it is kept | `auth` |
//! | one call | `request` |
//! | lists, and single contacts and companies | `lists` |
//! | exports, from their order to the file | `exports` |
//! | calls in a row, and Ctrl-C | `job` |
//! | the form of rows, and files that are whole or not there | `rows` |
//! | events from a file | `track` |
//! | a limit that many processes share | `fleet` |
//! | the HTTP client | `transport` |
#![forbid(unsafe_code)]

mod arguments;
mod auth;
mod documented;
mod dry_run;
mod emulator;
mod environment;
mod exit;
mod exports;
mod failure;
mod fleet;
mod input;
mod job;
mod lists;
mod manual;
mod pair;
mod request;
mod rows;
mod terminal;
mod track;
mod transport;

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use anstream::ColorChoice;
use clap::{CommandFactory as _, FromArgMatches as _, error::ErrorKind};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::{
    arguments::{Arguments, Color, Command, CompaniesCommand, ContactsCommand, EventsCommand, Global},
    exit::Exit,
    failure::Failure,
    terminal::{
        argv,
        console::Console,
        progress::Progress,
        telemetry::{CallName, Listener, Step},
        trace::Trace,
    },
};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    ExitCode::from(run(&arguments).code())
}

fn run(arguments: &[OsString]) -> Exit {
    if let Err(failure) = argv::refuse_keys(arguments) {
        let json = arguments.iter().any(|argument| argument == "--json");
        let progress = Progress::new(true, json, false);
        return Console { json, quiet: false, progress, trace: None }.fail(&failure);
    }
    let parsed = Arguments::command().try_get_matches_from(arguments);
    match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Err(error) => misunderstood(&error, arguments),
        Ok(Arguments { global, command }) => {
            let mut console = console(&global);
            let trace = global.trace.as_deref().map(Trace::create).transpose();
            let ended = trace.and_then(|trace| {
                console.trace = trace;
                listen(&console);
                dispatch(command, &global, &console)
            });
            let exit = ended.unwrap_or_else(|failure| console.fail(&failure));
            match console.trace.as_ref().map_or(Ok(false), Trace::finish) {
                Err(failure) if exit == Exit::Ok => console.fail(&failure),
                // With JSON, stderr has the error alone.
                Ok(true) if !console.json => {
                    console.note("No call was made, so there is no trace file.");
                    exit
                }
                _ => exit,
            }
        }
    }
}

fn dispatch(command: Command, global: &Global, console: &Console) -> Result<Exit, Failure> {
    match command {
        Command::Auth { command } => auth::run(command, global, console),
        Command::Request(arguments) => request::run(&arguments, global, console),
        Command::Events { command } => match command {
            EventsCommand::List(arguments) => lists::events(&arguments, global, console),
            EventsCommand::Export(arguments) => exports::events(&arguments, global, console),
            EventsCommand::Track(arguments) => track::run(&arguments, global, console),
        },
        Command::Contacts { command } => match command {
            ContactsCommand::List(arguments) => lists::contacts(&arguments, global, console),
            ContactsCommand::Get(arguments) => lists::get_contact(&arguments, global, console),
            ContactsCommand::Create(arguments) => lists::create_contact(&arguments, global, console),
            ContactsCommand::Update(arguments) => lists::update_contact(&arguments, global, console),
            ContactsCommand::Export(arguments) => exports::contacts(&arguments, global, console),
        },
        Command::Companies { command } => match command {
            CompaniesCommand::List(arguments) => lists::companies(&arguments, global, console),
            CompaniesCommand::Get(arguments) => lists::get_company(&arguments, global, console),
            CompaniesCommand::Update(arguments) => lists::update_company(&arguments, global, console),
            CompaniesCommand::Export(arguments) => exports::companies(&arguments, global, console),
        },
        Command::Fleet { command } => fleet::run(&command, global, console),
        Command::Emulator(arguments) => emulator::run(arguments, console),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { dir } => manual::pages(dir.as_deref()),
    }
}

/// Help, the version, or what the parser did not understand: it quotes the command line, where a key may stand.
fn misunderstood(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            let progress = Progress::new(true, false, false);
            let console = Console { json: false, quiet: false, progress, trace: None };
            printed.map_or_else(|error| console.fail(&Failure::stdout(&error)), |()| Exit::Ok)
        }
        _ => {
            let plain = error.render().to_string();
            let masked = argv::mask(&plain, arguments);
            if arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json") {
                let what = masked.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ").trim();
                let console =
                    Console { json: true, quiet: false, progress: Progress::new(true, true, false), trace: None };
                return console.fail(&Failure::usage(what));
            }
            let _ = if masked == plain { error.print() } else { io::stderr().write_all(masked.as_bytes()) };
            Exit::Usage
        }
    }
}

fn console(global: &Global) -> Console {
    match global.color {
        Color::Auto => {}
        Color::Always => ColorChoice::Always.write_global(),
        Color::Never => ColorChoice::Never.write_global(),
    }
    let progress = Progress::new(global.quiet, global.json, global.verbose);
    Console { json: global.json, quiet: global.quiet, progress, trace: None }
}

/// Tells the person, and the trace, what the clients do.
fn listen(console: &Console) {
    let (progress, trace) = (console.progress.clone(), console.trace.clone());
    let listener = Listener(move |call: &CallName, step: &Step| {
        progress.step_of(call, step);
        if let Some(trace) = &trace {
            trace.step(call, step);
        }
    });
    // It is set once; were it not, the waits would not be told.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(listener));
}
