//! `cargo xtask semver`: what would break a program that uses the last release.

use std::process::Command;

use crate::{Outcome, Result, libraries::LIBRARIES, say, tool};

const HELP: &str = "\
cargo xtask semver            compare the libraries with the last release, or while there is none, with the commit before
cargo xtask semver REVISION   with another revision

Fails when the version must rise and did not. Needs cargo-semver-checks in the version of proof/tools.txt.
";

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let revision = match arguments.next()? {
        None => last_release()?.unwrap_or_else(|| "HEAD^".to_owned()),
        Some(lexopt::Arg::Value(revision)) => revision.to_string_lossy().into_owned(),
        Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => return say(HELP),
        Some(other) => return Err(other.unexpected().into()),
    };
    tool::pinned("cargo-semver-checks")?;
    let mut is_well = true;
    for library in LIBRARIES {
        say(&format!("{} against {revision}\n", library.package))?;
        let mut checks = tool::cargo();
        checks.args(["semver-checks", "--package", library.package, "--baseline-rev", &revision]);
        checks.args(["--only-explicit-features", "--features", library.features]);
        is_well &= tool::run(&mut checks)?;
    }
    Ok(is_well)
}

/// Its tag.
fn last_release() -> Result<Option<String>> {
    let mut git = Command::new("git");
    git.args(["describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"]).current_dir(tool::root());
    let told = git.output()?;
    let tag = String::from_utf8(told.stdout)?.trim().to_owned();
    Ok(told.status.success().then_some(tag))
}
