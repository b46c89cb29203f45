//! `docs/faults.md` is numbered without a gap, and every row that a case cites is there.

use std::{collections::BTreeSet, error::Error, fs, path::Path};

const CITATION: &str = "`docs/faults.md` ";

/// The numbers after a citation: `14`, `107, 108`, or `21 to 34` by its ends.
fn cited(line: &str) -> Vec<u32> {
    let numbers = line.split(CITATION).nth(1).unwrap_or_default();
    let end = numbers.find(|char: char| !(char.is_ascii_digit() || ", to".contains(char))).unwrap_or(numbers.len());
    numbers[..end].split([',', ' ']).filter_map(|number| number.parse().ok()).collect()
}

/// Whether a comment begins with a citation.
fn is_citation(line: &str) -> bool {
    line.trim_start().strip_prefix("//").is_some_and(|text| text.trim_start_matches(['/', ' ']).starts_with(CITATION))
}

/// From this row on, every one is cited by a test.
const FIRST_OF_USERS: u32 = 88;

/// Whether these numbers hold the row: itself, or between the ends of `21 to 34`.
fn covers(line: &str, numbers: &[u32], row: u32) -> bool {
    let is_between = |ends: &[u32]| matches!(ends, [first, last] if (first..=last).contains(&&row));
    numbers.contains(&row) || (line.contains(" to ") && numbers.windows(2).any(is_between))
}

#[test]
fn the_rows_run_from_one_and_those_that_cases_cite_are_there() -> Result<(), Box<dyn Error>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(tests.join("../docs/faults.md"))?;
    let number = |line: &str| line.strip_prefix("| ")?.split(' ').next()?.parse::<u32>().ok();
    let rows: Vec<u32> = page.lines().filter_map(number).collect();
    assert_eq!(rows, (1..=rows.last().copied().unwrap_or_default()).collect::<Vec<_>>());
    assert!(rows.len() >= 152, "{}", rows.len());

    let mut uncited: BTreeSet<u32> = rows.iter().copied().filter(|row| *row >= FIRST_OF_USERS).collect();
    let mut citations = 0;
    let (crates, suite) = (tests.join("../crates"), [tests.join("src"), tests.join("tests")]);
    let mut folders = suite.into_iter().chain([crates]).collect::<Vec<_>>();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests/faults.rs") {
                for (line, text) in (1..).zip(fs::read_to_string(&path)?.lines()).filter(|(_, text)| is_citation(text))
                {
                    let numbers = cited(text);
                    assert!(!numbers.is_empty(), "{}:{line}: {text}", path.display());
                    assert!(numbers.iter().all(|number| rows.contains(number)), "{}:{line}: {text}", path.display());
                    uncited.retain(|row| !covers(text, &numbers, *row));
                    citations += numbers.len();
                }
            }
        }
    }
    assert!(citations > 50, "{citations} citations");
    assert!(uncited.is_empty(), "no test cites {uncited:?}");
    Ok(())
}

#[test]
fn a_citation_may_name_several_rows() {
    assert_eq!(cited("/// `docs/faults.md` 14."), [14]);
    assert_eq!(cited("/// `docs/faults.md` 4, 8, 81."), [4, 8, 81]);
    assert_eq!(cited("/// `docs/faults.md` 21 to 34."), [21, 34]);
    assert!(cited("/// `docs/faults.md` says.").is_empty() && cited("//! 14").is_empty());
}
