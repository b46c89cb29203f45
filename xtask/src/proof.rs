//! `cargo xtask proof`: what a careful person asks before depending on us, each answer being a command.

use crate::{
    Outcome, say,
    steps::{self, Step},
};

const HELP: &str = "\
cargo xtask proof          how fast, how tested, how stable: the half that takes some twenty minutes
cargo xtask proof --full   all of it, which takes hours

Each step names its command, which also runs by itself. Needs the tools of proof/tools.txt, valgrind and Debian's binutils.
Steps that need a nightly compiler are skipped where rustup has none.
";

/// What both halves have.
const BOTH: &[Step] = &[
    Step::new("calls into a panic in the core", &["xtask", "panics"]),
    Step::new("the public API", &["xtask", "api"]).with("cargo-public-api").on_nightly(),
    Step::new(
        "every set of two features",
        &["hack", "check", "--workspace", "--exclude", "xtask", "--feature-powerset", "--depth", "2"],
    )
    .with("cargo-hack"),
    Step::new("the oldest versions of what we depend on", &["xtask", "minimal"]).on_nightly(),
];

const QUICK: &[Step] = &[
    Step::new(
        "what remains of the key in memory",
        &["test", "--package", "cometly-conformance", "--test", "key_memory"],
    ),
    Step::new("instructions and allocations", &["xtask", "bench", "--quick", "--gate"]),
    Step::new("fuzzing", &["xtask", "fuzz", "--runs", "100000"]).with("cargo-fuzz").on_nightly(),
    Step::new("WebAssembly: what needs no sockets", &["xtask", "wasm"]),
];

const FULL: &[Step] = &[
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
    Step::new("soak", &["xtask", "soak", "--minutes", "30"]),
];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut half = QUICK;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("full") => half = FULL,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    steps::play(BOTH.iter().chain(half))
}
