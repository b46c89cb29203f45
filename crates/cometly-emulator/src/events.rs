//! `GET /events`: a cursor page over seeded events, one a minute.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::backend::Visit;
use crate::input::Input;
use crate::page;
use crate::period::{self, Period};
use crate::refusal::{FieldErrors, Refusal};

const MINUTE: i64 = 60;

pub(crate) fn list(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let (period, per_page) = validate(visit.input)?;
    Ok(page::answer(visit, period.ids(MINUTE, visit.seeded_events), per_page, event))
}

fn event(id: u64) -> Value {
    json!({ "id": id, "event_time_utc": period::time_of(id, MINUTE) })
}

fn validate(input: &Input) -> Result<(Period, u64), Refusal> {
    let mut errors = FieldErrors::default();
    let period = Period::read(input, true, &mut errors);
    let per_page = page::per_page(input, 4000, &mut errors);
    errors.into_result()?;
    Ok((period, per_page))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(query: &str) -> String {
        let input = Input::read(Some(query), &http::HeaderMap::new(), b"");
        match validate(&input) {
            Ok(found) => format!("{found:?}"),
            Err(refusal) => String::from_utf8(refusal.into_answer(true, "").body().to_vec()).unwrap(),
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_laravels_words() {
        const GOOD: &str = "start_date=2026-01-01 00:00:00&end_date=2026-01-02 00:00:00";
        let cases = [
            ("", "The start date field is required. (and 1 more error)"),
            (
                "start_date=2026-02-30 00:00:00&end_date=2026-03-01 00:00:00",
                "must match the format Y-m-d H:i:s. (and 1",
            ),
            ("start_date=2026-1-1 0:0:0&end_date=2026-03-01 00:00:00", "must match the format Y-m-d H:i:s. (and 1"),
            ("end_date=2026-03-01 00:00:00", r#""message":"The start date field is required.","#),
            (
                "start_date=2026-01-02 00:00:00&end_date=2026-01-02 00:00:00",
                "The end date field must be a date after start date.",
            ),
            (&format!("{GOOD}&per_page=x"), "The per page field must be an integer."),
            (&format!("{GOOD}&per_page=0"), "The per page field must be at least 1."),
            (&format!("{GOOD}&per_page=4001"), "The per page field must not be greater than 4000."),
            (&format!("{GOOD}&per_page=4000"), " 4000)"),
            (&format!("{GOOD}&per_page="), "Period { start: 1767225600, end: 1767312000 }, 200)"),
        ];
        for (query, expected) in cases {
            assert!(message(query).contains(expected), "{query}: {}", message(query));
        }
    }
}
