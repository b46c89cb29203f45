//! A page of a list, as Laravel's cursor pagination writes it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::backend::Visit;
use crate::cursor::Cursor;
use crate::input::Input;
use crate::refusal::FieldErrors;

/// How many items a page holds: `per_page`, at most `most`, 200 unless told.
pub(crate) fn per_page(input: &Input, most: i64, errors: &mut FieldErrors) -> u64 {
    let number = match input.get("per_page") {
        None => return 200,
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    let wrong = match number {
        None => "The :attribute field must be an integer.",
        Some(..1) => "The :attribute field must be at least 1.",
        Some(number) if number > most => &format!("The :attribute field must not be greater than {most}."),
        Some(good) => return good.unsigned_abs(),
    };
    errors.add("per_page", wrong);
    0
}

/// Answers with the page of `ids` (the first, and the one past the last) that the cursor in the input points to.
pub(crate) fn answer(visit: &Visit<'_>, ids: (u64, u64), per_page: u64, item: fn(u64) -> Value) -> Answer {
    let url = visit.url();
    let cursor = visit.input.text("cursor").and_then(Cursor::decode);
    let page = Page::of(ids, per_page, cursor);
    let data: Vec<Value> = (page.first..page.end).map(item).collect();
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
    answer::compact(StatusCode::OK, &body)
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
}
