//! `cargo xtask publish`: a rehearsal of publishing.

use std::{env, fs, path::PathBuf};

use crate::{Outcome, Result, asks_for_help, libraries::LIBRARIES, say, tool};

const HELP: &str = "\
cargo xtask publish   package what is published, and build each package from what is in it; nothing is sent
";

pub(crate) fn run(arguments: lexopt::Parser) -> Outcome {
    if asks_for_help(arguments)? {
        return say(HELP);
    }
    forget_unpacked()?;
    let built = LIBRARIES.iter().flat_map(|library| ["--package", library.package]);
    let is_forgotten = tool::run(tool::cargo().arg("clean").args(built))?;
    Ok(is_forgotten && tool::run(tool::cargo().args(["publish", "--workspace", "--dry-run", "--allow-dirty"]))?)
}

/// cargo takes a package of the same version for the same package: what it unpacked and built in the last rehearsal would
/// stand for what is there now. A registry that is a folder, as that of a rehearsal is, has no name before its hash.
fn forget_unpacked() -> Result<()> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).ok_or("cargo has a home")?;
    let Ok(registries) = fs::read_dir(home.join("registry/src")) else { return Ok(()) };
    for registry in registries {
        let registry = registry?;
        if !registry.file_name().as_encoded_bytes().starts_with(b"-") {
            continue;
        }
        for library in LIBRARIES {
            let unpacked = registry.path().join(format!("{}-{}", library.package, env!("CARGO_PKG_VERSION")));
            if unpacked.exists() {
                fs::remove_dir_all(unpacked)?;
            }
        }
    }
    Ok(())
}
