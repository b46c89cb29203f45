//! `cargo xtask api`: what is public is what was written down, and names few foreign types.

use std::{collections::BTreeSet, fs};

use crate::{
    Outcome, Result,
    libraries::{LIBRARIES, Library},
    say, tool,
};

const HELP: &str = "\
cargo xtask api           compare the public API of each library with proof/public-api/, and look for foreign types in it
cargo xtask api --write   write it there instead of comparing

Needs a nightly compiler, whose rustdoc lists the API, and cargo-public-api in the version of proof/tools.txt.
";

/// Everybody may name these.
const STANDARD: [&str; 3] = ["alloc", "core", "std"];

/// What is not for programs to name, and comes and goes with the nightly.
const UNSTABLE: [&str; 3] =
    ["core::marker::Freeze for ", "core::marker::StructuralPartialEq for ", "core::marker::UnsafeUnpin for "];

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut is_to_write = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("write") => is_to_write = true,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    if tool::nightly_cargo().is_none() {
        return say("skipped: no nightly\n");
    }
    tool::pinned("cargo-public-api")?;
    let mut is_well = true;
    for library in LIBRARIES {
        let api = public_api(library)?;
        let file = tool::root().join("proof/public-api").join(library.package).with_extension("txt");
        if is_to_write {
            fs::write(&file, &api)?;
        }
        let difference = difference(&fs::read_to_string(&file).unwrap_or_default(), &api);
        let foreign = foreign(library, &api);
        is_well &= difference.is_empty() && foreign.is_empty();
        say(&format!("{}: {} public items and impls\n", library.package, api.lines().count()))?;
        if !difference.is_empty() {
            say(&format!("not as in {}; if it is meant, `cargo xtask api --write`:\n{difference}", file.display()))?;
        }
        if !foreign.is_empty() {
            let foreign: Vec<_> = foreign.into_iter().collect();
            say(&format!("names what is not its own: {}\n", foreign.join(", ")))?;
        }
    }
    Ok(is_well)
}

/// One item a line.
fn public_api(library: &Library) -> Result<String> {
    let mut command = tool::nightly_cargo().ok_or("the nightly compiler is gone")?;
    command.args(["public-api", "--package", library.package, "--omit", "blanket-impls", "--color", "never"]);
    command.args(["--no-default-features", "--features", library.features]);
    let text = tool::output(&mut command)?;
    let lines = text.lines().filter(|line| !UNSTABLE.iter().any(|unstable| line.contains(unstable)));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The lines that went, and those that came.
fn difference(then: &str, now: &str) -> String {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (then.lines().collect(), now.lines().collect());
    let gone = old.difference(&new).map(|line| format!("- {line}\n"));
    gone.chain(new.difference(&old).map(|line| format!("+ {line}\n"))).collect()
}

/// The paths that this library has no business to name.
fn foreign<'a>(library: &Library, api: &'a str) -> BTreeSet<&'a str> {
    let itself = library.package.replace('-', "_");
    let is_known = |path: &str| {
        let mut known = STANDARD.iter().chain(library.may_name).copied().chain([itself.as_str()]);
        known.any(|known| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")))
    };
    paths(api).filter(|path| !is_known(path)).collect()
}

/// Every `a::b` path, and re-exports. Skips associated types of type parameters and of types in angle brackets.
fn paths(api: &str) -> impl Iterator<Item = &str> {
    let words = api.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':');
    let paths = words.filter(|word| word.contains("::") && word.starts_with(|first: char| first.is_ascii_lowercase()));
    // A whole crate, `pub use a::<<b::*>>`, is among the paths.
    let uses = api.lines().filter(|line| line.starts_with("pub use ") && !line.ends_with("::*>>"));
    paths.chain(uses.filter_map(|line| line.rsplit("::").next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: Library =
        Library { package: "a-b", features: "", may_name: &["http", "serde_core::de::Deserialize"] };

    #[test]
    fn what_is_not_its_own_is_named() {
        let known = "pub fn a_b::f<T: serde_core::de::Deserialize<'de>>(http::Method, T::Err) -> <X as core::A>::B";
        assert!(foreign(&LIBRARY, known).is_empty());
        let unknown = "pub fn a_b::f(&self, url: url::Url) -> core::option::Option<serde_core::de::Deserializer>";
        let expected = ["serde_core::de::Deserializer", "url::Url"];
        assert_eq!(foreign(&LIBRARY, unknown).into_iter().collect::<Vec<_>>(), expected);
        assert!(foreign(&LIBRARY, "pub use a_b::http").is_empty());
        assert!(foreign(&LIBRARY, "pub use a_b::<<http::*>>").is_empty());
        assert!(!foreign(&LIBRARY, "pub use a_b::<<httpdate::*>>").is_empty());
        assert_eq!(foreign(&LIBRARY, "pub use a_b::serde_json").into_iter().collect::<Vec<_>>(), ["serde_json"]);
        assert!(!foreign(&LIBRARY, "pub type a_b::H = httpdate::HttpDate").is_empty(), "not http");
    }

    #[test]
    fn a_line_that_went_or_came_is_shown() {
        assert_eq!(difference("a\nb\n", "b\nc\n"), "- a\n+ c\n");
        assert_eq!(difference("a\n", "a\n"), "");
    }
}
