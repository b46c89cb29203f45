//! The table, the JSON, and what was promised.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::{
    clock::Seconds,
    server::Counting,
    world::{Policy, Run, Setup},
};

pub(super) struct Row {
    pub(super) policy: Policy,
    pub(super) window: Counting,
    pub(super) jobs: u32,
    pub(super) ideal: Seconds,
    pub(super) run: Run,
}

impl Row {
    pub(super) fn name(&self) -> &'static str {
        match self.policy {
            Policy::Cometly { .. } => "cometly",
            Policy::Plain(plain) => plain.name(),
        }
    }

    /// A plain policy shares nothing: each job is alone.
    fn processes(&self) -> u32 {
        match self.policy {
            Policy::Cometly { processes } => processes,
            Policy::Plain(_) => self.jobs,
        }
    }

    pub(super) fn shape(&self) -> String {
        let processes = self.processes();
        format!("{processes} × {}", self.jobs.div_ceil(processes.max(1)))
    }

    fn drain_ratio(&self) -> f64 {
        if self.ideal > 0.0 { self.run.drain / self.ideal } else { 1.0 }
    }

    fn refused_per_success(&self) -> f64 {
        let refused = u32::try_from(self.run.refused).unwrap_or(u32::MAX);
        f64::from(refused) / f64::from(self.run.done.max(1))
    }
}

pub(super) fn table(setup: &Setup, rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["policy", "processes × jobs", "done", "drain / ideal", "429 per success", "peak per second"]);
    for row in rows {
        table.add_row([
            row.name().to_owned(),
            row.shape(),
            row.run.done.to_string(),
            format!("{:.3}", row.drain_ratio()),
            format!("{:.3}", row.refused_per_success()),
            row.run.peak.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let Setup { counting, limit, window_seconds, .. } = setup;
    format!("{limit} calls per {window_seconds} s, {} window\n\n{table}", counting.name())
}

pub(super) fn json(rows: &[Row]) -> String {
    let mut json = String::from("[");
    for (number, row) in rows.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        // Writing to a `String` does not fail.
        let _ = write!(
            json,
            "{comma}\n  {{\"policy\": \"{}\", \"window\": \"{}\", \"processes\": {}, \"jobs\": {}, \"done\": {}, \
             \"drain_ratio\": {:.4}, \"refused_per_success\": {:.4}, \"peak_per_second\": {}}}",
            row.name(),
            row.window.name(),
            row.processes(),
            row.jobs,
            row.run.done,
            row.drain_ratio(),
            row.refused_per_success(),
            row.run.peak,
        );
    }
    json.push_str("\n]");
    json
}

/// What is promised for 10,000 jobs at 60 calls a minute, over round trips of 100 ms.
pub(super) struct Bound {
    processes: u32,
    drain_ratio: f64,
    refused_per_success: f64,
}

impl Bound {
    const ALL: [Self; 3] = [
        Self { processes: 1, drain_ratio: 1.01, refused_per_success: 0.01 },
        Self { processes: 100, drain_ratio: 1.10, refused_per_success: 0.35 },
        Self { processes: 10_000, drain_ratio: 1.10, refused_per_success: 13.0 },
    ];

    /// What is worse in this row than promised; nothing is promised for another setup or number of jobs.
    pub(super) fn broken_by(setup: &Setup, row: &Row) -> Option<String> {
        let is_promised = *setup == Setup::default() && row.jobs == 10_000;
        let Policy::Cometly { processes } = row.policy else { return None };
        let bound = Self::ALL.into_iter().find(|bound| is_promised && bound.processes == processes)?;
        let is_kept = row.run.done == row.jobs
            && row.drain_ratio() <= bound.drain_ratio
            && row.refused_per_success() <= bound.refused_per_success;
        let Self { drain_ratio, refused_per_success, .. } = bound;
        let promise = format!("all done, drain ≤ {drain_ratio} ideal, ≤ {refused_per_success} refused per success");
        (!is_kept).then(|| format!("{} breaks its bound: {promise}", row.shape()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(processes: u32, drain: Seconds, refused: u64) -> Row {
        let run = Run { done: 10_000, refused, drain, ..Run::default() };
        Row { policy: Policy::Cometly { processes }, window: Counting::Fixed, jobs: 10_000, ideal: 9_960.0, run }
    }

    #[test]
    fn a_broken_bound_is_said_and_nothing_is_promised_elsewhere() {
        let setup = Setup::default();
        assert_eq!(Bound::broken_by(&setup, &row(1, 9_999.0, 100)), None);
        assert!(Bound::broken_by(&setup, &row(1, 9_999.0, 101)).is_some());
        assert!(Bound::broken_by(&setup, &row(1, 10_100.0, 0)).is_some());
        let mut undone = row(1, 9_999.0, 0);
        undone.run.done = 9_999;
        assert!(Bound::broken_by(&setup, &undone).is_some());
        assert_eq!(Bound::broken_by(&setup, &row(7, 99_999.0, 99_999)), None);
        for elsewhere in [Setup { limit: 7, ..setup }, Setup { round_trip: 1.0, ..setup }] {
            assert_eq!(Bound::broken_by(&elsewhere, &row(1, 99_999.0, 99_999)), None);
        }
    }

    #[test]
    fn the_json_is_one_array_of_rows() {
        let expected = "[\n  {\"policy\": \"cometly\", \"window\": \"fixed\", \"processes\": 100, \"jobs\": 10000, \
                        \"done\": 10000, \"drain_ratio\": 1.0000, \"refused_per_success\": 0.2500, \
                        \"peak_per_second\": 0}\n]";
        assert_eq!(json(&[row(100, 9_960.0, 2_500)]), expected);
    }
}
