//! `cargo xtask mutants`: puts one fault at a time into the code, and counts those that the tests notice.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{Outcome, Result, say, tool};

mod kept;
mod tally;

use kept::Kept;
use tally::Tally;

const HELP: &str = "\
cargo xtask mutants                put one fault at a time into the core and the adapters, and see whether a test fails
cargo xtask mutants --in PACKAGE   only in this one
cargo xtask mutants --last         what the last run found, without running it again

Takes two hours; CARGO_MUTANTS_JOBS=2 runs two at a time. Needs cargo-mutants, at the version it asks for.

Ends with 1 if fewer than 95 in 100 are caught, all crates taken together, or if one goes unnoticed that
proof/mutants.txt does not explain, or if that list has one that is caught or gone. A mutant that runs into the time
limit is caught: a test hangs. One that does not compile is not counted. One that is skipped counts as missed.
";

/// A crate whose mutants are tested.
struct Mutated {
    package: &'static str,
    /// For an adapter, the stacks of the others: their part of the suite knows nothing of it.
    others: &'static [&'static str],
}

const MUTATED: &[Mutated] = &[
    Mutated { package: "cometly-core", others: &[] },
    Mutated { package: "cometly-ureq", others: &["isahc", "reqwest"] },
    Mutated { package: "cometly-isahc", others: &["reqwest", "ureq"] },
    Mutated { package: "cometly-reqwest", others: &["isahc", "ureq"] },
];

/// Cases that put a load on the stack, which takes as long as all others together and tells no more.
const LOAD: [&str; 2] = ["ten_thousand_calls", "five_hundred_jobs"];

/// The part of the suite that an adapter is tested with, besides its own tests.
const TESTS: [&str; 2] = ["--test=conformance", "--test=tracing"];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut only, mut runs) = (None, true);
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("in") => only = Some(arguments.value()?),
            lexopt::Arg::Long("last") => runs = false,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    let chosen = |mutated: &&Mutated| only.as_ref().is_none_or(|only| only == mutated.package);
    let chosen: Vec<_> = MUTATED.iter().filter(chosen).collect();
    if chosen.is_empty() {
        let names = MUTATED.iter().map(|mutated| mutated.package).collect::<Vec<_>>().join(", ");
        return Err(format!("--in takes one of {names}").into());
    }
    tool::pinned("cargo-mutants")?;
    let kept = Kept::read(&fs::read_to_string(tool::root().join("proof/mutants.txt"))?)?;
    let mut tallies = Vec::new();
    for mutated in chosen {
        if runs {
            mutated.test()?;
        }
        tallies.push(mutated.tally()?);
    }
    let mut is_well = tally::is_enough(&tallies);
    for tally in &tallies {
        say(&format!("{tally}\n"))?;
    }
    for tally in &tallies {
        for complaint in kept.complaints(tally) {
            is_well = false;
            say(&format!("{complaint}\n"))?;
        }
    }
    Ok(is_well)
}

impl Mutated {
    /// Where cargo-mutants leaves what it found.
    fn folder(&self) -> PathBuf {
        tool::root().join("target/mutation").join(self.package)
    }

    fn test(&self) -> Result<()> {
        fs::create_dir_all(self.folder())?;
        let mut command = tool::cargo();
        command.args(["mutants", "--package", self.package, "--colors=never", "--cargo-arg=--lib", "--output"]);
        // A failure is all we want to know, not the smallest one.
        command.arg(self.folder()).env("PROPTEST_MAX_SHRINK_ITERS", "0");
        if !self.others.is_empty() {
            // cargo-mutants builds what nothing was done to for the one package alone, and knows no test of the other.
            self.baseline()?;
            command.args(["--baseline=skip", "--timeout=180", "--build-timeout=900"]);
            command.arg(format!("--test-package={},cometly-conformance", self.package));
            command.args(TESTS.map(|test| format!("--cargo-arg={test}"))).args(["--", "--"]).args(self.passed_over());
        }
        match command.status()?.code() {
            // All caught, some missed, some out of time.
            Some(0 | 2 | 3) => Ok(()),
            _ => Err(format!("cargo mutants could not test {}: what it said stands above", self.package).into()),
        }
    }

    /// That the tests pass as long as nothing is done to the adapter.
    fn baseline(&self) -> Result<()> {
        let mut command = tool::cargo();
        command.args(["test", "--profile=mutants", "--package=cometly-conformance", "--package", self.package]);
        command.arg("--lib").args(TESTS).arg("--").args(self.passed_over());
        if command.status()?.success() {
            return Ok(());
        }
        Err(format!("the tests of {} fail as it is: mend that first", self.package).into())
    }

    /// What the tests are told to leave out.
    fn passed_over(&self) -> impl Iterator<Item = &'static str> {
        self.others.iter().chain(&LOAD).flat_map(|name| ["--skip", *name])
    }

    fn tally(&self) -> Result<Tally> {
        let file = self.folder().join("mutants.out/outcomes.json");
        let found: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        Tally::new(self.package, &found, self.possible()?)
    }

    /// How many mutants there are, if none is skipped for a setting's sake.
    fn possible(&self) -> Result<usize> {
        let list = tool::cargo().args(["mutants", "--no-config", "--list", "--package", self.package]).output()?;
        Ok(String::from_utf8(list.stdout)?.lines().count())
    }
}
