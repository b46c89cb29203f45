//! A list followed to its end: one item a line, as the pages come in.

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use cometly_core::{AuthOutcome, Call, bytes::Bytes};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    exit::Exit,
    failure::Failure,
    request::target::with_cursor,
    terminal::{console::Console, interrupt},
    transport::Transport,
};

/// More pages than any list has; what is kept of each is a number.
const MAX_PAGES: usize = 1_000_000;

/// What is read of a page. `next_page_url` is not: the key goes where the base URL says, whatever an answer says.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(borrow)]
    next_cursor: Option<Cow<'a, str>>,
    /// Whether it says that there is no page before it.
    #[serde(rename = "prev_cursor", default, deserialize_with = "is_null")]
    is_first: bool,
}

fn is_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|value| value.is_none())
}

enum Event {
    Answered(Result<AuthOutcome<Bytes>, Failure>),
    Interrupted,
}

pub(crate) fn run(
    transport: Transport,
    call: Call,
    cursor: Option<String>,
    console: &Console,
) -> Result<Exit, Failure> {
    let (sender, events) = mpsc::channel();
    let interrupted = sender.clone();
    interrupt::listen(move || {
        // The receiver is gone once the list has ended.
        let _ = interrupted.send(Event::Interrupted);
    })?;
    let progress = console.progress.begin(None, "items");
    let pages = Pages { transport, call, sender, events, cursor };
    let console = Console { progress: progress.clone(), ..console.clone() };
    let followed = pages.follow(&console);
    progress.end();
    followed.map(|()| Exit::Ok)
}

struct Pages {
    transport: Transport,
    call: Call,
    sender: Sender<Event>,
    events: Receiver<Event>,
    /// Where the next page begins; all before it is written.
    cursor: Option<String>,
}

impl Pages {
    fn follow(mut self, console: &Console) -> Result<(), Failure> {
        let (mut seen, hasher) = (HashSet::new(), RandomState::new());
        seen.extend(self.cursor.as_ref().map(|cursor| hasher.hash_one(cursor)));
        let mut pages = 0_usize;
        loop {
            let next = match self.page(console) {
                Ok(next) => next,
                Err(failure) if failure.is_closed_pipe() || failure.has_advice() => return Err(failure),
                Err(failure) => return Err(self.resumable(failure)),
            };
            pages = pages.saturating_add(1);
            console.progress.say(format_args!("{pages} pages"));
            let Some(next) = next else { return Ok(()) };
            if !seen.insert(hasher.hash_one(&next)) {
                return Err(Failure::new(
                    Exit::Unexpected,
                    format!(
                        "the server gave a cursor for the second time after {pages} pages, so the list would never end"
                    ),
                )
                .advise("what was written is each page once; tell Cometly"));
            }
            if pages >= MAX_PAGES {
                self.cursor = Some(next);
                return Err(self.resumable(Failure::local(format!("the list has more than {MAX_PAGES} pages"))));
            }
            self.cursor = Some(next);
        }
    }

    /// Writes one page; the cursor of the next.
    fn page(&self, console: &Console) -> Result<Option<String>, Failure> {
        let (transport, sender) = (self.transport.clone(), self.sender.clone());
        let call = with_cursor(self.call.clone(), self.cursor.as_deref());
        // On its own thread, so that Ctrl-C is heard while it waits.
        thread::spawn(move || {
            let _ = sender.send(Event::Answered(transport.send(call)));
        });
        let outcome = match self.events.recv() {
            Ok(Event::Answered(sent)) => sent?,
            Ok(Event::Interrupted) | Err(_) => return Err(Failure::new(Exit::Interrupted, "stopped")),
        };
        let reply = outcome.into_result()?;
        let page: Page<'_> = reply.json().map_err(|error| {
            let failure = Failure::new(Exit::Unexpected, format!("this is no page of a list: {error}"));
            if self.cursor.is_some() { failure } else { failure.advise("leave --paginate out for a single object") }
        })?;
        // With a cursor that it cannot read the server begins anew, and says so by having no page before this one.
        if self.cursor.is_some() && !page.data.is_empty() && page.is_first {
            return Err(Failure::new(
                Exit::Rejected,
                "the server does not know this cursor and answered with the first page",
            )
            .advise(
                "nothing of it was written; give a cursor as a failure or a next_cursor told it, or leave --cursor out",
            ));
        }
        let items: Vec<_> = page.data.iter().map(|item| one_line(item.get())).collect();
        console.json(items.iter().map(|item| item.as_bytes()))?;
        console.progress.step(u64::try_from(items.len()).unwrap_or(u64::MAX));
        Ok(page.next_cursor.filter(|cursor| !cursor.is_empty()).map(Cow::into_owned))
    }

    /// Says how to go on.
    fn resumable(&self, failure: Failure) -> Failure {
        match &self.cursor {
            None => failure.advise("no page was written; run it again"),
            Some(cursor) if is_plain(cursor) => failure
                .advise(format!("all pages before are written; to go on, add --cursor {cursor}"))
                .with_cursor(cursor),
            Some(cursor) => failure
                .advise("all pages before are written; the cursor to go on with is not plain: --json tells it")
                .with_cursor(cursor),
        }
    }
}

/// Whether a shell takes the cursor for one word, and an option parser for no option.
fn is_plain(cursor: &str) -> bool {
    !cursor.starts_with('-')
        && cursor.len() <= 1024
        && cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_=+/.-".contains(&byte))
}

/// JSON without its line breaks, which stand outside of texts only.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_page_before_is_told_from_one_that_does_not_say() {
        let is_first = |json: &'static str| serde_json::from_str::<Page<'static>>(json).unwrap().is_first;
        assert!(is_first(r#"{"data":[],"prev_cursor":null}"#));
        assert!(!is_first(r#"{"data":[]}"#) && !is_first(r#"{"data":[],"prev_cursor":"x"}"#));
    }

    #[test]
    fn a_cursor_is_quoted_only_where_a_shell_reads_it_as_it_is() {
        assert!(is_plain("eyJpZCI6MiwiX3BvaW50c1RvTmV4dEl0ZW1zIjp0cnVlfQ") && is_plain("a_b=+/.-"));
        for cursor in ["x';touch pwn;'", "-x", "a b", "a\u{1b}", "$x", "ü", &"x".repeat(1025)] {
            assert!(!is_plain(cursor), "{cursor}");
        }
    }

    #[test]
    fn an_item_is_one_line_and_its_numbers_are_as_they_came() {
        assert_eq!(one_line("{\r\n  \"amount\": 1.50\n}"), "{    \"amount\": 1.50 }");
    }
}
