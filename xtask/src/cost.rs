//! `cargo xtask cost`: what it costs to have us: crates, time to build, and size.

mod package;
mod subject;

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
};

use comfy_table::{CellAlignment, Table, presets};
use lexopt::{Arg, Parser};

use crate::{Outcome, Result, page, say, tool};

use package::Package;
use subject::{MOST_CORE_CRATES, MOST_CORE_SECONDS, MOST_MORE_CRATES, MOST_TEXT, SUBJECTS, Subject};

const USAGE: &str = "\
What a program has to carry for us: crates, CPU seconds of a cold release build, bytes of machine code.

Usage: cargo xtask cost [OPTIONS]

  --quick    crates and text only: nothing is compiled twice, so nothing is known of a cold build
  --write    puts the figures into docs/benchmarks.md

Small programs are made in target/cost, with the versions of our own lock file: each client alone, and with our adapter
on top. Exits with 1 if a bound is broken, and says which. Needs binutils.
";

/// What was found out of one of the programs.
struct Row {
    name: &'static str,
    crates: BTreeSet<String>,
    /// The crates that neither the client nor the core brought, if this is an adapter.
    more: Option<BTreeSet<String>>,
    seconds: Option<f64>,
    text: f64,
    /// How much of that the program that it is compared with does not have.
    beyond: f64,
    breaches: Vec<String>,
}

pub(crate) fn run(mut arguments: Parser) -> Outcome {
    let (mut is_quick, mut writes) = (false, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("quick") => is_quick = true,
            Arg::Long("write") => writes = true,
            Arg::Short('h') | Arg::Long("help") => return say(USAGE),
            other => return Err(other.unexpected().into()),
        }
    }
    tool::needs_binutils(&["size"])?;
    let mut rows: Vec<Row> = Vec::new();
    for subject in SUBJECTS {
        // It takes minutes; nobody waits for the word if standard error is closed.
        let _ = writeln!(io::stderr(), "cost: {}", subject.name);
        let row = measure(subject, is_quick, &rows)?;
        rows.push(row);
    }
    let table = table(&rows);
    say(&table)?;
    if writes {
        page::put("docs/benchmarks.md", "cost", &table)?;
    }
    let broken: Vec<&str> = rows.iter().flat_map(|row| &row.breaches).map(String::as_str).collect();
    if !broken.is_empty() {
        say(&format!("\nBroken: {}\n", broken.join("; ")))?;
    }
    Ok(broken.is_empty())
}

/// Measures one program, beside those before it.
fn measure(subject: &Subject, is_quick: bool, before: &[Row]) -> Result<Row> {
    let package = Package::new(subject, is_quick)?;
    let seconds = if is_quick { None } else { Some(cold_seconds(subject, &package)?) };
    let (text, crates) = (package.text()?, package.crates()?);
    package.clear()?;
    let named = |name: &str| before.iter().find(|row| row.name == name);
    let client = subject.over.and_then(named);
    let more = client.zip(named(subject::CORE)).map(|(client, core)| {
        let is_new = |name: &&String| !client.crates.contains(*name) && !core.crates.contains(*name);
        crates.iter().filter(is_new).cloned().collect()
    });
    let beyond = text - client.map_or(0.0, |client| client.text);
    let mut row = Row { name: subject.name, crates, more, seconds, text, beyond, breaches: Vec::new() };
    row.breaches = breaches(&row);
    Ok(row)
}

/// CPU seconds of a cold build. A busy machine makes them more, so what is beyond the bound is measured again.
fn cold_seconds(subject: &Subject, package: &Package) -> Result<f64> {
    let seconds = package.build_cold()?;
    let is_bounded = subject.name == subject::CORE;
    if is_bounded && seconds > MOST_CORE_SECONDS { Ok(seconds.min(package.build_cold()?)) } else { Ok(seconds) }
}

fn breaches(row: &Row) -> Vec<String> {
    let mut broken = Vec::new();
    let mut at_most = |what: &str, figure: f64, most: f64| {
        if figure > most {
            broken.push(format!("{}: {figure:.1} {what} of at most {most}", row.name));
        }
    };
    if row.name == subject::CORE {
        at_most("crates", count(&row.crates), MOST_CORE_CRATES);
        at_most("CPU seconds", row.seconds.unwrap_or_default(), MOST_CORE_SECONDS);
    }
    if let Some(more) = &row.more {
        at_most("crates more", count(more), MOST_MORE_CRATES);
        at_most("bytes of text", row.beyond, MOST_TEXT);
    }
    broken
}

fn count(crates: &BTreeSet<String>) -> f64 {
    u32::try_from(crates.len()).map_or(f64::INFINITY, f64::from)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["program", "crates", "beyond client and core", "cold build, CPU s", "text, bytes", "holds"]);
    for row in rows {
        let more = row.more.as_ref().map(|more| {
            let names: Vec<&str> = more.iter().filter_map(|name| name.split(' ').next()).collect();
            format!("{} of {MOST_MORE_CRATES}: {}", names.len(), names.join(", "))
        });
        let is_bounded = row.more.is_some() || row.name == subject::CORE;
        let is_compared = row.beyond < row.text;
        let text = if is_compared { format!("+{:.0}", row.beyond) } else { format!("{:.0}", row.text) };
        table.add_row([
            row.name.to_owned(),
            row.crates.len().to_string(),
            more.unwrap_or_default(),
            row.seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
            text,
            match (is_bounded, row.breaches.is_empty()) {
                (false, _) => String::new(),
                (true, true) => "yes".to_owned(),
                (true, false) => "NO".to_owned(),
            },
        ]);
    }
    for column in [1, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!(
        "{table}\n\nThe core: at most {MOST_CORE_CRATES} crates and {MOST_CORE_SECONDS} CPU s. An adapter: at most \
         {MOST_MORE_CRATES} crates that neither client nor core brings, and {MOST_TEXT} bytes of text more than the client.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, crates: u32, more: Option<u32>, seconds: f64, beyond: f64) -> Row {
        let set = |count: u32| (0..count).map(|number| number.to_string()).collect();
        Row {
            name,
            crates: set(crates),
            more: more.map(set),
            seconds: Some(seconds),
            text: beyond,
            beyond,
            breaches: Vec::new(),
        }
    }

    #[test]
    fn one_crate_or_byte_too_many_breaks_it() {
        assert!(breaches(&row(subject::CORE, 24, None, 20.0, 9e9)).is_empty());
        assert_eq!(breaches(&row(subject::CORE, 25, None, 20.1, 0.0)).len(), 2);
        assert!(breaches(&row("cometly-ureq", 99, Some(3), 99.0, 120_000.0)).is_empty());
        assert_eq!(breaches(&row("cometly-ureq", 99, Some(4), 99.0, 120_001.0)).len(), 2);
        assert!(breaches(&row("ureq", 99, None, 99.0, 9e9)).is_empty());
    }
}
