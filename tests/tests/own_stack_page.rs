//! `docs/your-own-stack.md` shows code that is compiled and run: each block of Rust is in a program word for word. Its tables
//! are the suite's demands.

use std::{fs, io, path::Path};

use cometly_conformance::{
    cases,
    demands::{DEMANDS, Demand, Part},
};

const SOURCES: [&str; 4] = ["examples/hyper.rs", "examples/attohttpc.rs", "examples/smol.rs", "tests/own_stacks.rs"];

/// The most lines around the core that a stack is shown to need, and of the loop that drives it.
const MAX_LINES: usize = 40;
const MAX_LINES_OF_A_LOOP: usize = 12;

fn read(path: &str) -> io::Result<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

/// The lines of each block, without the indentation of a list.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let (mut blocks, mut lines) = (Vec::new(), page.lines());
    while let Some(fence) = lines.next() {
        let Some(indent) = fence.find("```rust") else { continue };
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        blocks.push(block.map(|line| line.get(indent..).unwrap_or_default()).collect());
    }
    blocks
}

/// On the page a method is without the indentation of its `impl`.
fn stands_in(block: &[&str], source: &str) -> bool {
    [0, 4, 8].into_iter().any(|indent| {
        let line = |line: &&str| if line.is_empty() { "\n".to_owned() } else { format!("{:indent$}{line}\n", "") };
        format!("\n{source}").contains(&format!("\n{}", block.iter().map(line).collect::<String>()))
    })
}

#[test]
fn every_block_of_the_page_is_code_that_runs() -> io::Result<()> {
    let page = read("../docs/your-own-stack.md")?;
    let sources = SOURCES.into_iter().map(read).collect::<io::Result<Vec<_>>>()?;
    let blocks = blocks(&page);
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    for block in blocks {
        let text = block.join("\n");
        assert!(sources.iter().any(|source| stands_in(&block, source)), "in none of {SOURCES:?}:\n{text}");
        let is_loop = block.first() == Some(&"loop {");
        let most = if is_loop { MAX_LINES_OF_A_LOOP } else { MAX_LINES };
        assert!(block.len() <= most, "{} lines:\n{text}", block.len());
    }
    Ok(())
}

#[test]
fn a_block_that_is_a_little_different_is_noticed() {
    let block = ["fn a() {", "    b()", "}"];
    assert!(stands_in(&block, "impl C {\n    fn a() {\n        b()\n    }\n}\n"));
    assert!(!stands_in(&block, "impl C {\n    fn a() {\n        c()\n    }\n}\n"));
    assert_eq!(blocks("- x\n\n  ```rust\n  fn a() {\n      b()\n  }\n  ```\n"), [block]);
}

/// A part of the suite's demands, as the page has it.
fn table(part: &Part) -> String {
    let mut table = String::from("| a transport has to | case | rows |\n| --- | --- | --- |\n");
    for Demand { words, cases, rows } in part.demands {
        for text in ["| ", words, " | `", &cases.join("`, `"), "` | ", rows, " |\n"] {
            table.push_str(text);
        }
    }
    table
}

#[test]
fn the_page_has_the_demands_of_the_suite_word_for_word() -> io::Result<()> {
    let page = read("../docs/your-own-stack.md")?;
    for part in DEMANDS {
        let (heading, table) = (format!("\n**{}**", part.title), table(part));
        let (_, below) = page.split_once(&heading).unwrap_or_else(|| panic!("the page has no heading {}", part.title));
        let found = below.split_once("\n\n| ").map(|(_, rows)| format!("| {rows}"));
        let is_there = found.is_some_and(|rows| rows.starts_with(&format!("{table}\n")));
        assert!(
            is_there,
            "below {}, docs/your-own-stack.md should have the table of tests/src/demands.rs:\n{table}",
            part.title
        );
    }
    Ok(())
}

#[test]
fn every_case_has_one_demand_and_its_rows_are_there() -> io::Result<()> {
    let faults = read("../docs/faults.md")?;
    let demands = || DEMANDS.iter().flat_map(|part| part.demands);
    let mut names: Vec<_> = demands().flat_map(|demand| demand.cases).copied().collect();
    names.sort_unstable();
    let mut expected: Vec<_> = cases::all().iter().map(|case| case.name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected, "each case has one demand in tests/src/demands.rs");
    for row in demands().flat_map(|demand| demand.rows.split([',', ' '])).filter(|word| !matches!(*word, "" | "to")) {
        assert!(faults.contains(&format!("\n| {row} | ")), "docs/faults.md has no row {row}");
    }
    Ok(())
}
