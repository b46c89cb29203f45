//! What the API says in words: its error JSON, `{"message": …, "errors": {…}}`.

use std::{borrow::Cow, ops::Range};

use super::redact::{Secrets, clean};
use crate::key_ring::Keys;

mod json;

use json::{Part, read_parts};

/// The most field errors that are told.
const MAX_FIELD_ERRORS: usize = 256;

/// One thing that the API found wrong with one field of the call, from a 422.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError<'a> {
    /// The field, as Cometly names it: `start_date`, `emails.0`. Empty if it named none.
    pub field: Cow<'a, str>,
    /// What is wrong, in Cometly's words.
    pub message: Cow<'a, str>,
}

impl FieldError<'_> {
    pub(crate) fn into_owned(self) -> FieldError<'static> {
        FieldError { field: self.field.into_owned().into(), message: self.message.into_owned().into() }
    }
}

/// What the API said, fit to be shown.
#[derive(Clone)]
pub(crate) struct Words {
    message: Text,
    /// Each with the field that it stands under.
    errors: Box<[(Text, Text)]>,
}

impl Words {
    /// The message, from the same body again.
    pub(crate) fn message<'a>(&'a self, body: &'a [u8]) -> Option<&'a str> {
        match &self.message {
            Text::InBody(place) => std::str::from_utf8(body.get(place.range())?).ok(),
            Text::Cleaned(text) => Some(text),
        }
    }

    /// The field errors, from the same body again.
    pub(crate) fn field_errors<'a>(&'a self, body: &'a [u8]) -> Vec<FieldError<'a>> {
        // Once for all of them, if there are any.
        let body = if self.errors.is_empty() { "" } else { std::str::from_utf8(body).unwrap_or_default() };
        let get = |text: &'a Text| match text {
            Text::InBody(place) => Cow::Borrowed(body.get(place.range()).unwrap_or_default()),
            Text::Cleaned(text) => Cow::Borrowed(&**text),
        };
        self.errors.iter().map(|(field, message)| FieldError { field: get(field), message: get(message) }).collect()
    }
}

/// A cleaned text: mostly it stands in the body as it should be shown.
#[derive(Clone)]
enum Text {
    InBody(Place),
    Cleaned(Box<str>),
}

impl Text {
    /// Cleans what was read from `body`, and keeps its place if nothing had to be changed.
    fn new(text: &str, body: &str, secrets: &Secrets<'_>) -> Self {
        let cleaned = clean(text, secrets);
        let place = if let Cow::Borrowed(text) = cleaned { Place::of(text, body) } else { None };
        place.map_or_else(|| Self::Cleaned(cleaned.into()), Self::InBody)
    }
}

/// A stretch of a body of less than 4 GiB: every answer carries some of these, so they are small.
#[derive(Clone, Copy)]
struct Place {
    start: u32,
    len: u32,
}

impl Place {
    /// Where a text stands in the body, if it does.
    fn of(text: &str, body: &str) -> Option<Self> {
        let start = text.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
        let is_within = start.checked_add(text.len())? <= body.len();
        is_within.then_some(Self { start: start.try_into().ok()?, len: text.len().try_into().ok()? })
    }

    fn range(self) -> Range<usize> {
        let [start, len] = [self.start, self.len].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
        start..start.saturating_add(len)
    }
}

/// The first byte that is not white space, as far as it stands near the beginning.
#[inline]
pub(crate) fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter().take(64).copied().find(|byte| !byte.is_ascii_whitespace())
}

/// What was read: the message as it came, and all that is to be shown.
pub(crate) struct Said<'a> {
    pub(crate) message: Cow<'a, str>,
    pub(crate) words: Words,
}

