//! `cargo xtask budget`: what the core may depend on, and what its sources may name: it is for people who count crates,
//! and it does no IO.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{Outcome, Result, asks_for_help, say, sources, tool};

const HELP: &str = "\
cargo xtask budget   how many crates come with the core, and that neither they nor its sources do IO
";

/// Itself included.
const MAX_CRATES: usize = 19;

/// A crate that needs one of these reaches out to sockets, files, clocks or threads.
const DOES_IO: [&str; 11] =
    ["async-io", "crossbeam-utils", "getrandom", "libc", "log", "mio", "rand", "rustix", "socket2", "tokio", "tracing"];

/// What a source without IO does not name; its tests may.
const NAMES_IO: [&str; 9] =
    ["std::net", "std::fs", "std::thread", "std::process", "std::os", "env::var", "::now()", "println!", "unsafe {"];

/// The functions that look outside, a line each: `ApiBuilder::base_url_from_env`, `ApiKey::from_env`,
/// `ClientBuilder::proxy_from_env`, `Moment::now`. A program calls them; the core calls none but for `Api::from_env`.
const LOOKS_OUTSIDE: [&str; 4] = ["api.rs", "api_key.rs", "client_builder.rs", "moment.rs"];

pub(crate) fn run(arguments: lexopt::Parser) -> Outcome {
    if asks_for_help(arguments)? {
        return say(HELP);
    }
    let crates = crates()?;
    let doing_io: Vec<_> = crates.iter().filter(|name| DOES_IO.contains(&name.as_str())).cloned().collect();
    let naming_io = sources_with(&tool::root().join("crates/cometly-core/src"), &NAMES_IO)?;
    let files: Vec<_> = naming_io.iter().filter_map(|line| line.split(':').next()).collect();

    say(&format!("{} crates of at most {MAX_CRATES}, itself included\n", crates.len()))?;
    let shown = if doing_io.is_empty() { "none".to_owned() } else { doing_io.join(", ") };
    say(&format!("crates that do IO: {shown}\n"))?;
    say(&format!("sources that look outside: {}; meant to: {}\n", naming_io.join(", "), LOOKS_OUTSIDE.join(", ")))?;
    Ok(crates.len() <= MAX_CRATES && doing_io.is_empty() && files == LOOKS_OUTSIDE)
}

/// The crates that a program gets with the core, itself included.
fn crates() -> Result<BTreeSet<String>> {
    let tree = ["tree", "--package", "cometly-core", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let text = tool::output(tool::cargo().args(tree))?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// The lines that hold one of these texts, comments and tests aside.
fn sources_with(folder: &Path, texts: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in sources::below(folder)? {
        let text = fs::read_to_string(&file)?;
        let name = file.strip_prefix(folder)?.display();
        let code = (1..)
            .zip(text.lines())
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"));
        found.extend(
            code.filter(|(_, line)| texts.iter().any(|text| line.contains(text)))
                .map(|(number, _)| format!("{name}:{number}")),
        );
    }
    Ok(found)
}
