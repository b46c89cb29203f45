//! The time that a list is asked for, and which of the seeded items happened in it.
//!
//! Item `n` has the id `n` and happened `n - 1` steps into 2026, so nothing has to be stored. Spaces live in UTC.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::input::Input;
use crate::refusal::FieldErrors;

pub(crate) const FIRST: i64 = 1_767_225_600; // 2026-01-01 00:00:00
pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
const DATE: &str = "%Y-%m-%d %H:%M:%S";

/// From the first to the last second asked for, both included, in seconds since 1970.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Period {
    start: i64,
    end: i64,
}

impl Period {
    /// Reads `start_date` and `end_date`.
    pub(crate) fn read(input: &Input, required: bool, errors: &mut FieldErrors) -> Self {
        let start = date(input, "start_date", required, errors);
        let end = date(input, "end_date", required, errors);
        // Laravel passes over this rule when there is no start at all, and fails it when a date cannot be read.
        let compared = input.get("start_date").is_some() && input.get("end_date").is_some();
        if compared && start.is_none_or(|start| end.is_none_or(|end| end <= start)) {
            errors.add("end_date", "The :attribute field must be a date after start date.");
        }
        Self { start: start.unwrap_or(i64::MIN), end: end.unwrap_or(i64::MAX) }
    }

    /// Reads `date`, a whole day.
    pub(crate) fn read_day(input: &Input, errors: &mut FieldErrors) -> Self {
        let day = match input.get("date") {
            None => {
                errors.add("date", "The :attribute field is required.");
                None
            }
            Some(value) => {
                let text = value.as_str().unwrap_or_default();
                let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
                let day = day.filter(|day| day.to_string() == text).and_then(|day| day.and_hms_opt(0, 0, 0));
                if day.is_none() {
                    errors.add("date", "The :attribute field must match the format Y-m-d.");
                }
                day
            }
        };
        let start = day.map_or(0, |day| day.and_utc().timestamp());
        Self { start, end: start.saturating_add(DAY).saturating_sub(1) }
    }

    pub(crate) fn contains(&self, seconds: i64) -> bool {
        (self.start..=self.end).contains(&seconds)
    }

    /// The ids of the items in it, of those `seeded` that lie `step` seconds apart.
    pub(crate) fn ids(&self, step: i64, seeded: u64) -> Range<u64> {
        let steps_until = |moment: i64| {
            let seconds = moment.saturating_sub(FIRST).max(0);
            let steps = seconds.saturating_add(step).saturating_sub(1).checked_div(step);
            u64::try_from(steps.unwrap_or_default()).unwrap_or_default()
        };
        let first = steps_until(self.start).saturating_add(1);
        first..steps_until(self.end.saturating_add(1)).min(seeded).saturating_add(1).max(first)
    }
}

/// When seeded item `id` happened, in seconds since 1970.
pub(crate) fn seconds_of(id: u64, step: i64) -> i64 {
    let steps = i64::try_from(id.saturating_sub(1)).unwrap_or(i64::MAX);
    FIRST.saturating_add(steps.saturating_mul(step))
}

/// The same, as the API writes it.
pub(crate) fn time_of(id: u64, step: i64) -> Option<String> {
    written(seconds_of(id, step))
}

/// A moment as the API writes it.
pub(crate) fn written(seconds: i64) -> Option<String> {
    DateTime::from_timestamp(seconds, 0).map(|time| time.format(DATE).to_string())
}

/// A moment as Laravel writes it into JSON.
pub(crate) fn iso(seconds: u64) -> Option<String> {
    let time = DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S.000000Z").to_string())
}

fn date(input: &Input, field: &str, required: bool, errors: &mut FieldErrors) -> Option<i64> {
    let Some(value) = input.get(field) else {
        if required {
            errors.add(field, "The :attribute field is required.");
        }
        return None;
    };
    let text = value.as_str().unwrap_or_default();
    // As PHP does it: what was read, written again, must be what came.
    let date = NaiveDateTime::parse_from_str(text, DATE).ok().filter(|date| date.format(DATE).to_string() == text);
    if date.is_none() {
        errors.add(field, "The :attribute field must match the format Y-m-d H:i:s.");
    }
    date.map(|date| date.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_the_time_asked_for_are_included() {
        let ids = |start, end| Period { start, end }.ids(60, 100);
        assert_eq!(ids(FIRST, FIRST + 120), 1..4);
        assert_eq!(ids(FIRST + 1, FIRST + 119), 2..3);
        assert_eq!(ids(FIRST - 9, FIRST - 1), 1..1);
        assert_eq!(ids(i64::MIN, i64::MAX), 1..101);
        assert_eq!(ids(FIRST + 6000, i64::MAX), 101..101);
    }

    #[test]
    fn a_day_is_read_whole() {
        let read = |query| {
            let mut errors = FieldErrors::default();
            let day = Period::read_day(&Input::of_query(query), &mut errors);
            errors.into_result().map(|()| day.ids(HOUR, 100))
        };
        assert_eq!(read("date=2026-01-02").unwrap(), 25..49);
        for wrong in ["", "date=2026-1-2", "date=2026-02-30", "date[]=2026-01-02"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn items_lie_a_step_apart() {
        assert_eq!(time_of(1441, 60).as_deref(), Some("2026-01-02 00:00:00"));
    }
}
