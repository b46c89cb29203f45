//! `cargo xtask wasm`: what needs no sockets builds for WebAssembly.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, Result, asks_for_help, say, tool};

const HELP: &str = "\
cargo xtask wasm   check cometly-core, cometly and cometly-tower for wasm32-unknown-unknown and wasm32-wasip2, and the
                   programs of examples/wasm, each for its target

With the target of rustup's compiler if it is there; else with the compiler and the sources of Debian's rustc-web and
rust-web-src, which are unpacked below target/wasm, 140 MB to fetch, and build the standard library once a target. Where
neither is, it is skipped, and says so.
";

/// Each with the program of examples/wasm that is for it.
const TARGETS: &[(&str, &str)] = &[("wasm32-unknown-unknown", "workers"), ("wasm32-wasip2", "wasi")];

const PACKAGES: &[&str] = &["--package", "cometly-core", "--package", "cometly", "--package", "cometly-tower"];

/// The compiler, the standard library's sources, and what the compiler needs to run.
const DEBIAN: &[&str] = &["rustc-web", "rust-web-src", "libstd-rust-web-dev", "libstd-rust-web-", "libllvm"];

pub(crate) fn run(arguments: lexopt::Parser) -> Outcome {
    if asks_for_help(arguments)? {
        return say(HELP);
    }
    let folder = tool::root().join("target/wasm");
    let mut debian = None;
    for (target, program) in TARGETS {
        let mut checks: Vec<Command> =
            [PACKAGES, &["--locked", "--manifest-path", "examples/wasm/Cargo.toml", "--package", program]]
                .map(|what| {
                    let mut check = tool::cargo();
                    check.args(["check", "--target", target, "--target-dir"]).arg(&folder).args(what);
                    check
                })
                .into();
        if !has_target(target)? {
            if debian.is_none() {
                debian = Debian::unpacked(&folder.join("debian"))?;
            }
            let Some(debian) = &debian else {
                say(&format!(
                    "skipped: {target}: rustup has no such target, and apt has no rustc-web and rust-web-src\n"
                ))?;
                continue;
            };
            for check in &mut checks {
                debian.builds_its_library(check);
            }
        }
        say(&format!("cargo check --target {target}\n"))?;
        for mut check in checks {
            if !tool::run(&mut check)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn has_target(target: &str) -> Result<bool> {
    let root = tool::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(root.trim()).join("lib/rustlib").join(target).exists())
}

/// Debian's compiler with its sources: installed, or unpacked.
#[derive(Clone)]
struct Debian {
    usr: PathBuf,
}

impl Debian {
    /// Fetches and unpacks it if it is not installed; `None` if apt does not have it.
    fn unpacked(folder: &Path) -> Result<Option<Self>> {
        let debian = Self { usr: folder.join("usr") };
        for debian in [Self { usr: "/usr".into() }, debian.clone()] {
            if debian.compiler().exists() && debian.usr.join("lib/rustlib/src/rust/library/std").exists() {
                return Ok(Some(debian));
            }
        }
        let Some(packages) = packages() else { return Ok(None) };
        let fetched = folder.with_extension("fetched");
        fs::create_dir_all(&fetched)?;
        if !tool::run(Command::new("apt-get").args(["download", "--quiet"]).args(packages).current_dir(&fetched))? {
            return Err("apt-get download failed: try `apt-get update`".into());
        }
        for package in fs::read_dir(&fetched)? {
            if !tool::run(Command::new("dpkg").arg("--extract").arg(package?.path()).arg(folder))? {
                return Err("a package could not be unpacked".into());
            }
        }
        fs::remove_dir_all(&fetched)?;
        Ok(Some(debian))
    }

    fn compiler(&self) -> PathBuf {
        self.usr.join("bin/rustc")
    }

    /// cargo builds the standard library too, which only an unstable option of it does.
    fn builds_its_library(&self, cargo: &mut Command) {
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC", self.compiler())
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LD_LIBRARY_PATH", self.usr.join("lib/x86_64-linux-gnu"));
    }
}

/// The packages that rustc-web needs to run, in the versions that it asks for.
fn packages() -> Option<Vec<String>> {
    let simulated = Command::new("apt-get")
        .args(["install", "--simulate", "--no-install-recommends", "rustc-web", "rust-web-src"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&simulated.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next());
    let names: Vec<_> =
        names.filter(|name| DEBIAN.iter().any(|start| name.starts_with(start))).map(str::to_owned).collect();
    (names.len() >= DEBIAN.len()).then_some(names)
}
