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

/// Runs it, its output being ours, and says whether it was content.
pub(crate) fn run(command: &mut Command) -> Outcome {
    Ok(command.status()?.success())
}
