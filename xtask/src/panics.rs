//! `cargo xtask panics`: where the compiled core could panic.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use comfy_table::Table;

use crate::{Outcome, Result, say, tool};

mod entries;
mod sites;

const HELP: &str = "\
cargo xtask panics [--keep]

Compiles every public entry point of cometly-core into proof/panics, as a program would have it (fat LTO, one unit,
panic=abort), and finds each place that calls a function which panics or aborts. Each is counted for the crate whose source
it stands in: the innermost frame outside std, as the debug information tells.

Fails if there is one in cometly-core, if another crate has more than proof/panics/baseline.txt says, if an index planted
in the probe is not seen, or if a public function or type of the core is not in the probe. --keep writes the baseline anew.

Allocation that fails is counted apart: whatever grows a Vec can meet it. Counts of other crates depend on the compiler, and
are compared for the one that the baseline was kept with.
";

const CORE: &str = "cometly-core";
const PROBE: &str = "panics";

/// How many places of each kind a crate has.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    panics: u64,
    memory: u64,
}

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut keep = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("keep") => keep = true,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    tool::needs_binutils(&["objdump", "addr2line"])?;
    let forgotten = entries::forgotten(&tool::root().join("crates/cometly-core/src"), &folder().join("src"))?;
    let is_seen = count(true)?.get(PROBE).is_some_and(|count| count.panics > 0);
    let counts = count(false)?;

    let compiler = compiler()?;
    if keep {
        keep_baseline(&counts, &compiler)?;
    }
    let baseline = Baseline::read()?;
    let is_comparable = baseline.compiler == compiler;
    let mut table = Table::new();
    table.set_header(["crate", "can panic", "kept", "out of memory"]);
    let mut wrong = Vec::new();
    for (name, count) in &counts {
        let kept = if name == CORE || name == PROBE { Some(0) } else { baseline.counts.get(name).copied() };
        let must_hold = is_comparable || name == CORE || name == PROBE;
        if must_hold && kept.is_none_or(|kept| count.panics > kept) {
            wrong.push(format!("{name} has {}, and not {}", count.panics, kept.unwrap_or_default()));
        }
        let kept = kept.map_or("none".to_owned(), |kept| kept.to_string());
        table.add_row([name.clone(), count.panics.to_string(), kept, count.memory.to_string()]);
    }
    if !is_seen {
        wrong.push("the planted index was not seen".to_owned());
    }
    wrong.extend(forgotten.into_iter().map(|name| format!("{name} is not in proof/panics/src")));
    say(&format!("{table}\n"))?;
    if !is_comparable {
        say(&format!("other crates are not compared: kept with {}, and this is {compiler}\n", baseline.compiler))?;
    }
    let core = counts.get(CORE).copied().unwrap_or_default().panics;
    say(&format!(
        "{CORE}: {core} places that can panic; the planted one was {}seen\n",
        if is_seen { "" } else { "not " }
    ))?;
    for line in &wrong {
        say(&format!("wrong: {line}\n"))?;
    }
    Ok(wrong.is_empty())
}

fn folder() -> PathBuf {
    tool::root().join("proof/panics")
}

/// Builds the probe, with the planted index or without, and counts.
fn count(planted: bool) -> Result<BTreeMap<String, Count>> {
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
    let library =
        target.join("release").join(format!("{}panics{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    let mut counts = BTreeMap::<String, Count>::from([(CORE.to_owned(), Count::default())]);
    for site in sites::read(&library)? {
        if !planted && site.owner == CORE && !site.is_memory {
            say(&format!("{CORE}: {} calls {} at {}\n", site.function, site.callee, site.place))?;
        }
        let count = counts.entry(site.owner).or_default();
        let counted = if site.is_memory { &mut count.memory } else { &mut count.panics };
        *counted = counted.saturating_add(1);
    }
    Ok(counts)
}

fn compiler() -> Result<String> {
    Ok(tool::output(Command::new("rustc").arg("--version"))?.trim().to_owned())
}

/// What was counted once: the compiler in the first line, then a crate and its count in each.
struct Baseline {
    compiler: String,
    counts: BTreeMap<String, u64>,
}

impl Baseline {
    fn read() -> Result<Self> {
        let text = fs::read_to_string(folder().join("baseline.txt"))?;
        let mut lines = text.lines();
        let compiler = lines.next().unwrap_or_default().to_owned();
        let count = |line: &str| {
            let (name, count) = line.split_once(' ')?;
            Some((name.to_owned(), count.trim().parse().ok()?))
        };
        Ok(Self { compiler, counts: lines.filter_map(count).collect() })
    }
}

fn keep_baseline(counts: &BTreeMap<String, Count>, compiler: &str) -> std::io::Result<()> {
    let others = counts.iter().filter(|(name, _)| *name != CORE && *name != PROBE);
    let lines = others.map(|(name, count)| format!("{name} {}\n", count.panics));
    fs::write(folder().join("baseline.txt"), format!("{compiler}\n{}", lines.collect::<String>()))
}
