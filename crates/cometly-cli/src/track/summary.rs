//! What became of all lines, as the journal tells it after the last run, the first one, or one that was killed.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _},
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tempfile::NamedTempFile;

use crate::{
    failure::Failure,
    track::{
        event_key::EventKey,
        journal::{Fate, Journal},
        plan::{Plan, Planned},
        sending::Sent,
        source::Source,
    },
};

/// As much of a file as tells whether we wrote it.
const MAX_FIRST_LINE: u64 = 4 << 20;

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
}

/// A line of the file of refused ones.
#[derive(Serialize)]
struct RefusedLine<'a> {
    line: u64,
    idempotency_key: &'a str,
    reason: &'a str,
    event: &'a RawValue,
}

/// An event of this file, and where its last word stands in the journal.
struct Last<'p> {
    planned: &'p Planned,
    word: Option<(Fate, u64)>,
}

impl Summary {
    /// Reads the journal, and writes the refused lines to a file if there are any.
    pub(crate) fn build(
        plan: &Plan,
        sent: &Sent,
        journal: &mut Journal,
        source: &Source,
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
        let count = |fate| lasts.values().filter(|last| last.word.map(|(fate, _)| fate) == fate).count();
        let count = |fate| u64::try_from(count(fate)).unwrap_or(u64::MAX);
        let refused = count(Some(Fate::Refused));
        if refused > 0 {
            write_refused(&lasts, journal, source, refused_path)?;
        }
        Ok(Self {
            accepted: count(Some(Fate::Accepted)),
            refused,
            left: count(None),
            accepted_now: sent.accepted,
            refused_now: sent.refused,
            invalid_lines: plan.invalid_lines,
            repeated_lines: plan.repeated_lines,
            blank_lines: plan.blank_lines,
            refused_file: (refused > 0).then(|| refused_path.to_owned()),
        })
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
        })
    }
}

/// A whole file or none.
fn write_refused(
    lasts: &HashMap<&EventKey, Last<'_>>,
    journal: &mut Journal,
    source: &Source,
    path: &Path,
) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::file("write the refused lines to", path, &error).advise("name another place with --refused PATH")
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = BufWriter::new(NamedTempFile::new_in(folder).map_err(failed)?);
    let (mut number, mut problem) = (0_u64, None);
    journal.each(|record| {
        number = number.saturating_add(1);
        let last = lasts.get(&EventKey::from(record.key.as_ref()));
        let Some(last) = last.filter(|last| last.word == Some((Fate::Refused, number))) else { return };
        if problem.is_none() {
            let reason = record.reason.as_deref().unwrap_or_default();
            problem = write_line(&mut file, last.planned, &record.key, reason, source)
                .map_err(|error| match error {
                    Problem::Source(failure) => failure,
                    Problem::File(error) => failed(error),
                })
                .err();
        }
    })?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

enum Problem {
    Source(Failure),
    File(io::Error),
}

fn write_line(
    file: &mut impl io::Write,
    planned: &Planned,
    key: &str,
    reason: &str,
    source: &Source,
) -> Result<(), Problem> {
    let text = source.text(planned).map_err(Problem::Source)?;
    let event: &RawValue = serde_json::from_str(&text).map_err(|error| Problem::File(error.into()))?;
    let line = RefusedLine { line: planned.number, idempotency_key: key, reason, event };
    serde_json::to_writer(&mut *file, &line).map_err(|error| Problem::File(error.into()))?;
    file.write_all(b"\n").map_err(Problem::File)
}

/// Takes away what an earlier run wrote, if nothing is refused any more; and only that.
pub(crate) fn remove_refused(path: &Path) {
    let first_line = File::open(path).ok().and_then(|file| {
        let mut line = String::new();
        BufReader::new(file.take(MAX_FIRST_LINE)).read_line(&mut line).ok()?;
        Some(line)
    });
    let is_ours = first_line.is_some_and(|line| {
        let fields: Option<HashMap<String, &RawValue>> = serde_json::from_str(&line).ok();
        fields.is_some_and(|fields| {
            ["line", "idempotency_key", "reason", "event"].iter().all(|name| fields.contains_key(*name))
        })
    });
    if !is_ours {
        return;
    }
    // If it cannot be removed it is out of date, which does no harm.
    let _ = fs::remove_file(path);
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
        match &self.refused_file {
            Some(path) => write!(f, "\nThe refused lines and the server's reasons are in {}.", path.display()),
            None => Ok(()),
        }
    }
}
