//! The time that a list is asked for, and which of the seeded items happened in it.
//!
//! Item `n` has the id `n` and happened `n - 1` steps into 2026, so nothing has to be stored. Spaces live in UTC.

use std::ops::Range;

use crate::dates;
use crate::laravel::input::Input;
use crate::laravel::refusal::FieldErrors;
use crate::store::seeds::{DAY, FIRST};

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
    use crate::store::seeds::HOUR;

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
}
