//! `cargo xtask ci`: everything that CI runs.

use std::time::Instant;

use crate::{Outcome, budget, say, tool};

const HELP: &str = "\
cargo xtask ci                everything that CI runs
cargo xtask ci --skip-tests   all but `cargo test --workspace`

Needs cargo-deny (`cargo install --locked cargo-deny`), and for the native-tls features Debian's libssl-dev and pkg-config.
Advisories are not checked: their database is fetched from elsewhere, which CI cannot do. `cargo deny check advisories`
does it where it can be reached.
";

/// One command, and what it proves.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const TESTS: Step = Step { name: "tests", arguments: &["test", "--workspace"], environment: &[] };

const STEPS: &[Step] = &[
    Step {
        name: "tests of what the emulator has behind features",
        arguments: &["test", "--package", "cometly-emulator", "--all-features"],
        environment: &[],
    },
    Step {
        name: "the lock file is whole",
        arguments: &["tree", "--locked", "--workspace", "--depth", "0"],
        environment: &[],
    },
    Step { name: "format", arguments: &["fmt", "--all", "--check"], environment: &[] },
    Step {
        name: "lints",
        arguments: &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
        environment: &[],
    },
    Step {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps", "--all-features"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Step {
        name: "dependencies: licences, sources, what is banned",
        arguments: &["deny", "--all-features", "check", "bans", "licenses", "sources"],
        environment: &[],
    },
    Step {
        name: "the same for what other crates of a program may bring about",
        arguments: &["deny", "--manifest-path", "tests/unified/Cargo.toml", "check", "bans", "licenses", "sources"],
        environment: &[],
    },
    Step {
        name: "what other crates of a program may bring about: http 0.2, gzip",
        arguments: &["test", "--locked", "--manifest-path", "tests/unified/Cargo.toml", "--target-dir", "target"],
        environment: &[],
    },
    Step {
        name: "the documentation's own samples",
        arguments: &["run", "--quiet", "--package", "xtask", "--", "samples"],
        environment: &[],
    },
    Step {
        name: "retries and pacing, in virtual time",
        arguments: &["run", "--quiet", "--package", "xtask", "--", "simulate", "--quick"],
        environment: &[],
    },
    Step {
        name: "each guard that has a test to notice stands where it says",
        arguments: &["run", "--quiet", "--package", "xtask", "--", "breaks", "--list"],
        environment: &[],
    },
    Step { name: "demo", arguments: &["run", "--quiet", "--package", "xtask", "--", "demo"], environment: &[] },
];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut steps: Vec<&Step> = [&TESTS].into_iter().chain(STEPS).collect();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("skip-tests") => steps.retain(|step| step.name != TESTS.name),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut failed = Vec::new();
    for step in steps {
        say(&format!("\n=== {}: cargo {}\n", step.name, step.arguments.join(" ")))?;
        let begun = Instant::now();
        let is_well = tool::run(tool::cargo().args(step.arguments).envs(step.environment.iter().copied()))?;
        say(&format!("=== {}: {}, {} s\n", step.name, verdict(is_well), begun.elapsed().as_secs()))?;
        if !is_well {
            failed.push(step.name);
        }
    }
    say("\n=== the core's budget\n")?;
    if !budget::run()? {
        failed.push("the core's budget");
    }
    say(&match failed.as_slice() {
        [] => "\nAll is well.\n".to_owned(),
        failed => format!("\nFailed: {}.\n", failed.join(", ")),
    })?;
    Ok(failed.is_empty())
}

fn verdict(is_well: bool) -> &'static str {
    if is_well { "ok" } else { "FAILED" }
}
