//! A package made for one program, and what it comes to.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use crate::{Result, tool};

use super::subject::Subject;

pub(super) struct Package {
    folder: PathBuf,
    target: PathBuf,
    /// Whether others build there too, and what they built is kept.
    is_shared: bool,
}

impl Package {
    pub(super) fn new(subject: &Subject, is_shared: bool) -> Result<Self> {
        let root = tool::root();
        let all = root.join("target/cost");
        let folder = all.join(subject.name.replace(", ", "-").replace(' ', "-"));
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), subject.manifest(&root.to_string_lossy()))?;
        fs::write(folder.join("src/main.rs"), subject.main)?;
        // The versions that we are tested with.
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let target = if is_shared { all.join("shared") } else { folder.join("target") };
        Ok(Self { folder, target, is_shared })
    }

    /// From the folder of the package, with no flags of other packages.
    fn cargo(&self) -> Command {
        let mut cargo = tool::cargo();
        cargo.current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target);
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
            cargo.env_remove(name);
        }
        cargo
    }

    /// All the crates that it is compiled from, with their versions, the program itself aside.
    pub(super) fn crates(&self) -> Result<BTreeSet<String>> {
        let tree = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
        let told = tool::output(self.cargo().args(tree))?;
        // A crate of ours is followed by its path.
        let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        Ok(told.lines().skip(1).filter(|line| !line.is_empty()).map(name).collect())
    }

    fn build(&self) -> Result<()> {
        if tool::run(self.cargo().args(["build", "--quiet", "--release"]))? {
            Ok(())
        } else {
            Err("it does not build".into())
        }
    }

    /// CPU seconds to build it with all that it needs, from nothing. What is to be fetched is fetched before.
    pub(super) fn build_cold(&self) -> Result<f64> {
        self.clear()?;
        if !tool::run(self.cargo().args(["fetch", "--quiet"]))? {
            return Err("its crates cannot be fetched".into());
        }
        let before = children_seconds()?;
        self.build()?;
        Ok(children_seconds()? - before)
    }

    /// Bytes of machine code and constants.
    pub(super) fn text(&self) -> Result<f64> {
        self.build()?;
        let told = tool::output(Command::new("size").arg(self.target.join("release/cost")))?;
        let text = told.lines().nth(1).and_then(|line| line.split_whitespace().next()).ok_or("`size` says nothing")?;
        Ok(text.parse()?)
    }

    /// Throws away what was built.
    pub(super) fn clear(&self) -> Result<()> {
        if !self.is_shared && self.target.exists() {
            fs::remove_dir_all(&self.target)?;
        }
        Ok(())
    }
}

/// CPU time of all our children that have ended, and of theirs: fields 16 and 17 of `proc_pid_stat(5)`, in ticks of 10 ms.
fn children_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the name in brackets, and may hold spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("no such stat")?;
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<std::result::Result<f64, _>>()? / 100.0)
}
