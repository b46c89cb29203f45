//! What became of the mutants of one crate.

use std::fmt;

use serde_json::Value;

use crate::Result;

/// Of a hundred mutants, how many must be caught.
const ENOUGH: usize = 95;

pub(crate) struct Tally {
    package: &'static str,
    caught: usize,
    timeouts: usize,
    unviable: usize,
    /// Never tried, for a setting's sake or because the run was ended.
    skipped: usize,
    /// As cargo-mutants describes them, without the place in the file.
    missed: Vec<String>,
}

impl Tally {
    /// From cargo-mutants' `outcomes.json`, and the number of mutants that there could be.
    pub(crate) fn new(package: &'static str, found: &Value, possible: usize) -> Result<Self> {
        let mut tally = Self { package, caught: 0, timeouts: 0, unviable: 0, skipped: possible, missed: Vec::new() };
        let outcomes = found.get("outcomes").and_then(Value::as_array).ok_or("outcomes.json has no outcomes")?;
        for outcome in outcomes {
            let Some(name) = outcome.pointer("/scenario/Mutant/name").and_then(Value::as_str) else {
                // The code without a fault.
                continue;
            };
            tally.skipped = tally.skipped.saturating_sub(1);
            match outcome.get("summary").and_then(Value::as_str) {
                Some("CaughtMutant") => tally.caught = tally.caught.saturating_add(1),
                Some("Timeout") => tally.timeouts = tally.timeouts.saturating_add(1),
                Some("Unviable") => tally.unviable = tally.unviable.saturating_add(1),
                Some("MissedMutant") => tally.missed.push(without_place(name)),
                other => return Err(format!("{name} came to {other:?}, which is news").into()),
            }
        }
        Ok(tally)
    }

    pub(crate) fn package(&self) -> &'static str {
        self.package
    }

    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }

    fn noticed(&self) -> usize {
        self.caught.saturating_add(self.timeouts)
    }

    fn counted(&self) -> usize {
        self.noticed().saturating_add(self.missed.len()).saturating_add(self.skipped)
    }
}

/// Whether enough are caught, all crates taken together.
pub(crate) fn is_enough(tallies: &[Tally]) -> bool {
    let sum = |number: fn(&Tally) -> usize| tallies.iter().map(number).fold(0, usize::saturating_add);
    let (caught, counted) = (sum(Tally::noticed), sum(Tally::counted));
    counted > 0 && caught.saturating_mul(100) >= counted.saturating_mul(ENOUGH)
}

/// `file:line:column: what` as `file: what`: lines move, and what goes unnoticed stays the same.
fn without_place(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.nth(2)) {
        (Some(file), Some(what)) => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, caught, timeouts, unviable, skipped, missed } = self;
        let tenths = self.noticed().saturating_mul(1000).checked_div(self.counted()).unwrap_or_default();
        let (whole, tenth) = (tenths / 10, tenths % 10);
        write!(
            f,
            "{package}: {whole}.{tenth} % caught: {caught} caught, {timeouts} out of time, {} missed, \
             {skipped} skipped; {unviable} do not compile",
            missed.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(summaries: &[(&str, usize)], possible: usize) -> Tally {
        let mut outcomes = vec![serde_json::json!({ "scenario": "Baseline", "summary": "Success" })];
        for (summary, times) in summaries {
            let name = "src/a.rs:1:2: replace A::b -> bool with true";
            let outcome = serde_json::json!({ "scenario": { "Mutant": { "name": name } }, "summary": summary });
            outcomes.extend(std::iter::repeat_n(outcome, *times));
        }
        Tally::new("a", &serde_json::json!({ "outcomes": outcomes }), possible).unwrap()
    }

    #[test]
    fn what_is_missed_or_skipped_counts_against_and_what_does_not_compile_counts_not_at_all() {
        for (summaries, possible, is_enough) in [
            (&[("CaughtMutant", 95), ("MissedMutant", 5)][..], 100, true),
            (&[("CaughtMutant", 94), ("MissedMutant", 6)], 100, false),
            (&[("CaughtMutant", 90), ("Timeout", 5), ("MissedMutant", 5)], 100, true),
            (&[("CaughtMutant", 95)], 100, true),
            (&[("CaughtMutant", 95)], 101, false),
            (&[("CaughtMutant", 19), ("MissedMutant", 1), ("Unviable", 80)], 100, true),
            (&[("Unviable", 1)], 1, false),
            (&[], 0, false),
        ] {
            let tally = tally(summaries, possible);
            assert_eq!(super::is_enough(&[tally]), is_enough, "{summaries:?}");
        }
        let (good, bad) = (tally(&[("CaughtMutant", 90)], 90), tally(&[("MissedMutant", 4)], 4));
        assert!(!super::is_enough(std::slice::from_ref(&bad)) && super::is_enough(&[good, bad]));
    }

    #[test]
    fn a_survivor_is_known_without_its_line() {
        let tally = tally(&[("MissedMutant", 1)], 1);
        assert_eq!(tally.missed(), ["src/a.rs: replace A::b -> bool with true"]);
    }

    #[test]
    fn an_outcome_that_nobody_knows_is_an_error() {
        let outcomes = serde_json::json!({ "outcomes": [
            { "scenario": { "Mutant": { "name": "a" } }, "summary": "Success" },
        ] });
        assert!(Tally::new("a", &outcomes, 1).is_err());
        assert!(Tally::new("a", &serde_json::json!({}), 1).is_err());
    }
}
