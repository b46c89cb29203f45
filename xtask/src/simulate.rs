//! `cargo xtask simulate`: the pacer against models of a server, in virtual time; an example of the suite's package.

use crate::{Outcome, tool};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let example = ["run", "--quiet", "--release", "-p", "cometly-conformance", "--example", "simulate", "--"];
    tool::run(tool::cargo().args(example).args(arguments.raw_args()?))
}
