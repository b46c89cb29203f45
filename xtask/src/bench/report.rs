//! The table, the JSON, and the part of `docs/benchmarks.md` that is figures.

use std::{fs, process::Command, thread};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value, json};

use crate::Result;

use super::{
    program::Workspace,
    row::{Cost, Row, number},
};

/// Who is written by hand, and not another crate.
const BY_HAND: [&str; 3] = ["lean", "naive", "raw"];

/// Whose versions decide the figures.
const CRATES: [&str; 20] = [
    "bytes",
    "http",
    "httpdate",
    "percent-encoding",
    "serde",
    "serde_json",
    "hyper",
    "reqwest",
    "ureq",
    "ureq-proto",
    "isahc",
    "curl",
    "curl-sys",
    "tokio",
    "oauth2",
    "octocrab",
    "rusty-s3",
    "tame-oauth",
    "twitch_api",
    "url",
];

pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "job",
        "ours",
        "allocations",
        "bound",
        "holds",
        "lean by hand",
        "as usual",
        "fastest other crate",
    ]);
    for row in rows {
        let hand = |names: &[&str]| shown(row.beside.iter().find(|(who, _)| names.contains(&who.as_str())), false);
        let others = row.beside.iter().filter(|(who, _)| !BY_HAND.contains(&who.as_str()));
        let fastest = others.min_by(|(_, one), (_, other)| one.instructions.total_cmp(&other.instructions));
        table.add_row([
            row.job.clone(),
            row.ours.or(row.instructions).map(number).unwrap_or_default(),
            row.allocations.map(number).unwrap_or_default(),
            bound(row),
            match row.holds() {
                Some(true) => "yes".to_owned(),
                Some(false) => "NO".to_owned(),
                None => String::new(),
            },
            hand(&["lean"]),
            hand(&["naive", "raw"]),
            shown(fastest, true),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}

fn bound(row: &Row) -> String {
    let instructions = row.bound.map(|most| match row.allowance {
        0.0 => number(most),
        allowance => format!("{} + {}", number(most - allowance), number(allowance)),
    });
    let allocations = row.most_allocations.map(|most| format!("{} allocations", number(most)));
    instructions.into_iter().chain(allocations).collect::<Vec<_>>().join(", ")
}

/// Instructions, and allocations behind a slash.
fn shown(entry: Option<&(String, Cost)>, is_named: bool) -> String {
    let Some((who, cost)) = entry else { return String::new() };
    let name = if is_named { format!("{who} ") } else { String::new() };
    let allocations = cost.allocations.map(|count| format!(" / {}", number(count))).unwrap_or_default();
    format!("{name}{}{allocations}", number(cost.instructions))
}

/// All that was measured of other crates.
fn peers(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["job", "crate", "instructions", "allocations", "ours"]);
    for row in rows {
        for (who, cost) in row.beside.iter().filter(|(who, _)| !BY_HAND.contains(&who.as_str())) {
            let allocations = cost.allocations.map(number).unwrap_or_default();
            let ours = row.instructions.map(number).unwrap_or_default();
            table.add_row([row.job.clone(), who.clone(), number(cost.instructions), allocations, ours]);
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

pub(super) fn json(rows: &[Row]) -> String {
    let rows: Vec<String> = rows.iter().map(|row| format!("  {}", value(row))).collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}

fn value(row: &Row) -> Value {
    let beside = row.beside.iter().map(|(who, cost)| {
        (who.clone(), json!({ "instructions": cost.instructions, "allocations": cost.allocations }))
    });
    json!({
        "job": row.job,
        "ours": row.ours,
        "instructions": row.instructions,
        "allocations": row.allocations,
        "bound": row.bound,
        "allocations_bound": row.most_allocations,
        "holds": row.holds(),
        "beside": beside.collect::<Map<_, _>>(),
    })
}

/// When and where it was measured, with what, and what came out.
pub(super) fn markdown(rows: &[Row], valgrind: &str, workspaces: &[&Workspace]) -> Result<String> {
    let told = |program: &str, argument: &str| -> Result<String> {
        Ok(String::from_utf8(Command::new(program).arg(argument).output()?.stdout)?.trim().to_owned())
    };
    let mut versions: Vec<String> = Vec::new();
    for workspace in workspaces {
        versions.extend(workspace.versions(&CRATES)?);
    }
    versions.sort_unstable();
    versions.dedup();
    let peers =
        if workspaces.len() > 1 { format!("\n\nOther crates, all of them:\n\n{}", peers(rows)) } else { String::new() };
    Ok(format!(
        "Measured on {} on {}, with {}, {valgrind}; {}.\n\n{}{peers}",
        told("date", "+%F")?,
        machine()?,
        told("rustc", "--version")?,
        versions.join(", "),
        table(rows),
    ))
}

fn machine() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, model)| model));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = thread::available_parallelism()?;
    Ok(format!("{} ({cores} cores), Linux {}", cpu.unwrap_or("a processor without a name"), kernel.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_one_array_of_rows_with_numbers_or_nothing() {
        let lean = ("lean".to_owned(), Cost { instructions: 954.0, allocations: Some(2.0) });
        let rows = [
            Row { job: "a".to_owned(), ours: Some(7.0), bound: Some(6.0), beside: vec![lean], ..Row::default() },
            Row { job: "b".to_owned(), ..Row::default() },
        ];
        let read: Value = serde_json::from_str(&json(&rows)).unwrap();
        assert_eq!(read[0]["holds"], false);
        assert_eq!(read[0]["beside"]["lean"]["instructions"], 954.0);
        assert!(["ours", "instructions", "allocations", "bound", "holds"].iter().all(|field| read[1][field].is_null()));
    }
}
