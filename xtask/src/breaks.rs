//! `cargo xtask breaks`: takes out one guard at a time, in a copy of the sources, and expects a named test to go red.

use std::io::{self, Write as _};

use crate::{Outcome, say};

mod core;
mod isahc;
mod own_stacks;
mod pacing;
mod reqwest;
mod retries;
mod sources;
mod ureq;

use sources::Sources;

const HELP: &str = "\
cargo xtask breaks          take out each guard in turn, in a copy of the sources, and expect a named test to go red
cargo xtask breaks TEXT     only those whose description or file holds TEXT
cargo xtask breaks --list   the table alone, and whether each guard still stands where it says

Builds everything once more, and then takes some 15 s for each guard. Ends with 1 if a break goes unnoticed.
";

/// One guard taken out, and who notices.
#[derive(Clone, Copy)]
struct Break {
    /// What is taken out.
    guard: &'static str,
    /// Where it stands, from the project's root.
    file: &'static str,
    /// The text that goes, which must stand there once.
    find: &'static str,
    /// The text that comes.
    replace: &'static str,
    noticed: Noticed,
}

impl Break {
    /// A guard that is described best by its own line of code, and watched by a unit test of the core.
    const fn in_core(file: &'static str, find: &'static str, replace: &'static str, test: &'static str) -> Self {
        Self { guard: find, file, find, replace, noticed: Noticed::Test("cometly-core", test) }
    }
}

/// Who notices.
#[derive(Clone, Copy)]
enum Noticed {
    /// A unit test: its package and its path.
    Test(&'static str, &'static str),
    /// A case of the suite: its flavour and its name.
    Case(&'static str, &'static str),
    /// Nobody can, for this reason.
    Nobody(&'static str),
}

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut filter, mut only_list) = (String::new(), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("list") => only_list = true,
            lexopt::Arg::Value(value) => filter = value.to_string_lossy().into_owned(),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    let ours = [core::BREAKS, retries::BREAKS, pacing::BREAKS].concat();
    let stacks = [reqwest::BREAKS, ureq::BREAKS, isahc::BREAKS, own_stacks::BREAKS].concat();
    let breaks = [ours, stacks].concat();
    let chosen = breaks.into_iter().filter(|one| one.guard.contains(&filter) || one.file.contains(&filter));
    let sources = if only_list { None } else { Some(Sources::copied()?) };
    let (mut taken_out, mut unnoticed) = (0_usize, 0_usize);
    for one in chosen {
        let who = match one.noticed {
            Noticed::Test(package, test) => format!("{package} {test}"),
            Noticed::Case(flavour, case) => format!("{flavour}::{case}"),
            Noticed::Nobody(reason) => format!("nobody can notice: {reason}"),
        };
        let guard = one.guard.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(io::stdout(), "{} | {guard} | {who}", one.file)?;
        io::stdout().flush()?;
        let verdict = match (&sources, one.noticed) {
            (_, Noticed::Nobody(_)) => String::new(),
            (None, _) if sources::stands_once(&one)? => String::new(),
            (None, _) => {
                unnoticed = unnoticed.saturating_add(1);
                " | that text does not stand there once".to_owned()
            }
            (Some(sources), noticed) => {
                taken_out = taken_out.saturating_add(1);
                let verdict = sources.play(&one, noticed)?;
                unnoticed = unnoticed.saturating_add(usize::from(verdict != "red"));
                format!(" | {verdict}")
            }
        };
        say(&format!("{verdict}\n"))?;
    }
    if !only_list {
        say(&format!("{taken_out} guards were taken out, {unnoticed} of them unnoticed.\n"))?;
    }
    Ok(unnoticed == 0)
}
