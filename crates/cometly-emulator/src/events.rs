//! `GET /events`: a cursor page over seeded events.
//!
//! Event `n` has the id `n` and happened in minute `n - 1` of 2026, so nothing has to be stored. Spaces live in UTC.

use chrono::{DateTime, NaiveDateTime};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::backend::Visit;
use crate::cursor::Cursor;
use crate::input::Input;
use crate::refusal::{FieldErrors, Refusal};

const FIRST_EVENT: i64 = 1_767_225_600; // 2026-01-01 00:00:00
const APART: i64 = 60;
const DATE: &str = "%Y-%m-%d %H:%M:%S";

pub(crate) fn list(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let (between, per_page) = validate(visit.input)?;
    let url = visit.url();
    let cursor = visit.input.text("cursor").and_then(Cursor::decode);
    let page = Page::of(ids(between, visit.seeded_events), per_page, cursor);
    let data: Vec<Value> = (page.first..page.end).map(event).collect();
    let (next, prev) = (page.next.map(Cursor::encode), page.prev.map(Cursor::encode));
    let link = |cursor: &Option<String>| cursor.as_ref().map(|cursor| format!("{url}?cursor={cursor}"));
    let body = json!({
        "data": data,
        "path": url,
        "per_page": per_page,
        "next_cursor": next,
        "next_page_url": link(&next),
        "prev_cursor": prev,
        "prev_page_url": link(&prev),
    });
    Ok(answer::compact(StatusCode::OK, &body))
}

fn event(id: u64) -> Value {
    let minutes = i64::try_from(id.saturating_sub(1)).unwrap_or(i64::MAX);
    let time = FIRST_EVENT.saturating_add(minutes.saturating_mul(APART));
    let time = DateTime::from_timestamp(time, 0).map(|time| time.format(DATE).to_string());
    json!({ "id": id, "event_time_utc": time })
}

/// The first and the last moment asked for, in seconds since 1970, and how many events a page holds.
fn validate(input: &Input) -> Result<((i64, i64), u64), Refusal> {
    let mut errors = FieldErrors::default();
    let start = date(input, "start_date", &mut errors);
    let end = date(input, "end_date", &mut errors);
    // Laravel passes over this rule when there is no start at all, and fails it when a date cannot be read.
    let compared = input.get("start_date").is_some() && input.get("end_date").is_some();
    if compared && start.is_none_or(|start| end.is_none_or(|end| end <= start)) {
        errors.add("end_date", "The :attribute field must be a date after start date.");
    }
    let per_page = per_page(input, &mut errors);
    errors.into_result()?;
    Ok(((start.unwrap_or_default(), end.unwrap_or_default()), per_page))
}

fn date(input: &Input, field: &str, errors: &mut FieldErrors) -> Option<i64> {
    let Some(value) = input.get(field) else {
        errors.add(field, "The :attribute field is required.");
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

fn per_page(input: &Input, errors: &mut FieldErrors) -> u64 {
    let number = match input.get("per_page") {
        None => return 200,
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    let wrong = match number {
        None => "The :attribute field must be an integer.",
        Some(..1) => "The :attribute field must be at least 1.",
        Some(4001..) => "The :attribute field must not be greater than 4000.",
        Some(good) => return good.unsigned_abs(),
    };
    errors.add("per_page", wrong);
    0
}

/// The ids of the seeded events between two moments, both included: the first, and the one past the last.
fn ids((start, end): (i64, i64), seeded: u64) -> (u64, u64) {
    let minutes_until = |moment: i64| {
        let seconds = moment.saturating_sub(FIRST_EVENT).max(0);
        u64::try_from(seconds.saturating_add(APART).saturating_sub(1) / APART).unwrap_or_default()
    };
    let first = minutes_until(start).saturating_add(1);
    (first, minutes_until(end.saturating_add(1)).min(seeded).saturating_add(1).max(first))
}

#[derive(Debug, PartialEq, Eq)]
struct Page {
    first: u64,
    end: u64,
    next: Option<Cursor>,
    prev: Option<Cursor>,
}

impl Page {
    fn of((mut first, mut end): (u64, u64), per_page: u64, cursor: Option<Cursor>) -> Self {
        let forward = cursor.is_none_or(|cursor| cursor.forward);
        match cursor {
            Some(Cursor { id, forward: true }) => first = first.max(id.saturating_add(1)).min(end),
            Some(Cursor { id, forward: false }) => end = end.min(id).max(first),
            None => {}
        }
        let more = end.saturating_sub(first) > per_page;
        if forward {
            end = end.min(first.saturating_add(per_page));
        } else {
            first = first.max(end.saturating_sub(per_page));
        }
        let any = first < end;
        let next = (any && (!forward || more)).then_some(Cursor { id: end.saturating_sub(1), forward: true });
        let prev = (any && cursor.is_some() && (forward || more)).then_some(Cursor { id: first, forward: false });
        Self { first, end, next, prev }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(all: (u64, u64), per_page: u64, mut cursor: Option<Cursor>) -> Vec<(u64, u64)> {
        let mut pages = Vec::new();
        while pages.len() < 20 {
            let page = Page::of(all, per_page, cursor);
            pages.push((page.first, page.end));
            cursor = if cursor.is_none_or(|cursor| cursor.forward) { page.next } else { page.prev };
            if cursor.is_none() {
                break;
            }
        }
        pages
    }

    #[test]
    fn pages_follow_each_other_both_ways() {
        assert_eq!(walk((1, 8), 3, None), [(1, 4), (4, 7), (7, 8)]);
        assert_eq!(walk((1, 7), 3, None), [(1, 4), (4, 7)]);
        assert_eq!(walk((1, 8), 3, Some(Cursor { id: 7, forward: false })), [(4, 7), (1, 4)]);
        assert_eq!(walk((1, 1), 3, None), [(1, 1)]);
    }

    #[test]
    fn a_cursor_from_elsewhere_finds_an_empty_page() {
        for (id, forward) in [(8, true), (u64::MAX, true), (0, false), (1, false)] {
            let page = Page::of((1, 8), 3, Some(Cursor { id, forward }));
            assert_eq!((page.first, page.next, page.prev), (page.end, None, None), "{id} {forward}");
        }
    }

    #[test]
    fn both_ends_of_the_time_asked_for_are_included() {
        assert_eq!(ids((FIRST_EVENT, FIRST_EVENT + 120), 100), (1, 4));
        assert_eq!(ids((FIRST_EVENT + 1, FIRST_EVENT + 119), 100), (2, 3));
        assert_eq!(ids((FIRST_EVENT - 9, FIRST_EVENT - 1), 100), (1, 1));
        assert_eq!(ids((i64::MIN, i64::MAX), 100), (1, 101));
        assert_eq!(ids((FIRST_EVENT + 6000, i64::MAX), 100), (101, 101));
    }

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
            (&format!("{GOOD}&per_page=4000"), "4000)"),
            (&format!("{GOOD}&per_page="), "((1767225600, 1767312000), 200)"),
        ];
        for (query, expected) in cases {
            assert!(message(query).contains(expected), "{query}: {}", message(query));
        }
    }

    #[test]
    fn events_lie_a_minute_apart() {
        assert_eq!(event(1441).to_string(), r#"{"id":1441,"event_time_utc":"2026-01-02 00:00:00"}"#);
    }
}
