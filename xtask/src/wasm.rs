//! `cargo xtask wasm`: what needs no sockets builds for WebAssembly, and the core's own tests pass there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, Result, asks_for_help, say, tool};

const HELP: &str = "\
cargo xtask wasm   check cometly-core, cometly and cometly-tower for wasm32-unknown-unknown and wasm32-wasip2, and the
                   programs of examples/wasm, each for its target; run the core's tests for wasm32-wasip1 in Node 20

With the target of rustup's compiler if it is there; else with the compiler and the sources of Debian's rustc-web and
rust-web-src, which are unpacked below target/wasm, 140 MB to fetch, and build the standard library once a target. Linking
for wasm32-wasip1 then takes Debian's wasi-libc too, and rustup's rust-lld. Where something is missing, it is skipped, and
says so.
";

/// The target whose programs Node runs.
const WASI: &str = "wasm32-wasip1";

/// The core's tests that are left out: of what WASI does not have, threads and other processes, and two simulations of many
/// processes that would take minutes.
const LEFT_OUT: &[&str] = &[
    "api::tests::from_env_reads_the_two_variables_of_the_process",
    "client_builder::tests::the_proxy_of_the_environment_is_taken_only_if_it_is_asked_for_and_can_be_used",
    "pacer::shared::tests::a_waker_may_carry_the_question_at_once",
    "pacer::tests::a_panic_while_it_is_locked_spoils_nothing",
    "retry::budget::tests::clones_on_many_threads_share_it",
    "pacer::tests::equal_processes_share_a_window",
    "pacer::tests::two_equal_processes_share_a_window_fairly",
];

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
    let targets = TARGETS.iter().map(|(target, _)| *target).chain([WASI]);
    let is_complete = targets.map(has_target).collect::<Result<Vec<_>>>()?.into_iter().all(|is_there| is_there);
    let debian = if is_complete { None } else { Debian::unpacked(&folder.join("debian"))? };
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
            let Some(debian) = &debian else {
                say(&format!("skipped: {target}: {NO_COMPILER}\n"))?;
                continue;
            };
            for check in &mut checks {
                debian.builds_its_library(check, "std,panic_abort");
            }
        }
        say(&format!("cargo check --target {target}\n"))?;
        for mut check in checks {
            if !tool::run(&mut check)? {
                return Ok(false);
            }
        }
    }
    match tests(&folder, debian.as_ref())? {
        Ok(mut tests) => tool::run(&mut tests),
        Err(missing) => say(&format!("skipped: the core's tests for {WASI}: {missing}\n")),
    }
}

const NO_COMPILER: &str = "rustup has no such target, and apt has no rustc-web and rust-web-src";

/// The core's own tests, for WASI; or what is missing.
fn tests(folder: &Path, debian: Option<&Debian>) -> Result<std::result::Result<Command, &'static str>> {
    let uses_wasi = "new (require('node:wasi').WASI)({ version: 'preview1' }).getImportObject()";
    if tool::output(Command::new("node").args(["--eval", uses_wasi])).is_err() {
        return Ok(Err("there is no Node with node:wasi, such as Node 20"));
    }
    let mut test = tool::cargo();
    test.args(["test", "--locked", "--package", "cometly-core", "--lib", "--target", WASI, "--target-dir"]).arg(folder);
    // V8's fast calls into Node 20's WASI spoil its heap, so that the program crashes in the end.
    let wasi = tool::root().join("proof/wasi.mjs");
    let runner = format!("node --no-warnings --no-turbo-fast-api-calls {}", wasi.display());
    test.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", runner);
    if !has_target(WASI)? {
        let Some(debian) = debian else { return Ok(Err(NO_COMPILER)) };
        let Some(libc) = wasi_libc(&folder.join("wasi-libc"))? else { return Ok(Err("apt has no wasi-libc")) };
        let linker = linker()?;
        if !linker.exists() {
            return Ok(Err("rustup's compiler has no rust-lld"));
        }
        debian.builds_its_library(&mut test, "std,panic_abort,test");
        let libc = libc.display();
        test.env("CARGO_TARGET_WASM32_WASIP1_LINKER", linker).env_remove("RUSTFLAGS").env(
            "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS",
            // What it does not have is imported, and proof/wasi.mjs has it.
            format!(
                "-Clink-self-contained=no -Clink-arg={libc}/crt1-command.o -Clink-arg=-L{libc} \
                 -Clink-arg=--allow-undefined"
            ),
        );
    }
    test.arg("--");
    for name in LEFT_OUT {
        test.args(["--skip", name]);
    }
    Ok(Ok(test))
}

/// The linker that comes with rustup's compiler.
fn linker() -> Result<PathBuf> {
    let libraries = tool::output(Command::new("rustc").args(["--print", "target-libdir"]))?;
    Ok(Path::new(libraries.trim()).with_file_name("bin").join("rust-lld"))
}

/// The folder of Debian's C library for WASI: installed, or unpacked; `None` if apt does not have it.
fn wasi_libc(folder: &Path) -> Result<Option<PathBuf>> {
    let below = |root: &Path| root.join("usr/lib/wasm32-wasi");
    if let Some(root) = ["/".as_ref(), folder].into_iter().find(|root| below(root).join("libc.a").exists()) {
        return Ok(Some(below(root)));
    }
    if tool::output(Command::new("apt-cache").args(["show", "wasi-libc"])).is_err() {
        return Ok(None);
    }
    unpack(&["wasi-libc".into()], folder)?;
    Ok(Some(below(folder)))
}

/// Fetches packages of Debian and unpacks them, without installing them.
fn unpack(packages: &[String], folder: &Path) -> Result<()> {
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
    Ok(fs::remove_dir_all(&fetched)?)
}

fn has_target(target: &str) -> Result<bool> {
    let root = tool::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(root.trim()).join("lib/rustlib").join(target).exists())
}

/// Debian's compiler with its sources: installed, or unpacked.
struct Debian {
    usr: PathBuf,
}

impl Debian {
    /// Fetches and unpacks it if it is not installed; `None` if apt does not have it.
    fn unpacked(folder: &Path) -> Result<Option<Self>> {
        for usr in ["/usr".into(), folder.join("usr")] {
            let debian = Self { usr };
            if debian.compiler().exists() && debian.usr.join("lib/rustlib/src/rust/library/std").exists() {
                return Ok(Some(debian));
            }
        }
        let Some(packages) = packages() else { return Ok(None) };
        unpack(&packages, folder)?;
        Ok(Some(Self { usr: folder.join("usr") }))
    }

    fn compiler(&self) -> PathBuf {
        self.usr.join("bin/rustc")
    }

    /// cargo builds the standard library too, which only an unstable option of it does.
    fn builds_its_library(&self, cargo: &mut Command, crates: &str) {
        cargo
            .arg(format!("-Zbuild-std={crates}"))
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
