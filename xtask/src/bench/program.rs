//! The programs that are measured, and how they are run: always in the same environment.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, tool};

/// Which valgrind there is, or what to do about it.
pub(super) fn valgrind() -> Result<String> {
    let told = clean(&find_valgrind()?).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}

/// Where it is: the programs that are measured do not get to see the caller's `PATH`.
fn find_valgrind() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join("valgrind")).find(|program| program.is_file());
    found.ok_or_else(|| "bench needs valgrind: apt-get install valgrind".into())
}

/// A folder of `proof/`, built.
pub(super) struct Workspace {
    folder: PathBuf,
    built: PathBuf,
}

impl Workspace {
    pub(super) fn build(name: &str) -> Result<Self> {
        let folder = tool::root().join("proof").join(name);
        let target = tool::root().join("target").join(name);
        let mut cargo = tool::cargo();
        cargo.args(["build", "--quiet", "--release", "--locked"]).arg("--manifest-path").arg(folder.join("Cargo.toml"));
        cargo.arg("--target-dir").arg(&target);
        // Flags of the caller's would change what is counted.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(name);
        }
        if tool::run(&mut cargo)? {
            Ok(Self { folder, built: target.join("release") })
        } else {
            Err("it does not build".into())
        }
    }

    pub(super) fn program(&self, name: &str) -> Program {
        Program(self.built.join(name))
    }

    /// The versions of these crates in its lock file.
    pub(super) fn versions(&self, crates: &[&str]) -> Result<Vec<String>> {
        let lock = fs::read_to_string(self.folder.join("Cargo.lock"))?;
        let packages =
            lock.split("[[package]]").filter_map(|package| Some((field(package, "name")?, field(package, "version")?)));
        Ok(packages
            .filter(|(name, _)| crates.contains(name))
            .map(|(name, version)| format!("{name} {version}"))
            .collect())
    }
}

/// `name = "value"` in a lock file.
fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    let value = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))?;
    Some(value.trim_matches('"'))
}

/// One program of them.
pub(super) struct Program(PathBuf);

impl Program {
    /// As it is.
    pub(super) fn command(&self) -> Command {
        clean(&self.0)
    }

    /// What it prints.
    pub(super) fn output(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command().args(arguments).output()?;
        if !output.status.success() {
            return Err(format!(
                "{} {}: {}",
                self.0.display(),
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Instructions for each of the rounds by which two runs differ: what is done once falls out of it.
    pub(super) fn instructions(&self, rounds: (u32, u32), arguments: impl Fn(&str) -> Vec<String>) -> Result<f64> {
        let (few, many) = rounds;
        let run = |rounds: u32| self.collected(&arguments(&rounds.to_string()));
        Ok(((run(many)? - run(few)?) / (f64::from(many) - f64::from(few))).round())
    }

    /// The instructions of a whole run.
    fn collected(&self, arguments: &[String]) -> Result<f64> {
        let mut valgrind = clean(&find_valgrind()?);
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.0).args(arguments);
        let output = valgrind.output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        let collected = told.lines().find_map(|line| line.split_once("Collected :").map(|(_, number)| number.trim()));
        match collected.filter(|_| output.status.success()) {
            Some(number) => Ok(number.parse()?),
            None => Err(format!("{} {}: {told}", self.0.display(), arguments.join(" ")).into()),
        }
    }

    /// Its pieces of work, and how often each allocates.
    pub(super) fn allocations(&self) -> Result<BTreeMap<String, f64>> {
        let told = self.output(&["allocations"])?;
        let lines = told.lines().filter_map(|line| line.split_once('\t'));
        lines.map(|(name, count)| Ok((name.to_owned(), count.parse()?))).collect()
    }
}

/// The environment lies on the stack, and so moves what is there, which memcpy may notice.
fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C")]);
    command
}
