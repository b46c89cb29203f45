//! The figures as they were last written: a row that misses its bound may not get worse.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{report, row::Row};
use crate::{Result, tool};

/// How much a figure moves without a change of ours: instructions by compiler and malloc, those over sockets and their
/// threads by the load of the machine as well.
const NOISE: f64 = 1.03;
const NOISE_OF_SOCKETS: f64 = 1.1;

pub(super) struct Figures(Vec<Value>);

impl Figures {
    pub(super) fn read() -> Result<Self> {
        Ok(Self(serde_json::from_str(&fs::read_to_string(path())?)?))
    }

    pub(super) fn write(rows: &[Row]) -> Result<()> {
        Ok(fs::write(path(), report::json(rows))?)
    }

    /// Whether this row, which is broken, was so before, or is so within the noise of its sockets, and is not worse.
    pub(super) fn allow(&self, row: &Row) -> bool {
        let Some(kept) = self.0.iter().find(|kept| kept.get("job").and_then(Value::as_str) == Some(&row.job)) else {
            return false;
        };
        let figure = |name| kept.get(name).and_then(Value::as_f64);
        // A ratio is below ten; nothing else is.
        let is_of_sockets = row.ours.is_some_and(|ours| ours < 10.0);
        let noise = if is_of_sockets { NOISE_OF_SOCKETS } else { NOISE };
        let is_within = |now: Option<f64>, then: Option<f64>, noise: f64| match (now, then) {
            (Some(now), Some(then)) => now <= then * noise,
            (now, _) => now.is_none(),
        };
        (is_of_sockets || kept.get("holds").and_then(Value::as_bool) == Some(false))
            && is_within(row.ours, figure("ours"), noise)
            && is_within(row.allocations, figure("allocations"), 1.0)
    }
}

fn path() -> PathBuf {
    tool::root().join("proof/bench/kept.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(job: &str, ours: f64, allocations: f64) -> Row {
        let (bound, most_allocations) = (Some(1_000.0), Some(3.0));
        Row {
            job: job.to_owned(),
            ours: Some(ours),
            allocations: Some(allocations),
            bound,
            most_allocations,
            ..Row::default()
        }
    }

    #[test]
    fn what_was_broken_may_be_as_broken_and_nothing_else() {
        let rows = [row("broken", 2_000.0, 3.0), row("held", 900.0, 3.0), row("ratio", 0.99, 0.0)];
        let kept = Figures(serde_json::from_str(&report::json(&rows)).unwrap());
        assert!(kept.allow(&row("broken", 2_050.0, 3.0)) && kept.allow(&row("broken", 1_500.0, 2.0)));
        assert!(!kept.allow(&row("broken", 2_100.0, 3.0)) && !kept.allow(&row("broken", 2_000.0, 4.0)));
        assert!(kept.allow(&row("ratio", 1.01, 0.0)) && !kept.allow(&row("ratio", 1.1, 0.0)));
        assert!(!kept.allow(&row("held", 1_001.0, 3.0)) && !kept.allow(&row("new", 1_001.0, 3.0)));
    }
}
