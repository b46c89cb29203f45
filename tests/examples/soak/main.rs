//! `cargo xtask soak`: every flavour for minutes under seeded faults, every outcome and every arrival accounted for.
//!
//! Each flavour is a process of this program, with servers in another one. What both say at their end is judged here.
#![forbid(unsafe_code)]

mod client;
mod gauge;
mod pairs;
mod plan;
mod report;
mod server;

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use cometly_conformance::BoxError;

type Result<T> = std::result::Result<T, BoxError>;

/// The most of a body that the client takes, in bytes.
const MAX_BODY: usize = 64 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server"] => server::run().map(|()| true),
        ["client", flavour, seconds, seed] => client(flavour, seconds, seed).map(|()| true),
        _ => pairs::run(),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nowhere to say that standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn client(flavour: &str, seconds: &str, seed: &str) -> Result<()> {
    client::run(flavour, Duration::from_secs(seconds.parse()?), seed.parse()?)
}
