//! Other programs that the commands run.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, Result};

/// The folder of the whole project.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// The cargo that runs us, in the project's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What is said of xtask itself: ring's build script minds, and all above it would be built again and again.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// The nightly cargo in the project's folder, if rustup has one: for what the stable compiler does not do.
pub(crate) fn nightly_cargo() -> Option<Command> {
    let nightly = |program: &str| {
        let mut command = Command::new("rustup");
        // What cargo has set for us names the stable toolchain.
        command.args(["run", "nightly", program]).current_dir(root());
        for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"] {
            command.env_remove(name);
        }
        command
    };
    let is_there = nightly("rustc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    is_there.is_ok_and(|status| status.success()).then(|| nightly("cargo"))
}

/// The tools that are built from crates.io, each with its version and who needs it: `quick` for `cargo xtask ci` and
/// `proof`, `nightly` for the latter where there is a nightly compiler, `full` for `proof --full` alone.
const TOOLS: &str = include_str!("../../proof/tools.txt");

/// Whether this subcommand of cargo is there in the version that the project names; if not, how to get it.
pub(crate) fn pinned(name: &str) -> Result<()> {
    let words = TOOLS.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let version = words.filter(|words| words.first() == Some(&name)).find_map(|words| words.get(1).copied());
    let version = version.ok_or_else(|| format!("{name} does not stand in proof/tools.txt"))?;
    // As cargo calls it.
    let subcommand = name.trim_start_matches("cargo-");
    let told = output(Command::new(name).args([subcommand, "--version"])).unwrap_or_default();
    if told.split_whitespace().any(|word| word.trim_start_matches('v') == version) {
        return Ok(());
    }
    let found = if told.is_empty() { "there is none".to_owned() } else { format!("this is {}", told.trim()) };
    Err(format!("needs {name} {version}, and {found}: cargo install --locked {name}@{version}").into())
}

/// Says what to do if one of these programs is not there.
pub(crate) fn needs_binutils(programs: &[&str]) -> Result<()> {
    if programs.iter().all(|program| output(Command::new(program).arg("--version")).is_ok()) {
        return Ok(());
    }
    Err(format!("needs {}: apt-get install binutils", programs.join(" and ")).into())
}

/// What it prints, if it ends well; else what it complains of.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let told = command.output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
    Ok(String::from_utf8_lossy(&told.stdout).into_owned())
}

/// Runs it, its output being ours, and says whether it was content.
pub(crate) fn run(command: &mut Command) -> Outcome {
    Ok(command.status()?.success())
}
