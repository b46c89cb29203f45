//! `cargo xtask proof`: what a careful person asks before depending on us, each answer being a command.

use crate::{
    Outcome, say,
    steps::{self, Step},
};

const HELP: &str = "\
cargo xtask proof          how fast, how tested, how stable: the half that takes some twenty minutes
cargo xtask proof --full   all of it, which takes hours

The quick half runs two steps at a time, the full one, which has tests of the clock, one. What each said is
in target/steps. Each step names its command, which also runs by itself. Needs the tools of proof/tools.txt, valgrind and
Debian's binutils.
Steps that need a nightly compiler are skipped where rustup has none.
";

/// What both halves have.
const BOTH: &[Step] = &[
    Step::new("calls into a panic in the core", &["xtask", "panics"]),
    Step::new("the public API", &["xtask", "api"]).with("cargo-public-api").on_nightly(),
    Step::new("the oldest versions of what we depend on", &["xtask", "minimal"]).on_nightly(),
];

// Two are run at a time: the longest first, which build in folders of their own and wait for none.
const QUICK: &[Step] = &[
    Step::new("WebAssembly: what needs no sockets", &["xtask", "wasm"]),
    Step::new("fuzzing", &["xtask", "fuzz", "--runs", "30000"]).with("cargo-fuzz").on_nightly(),
    Step::new("instructions and allocations", &["xtask", "bench", "--quick", "--gate"]),
    Step::new("each feature, none and all", &["hack", "check", "--workspace", "--exclude", "xtask", "--each-feature"])
        .with("cargo-hack"),
    Step::new(
        "what remains of the key in memory",
        &["test", "--package", "cometly-conformance", "--test", "key_memory"],
    ),
];

const FULL: &[Step] = &[
    Step::new(
        "every set of two features",
        &["hack", "check", "--workspace", "--exclude", "xtask", "--feature-powerset", "--depth", "2"],
    )
    .with("cargo-hack"),
    Step::new("instructions and allocations, beside the peers", &["xtask", "bench", "--gate"]),
    Step::new("guards taken out", &["xtask", "breaks"]),
    Step::new("the cost of having us", &["xtask", "cost"]),
    Step::new(
        "what remains of the key in memory",
        &["test", "--release", "--package", "cometly-conformance", "--test", "key_memory"],
    ),
    Step::new(
        "the rule of a fleet in Lua and in Rust, ten million steps",
        &["test", "--release", "--package", "cometly-fleet", "--test", "rule"],
    )
    .environment(&[("COMETLY_FLEET_RANDOM", "10000000")]),
    Step::new(
        "ten thousand calls of a fleet wait a million seconds",
        &["test", "--release", "--package", "cometly-fleet", "--test", "waiters", "--", "--nocapture"],
    )
    .environment(&[("COMETLY_WAITERS_SECONDS", "110")]),
    Step::new("fuzzing", &["xtask", "fuzz", "--runs", "10000000"]).with("cargo-fuzz").on_nightly(),
    Step::new("the documentation as docs.rs builds it", &["xtask", "docs"]).on_nightly(),
    Step::new("WebAssembly: what needs no sockets", &["xtask", "wasm"]),
    Step::new("a rehearsal of publishing", &["xtask", "publish"]),
    Step::new("what would break a program", &["xtask", "semver"]).with("cargo-semver-checks"),
    Step::new("mutants", &["xtask", "mutants"]).with("cargo-mutants"),
    Step::new("retries and pacing, in virtual time", &["xtask", "simulate"]),
    Step::new(
        "a key that is replaced for a minute",
        &["test", "--release", "--package", "cometly-conformance", "--test", "rotation"],
    )
    .environment(&[("COMETLY_ROTATION_SECONDS", "60")]),
    Step::new(
        "10,000 events under faults and kills",
        &["test", "--release", "--package", "cometly-cli", "--test", "cli", "killed"],
    )
    .environment(&[("COMETLY_KILL_EVENTS", "10000")]),
    Step::new(
        "1,000,000 rows under faults and kills",
        &["test", "--release", "--package", "cometly-conformance", "--test", "flows", "kills"],
    )
    .environment(&[("COMETLY_ROWS", "1000000")]),
    Step::new(
        "2,000 calls of each client to a hostile server",
        &[
            "test",
            "--release",
            "--package",
            "cometly-conformance",
            "--test",
            "conformance",
            "random_faults",
            "--",
            "--test-threads=1",
        ],
    )
    .environment(&[("COMETLY_CONFORMANCE_CALLS", "2000")]),
    Step::new("soak", &["xtask", "soak", "--minutes", "30"]),
];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut half, mut at_once) = (QUICK, 2);
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("full") => (half, at_once) = (FULL, 1),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    steps::play(half.iter().chain(BOTH), at_once)
}
