//! `docs/your-own-stack.md` shows code that is compiled and run: each block of Rust is in a program word for word. Its table
//! names each case of the suite.

use std::{fs, io, path::Path};

use cometly_conformance::cases;

const SOURCES: [&str; 4] = ["examples/hyper.rs", "examples/attohttpc.rs", "examples/smol.rs", "tests/own_stacks.rs"];

/// The most lines around the core that a stack is shown to need.
const MAX_LINES: usize = 40;

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
        assert!(block.len() <= MAX_LINES, "{} lines:\n{text}", block.len());
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

/// The names of cases in a row of the table, and the last cell, which has the rows of `docs/faults.md`.
fn row(line: &str) -> Option<(Vec<&str>, &str)> {
    let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
    let &[_, names, rows] = cells.as_slice() else { return None };
    let names: Vec<_> = names.split(", ").filter_map(|name| name.strip_prefix('`')?.strip_suffix('`')).collect();
    (!names.is_empty()).then_some((names, rows))
}

#[test]
fn every_case_has_a_sentence_and_its_rows() -> io::Result<()> {
    let page = read("../docs/your-own-stack.md")?;
    let faults = read("../docs/faults.md")?;
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for (of_line, cited) in page.lines().filter_map(row) {
        names.extend(of_line);
        rows.extend(cited.split([',', ' ']).filter(|word| !matches!(*word, "" | "to")));
    }
    names.sort_unstable();
    let mut expected: Vec<_> = cases::all().iter().map(|case| case.name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for row in rows {
        assert!(faults.contains(&format!("\n| {row} | ")), "docs/faults.md has no row {row}");
    }
    Ok(())
}

#[test]
fn a_row_of_the_table_is_read_by_its_cells() {
    assert_eq!(row("| do | `one`, `two` | 4, 8 |"), Some((vec!["one", "two"], "4, 8")));
    assert_eq!(row("| stack | program | run it |"), None);
    assert_eq!(row("| say | only if |"), None);
}
