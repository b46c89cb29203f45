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

/// A crate whose mutants are tested, or a part of one.
#[derive(Clone, Copy)]
struct Mutated {
    package: &'static str,
    /// Which of its mutants, as options of cargo-mutants.
    which: &'static [&'static str],
    /// Which of its own tests are run, and with which features, as options of cargo.
    tests: &'static [&'static str],
    /// Another package and those of its tests that know the crate too.
    also: Option<(&'static str, &'static [&'static str])>,
    /// Tests that are left out, by a part of their names.
    without: &'static [&'static str],
}

const MUTATED: &[Mutated] = &[
    Mutated {
        which: &["--exclude=**/pacer/shared/lane.rs", "--exclude=**/pacer/sight.rs"],
        ..Mutated::by_itself("cometly-core", &["--lib", "--all-features"])
    },
    // The rule of a fleet is there a second time, as the script of the engine, and both must decide alike.
    Mutated {
        which: &["--re=pacer/(shared/lane|sight)"],
        also: Some(("cometly-fleet", &["--test=rule"])),
        ..Mutated::by_itself("cometly-core", &["--lib", "--all-features"])
    },
    Mutated::by_itself("cometly", &["--tests"]),
    Mutated::by_itself("cometly-tower", &["--tests"]),
    Mutated::by_itself("cometly-credentials", &["--tests"]),
    Mutated::by_itself("cometly-fleet", &["--tests"]),
    Mutated::client("cometly-ureq", &["isahc", "reqwest", TOWER, LOAD, JOBS]),
    Mutated::client("cometly-isahc", &["reqwest", "ureq", TOWER, LOAD, JOBS]),
    Mutated::client("cometly-reqwest", &["isahc", "ureq", TOWER, LOAD, JOBS]),
];

/// A stack that is none of the three clients.
const TOWER: &str = "tower::";

/// Cases that put a load on the stack, which takes as long as all others together and tells no more.
const LOAD: &str = "ten_thousand_calls";
const JOBS: &str = "five_hundred_jobs";

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
    const fn by_itself(package: &'static str, tests: &'static [&'static str]) -> Self {
        Self { package, which: &[], tests, also: None, without: &[] }
    }

    /// A client, with its part of the suite and of the flows; that of the other stacks knows nothing of it.
    const fn client(package: &'static str, without: &'static [&'static str]) -> Self {
        let tests: &[&str] = &["--test=conformance", "--test=flows", "--test=tracing", "--test=environment"];
        let also = Some(("cometly-conformance", tests));
        Self { package, which: &[], tests: &["--lib"], also, without }
    }

    fn test(&self, options: &[OsString]) -> Outcome {
        // Where cargo-mutants leaves what it found.
        let also = self.also.map_or("itself", |(package, _)| package);
        let folder = tool::root().join("target/mutation").join(format!("{}-by-{also}", self.package));
        fs::create_dir_all(&folder)?;
        let mut command = tool::cargo();
        command.args(["mutants", "--package", self.package, "--colors=never", "--output"]).arg(folder).args(self.which);
        // A failure is all we want to know, not the smallest one, and one mutant's does not help to find the next.
        command
            .args(self.tests.iter().map(|option| format!("--cargo-arg={option}")))
            .envs([("PROPTEST_MAX_SHRINK_ITERS", "0"), ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")])
            .args(options);
        if let Some((package, tests)) = self.also {
            // cargo-mutants tests the unchanged code by the one package alone, and knows no test of the other there.
            if !self.baseline(package, tests)? {
                return Err(format!("the tests of {} fail as it is: mend that first", self.package).into());
            }
            command.args(["--baseline=skip", "--timeout=180", "--build-timeout=900"]);
            command.arg(format!("--test-package={},{package}", self.package));
            command
                .args(tests.iter().map(|test| format!("--cargo-arg={test}")))
                .args(["--", "--"])
                .args(self.skipped());
        }
        match command.status()?.code() {
            // All caught, or some of them by a test that hung.
            Some(0 | 3) => Ok(true),
            Some(2) => Ok(false),
            _ => Err(format!("cargo mutants could not test {}: see what it said above", self.package).into()),
        }
    }

    /// Whether the tests pass as long as nothing is changed.
    fn baseline(&self, package: &str, tests: &[&str]) -> Outcome {
        let mut command = tool::cargo();
        command.args(["test", "--profile=mutants", "--package", package, "--package", self.package]);
        tool::run(command.args(self.tests).args(tests).arg("--").args(self.skipped()))
    }

    fn skipped(&self) -> impl Iterator<Item = &'static str> {
        self.without.iter().flat_map(|name| ["--skip", *name])
    }
}
