//! The time that a list is asked for.

use std::ops::Range;

use crate::dates;
use crate::laravel::input::Input;
use crate::laravel::refusal::FieldErrors;
use crate::store::seeds::Seeds;

const DAY: i64 = 24 * 60 * 60;

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
                let day = value.as_str().and_then(dates::read_day);
                if day.is_none() {
                    errors.add("date", "The :attribute field must match the format Y-m-d.");
                }
                day
            }
        };
        let start = day.unwrap_or_default();
        Self { start, end: start.saturating_add(DAY).saturating_sub(1) }
    }

    pub(crate) fn contains(&self, seconds: i64) -> bool {
        (self.start..=self.end).contains(&seconds)
    }

    /// The ids of those of `count` seeded items that happened in it.
    pub(crate) fn ids(&self, seeds: Seeds, count: u64) -> Range<u64> {
        seeds.ids(self.start, self.end, count)
    }
}

fn date(input: &Input, field: &str, required: bool, errors: &mut FieldErrors) -> Option<i64> {
    let Some(value) = input.get(field) else {
        if required {
            errors.add(field, "The :attribute field is required.");
        }
        return None;
    };
    let date = value.as_str().and_then(dates::read);
    if date.is_none() {
        errors.add(field, "The :attribute field must match the format Y-m-d H:i:s.");
    }
    date
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_whole() {
        let read = |query| {
            let mut errors = FieldErrors::default();
            let day = Period::read_day(&Input::of_query(query), &mut errors);
            errors.into_result().map(|()| day)
        };
        assert_eq!(read("date=2026-01-02").unwrap(), Period { start: 1_767_312_000, end: 1_767_398_399 });
        for wrong in ["", "date=2026-1-2", "date=2026-02-30", "date[]=2026-01-02"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
