//! `cargo xtask simulate`: how thousands of jobs get through one rate limit, in virtual time.
//!
//! The jobs of ours are driven by the real `Attempt`, `RetryPolicy` and `Pacer`; the server and the network are a model.
//! Plain policies run against the same server for comparison.

mod clock;
mod plain;
mod random;
mod report;
mod server;
mod svg;
mod world;

use std::{fs, path::PathBuf};

use lexopt::{Arg, Parser, ValueExt as _};

use crate::{Outcome, say};

use plain::Plain;
use report::{Bound, Row};
use server::Counting;
use world::{Policy, Run, Setup};

const USAGE: &str = "\
How many calls are refused, and how long it takes, when many jobs share one rate limit.

Usage: cargo xtask simulate [OPTIONS]

  --seeds N             runs of each row of ours, of which the median is shown [5]
  --window KIND         fixed, sliding, or counting (sliding, and refused calls count; takes long) [fixed]
  --limit N             calls allowed in a window [60]
  --window-seconds N    length of a window [60]
  --jobs N              jobs in all [10000]
  --processes N         processes that share nothing; one row of ours instead of three
  --rtt MS              mean round trip, each between half and one and a half of it [100]
  --quick               only the rows of ours, and one run of each unless --seeds says more
  --json                for machines
  --svg FILE            draw the calls of a second and those refused, over time

Exits with 1 if a row of ours is worse than promised: for 10000 jobs, and all else as by default.
";

struct Options {
    setup: Setup,
    seeds: Option<u64>,
    jobs: u32,
    processes: Option<u32>,
    quick: bool,
    json: bool,
    svg: Option<PathBuf>,
}

pub(crate) fn run(args: Parser) -> Outcome {
    let Some(options) = read(args)? else { return say(USAGE) };
    let rows = rows(&options);
    let text = if options.json { report::json(&rows) } else { report::table(&options.setup, &rows) };
    say(&format!("{text}\n"))?;
    if let Some(file) = &options.svg {
        fs::write(file, svg::draw(&rows))?;
    }
    let broken: Vec<String> = rows.iter().filter_map(|row| Bound::broken_by(&options.setup, row)).collect();
    if !broken.is_empty() {
        say(&format!("Worse than promised: {}\n", broken.join("; ")))?;
    }
    Ok(broken.is_empty())
}

fn read(mut args: Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        setup: Setup::default(),
        seeds: None,
        jobs: 10_000,
        processes: None,
        quick: false,
        json: false,
        svg: None,
    };
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("seeds") => options.seeds = Some(at_least_one(args.value()?.parse()?)?),
            Arg::Long("limit") => options.setup.limit = at_least_one(args.value()?.parse()?)?,
            Arg::Long("window-seconds") => options.setup.window_seconds = at_least_one(args.value()?.parse()?)?,
            Arg::Long("jobs") => options.jobs = at_least_one(args.value()?.parse()?)?,
            Arg::Long("processes") => options.processes = Some(at_least_one(args.value()?.parse()?)?),
            Arg::Long("rtt") => options.setup.round_trip = args.value()?.parse::<f64>()? / 1000.0,
            Arg::Long("window") => {
                let kind = args.value()?.string()?;
                let known = Counting::ALL.into_iter().find(|counting| counting.name() == kind);
                options.setup.counting = known.ok_or("--window is fixed, sliding or counting")?;
            }
            Arg::Long("quick") => options.quick = true,
            Arg::Long("json") => options.json = true,
            Arg::Long("svg") => options.svg = Some(args.value()?.into()),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn at_least_one<T: PartialOrd + From<u8>>(number: T) -> Result<T, lexopt::Error> {
    if number < T::from(1) { Err("a number that must be at least 1 is 0".into()) } else { Ok(number) }
}

fn rows(options: &Options) -> Vec<Row> {
    let jobs = options.jobs;
    let ours = match options.processes {
        Some(processes) => vec![processes.min(jobs)],
        None => vec![1, 100.min(jobs), jobs],
    };
    let plain = if options.quick { &[][..] } else { &Plain::ALL };
    let ours = ours.into_iter().map(|processes| Policy::Cometly { processes });
    ours.chain(plain.iter().copied().map(Policy::Plain)).map(|policy| median(options, policy)).collect()
}

/// The run whose refusals are the median. A plain policy runs once: its many thousands of tries leave nothing to chance.
fn median(options: &Options, policy: Policy) -> Row {
    let seeds = match policy {
        Policy::Plain(_) => 1,
        Policy::Cometly { .. } => options.seeds.unwrap_or(if options.quick { 1 } else { 5 }),
    };
    let mut runs: Vec<Run> = (1..=seeds).map(|seed| world::run(&options.setup, policy, options.jobs, seed)).collect();
    runs.sort_by_key(|run| run.refused);
    let middle = runs.len().saturating_sub(1) / 2;
    let run = runs.into_iter().nth(middle).unwrap_or_default();
    Row { policy, window: options.setup.counting, jobs: options.jobs, ideal: options.setup.ideal(options.jobs), run }
}
