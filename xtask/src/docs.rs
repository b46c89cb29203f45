//! `cargo xtask docs`: the documentation as docs.rs will build it.

use crate::{Outcome, asks_for_help, libraries::LIBRARIES, say, tool};

const HELP: &str = "\
cargo xtask docs   build the libraries' documentation on nightly with `--cfg docsrs`, as docs.rs does
";

pub(crate) fn run(arguments: lexopt::Parser) -> Outcome {
    if asks_for_help(arguments)? {
        return say(HELP);
    }
    let mut is_well = true;
    for library in LIBRARIES {
        let Some(mut cargo) = tool::nightly_cargo() else { return say("skipped: no nightly\n") };
        cargo.args(["doc", "--no-deps", "--package", library.package]);
        cargo.args(["--no-default-features", "--features", library.features]);
        is_well &= tool::run(cargo.env("RUSTDOCFLAGS", "--cfg docsrs -D warnings"))?;
    }
    Ok(is_well)
}
