//! A page of a list, as Laravel's cursor pagination writes it.

use std::ops::Range;

use http::StatusCode;
use serde_json::{Value, json};

use crate::laravel::answer::{self, Answer};
use crate::laravel::cursor::Cursor;
use crate::laravel::input::Input;
use crate::laravel::refusal::FieldErrors;

/// How many items a page holds: `per_page`, at most `most`, 200 by default.
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

/// The ids of a list, in ascending order, none of which is written out before it is on a page.
pub(crate) struct Ids<'a> {
    pub(crate) seeded: Range<u64>,
    /// Which of the seeded ones belong to the list.
    pub(crate) keep: Box<dyn Fn(u64) -> bool + 'a>,
    /// What was added since, beyond the seeded ones.
    pub(crate) added: Vec<u64>,
}

impl Ids<'_> {
    /// All seeded ones, and what was added.
    pub(crate) fn all(seeded: Range<u64>, added: impl Iterator<Item = u64>) -> Self {
        Self { seeded, keep: Box::new(|_| true), added: added.collect() }
    }

    /// Those between two ids, neither of which is included.
    pub(crate) fn between(&self, low: Option<u64>, high: Option<u64>) -> impl DoubleEndedIterator<Item = u64> {
        let Range { start, end } = self.seeded;
        let start = low.map_or(start, |low| start.max(low.saturating_add(1)));
        let end = high.map_or(end, |high| end.min(high));
        let added = self.added.iter().copied();
        let added = added.filter(move |id| low.is_none_or(|low| *id > low) && high.is_none_or(|high| *id < high));
        (start..end).filter(|id| (self.keep)(*id)).chain(added)
    }
}

/// Answers with the page of `ids` that the cursor in the input points to.
pub(crate) fn answer(url: &str, input: &Input, ids: &Ids<'_>, per_page: u64, item: impl Fn(u64) -> Value) -> Answer {
    let cursor = input.text("cursor").and_then(Cursor::decode);
    let page = Page::of(ids, per_page, cursor);
    let data: Vec<Value> = page.ids.into_iter().map(item).collect();
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
    ids: Vec<u64>,
    next: Option<Cursor>,
    prev: Option<Cursor>,
}

impl Page {
    fn of(all: &Ids<'_>, per_page: u64, cursor: Option<Cursor>) -> Self {
        let per_page = usize::try_from(per_page).unwrap_or(usize::MAX);
        let forward = cursor.is_none_or(|cursor| cursor.forward);
        let id = cursor.map(|cursor| cursor.id);
        // One more than fits, to know whether there is a further page.
        let one_more = per_page.saturating_add(1);
        let mut ids: Vec<u64> = if forward {
            all.between(id, None).take(one_more).collect()
        } else {
            all.between(None, id).rev().take(one_more).collect()
        };
        let more = ids.len() > per_page;
        ids.truncate(per_page);
        if !forward {
            ids.reverse();
        }
        let beside = |id: Option<&u64>, forward| id.map(|id| Cursor { id: *id, forward });
        let next = beside(ids.last(), true).filter(|_| !forward || more);
        let prev = beside(ids.first(), false).filter(|_| cursor.is_some() && (forward || more));
        Self { ids, next, prev }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(all: &Ids<'_>, per_page: u64, mut cursor: Option<Cursor>) -> Vec<Vec<u64>> {
        let mut pages = Vec::new();
        while pages.len() < 20 {
            let page = Page::of(all, per_page, cursor);
            pages.push(page.ids);
            cursor = if cursor.is_none_or(|cursor| cursor.forward) { page.next } else { page.prev };
            if cursor.is_none() {
                break;
            }
        }
        pages
    }

    fn seeded(seeded: Range<u64>) -> Ids<'static> {
        Ids::all(seeded, std::iter::empty())
    }

    #[test]
    fn pages_follow_each_other_both_ways() {
        assert_eq!(walk(&seeded(1..8), 3, None), [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
        assert_eq!(walk(&seeded(1..7), 3, None), [[1, 2, 3], [4, 5, 6]]);
        let back = Some(Cursor { id: 7, forward: false });
        assert_eq!(walk(&seeded(1..8), 3, back), [[4, 5, 6], [1, 2, 3]]);
        assert_eq!(walk(&seeded(1..1), 3, None), [[0; 0]]);
    }

    #[test]
    fn a_filtered_list_goes_on_in_what_was_added() {
        let ids = Ids { seeded: 1..10, keep: Box::new(|id| id % 3 == 0), added: vec![12, 15] };
        assert_eq!(walk(&ids, 2, None), [vec![3, 6], vec![9, 12], vec![15]]);
        assert_eq!(walk(&ids, 2, Some(Cursor { id: 15, forward: false })), [vec![9, 12], vec![3, 6]]);
    }

    #[test]
    fn a_cursor_from_elsewhere_finds_an_empty_page() {
        for (id, forward) in [(8, true), (u64::MAX, true), (0, false), (1, false)] {
            let page = Page::of(&seeded(1..8), 3, Some(Cursor { id, forward }));
            assert_eq!((page.ids, page.next, page.prev), (vec![], None, None), "{id} {forward}");
        }
    }
}
