//! The table of the demo: a row a call, a column a stack.

use std::{
    error::Error,
    fmt::{self, Write as _},
    iter,
};

use cometly_conformance::Sent;
use cometly_core::{ApiError, ApiErrorKind, AuthOutcome};
use comfy_table::{ContentArrangement, presets::UTF8_HORIZONTAL_ONLY};

/// What a stack made of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// In a few words, the same for the same outcome.
    outcome: String,
    /// What it means and what to do, in the library's own words.
    advice: String,
}

impl Made {
    pub(crate) fn of(sent: Sent) -> Self {
        match sent {
            Ok(outcome) => {
                let kind = match outcome.error().map(ApiError::kind) {
                    None => "Success".to_owned(),
                    Some(ApiErrorKind::Forbidden(reason)) => format!("Forbidden ({reason:?})"),
                    Some(ApiErrorKind::Unexpected(cause)) => format!("Unexpected ({cause:?})"),
                    Some(kind) => format!("{kind:?}"),
                };
                let attempts = match &outcome {
                    AuthOutcome::Success(reply) => reply.attempts(),
                    other => other.error().map_or(1, ApiError::attempts),
                };
                let tries = if attempts > 1 { format!(", {attempts} attempts") } else { String::new() };
                Self { outcome: format!("{kind}, {}{tries}", outcome.status().as_u16()), advice: outcome.to_string() }
            }
            Err(error) => {
                let delivery = error.delivery().map_or_else(String::new, |delivery| format!(", {delivery:?}"));
                Self { outcome: format!("{:?}{delivery}", error.kind()), advice: with_sources(&error) }
            }
        }
    }
}

/// An error and what is behind it, in the words of the stack.
fn with_sources(error: &(dyn Error + 'static)) -> String {
    let chain = iter::successors(Some(error), |error| (*error).source()).take(8);
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Fits the narrowest terminal.
const WIDTH: u16 = 80;

pub(crate) struct Table {
    stacks: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    asked: &'static str,
    expected: Option<&'static str>,
    made: Vec<Made>,
}

impl Row {
    fn is_same_everywhere(&self) -> bool {
        self.made.windows(2).all(|pair| matches!(pair, [one, other] if one.outcome == other.outcome))
    }

    /// All alike, and as expected; without an expectation, a success.
    fn is_as_expected(&self) -> bool {
        self.made.iter().all(|made| match self.expected {
            Some(expected) => made.outcome == expected,
            None => made.outcome.starts_with("Success"),
        })
    }
}

impl Table {
    pub(crate) fn new(stacks: impl Iterator<Item = &'static str>) -> Self {
        Self { stacks: stacks.collect(), rows: Vec::new() }
    }

    pub(crate) fn begin(&mut self, asked: &'static str, expected: Option<&'static str>) {
        self.rows.push(Row { asked, expected, made: Vec::new() });
    }

    pub(crate) fn add(&mut self, made: Made) {
        if let Some(row) = self.rows.last_mut() {
            row.made.push(made);
        }
    }

    pub(crate) fn is_as_expected(&self) -> bool {
        self.rows.iter().all(Row::is_as_expected)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        table.set_header(["what was asked\n→ what it means, and what to do next", "what came of it", "stacks"]);
        let mut different = String::new();
        for row in &self.rows {
            let first = row.made.first();
            let outcome = row.expected.or(first.map(|made| made.outcome.as_str())).unwrap_or_default();
            let shown = outcome.replace(", ", "\n").replace(" (", "\n(");
            let advice = first.map(|made| made.advice.as_str()).unwrap_or_default();
            let mut marks = String::new();
            for (stack, made) in self.stacks.iter().zip(&row.made) {
                marks.push(if made.outcome == outcome { '✓' } else { '✗' });
                if made.outcome != outcome {
                    writeln!(different, "✗ {}, {stack}: {}, not {outcome}", row.asked, made.outcome)?;
                }
            }
            table.add_row([format!("{}\n→ {advice}", row.asked), shown, marks]);
        }
        let names = self.stacks.join(", ");
        let (calls, stacks) = (self.rows.len(), self.stacks.len());
        let verdict = if !self.rows.iter().all(Row::is_same_everywhere) {
            "The stacks disagree."
        } else if !self.is_as_expected() {
            "The stacks agree, but not on what was expected."
        } else {
            "Each as expected, and the same on every stack."
        };
        writeln!(f, "{table}\n{calls} calls on {stacks} HTTP stacks:\n{names}.\n{different}{verdict}")
    }
}
