//! Pages of a list with a wrong cursor.

use serde_json::{Map, Value};

use crate::faults::fault::{Kind, Target};
use crate::laravel::answer::{self, Answer};

/// How long the cursor of [`Kind::CursorLong`] is.
const LONG: usize = 1 << 20;

/// The page as a fault leaves it. An answer that is no page stays as it is.
pub(crate) fn spoil(kind: &Kind, answer: Answer) -> Answer {
    if kind.target() != Target::Lists {
        return answer;
    }
    let Ok(Value::Object(mut page)) = serde_json::from_slice(answer.body()) else { return answer };
    let has_next = page.get("next_cursor").is_some_and(Value::is_string);
    match kind {
        // Back to the page before, from which the next one is this one.
        Kind::CursorCycle => match page.get("prev_cursor").and_then(Value::as_str).map(str::to_owned) {
            Some(cursor) => lead_to(&mut page, &cursor),
            None => return answer,
        },
        Kind::CursorEmpty if has_next => lead_to(&mut page, ""),
        Kind::CursorLong if has_next => lead_to(&mut page, &"x".repeat(LONG)),
        Kind::CursorMissing => {
            page.shift_remove("next_cursor");
            page.shift_remove("next_page_url");
        }
        _ => return answer,
    }
    let body = answer::compact(answer.status(), &page.into()).into_body();
    answer.map(|_| body)
}

fn lead_to(page: &mut Map<String, Value>, cursor: &str) {
    let path = page.get("path").and_then(Value::as_str).unwrap_or_default();
    let url = format!("{path}?cursor={cursor}");
    page.insert("next_page_url".into(), url.into());
    page.insert("next_cursor".into(), cursor.into());
}
