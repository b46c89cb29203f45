//! Other programs that the commands run.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Outcome;

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

/// Whether this program is there and says that it has this version; if not, what to do about it.
pub(crate) fn needs(program: &str, arguments: &[&str], version: &str, install: &str) -> Result<(), String> {
    let told = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let is_that = told.split_whitespace().any(|word| word.trim_start_matches('v') == version);
    let found = if told.is_empty() { "there is none".to_owned() } else { format!("this is {}", told.trim()) };
    if is_that { Ok(()) } else { Err(format!("needs {program} {version}, and {found}: {install}")) }
}

/// The tools that are built from crates.io, each with its version and who needs it: `quick` for `cargo xtask ci` and
/// `proof`, `nightly` for the latter where there is a nightly compiler, `full` for `proof --full` alone.
const TOOLS: &str = include_str!("../../proof/tools.txt");

/// Whether this subcommand of cargo is there in the version that the project names; if not, how to get it.
pub(crate) fn pinned(name: &str) -> Result<(), String> {
    let words = TOOLS.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let version = words.filter(|words| words.first() == Some(&name)).find_map(|words| words.get(1).copied());
    let version = version.ok_or_else(|| format!("{name} does not stand in proof/tools.txt"))?;
    // As cargo calls it.
    let subcommand = name.trim_start_matches("cargo-");
    needs(name, &[subcommand, "--version"], version, &format!("cargo install --locked {name}@{version}"))
}

/// Runs it, its output being ours, and says whether it was content.
pub(crate) fn run(command: &mut Command) -> Outcome {
    Ok(command.status()?.success())
}