/// The string `message` of a JSON object, the last one if there are several, and the texts under its `errors`, in whatever
/// shape. `None` if the body is anything else.
#[expect(clippy::inline_always, reason = "a tenth of what a page of HTML costs")]
#[inline(always)]
pub(crate) fn read<'a>(body: &'a [u8], keys: &Keys) -> Option<Said<'a>> {
    // A page of HTML is told by its first byte, without waking the parser.
    if first_byte(body) == Some(b'{') { read_object(body, keys) } else { None }
}

fn read_object<'a>(body: &'a [u8], keys: &Keys) -> Option<Said<'a>> {
    let (body, secrets) = (std::str::from_utf8(body).ok()?, Secrets::of(keys));
    let shown = |text: &str| Text::new(text, body, &secrets);
    // A name is cleaned when its first text comes, for most of a huge body may be names.
    let (mut name, mut field, mut errors) = (Cow::default(), None, Vec::new());
    let mut note = |part| match part {
        Part::Field(next) => (name, field) = (next, None),
        Part::Text(text) if errors.len() < MAX_FIELD_ERRORS => {
            let field: &Text = field.get_or_insert_with(|| shown(&name));
            errors.push((field.clone(), shown(&text)));
        }
        Part::Text(_) => {}
    };
    let mut message = read_parts(body, Some(&mut note));
    if message.is_err() {
        // What cannot be read under `errors` takes nothing from the message.
        errors.clear();
        message = read_parts(body, None);
    }
    let message = message.ok()??;
    let words = Words { message: shown(&message), errors: errors.into() };
    Some(Said { message, words })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{json::MAX_DEPTH, *};
    use crate::{Api, ApiKey};

    const KEY: &str = "12|canary-secret";

    fn api() -> Api {
        Api::new(ApiKey::new(KEY).unwrap())
    }

    fn field_errors(body: &str) -> Vec<(String, String)> {
        let owned = |error: FieldError<'_>| (error.field.into_owned(), error.message.into_owned());
        let said = read(body.as_bytes(), &api().keys()).unwrap();
        said.words.field_errors(body.as_bytes()).into_iter().map(owned).collect()
    }

    fn message(body: &[u8]) -> Option<String> {
        let api = api();
        let keys = api.keys();
        let said = read(body, &keys)?;
        assert_eq!(said.words.message(body), Some(&*clean(&said.message, &Secrets::of(&keys))));
        Some(said.message.into_owned())
    }

    #[test]
    fn the_message_is_the_string_of_that_name_in_an_object() {
        for (body, expected) in [
            (r#"{"message":"Unauthenticated."}"#, Some("Unauthenticated.")),
            ("{\n    \"message\": \"This action is unauthorized.\"\n}", Some("This action is unauthorized.")),
            (" \n {\"message\":\"x\"}", Some("x")),
            (r#"{"message":""}"#, Some("")),
            (r#"{"a":[{"message":"inner"}],"message":"outer","z":{}}"#, Some("outer")),
            (r#"{"message":"one","message":"two"}"#, Some("two")),
            (r#"{"message":"line\nand \u00e9"}"#, Some("line\nand é")),
            (r#"{"message":null}"#, None),
            (r#"{"message":7}"#, None),
            (r#"{"message":-7.5}"#, None),
            (r#"{"message":true}"#, None),
            (r#"{"message":["x"]}"#, None),
            (r#"{"message":{"message":"x"}}"#, None),
            (r#"{"error":"x"}"#, None),
            (r#"{"message":"x""#, None),
            (r#"{"message":"x"} trailing"#, None),
            (r#"["message"]"#, None),
            (r#""message""#, None),
            ("<html>", None),
            ("\u{feff}{\"message\":\"x\"}", None),
            ("", None),
        ] {
            assert_eq!(message(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(message(b"{\"message\":\"\xff\"}"), None);
    }

    #[test]
    fn a_text_that_may_be_shown_as_it_stands_is_not_copied() {
        let body = r#"{"message":"m","errors":{"a":["one"]}}"#;
        let said = read(body.as_bytes(), &api().keys()).unwrap();
        let [error] = said.words.field_errors(body.as_bytes()).try_into().unwrap();
        for shown in [said.words.message(body.as_bytes()).unwrap(), &*error.field, &*error.message] {
            assert!(body.as_bytes().as_ptr_range().contains(&shown.as_ptr()), "{shown}");
        }
    }

    // Row 28 of the fault list.
    #[test]
    fn field_errors_are_read_in_every_shape_that_is_known() {
        for (errors, expected) in [
            (r#"{"a":["one","two"],"b.0":["three"]}"#, &[("a", "one"), ("a", "two"), ("b.0", "three")][..]),
            (r#"{"a":"one"}"#, &[("a", "one")]),
            (r#"["one"]"#, &[("", "one")]),
            (r#""one""#, &[("", "one")]),
            (r#"[{"a":"one"},"two"]"#, &[("a", "one"), ("", "two")]),
            (r#"{"a":{"b":["one"]}}"#, &[("a", "one")]),
            (r#"{"a":[7,null,true,1.5,-1]}"#, &[]),
            (r#"{"a":[7,{"$serde_json::private::Number":"8"},"one"]}"#, &[("a", "one")]),
            (r#"[{"$serde_json::private::Number":"8"}]"#, &[]),
            ("{}", &[]),
        ] {
            let body = format!(r#"{{"errors":{errors},"message":"m"}}"#);
            let read = field_errors(&body);
            let read: Vec<_> = read.iter().map(|(field, message)| (field.as_str(), message.as_str())).collect();
            assert_eq!(read, expected, "{body}");
        }
    }

    #[test]
    fn what_is_odd_under_errors_takes_nothing_from_the_message() {
        let deep = |depth: usize| format!("{}\"one\"{}", "[".repeat(depth), "]".repeat(depth));
        for (errors, expected) in [
            (r#"["\ud800"]"#.to_owned(), 0),
            ("[1e999]".to_owned(), 0),
            (deep(usize::from(MAX_DEPTH)), 1),
            (deep(usize::from(MAX_DEPTH) + 1), 0),
            (deep(100_000), 0),
        ] {
            let body = format!(r#"{{"message":"m","errors":{errors}}}"#);
            assert_eq!((message(body.as_bytes()).as_deref(), field_errors(&body).len()), (Some("m"), expected));
        }
    }

    #[test]
    fn field_errors_are_bounded_and_cleaned() {
        let many = format!(r#"{{"message":"m","errors":{{"a":[{}"x"]}}}}"#, r#""x","#.repeat(10_000));
        assert_eq!(field_errors(&many).len(), MAX_FIELD_ERRORS);
        let errors = field_errors(&format!(r#"{{"message":"m","errors":{{"{KEY}":["\u001b[2J{KEY}"]}}}}"#));
        assert_eq!(errors, [("[redacted]".to_owned(), "\\u{1b}[2J[redacted]".to_owned())]);
    }

    // A server that answers with one long name and many values must not make them as many copies.
    #[test]
    fn a_fields_name_costs_what_it_is_long_however_often_it_stands() {
        let name = format!("\\u0061{}", "a".repeat(1 << 20));
        let lists = format!("{}0{}", "[0,".repeat(100), "]".repeat(100));
        let body = format!(r#"{{"message":"m","errors":{{"{name}":[{}{lists}]}}}}"#, "0,".repeat(1 << 18));
        // As many copies would be 256 GiB.
        assert!(field_errors(&body).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for (before, behind) in [("", ""), (r#"{"message":"#, "}"), (r#"{"message":"m","errors":"#, "}")] {
                let body = [before.as_bytes(), &body, behind.as_bytes()].concat();
                if let Some(said) = read(&body, &api().keys()) {
                    prop_assert!(said.words.message(&body).is_some());
                    prop_assert!(said.words.field_errors(&body).len() <= MAX_FIELD_ERRORS);
                }
            }
        }
    }
}
