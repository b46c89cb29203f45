//! The suite, on the six clients that this project ships.

use std::{io, process::ExitCode};

fn main() -> io::Result<ExitCode> {
    cometly_conformance::run(cometly_conformance::adapters::all())
}
