//! `docs/faults.md` is numbered without a gap, and every row that a case cites is there.

use std::{error::Error, fs, path::Path};

const CITATION: &str = "`docs/faults.md` ";

/// The numbers after a citation: `14`, `107, 108`, or `21 to 34` by its ends.
fn cited(line: &str) -> Vec<u32> {
    let numbers = line.split(CITATION).nth(1).unwrap_or_default();
    let end = numbers.find(|char: char| !(char.is_ascii_digit() || ", to".contains(char))).unwrap_or(numbers.len());
    numbers[..end].split([',', ' ']).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn the_rows_run_from_one_and_those_that_cases_cite_are_there() -> Result<(), Box<dyn Error>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(tests.join("../docs/faults.md"))?;
    let number = |line: &str| line.strip_prefix("| ")?.split(' ').next()?.parse::<u32>().ok();
    let rows: Vec<u32> = page.lines().filter_map(number).collect();
    assert_eq!(rows, (1..=rows.last().copied().unwrap_or_default()).collect::<Vec<_>>());
    assert!(rows.len() >= 136, "{}", rows.len());

    let mut citations = 0;
    for entry in fs::read_dir(tests.join("src/cases"))? {
        let path = entry?.path();
        for (line, text) in (1..).zip(fs::read_to_string(&path)?.lines()) {
            let numbers = cited(text);
            assert_eq!(numbers.is_empty(), !text.contains(CITATION), "{}:{line}: {text}", path.display());
            assert!(numbers.iter().all(|number| rows.contains(number)), "{}:{line}: {text}", path.display());
            citations += numbers.len();
        }
    }
    assert!(citations > 50, "{citations} citations");
    Ok(())
}

#[test]
fn a_citation_may_name_several_rows() {
    assert_eq!(cited("/// `docs/faults.md` 14."), [14]);
    assert_eq!(cited("/// `docs/faults.md` 4, 8, 81."), [4, 8, 81]);
    assert_eq!(cited("/// `docs/faults.md` 21 to 34."), [21, 34]);
    assert!(cited("/// `docs/faults.md` says.").is_empty() && cited("//! 14").is_empty());
}
