//! `cargo xtask fuzz`: so many runs of each fuzz target.

use std::{
    collections::VecDeque,
    fs,
    io::{self, BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use comfy_table::Table;
use lexopt::ValueExt as _;

use crate::{Outcome, Result, say, tool};

const HELP: &str = "\
cargo xtask fuzz [TARGET …] [--runs N] [--keep]

Runs each fuzz target of fuzz/ (or those named) N times, 100,000 unless told, from the kept corpus on and always from the
same seed, and says how many edges and features were seen, and after how many runs the last new edge was. What is found
besides is thrown away; with --keep it goes to the corpus. What is committed is the least set that covers the same edges:
cargo +nightly fuzz cmin --sanitizer none TARGET -- -use_counters=0 -set_cover_merge=1

No sanitizer: there is no unsafe code to catch here, and without one twice as many inputs are tried.

Needs a nightly compiler; without one, nothing is done, and that is said. A finding is exit 1, with the input's path.
";

const RUNS: u64 = 100_000;
/// Bounds of one run, and the seed.
const BOUNDS: [&str; 4] = ["-max_len=512", "-timeout=10", "-rss_limit_mb=1024", "-seed=1"];
/// How many lines are shown of a run that found something: from what was found on, or else the last.
const SHOWN: usize = 40;

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut runs, mut keep, mut targets) = (RUNS, false, Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("runs") => runs = arguments.value()?.string()?.replace('_', "").parse()?,
            lexopt::Arg::Long("keep") => keep = true,
            lexopt::Arg::Value(name) => targets.push(name.string()?),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(mut build) = fuzz("build") else { return say("skipped: no nightly\n") };
    tool::pinned("cargo-fuzz")?;
    let all = all()?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(target)) {
        return Err(format!("no such fuzz target: {unknown}; there are: {}", all.join(", ")).into());
    }
    if targets.is_empty() {
        targets = all;
    }
    if !tool::run(&mut build)? {
        return Err("the fuzz targets do not build".into());
    }
    let mut table = Table::new();
    table.set_header(["target", "runs", "edges", "features", "runs/s", "last new edge", "one in the last tenth"]);
    let mut is_well = true;
    for target in targets {
        say(&format!("{target}: {runs} runs\n"))?;
        let seen = Seen::of(&target, runs, keep)?;
        if !seen.is_well {
            is_well = false;
            say(&seen.finding(&target))?;
        }
        let is_late = seen.last_edge > seen.runs.saturating_sub(seen.runs / 10);
        let [runs, edges, features, last_edge] =
            [seen.runs, seen.edges, seen.features, seen.last_edge].map(|number| number.to_string());
        // libFuzzer says 0 until a second has gone.
        let speed = if seen.speed == 0 { "-".to_owned() } else { seen.speed.to_string() };
        let is_late = if is_late { "yes" } else { "no" }.to_owned();
        table.add_row([target, runs, edges, features, speed, last_edge, is_late]);
    }
    say(&format!("{table}\n"))?;
    Ok(is_well)
}

/// A command of cargo-fuzz in its folder, if there is a nightly for it.
fn fuzz(command: &str) -> Option<Command> {
    let mut cargo = tool::nightly_cargo()?;
    cargo.current_dir(folder()).args(["fuzz", command, "--sanitizer", "none", "--target-dir"]).arg(built());
    Some(cargo)
}

fn folder() -> PathBuf {
    tool::root().join("fuzz")
}

fn built() -> PathBuf {
    tool::root().join("target/fuzz")
}

/// The names of all targets.
fn all() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder().join("fuzz_targets"))? {
        names.extend(file?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// What a run showed.
#[derive(Default)]
struct Seen {
    is_well: bool,
    runs: u64,
    edges: u64,
    features: u64,
    /// Runs per second.
    speed: u64,
    /// After how many runs; 0 if the corpus has them all.
    last_edge: u64,
    /// Where the input is that it ended with.
    input: Option<String>,
    /// The lines to show.
    shown: VecDeque<String>,
    has_found: bool,
}

impl Seen {
    fn of(target: &str, runs: u64, keep: bool) -> Result<Self> {
        let kept = folder().join("corpus").join(target);
        let scratch = built().join("scratch").join(target);
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        fs::create_dir_all(&scratch)?;
        let dictionary = folder().join("dictionaries").join(format!("{target}.dict"));
        let mut command = fuzz("run").ok_or("the nightly is gone")?;
        command.arg(target);
        // The first folder takes what is found.
        let folders = if keep { [kept, scratch] } else { [scratch, kept] };
        command
            .args(folders.iter().filter(|folder| folder.exists()))
            .arg("--")
            .args(BOUNDS)
            .arg(format!("-runs={runs}"));
        if dictionary.exists() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let mut seen = Self::default();
        for line in BufReader::new(child.stderr.take().ok_or("no output")?).split(b'\n') {
            seen.note(&String::from_utf8_lossy(&line?));
        }
        seen.is_well = child.wait()?.success();
        Ok(seen)
    }

    /// Reads a line as `#4096  NEW  cov: 123 ft: 456 corp: 7/80b lim: 43 exec/s: 4096 rss: 30Mb`.
    fn note(&mut self, line: &str) {
        self.keep(line);
        let words: Vec<&str> = line.split_whitespace().collect();
        let [number, event, ..] = words.as_slice() else { return };
        let Some(runs) = number.strip_prefix('#').and_then(|number| number.parse().ok()) else { return };
        let told = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at.saturating_add(1))?.parse::<u64>().ok()
        };
        self.runs = runs;
        if let Some(edges) = told("cov:").filter(|edges| *edges > self.edges) {
            self.edges = edges;
            self.last_edge = if *event == "INITED" { 0 } else { runs };
        }
        self.features = told("ft:").unwrap_or(self.features);
        self.speed = told("exec/s:").unwrap_or(self.speed);
    }

    fn keep(&mut self, line: &str) {
        if !self.has_found && ["panicked at", "ERROR: libFuzzer"].iter().any(|sign| line.contains(sign)) {
            self.has_found = true;
            self.shown.clear();
        }
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.input = Some(path.trim().to_owned());
        }
        if self.shown.len() >= SHOWN {
            // What follows is how it came there: a backtrace, if one is asked for, is longer than all else.
            if self.has_found {
                return;
            }
            self.shown.pop_front();
        }
        self.shown.push_back(line.to_owned());
    }

    fn finding(&self, target: &str) -> String {
        let shown: Vec<_> = self.shown.iter().map(String::as_str).collect();
        let again = match &self.input {
            Some(path) => {
                format!("found: {path}\nagain: cd fuzz && cargo +nightly fuzz run --sanitizer none {target} {path}")
            }
            None => "it ended without an input that can be tried again".to_owned(),
        };
        format!("{}\n\n{target} FAILED\n{again}\n\n", shown.join("\n"))
    }
}
