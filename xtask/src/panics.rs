//! `cargo xtask panics`: where the compiled core could panic.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{Outcome, Result, asks_for_help, say, tool};

mod entries;
mod sites;

use sites::Site;

const HELP: &str = "\
cargo xtask panics   every call of a function that panics or aborts in the compiled core: none that can be reached

Compiles every public entry point of cometly-core into proof/panics, as a program would have it (fat LTO, one unit,
panic=abort), and reads the linked library. A call belongs to the crate whose source it is in: the innermost frame outside
std, by the debug information. Branches that std's own functions or the compiler keep though no input reaches them (of
`Duration`, of `to_string`, of a future's end) are counted apart, by the reason. Other crates' calls are not judged. An
allocation that fails is counted apart: anything that grows a Vec can meet it.

Ends with 1 if there is a call in cometly-core, if an index planted in the probe is not seen, or if a public function or
type of the core is not in the probe. Needs binutils.
";

const CORE: &str = "cometly-core";
const PROBE: &str = "panics";

pub(crate) fn run(arguments: lexopt::Parser) -> Outcome {
    if asks_for_help(arguments)? {
        return say(HELP);
    }
    tool::needs_binutils(&["objdump", "addr2line"])?;
    let forgotten = forgotten()?;
    let is_seen = sites(true)?.iter().any(|site| site.owner == PROBE && !site.is_memory);
    let (memory, panics): (Vec<_>, Vec<_>) = sites(false)?.into_iter().partition(|site| site.is_memory);
    let of_core = |sites: Vec<Site>| sites.into_iter().filter(|site| site.owner == CORE).collect::<Vec<_>>();
    let (others, panics, memory) = (panics.len(), of_core(panics), of_core(memory));
    let (unreachable, panics): (Vec<_>, Vec<_>) = panics.into_iter().partition(|site| site.unreachable.is_some());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in unreachable.iter().filter_map(|site| site.unreachable) {
        let count = reasons.entry(reason).or_default();
        *count = count.saturating_add(1);
    }
    for site in &panics {
        say(&format!("wrong: {} calls {} at {}\n", site.function, site.callee, site.place))?;
    }
    for name in &forgotten {
        say(&format!("wrong: {name} is not in proof/panics/src\n"))?;
    }
    if !is_seen {
        say("wrong: the planted index was not seen\n")?;
    }
    for (reason, count) in reasons {
        say(&format!("in a branch of std's or the compiler's that is not reached: {count}; {reason}\n"))?;
    }
    say(&format!(
        "{CORE}: {} calls of what panics, {} of what runs out of memory; {} in all that is linked\n",
        panics.len(),
        memory.len(),
        others
    ))?;
    Ok(panics.is_empty() && forgotten.is_empty() && is_seen)
}

fn forgotten() -> Result<Vec<String>> {
    entries::forgotten(&tool::root().join("crates/cometly-core/src"), &folder().join("src"))
}

fn folder() -> PathBuf {
    tool::root().join("proof/panics")
}

/// Builds the probe, with the planted index or without, and reads it.
fn sites(planted: bool) -> Result<Vec<Site>> {
    let target = tool::root().join("target/panics");
    let mut build = tool::cargo();
    build.args(["build", "--quiet", "--release", "--locked", "--manifest-path"]).arg(folder().join("Cargo.toml"));
    build.arg("--target-dir").arg(&target);
    // Calls of two crates that were merged into one would belong to neither.
    build.env("RUSTFLAGS", "-C llvm-args=-enable-tail-merge=0");
    if planted {
        build.args(["--features", "plant"]);
    }
    if !tool::run(&mut build)? {
        return Err("the probe does not build".into());
    }
    let library = format!("{}panics{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    sites::read(&target.join("release").join(library))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_probe_names_every_public_entry_point_of_the_core() {
        assert_eq!(super::forgotten().expect("the sources are read"), Vec::<String>::new());
    }
}
