//! `cargo xtask fuzz`: runs of each fuzz target, from the kept corpus on.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use lexopt::ValueExt as _;

use crate::{Outcome, Result, say, tool};

const HELP: &str = "\
cargo xtask fuzz [TARGET …] [--runs N] [--keep]

Runs each fuzz target of fuzz/ (or those named) N times, 100,000 by default, from the kept corpus on and always from the
same seed, and shows libFuzzer's last line: runs, edges (cov), features (ft). What is found besides is thrown away; with
--keep it goes to the corpus. What is committed is the least set that covers the same edges:
cargo +nightly fuzz cmin --sanitizer none TARGET -- -use_counters=0 -set_cover_merge=1

No sanitizer: there is no unsafe code to catch here, and without one twice as many inputs are tried.

Needs a nightly compiler; without one, nothing is done, and that is said. A finding is exit 1, with the input's path.
";

const RUNS: u64 = 100_000;
/// Bounds of one run, and the seed.
const BOUNDS: [&str; 4] = ["-max_len=512", "-timeout=10", "-rss_limit_mb=1024", "-seed=1"];
/// The most lines that are shown of a run that found something.
const SHOWN: usize = 40;

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut runs, mut keep, mut targets) = (RUNS, false, Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("runs") => runs = arguments.value()?.string()?.replace('_', "").parse()?,
            lexopt::Arg::Long("keep") => keep = true,
            lexopt::Arg::Value(name) => targets.push(name.string()?),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(mut build) = fuzz("build") else { return say("skipped: no nightly\n") };
    tool::pinned("cargo-fuzz")?;
    let all = all()?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(target)) {
        return Err(format!("no such fuzz target: {unknown}; there are: {}", all.join(", ")).into());
    }
    if targets.is_empty() {
        targets = all;
    }
    if !tool::run(&mut build)? {
        return Err("the fuzz targets do not build".into());
    }
    let mut is_well = true;
    for target in targets {
        let (is_content, shown) = played(&target, runs, keep)?;
        is_well &= is_content;
        say(&format!("{target}: {shown}\n"))?;
    }
    Ok(is_well)
}

/// A command of cargo-fuzz in its folder, if there is a nightly for it.
fn fuzz(command: &str) -> Option<Command> {
    let mut cargo = tool::nightly_cargo()?;
    cargo.current_dir(folder()).args(["fuzz", command, "--sanitizer", "none", "--target-dir"]).arg(built());
    Some(cargo)
}

fn folder() -> PathBuf {
    tool::root().join("fuzz")
}

fn built() -> PathBuf {
    tool::root().join("target/fuzz")
}

/// The names of all targets.
fn all() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder().join("fuzz_targets"))? {
        names.extend(file?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Whether a target found nothing, and what is to be shown of its run.
fn played(target: &str, runs: u64, keep: bool) -> Result<(bool, String)> {
    let kept = folder().join("corpus").join(target);
    let scratch = built().join("scratch").join(target);
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    let mut command = fuzz("run").ok_or("the nightly is gone")?;
    command.arg(target);
    // The first folder takes what is found.
    let folders: [&Path; 2] = if keep { [&kept, &scratch] } else { [&scratch, &kept] };
    command.args(folders.iter().filter(|folder| folder.exists())).arg("--").args(BOUNDS).arg(format!("-runs={runs}"));
    let dictionary = folder().join("dictionaries").join(format!("{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let output = command.output()?;
    Ok((output.status.success(), shown(target, output.status.success(), &String::from_utf8_lossy(&output.stderr))))
}

/// libFuzzer's last line with figures; or what was found, and how to run it again.
fn shown(target: &str, is_well: bool, output: &str) -> String {
    if is_well {
        let is_figures =
            |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let last = output.lines().rfind(is_figures);
        return last.unwrap_or("libFuzzer said nothing").split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let lines: Vec<_> = output.lines().collect();
    let is_sign = |line: &&str| ["panicked at", "ERROR: libFuzzer"].iter().any(|sign| line.contains(sign));
    // What follows is how it came there: a backtrace, if one is asked for, is longer than all else.
    let first = lines.iter().position(is_sign).unwrap_or(lines.len().saturating_sub(SHOWN));
    let found = lines.iter().skip(first).take(SHOWN).copied().collect::<Vec<_>>().join("\n");
    let again = match lines.iter().find_map(|line| line.split_once("Test unit written to ")) {
        Some((_, path)) => format!("cd fuzz && cargo +nightly fuzz run --sanitizer none {target} {}", path.trim()),
        None => "it ended without an input that can be tried again".to_owned(),
    };
    format!("FAILED\n{found}\nagain: {again}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_shown_by_its_last_line_or_by_its_finding() {
        let done = "INFO: x\n#2\tINITED cov: 1 ft: 1\n#9\tDONE   cov: 3 ft: 4 exec/s: 0\n###### Recommended dictionary. ######\nDone 9 runs in 0 second(s)\n";
        assert_eq!(shown("t", true, done), "#9 DONE cov: 3 ft: 4 exec/s: 0");
        let found = "noise\nthread panicked at x\nTest unit written to /a/b\n";
        let expected = "FAILED\nthread panicked at x\nTest unit written to /a/b\n\
                        again: cd fuzz && cargo +nightly fuzz run --sanitizer none t /a/b";
        assert_eq!(shown("t", false, found), expected);
    }
}
