//! `cargo xtask bench`: what our calls cost, beside the same written by hand and beside other crates' own.

mod clients;
mod job;
mod micro;
mod program;
mod report;
mod row;

use std::io::{self, Write as _};

use lexopt::{Arg, Parser};

use crate::{Outcome, page, say};

use program::Workspace;
use row::Row;

const USAGE: &str = "\
What a call costs, in instructions (by callgrind, the difference of two run lengths) and allocations.

Usage: cargo xtask bench [OPTIONS]

  --quick    without the other crates' builders, which take minutes to compile
  --json     one array for machines, a row for each job
  --write    puts the figures into docs/benchmarks.md, which says how to read them

Exits with 1 if a bound is broken, and says which. Needs valgrind.
";

pub(crate) fn run(mut arguments: Parser) -> Outcome {
    let (mut is_quick, mut is_json, mut writes) = (false, false, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("quick") => is_quick = true,
            Arg::Long("json") => is_json = true,
            Arg::Long("write") => writes = true,
            Arg::Short('h') | Arg::Long("help") => return say(USAGE),
            other => return Err(other.unexpected().into()),
        }
    }
    let valgrind = program::valgrind()?;
    let ours = Workspace::build("bench")?;
    let peers = if is_quick { None } else { Some(Workspace::build("peers")?) };

    tell("counting the core's calls");
    let mut rows = micro::rows(&ours, peers.as_ref())?;
    tell("counting calls over sockets");
    rows.extend(clients::rows(&ours)?);

    say(&if is_json { report::json(&rows) } else { report::table(&rows) })?;
    if writes {
        let workspaces: Vec<&Workspace> = [&ours].into_iter().chain(&peers).collect();
        page::put("docs/benchmarks.md", "bench", &report::markdown(&rows, &valgrind, &workspaces)?)?;
    }
    let broken: Vec<String> = rows.iter().filter_map(Row::breach).collect();
    if !broken.is_empty() {
        tell(&format!("broken:\n  {}", broken.join("\n  ")));
    }
    Ok(broken.is_empty())
}

/// Says it on standard error, where it does not get into the JSON. Nobody waits for it if that is closed.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "bench: {text}");
}
