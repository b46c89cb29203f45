//! What became of all lines, as the journal tells it after the last run, the first one, or one that was killed.

use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json, value::RawValue};

use crate::{
    failure::Failure,
    track::{
        event_key::EventKey,
        journal::{Fate, Journal},
        plan::{Plan, Planned},
        refused::{RefusedFile, RefusedLine},
        sending::Sent,
        source::Source,
    },
};

pub(crate) struct Summary {
    accepted: u64,
    pub(crate) refused: u64,
    pub(crate) left: u64,
    accepted_now: u64,
    refused_now: u64,
    invalid_lines: u64,
    repeated_lines: u64,
    blank_lines: u64,
    refused_file: Option<PathBuf>,
    skipped_file: Option<PathBuf>,
}

/// An event of this file, and where its latest record is in the journal.
struct Last<'p> {
    planned: &'p Planned,
    word: Option<(Fate, u64)>,
}

impl Summary {
    /// Reads the journal, and writes the refused lines to a file if there are any.
    pub(crate) fn build(
        plan: &Plan,
        conflicting_lines: u64,
        sent: &Sent,
        journal: &mut Journal,
        source: &Source,
        refused_file: &RefusedFile<'_>,
        refused_path: &Path,
    ) -> Result<Self, Failure> {
        let mut lasts: HashMap<&EventKey, Last<'_>> =
            plan.events.iter().map(|planned| (&planned.key, Last { planned, word: None })).collect();
        let mut number = 0_u64;
        journal.each(|record| {
            number = number.saturating_add(1);
            if let Some(last) = lasts.get_mut(&EventKey::from(record.key.as_ref())) {
                last.word = Some((record.outcome, number));
            }
        })?;
        let count = |is_so: fn(Option<Fate>) -> bool| {
            let found = lasts.values().filter(|last| is_so(last.word.map(|(fate, _)| fate))).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        let refused = count(|fate| fate == Some(Fate::Refused));
        if refused > 0 {
            refused_file.write(|file| write_refused(&lasts, journal, source, refused_file, file))?;
        } else {
            refused_file.remove();
        }
        Ok(Self {
            accepted: count(|fate| fate == Some(Fate::Accepted)),
            refused,
            left: count(|fate| matches!(fate, None | Some(Fate::Sending))),
            accepted_now: sent.accepted,
            refused_now: sent.refused,
            invalid_lines: plan.invalid_lines.saturating_add(conflicting_lines),
            repeated_lines: plan.repeated_lines,
            blank_lines: plan.blank_lines,
            refused_file: (refused > 0).then(|| refused_path.to_owned()),
            skipped_file: None,
        })
    }

    /// Names the file of the lines that were left out.
    pub(crate) fn with_skipped(self, skipped_file: Option<PathBuf>) -> Self {
        Self { skipped_file, ..self }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "accepted": self.accepted,
            "accepted_now": self.accepted_now,
            "refused": self.refused,
            "refused_now": self.refused_now,
            "left": self.left,
            "invalid_lines": self.invalid_lines,
            "repeated_lines": self.repeated_lines,
            "blank_lines": self.blank_lines,
            "refused_file": self.refused_file,
            "skipped_file": self.skipped_file,
        })
    }
}

fn write_refused(
    lasts: &HashMap<&EventKey, Last<'_>>,
    journal: &mut Journal,
    source: &Source,
    refused_file: &RefusedFile<'_>,
    file: &mut impl io::Write,
) -> Result<(), Failure> {
    let (mut number, mut written) = (0_u64, Ok(()));
    journal.each(|record| {
        number = number.saturating_add(1);
        let last = lasts.get(&EventKey::from(record.key.as_ref()));
        let Some(last) = last.filter(|last| last.word == Some((Fate::Refused, number))) else { return };
        if written.is_ok() {
            let reason = record.reason.as_deref().unwrap_or_default();
            written = source.text(last.planned).and_then(|event| {
                write_line(file, last.planned.number, &record.key, reason, &event)
                    .map_err(|error| refused_file.failed(&error))
            });
        }
    })?;
    written
}

fn write_line(file: &mut impl io::Write, line: u64, key: &str, reason: &str, event: &str) -> io::Result<()> {
    let event: &RawValue = serde_json::from_str(event)?;
    serde_json::to_writer(&mut *file, &RefusedLine { line, idempotency_key: key, reason, event })?;
    file.write_all(b"\n")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, accepted_now, refused, refused_now, left, .. } = self;
        write!(f, "{accepted} accepted ({accepted_now} in this run), {refused} refused ({refused_now}), {left} left")?;
        let rest = [
            (self.invalid_lines, "not valid and not sent"),
            (self.repeated_lines, "sent once with an earlier one of the same idempotency_key"),
        ];
        for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {count} {}: {what}", if count == 1 { "line" } else { "lines" })?;
        }
        if let Some(path) = &self.skipped_file {
            write!(f, "\nThe lines that are not valid, and why, are in {}.", path.display())?;
        }
        match &self.refused_file {
            Some(path) => write!(f, "\nThe refused lines and the server's reasons are in {}.", path.display()),
            None => Ok(()),
        }
    }
}
