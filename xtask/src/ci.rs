//! `cargo xtask ci`: everything that CI runs.

use crate::{
    Outcome, say,
    steps::{self, Step},
};

const HELP: &str = "\
cargo xtask ci                everything that CI runs
cargo xtask ci --skip-tests   all but `cargo test --workspace`

Runs the tests alone, and then two steps at a time; what each said is in target/steps. Needs cargo-deny in the version of
proof/tools.txt, and for the native-tls features Debian's libssl-dev and pkg-config.
Advisories are not checked: their database is fetched from elsewhere, which CI cannot do. `cargo deny check advisories`
does it where it can be reached.
";

const TESTS: Step = Step::new("tests", &["test", "--workspace"]);

// The longest first that builds in a folder of its own, so that it waits for none.
const STEPS: &[Step] = &[
    Step::new("some guards taken out, others each day", &["xtask", "breaks", "--rotate", "20"]),
    Step::new(
        "tests of what the emulator has behind features",
        &["test", "--package", "cometly-emulator", "--all-features"],
    ),
    Step::new("the lock file is whole", &["tree", "--locked", "--workspace", "--depth", "0"]),
    Step::new("format", &["fmt", "--all", "--check"]),
    Step::new("lints", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]),
    Step::new("documentation", &["doc", "--workspace", "--no-deps", "--all-features"])
        .environment(&[("RUSTDOCFLAGS", "-D warnings")]),
    Step::new(
        "dependencies: licences, sources, what is banned",
        &["deny", "--all-features", "check", "bans", "licenses", "sources"],
    )
    .with("cargo-deny"),
    Step::new(
        "the same for what other crates of a program may bring about",
        &["deny", "--manifest-path", "tests/unified/Cargo.toml", "check", "bans", "licenses", "sources"],
    )
    .with("cargo-deny"),
    Step::new(
        "what other crates of a program may bring about: http 0.2, gzip",
        &["test", "--locked", "--manifest-path", "tests/unified/Cargo.toml", "--target-dir", "target"],
    ),
    Step::new(
        "the suite, on the TLS of the operating system",
        &[
            "test",
            "--package=cometly-conformance",
            "--package=cometly-ureq",
            "--no-default-features",
            "--features=cometly-conformance/adapters,cometly-conformance/native-tls",
            "--lib",
            "--test=conformance",
            "--",
            // Have no such choice.
            "--skip=isahc",
            "--skip=tower::",
            // Load, which has nothing to do with it.
            "--skip=ten_thousand_calls",
            "--skip=five_hundred_jobs",
        ],
    ),
    Step::new(
        "cometly-reqwest without a crypto provider",
        &["test", "--package=cometly-reqwest", "--no-default-features", "--features=rustls-no-provider", "--lib"],
    ),
    Step::new("retries and pacing, in virtual time", &["xtask", "simulate", "--quick"]),
    Step::new("each row of proof/breaks.toml fits the sources", &["xtask", "breaks", "--list"]),
    Step::new("demo", &["xtask", "demo"]),
    Step::new("the core's budget", &["xtask", "budget"]),
];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut with_tests = true;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("skip-tests") => with_tests = false,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    // Alone, since many look at the clock.
    let are_tests_well = !with_tests || steps::play([&TESTS], 1)?;
    Ok(steps::play(STEPS, 2)? && are_tests_well)
}
