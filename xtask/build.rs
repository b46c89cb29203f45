//! Takes the Rust programs out of the READMEs and of `docs/keys.md`, so that `tests/readmes.rs` compiles and runs them word
//! for word.
//!
//! `Api::new` and `Api::builder` are replaced by functions of the test that lead to the emulator; `Api::from_env` is not.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let mut files = vec![root.join("README.md"), root.join("tests/README.md"), root.join("docs/keys.md")];
    for entry in fs::read_dir(root.join("crates"))? {
        files.push(entry?.path().join("README.md"));
    }
    files.sort();
    let (mut modules, mut table) = (String::new(), String::new());
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&root)?.display().to_string();
        for (line, program) in programs(&file)? {
            let module = format!("{}_{line}", name.replace(|char: char| !char.is_ascii_alphanumeric(), "_"));
            let program = program.replace("Api::new(", "crate::new(").replace("Api::builder(", "crate::builder(");
            // What makes an `Api` and sends nothing is shown without its `main`.
            let is_whole = program.contains("fn main()");
            let program = if is_whole { program } else { with_main(&program) };
            write!(
                modules,
                "#[allow(clippy::all, clippy::pedantic, clippy::restriction, missing_docs, unreachable_pub, \
                 unused_imports, unused_variables, reason = \"it is what a reader types\")]\n\
                 #[allow(non_snake_case, reason = \"named after a file\")]\n\
                 mod {module} {{\nuse crate::my_stack;\n{program}\n\
                 pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {{\nmain().map_err(Into::into)\n}}\n}}\n"
            )?;
            // A whole program that takes its key from the environment calls the API.
            let calls = is_whole && program.contains("::from_env()");
            writeln!(table, "Program {{ name: \"{name}:{line}\", calls: {calls}, run: {module}::run }},")?;
        }
    }
    let text = format!("{modules}\nconst PROGRAMS: &[Program] = &[\n{table}];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("readmes.rs"), text)?;
    Ok(())
}

/// The lines of a block that has no `main`, in one.
fn with_main(lines: &str) -> String {
    format!("fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{lines}Ok(())\n}}\n")
}

/// The blocks that are marked as Rust, each with the line that it begins at.
fn programs(file: &Path) -> Result<Vec<(usize, String)>, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let (mut programs, mut open) = (Vec::new(), None);
    for (line, text) in (1..).zip(text.lines()) {
        match (&mut open, text) {
            (None, "```rust") => open = Some((line, String::new())),
            (Some(_), "```") => programs.extend(open.take()),
            (Some((_, program)), text) => writeln!(program, "{text}")?,
            (None, _) => {}
        }
    }
    Ok(programs)
}
