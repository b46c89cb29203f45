//! `cargo xtask mutants`: cargo-mutants on each crate, with the tests that know it.

use std::{ffi::OsString, fs};

use crate::{Outcome, say, tool};

const HELP: &str = "\
cargo xtask mutants                   put one fault at a time into the libraries, and see whether a test fails
cargo xtask mutants --in PACKAGE      only in this one
cargo xtask mutants [--in PACKAGE] -- OPTIONS    with options of cargo-mutants, as --shard 1/4, --list, --jobs 2

Takes hours. Ends with 1 if a fault goes unnoticed. Those that no test can notice are in .cargo/mutants.toml, each with
its reason, and are not tried. A fault that runs into the time limit is noticed: a test hangs. Needs cargo-mutants in the
version of proof/tools.txt. What was found is below target/mutation.
";

/// A crate whose mutants are tested.
struct Mutated {
    package: &'static str,
    /// Which of its own tests are run, and with which features, as options of cargo.
    tests: &'static [&'static str],
    /// For a client, the stacks of the others: their part of the suite knows nothing of it.
    others: &'static [&'static str],
}

const MUTATED: &[Mutated] = &[
    Mutated { package: "cometly-core", tests: &["--lib", "--all-features"], others: &[] },
    Mutated { package: "cometly", tests: &["--tests"], others: &[] },
    Mutated { package: "cometly-tower", tests: &["--tests"], others: &[] },
    Mutated { package: "cometly-credentials", tests: &["--tests"], others: &[] },
    Mutated { package: "cometly-fleet", tests: &["--tests"], others: &[] },
    Mutated { package: "cometly-ureq", tests: &["--lib"], others: &["isahc", "reqwest"] },
    Mutated { package: "cometly-isahc", tests: &["--lib"], others: &["reqwest", "ureq"] },
    Mutated { package: "cometly-reqwest", tests: &["--lib"], others: &["isahc", "ureq"] },
];

/// Cases that put a load on the stack, which takes as long as all others together and tells no more.
const LOAD: [&str; 2] = ["ten_thousand_calls", "five_hundred_jobs"];

/// The part of the suite that a client is tested with, besides its own tests.
const TESTS: [&str; 2] = ["--test=conformance", "--test=tracing"];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut only, mut options) = (None, Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("in") => only = Some(arguments.value()?),
            lexopt::Arg::Value(option) => options.push(option),
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
    let mut is_well = true;
    for mutated in chosen {
        is_well &= mutated.test(&options)?;
    }
    Ok(is_well)
}

impl Mutated {
    fn test(&self, options: &[OsString]) -> Outcome {
        // Where cargo-mutants leaves what it found.
        let folder = tool::root().join("target/mutation").join(self.package);
        fs::create_dir_all(&folder)?;
        let mut command = tool::cargo();
        command.args(["mutants", "--package", self.package, "--colors=never", "--output"]).arg(folder);
        // A failure is all we want to know, not the smallest one.
        command
            .args(self.tests.iter().map(|option| format!("--cargo-arg={option}")))
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .args(options);
        if !self.others.is_empty() {
            // cargo-mutants tests the unchanged code by the one package alone, and knows no test of the suite there.
            if !self.baseline()? {
                return Err(format!("the tests of {} fail as it is: mend that first", self.package).into());
            }
            command.args(["--baseline=skip", "--timeout=180", "--build-timeout=900"]);
            command.arg(format!("--test-package={},cometly-conformance", self.package));
            command.args(TESTS.map(|test| format!("--cargo-arg={test}"))).args(["--", "--"]).args(self.passed_over());
        }
        match command.status()?.code() {
            // All caught, or some of them by a test that hung.
            Some(0 | 3) => Ok(true),
            Some(2) => Ok(false),
            _ => Err(format!("cargo mutants could not test {}: see what it said above", self.package).into()),
        }
    }

    /// Whether the tests pass as long as nothing is done to the client.
    fn baseline(&self) -> Outcome {
        let mut command = tool::cargo();
        command.args(["test", "--profile=mutants", "--package=cometly-conformance", "--package", self.package]);
        tool::run(command.args(self.tests).args(TESTS).arg("--").args(self.passed_over()))
    }

    /// The tests that are left out.
    fn passed_over(&self) -> impl Iterator<Item = &'static str> {
        self.others.iter().chain(&LOAD).flat_map(|name| ["--skip", *name])
    }
}
