//! `cargo xtask bench`: what our calls cost, beside the same written by hand and beside other crates' own.

mod clients;
mod job;
mod kept;
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
  --write    puts the figures into docs/benchmarks.md, which says how to read them, and keeps them for --gate
  --gate     what broke its bound when the figures were kept may break it as much, and no more; time is reported only

Exits with 1 if a bound is broken, and says which. Needs valgrind.
";

pub(crate) fn run(mut arguments: Parser) -> Outcome {
    let (mut is_quick, mut is_json, mut writes, mut is_gate) = (false, false, false, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("quick") => is_quick = true,
            Arg::Long("json") => is_json = true,
            Arg::Long("write") => writes = true,
            Arg::Long("gate") => is_gate = true,
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
        kept::Figures::write(&rows)?;
    }
    let broken: Vec<&Row> = rows.iter().filter(|row| row.holds() == Some(false)).collect();
    if !broken.is_empty() {
        let breaches: Vec<String> = broken.iter().filter_map(|row| row.breach()).collect();
        tell(&format!("broken:\n  {}", breaches.join("\n  ")));
    }
    if !is_gate {
        return Ok(broken.is_empty());
    }
    let kept = kept::Figures::read()?;
    let worse: Vec<&str> =
        broken.iter().filter(|row| !row.is_time && !kept.allow(row)).map(|row| row.job.as_str()).collect();
    if !worse.is_empty() {
        tell(&format!("worse than they were when the figures were kept:\n  {}", worse.join("\n  ")));
    }
    Ok(worse.is_empty())
}

/// Says it on standard error, where it does not get into the JSON. A closed standard error is ignored.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "bench: {text}");
}
