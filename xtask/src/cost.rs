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
use subject::{
    Kind, MOST_CORE_CRATES, MOST_CORE_SECONDS, MOST_CORE_TEXT, MOST_MORE_CRATES, MOST_TEXT, SUBJECTS, Subject,
};

const USAGE: &str = "\
What a program has to carry for us: crates, CPU seconds of a cold release build, bytes of machine code.

Usage: cargo xtask cost [OPTIONS]

  --quick    crates and text only: nothing is compiled twice, so nothing is known of a cold build
  --write    puts the figures into docs/benchmarks.md

Small programs are made in target/cost, with the versions of our own lock file: each client alone, with the core driven by
hand, and with our adapter. Exits with 1 if a bound is broken, and says which. Needs binutils.
";

/// What was found out of one of the programs.
struct Row {
    name: &'static str,
    kind: Kind,
    crates: BTreeSet<String>,
    seconds: Option<f64>,
    text: f64,
    /// What it has that the program that it is compared with has not.
    more: Option<More>,
    breaches: Vec<String>,
}

struct More {
    crates: BTreeSet<String>,
    text: f64,
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
        // It takes minutes; a closed standard error is ignored.
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
    let before = |name| before.iter().find(|row| row.name == name).ok_or_else(|| format!("{name} must come before it"));
    let over = subject.over.map(before).transpose()?;
    let more =
        over.map(|over| More { crates: crates.difference(&over.crates).cloned().collect(), text: text - over.text });
    let mut row = Row { name: subject.name, kind: subject.kind, crates, seconds, text, more, breaches: Vec::new() };
    row.breaches = breaches(&row);
    Ok(row)
}

/// CPU seconds of a cold build. A busy machine makes them more, so what is beyond the bound is measured again.
fn cold_seconds(subject: &Subject, package: &Package) -> Result<f64> {
    let seconds = package.build_cold()?;
    let is_over = subject.kind == Kind::Core && seconds > MOST_CORE_SECONDS;
    if is_over { Ok(seconds.min(package.build_cold()?)) } else { Ok(seconds) }
}

fn breaches(row: &Row) -> Vec<String> {
    let mut broken = Vec::new();
    let mut at_most = |what: &str, figure: f64, most: f64| {
        if figure > most {
            broken.push(format!("{}: {figure:.1} {what} of at most {most}", row.name));
        }
    };
    match (row.kind, &row.more) {
        (Kind::Core, _) => {
            at_most("crates", count(&row.crates), MOST_CORE_CRATES);
            at_most("CPU seconds", row.seconds.unwrap_or_default(), MOST_CORE_SECONDS);
            at_most("bytes of text", row.more.as_ref().map_or(row.text, |more| more.text), MOST_CORE_TEXT);
        }
        (Kind::Adapter, Some(more)) => {
            at_most("crates more", count(&more.crates), MOST_MORE_CRATES);
            at_most("bytes of text", more.text, MOST_TEXT);
        }
        _ => {}
    }
    broken
}

fn count(crates: &BTreeSet<String>) -> f64 {
    u32::try_from(crates.len()).map_or(f64::INFINITY, f64::from)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["program", "crates", "more than before", "cold build, CPU s", "text, bytes", "more", "holds"]);
    for row in rows {
        let names = |more: &More| match row.kind {
            Kind::Adapter => {
                let names: Vec<&str> = more.crates.iter().filter_map(|name| name.split(' ').next()).collect();
                format!("{} of {MOST_MORE_CRATES}: {}", names.len(), names.join(", "))
            }
            _ => more.crates.len().to_string(),
        };
        table.add_row([
            row.name.to_owned(),
            row.crates.len().to_string(),
            row.more.as_ref().map(names).unwrap_or_default(),
            row.seconds.map(|seconds| format!("{seconds:.1}")).unwrap_or_default(),
            format!("{:.0}", row.text),
            row.more.as_ref().map(|more| format!("+{:.0}", more.text)).unwrap_or_default(),
            match (row.kind, row.breaches.is_empty()) {
                (Kind::Yardstick, _) => String::new(),
                (_, true) => "yes".to_owned(),
                (_, false) => "NO".to_owned(),
            },
        ]);
    }
    for column in [1, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!(
        "{table}\n\nThe core: at most {MOST_CORE_CRATES} crates, {MOST_CORE_SECONDS} CPU s and {MOST_CORE_TEXT} bytes of \
         text. An adapter: at most {MOST_MORE_CRATES} crates and {MOST_TEXT} bytes of text more than the core driven by \
         hand.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_crate_or_byte_too_many_breaks_it() {
        let set = |count: u32| (0..count).map(|number| number.to_string()).collect();
        let breaches = |kind, crates, more_crates, seconds, text| {
            let more = Some(More { crates: set(more_crates), text });
            let seconds = Some(seconds);
            breaches(&Row { name: "x", kind, crates: set(crates), seconds, text, more, breaches: Vec::new() }).len()
        };
        assert_eq!(breaches(Kind::Core, 24, 99, 20.0, 240_000.0), 0);
        assert_eq!(breaches(Kind::Core, 25, 99, 20.1, 240_001.0), 3);
        assert_eq!(breaches(Kind::Adapter, 99, 3, 99.0, 120_000.0), 0);
        assert_eq!(breaches(Kind::Adapter, 99, 4, 99.0, 120_001.0), 2);
        assert_eq!(breaches(Kind::Yardstick, 99, 99, 99.0, 9e9), 0);
    }
}
