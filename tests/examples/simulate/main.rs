//! How callers of the real code get through one rate limit, in virtual time, beside the same callers without a pacer.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::struct_field_names,
    reason = "a program that is run by hand and by CI, on numbers of its own"
)]

mod agenda;
mod caller;
mod picture;
mod random;
mod report;
mod rows;
mod server;
mod world;

use std::{env, fs, process::ExitCode};

const USAGE: &str = "\
How callers get through one rate limit, in virtual time, and beside it the same callers without a pacer.

Usage: cargo xtask simulate [OPTIONS]

  --seeds N      runs of each row [30; 1 with --quick]
  --first N      the first seed [1]
  --only TEXT    only the rows whose name contains this
  --quick        the rows that take little time
  --json         for machines
  --picture PATH draw the picture of docs/fleet.md, with 3 seeds by default, and nothing else

Exits with 1 if a row is worse than promised.
";

fn main() -> ExitCode {
    let mut only = String::new();
    let (mut seeds, mut first) = (None, 1);
    let (mut is_quick, mut is_json, mut picture) = (false, false, None);
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|value| value.parse::<u64>().ok()).filter(|number| *number > 0);
        match arg.as_str() {
            "--seeds" => seeds = number(),
            "--first" => first = number().unwrap_or(1),
            "--only" => only = args.next().unwrap_or_default(),
            "--quick" => is_quick = true,
            "--json" => is_json = true,
            "--picture" => picture = args.next(),
            _ => {
                print!("{USAGE}");
                return if matches!(arg.as_str(), "-h" | "--help") { ExitCode::SUCCESS } else { ExitCode::from(2) };
            }
        }
    }
    if let Some(path) = picture {
        let drawn = picture::draw(seeds.unwrap_or(3)).and_then(|svg| Ok(fs::write(path, svg)?));
        return drawn.map_or_else(
            |error| {
                eprintln!("the picture could not be drawn: {error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let seeds = seeds.unwrap_or(if is_quick { 1 } else { 30 });
    let mut rows = rows::all();
    rows.retain(|row| row.name.contains(&only) && (row.is_quick || !is_quick));
    let (mut broken, mut all) = (Vec::new(), Vec::new());
    report::head(is_json);
    for row in &rows {
        let measured = report::measure(row, first, seeds);
        broken.extend(report::line(row, &measured, is_json));
        all.push((row, measured));
    }
    if !is_json {
        report::summary(&all, seeds);
    }
    for promise in &broken {
        println!("Worse than promised: {promise}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
