//! `cargo xtask minimal`: the manifests ask for versions that are new enough.

use std::{fs, path::Path};

use crate::{Outcome, Result, asks_for_help, copy, say, tool};

const HELP: &str = "\
cargo xtask minimal   build the libraries with the oldest versions that their manifests admit, and test the core so

In a copy below target/, with a lock file of its own. Only a nightly cargo chooses the oldest versions; the stable compiler
builds.
";

/// Oldest versions, and what is done with them.
struct Choice {
    /// Whose versions are the oldest, as an option of cargo.
    option: &'static str,
    arguments: &'static [&'static str],
}

const CHOICES: &[Choice] = &[
    Choice { option: "minimal-versions", arguments: &["test", "--package", "cometly-core"] },
    // The clients' own dependencies do not build with the oldest of theirs, which is theirs to answer for.
    Choice {
        option: "direct-minimal-versions",
        arguments: &["check", "--workspace", "--no-default-features", "--features", FEATURES],
    },
];

/// Of the TLS stacks, only the one that our own code knows: each is long to build, and their versions are the clients'.
const FEATURES: &str = "cometly/companies,cometly/contacts,cometly/events,cometly/jiff,cometly-emulator/sqlite,\
                        cometly-isahc/tracing,cometly-reqwest/blocking,cometly-reqwest/tracing,cometly-tower/tracing,\
                        cometly-ureq/rustls,cometly-ureq/tracing";

/// The rest is for the people who work here, and its manifests would raise the versions.
const MEMBERS: &str = "members = [\"crates/cometly\", \"crates/cometly-core\", \"crates/cometly-credentials\", \
                       \"crates/cometly-emulator\", \"crates/cometly-fleet\", \"crates/cometly-isahc\", \"crates/cometly-reqwest\", \
                       \"crates/cometly-tower\", \"crates/cometly-ureq\"]";

pub(crate) fn run(arguments: lexopt::Parser) -> Outcome {
    if asks_for_help(arguments)? {
        return say(HELP);
    }
    let root = copy::to("target/minimal")?;
    only_the_libraries(&root.join("Cargo.toml"))?;
    for choice in CHOICES {
        let Some(mut nightly) = tool::nightly_cargo() else { return say("skipped: no nightly\n") };
        say(&format!("cargo {} with -Z {}\n", choice.arguments.join(" "), choice.option))?;
        let lock = root.join("Cargo.lock");
        fs::remove_file(&lock)?;
        nightly.current_dir(&root).args(["generate-lockfile", "--quiet", "-Z", choice.option]);
        let mut build = tool::cargo();
        // One folder for both, beside the copy: what they have in common is built once.
        build.current_dir(&root).args(choice.arguments).args(["--locked", "--target-dir", "target"]);
        if !tool::run(&mut nightly)? || !tool::run(&mut build)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn only_the_libraries(manifest: &Path) -> Result<()> {
    let text = fs::read_to_string(manifest)?;
    let members = text.lines().find(|line| line.starts_with("members = ")).ok_or("a workspace has members")?;
    Ok(fs::write(manifest, text.replacen(members, MEMBERS, 1))?)
}
