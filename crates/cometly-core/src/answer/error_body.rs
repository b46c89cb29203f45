//! What a refusal says in its body: the API's error JSON, `{"message": …, "errors": {…}}`, and the body as text.

use std::{borrow::Cow, ops::Range};

use super::{
    json::{Broken, Json, RawText, trim_start},
    redact::{MAX_LEN, Secrets, clean, escape, is_fit_to_show},
};
use crate::key_ring::Keys;

/// A refusal is judged by this much of its body, so that a long one costs no more.
pub(super) const MAX_JUDGED: usize = 64 * 1024;
/// The most of a body that is kept for [`ApiError::body_text`](crate::ApiError::body_text).
pub(super) const MAX_BODY_TEXT: usize = 8 * 1024;
/// The most field errors that are kept.
const MAX_FIELD_ERRORS: usize = 256;
/// How deep in lists and objects a text is looked for; in all known shapes it is in the second.
const MAX_DEPTH: u8 = 8;

/// One thing that the API found wrong with one field of the call; from
/// [`ApiError::field_errors`](crate::ApiError::field_errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError<'a> {
    /// The name of the field, as Cometly writes it: `start_date`, `emails.0`. Empty if Cometly named no field. At most 1 KiB.
    pub field: &'a str,
    /// What is wrong with the field, in Cometly's words: at most 1 KiB, with our keys masked and control characters escaped.
    pub message: &'a str,
}

/// What an error keeps of its body, fit to be shown.
#[derive(Clone)]
pub(super) struct ErrorBody {
    /// The beginning, with our keys masked.
    kept: Box<[u8]>,
    message: Option<Text>,
    /// Each with its field.
    errors: Vec<(Text, Text)>,
}

/// A text: a stretch of the kept body if it is shown as it was sent, else a copy.
#[derive(Clone)]
enum Text {
    Kept(Range<u16>),
    Copied(Box<str>),
}

impl ErrorBody {
    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|text| self.get(text))
    }

    pub(super) fn field_errors(&self) -> Vec<FieldError<'_>> {
        let error = |(field, message)| FieldError { field: self.get(field), message: self.get(message) };
        self.errors.iter().map(|(field, message)| error((field, message))).collect()
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        match String::from_utf8_lossy(&self.kept) {
            Cow::Borrowed(text) => escape(text, MAX_BODY_TEXT),
            Cow::Owned(text) => escape(&text, MAX_BODY_TEXT).into_owned().into(),
        }
    }

    fn get<'a>(&'a self, text: &'a Text) -> &'a str {
        match text {
            Text::Kept(place) => {
                let bytes = self.kept.get(usize::from(place.start)..usize::from(place.end));
                std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
            }
            Text::Copied(text) => text,
        }
    }
}

/// A body under examination: what is kept of it, and what it was found to say.
pub(super) struct Reader<'a> {
    body: &'a [u8],
    secrets: Secrets<'a>,
    /// Whether the beginning of the body is kept as it was sent.
    is_kept: bool,
    kept: Box<[u8]>,
}

/// What the JSON of a refusal says.
#[derive(Default)]
pub(super) struct Said<'a> {
    /// Whether it has a `message`, of any type.
    pub(super) has_message: bool,
    /// Whether it has `errors`, of any type.
    pub(super) has_errors: bool,
    /// The text of the message, as it was sent.
    pub(super) message: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    errors: Vec<(Text, Text)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8], keys: &'a Keys) -> Self {
        let secrets = Secrets::of(keys);
        // A key that the cut would tear is found first.
        let near = body.get(..MAX_BODY_TEXT.saturating_add(crate::ApiKey::MAX_LEN)).unwrap_or(body);
        // Masks are shorter than keys, so what is shown may reach to the end of what is near: a key that is torn there goes.
        let near = if near.len() < body.len() { near.get(..secrets.torn_at(near)).unwrap_or(near) } else { near };
        let kept = near.get(..MAX_BODY_TEXT).unwrap_or(near);
        let is_kept = !secrets.are_in(near) && !secrets.have_backslash();
        let kept = if is_kept {
            // One byte more says that there is more.
            near.get(..MAX_BODY_TEXT.saturating_add(1)).unwrap_or(kept).into()
        } else {
            clean(&String::from_utf8_lossy(near), MAX_BODY_TEXT, &secrets).as_bytes().into()
        };
        Self { body, secrets, is_kept, kept }
    }

    /// Whether the body is empty, or nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        self.body.len() <= MAX_JUDGED && trim_start(self.body).is_empty()
    }

    /// Reads the error JSON; `None` if the body is anything else than an object. A body that goes on after
    /// [`MAX_JUDGED`] bytes counts with what it says within them.
    pub(super) fn read(&self) -> Option<Said<'a>> {
        let judged = match self.body.get(..MAX_JUDGED) {
            // A text that is cut off counts, and must not end in a part of a key.
            Some(judged) => judged.get(..self.secrets.torn_at(judged)).unwrap_or(judged),
            None => self.body,
        };
        // The first byte tells an HTML page from JSON.
        if trim_start(judged).first() != Some(&b'{') {
            return None;
        }
        let mut said = Said::default();
        match self.read_object(Json::new(judged), &mut said) {
            Ok(()) => Some(said),
            Err(Broken::End) if judged.len() < self.body.len() => Some(said),
            Err(_) => None,
        }
    }

    /// The body of an error, with what it was found to say.
    pub(super) fn finish(self, said: Option<Said<'_>>, takes_detail: impl Fn() -> bool) -> ErrorBody {
        let Said { message, detail, errors, .. } = said.unwrap_or_default();
        let message = message.or(detail.filter(|_| takes_detail())).map(|text| self.shown(&text));
        ErrorBody { kept: self.kept, message, errors }
    }

    fn read_object(&self, mut json: Json<'a>, said: &mut Said<'a>) -> Result<(), Broken> {
        json.expect(b'{')?;
        let mut is_first = true;
        while json.next_entry(b'}', &mut is_first)? {
            let name = json.name()?;
            if name.is("message") {
                said.has_message = true;
                let mut message = None;
                let read = first_text(&mut json, &mut message, MAX_DEPTH);
                said.message = message;
                read?;
            } else if name.is("errors") {
                said.has_errors = true;
                said.errors.clear();
                let mut walk = Walk { reader: self, errors: &mut said.errors, name: None, field: None };
                walk.value(&mut json, MAX_DEPTH)?;
            } else if name.is("detail") {
                first_text(&mut json, &mut said.detail, 0)?;
            } else {
                json.skip()?;
            }
        }
        // What comes behind must be nothing, unless it was cut off.
        json.end()
    }

    /// A text as it may be shown.
    fn shown(&self, text: &str) -> Text {
        if self.is_kept && is_fit_to_show(text, MAX_LEN) {
            if let Some(place) = self.place_of(text) {
                return Text::Kept(place);
            }
        }
        Text::Copied(clean(text, MAX_LEN, &self.secrets).into())
    }

    /// Where a text is in the kept part of the body, if it was sent as it is.
    fn place_of(&self, text: &str) -> Option<Range<u16>> {
        let start = text.as_ptr().addr().checked_sub(self.body.as_ptr().addr())?;
        let end = start.checked_add(text.len())?;
        let is_kept = end <= self.body.len().min(self.kept.len());
        if is_kept { Some(start.try_into().ok()?..end.try_into().ok()?) } else { None }
    }
}

/// Reads a value and takes the first string in it. Of a string that is cut off, the beginning counts.
fn first_text<'a>(json: &mut Json<'a>, found: &mut Option<Cow<'a, str>>, levels: u8) -> Result<(), Broken> {
    let close = match json.peek()? {
        b'"' => {
            let start = json.clone();
            let text = json.string();
            if found.is_none() {
                let cut = || start.cut_string();
                *found = text.as_ref().ok().copied().or_else(cut).map(RawText::text);
            }
            return text.map(drop);
        }
        b'{' => b'}',
        b'[' => b']',
        _ => return json.scalar().map(drop),
    };
    let Some(levels) = levels.checked_sub(1) else { return json.skip() };
    let bracket = json.peek()?;
    json.expect(bracket)?;
    let mut is_first = true;
    while json.next_entry(close, &mut is_first)? {
        if close == b'}' {
            json.name()?;
        }
        first_text(json, found, levels)?;
    }
    Ok(())
}

/// Collects the texts of a value with the outermost names above them.
struct Walk<'r, 'a> {
    reader: &'r Reader<'a>,
    errors: &'r mut Vec<(Text, Text)>,
    name: Option<RawText<'a>>,
    /// The name as shown: made when its first text comes, since most of a huge body may be names.
    field: Option<Text>,
}

impl<'a> Walk<'_, 'a> {
    fn value(&mut self, json: &mut Json<'a>, levels: u8) -> Result<(), Broken> {
        let close = match json.peek()? {
            b'"' => {
                let text = json.string()?;
                self.push(text);
                return Ok(());
            }
            b'{' => b'}',
            b'[' => b']',
            _ => return json.scalar().map(drop),
        };
        let Some(levels) = levels.checked_sub(1) else { return json.skip() };
        let bracket = json.peek()?;
        json.expect(bracket)?;
        let mut is_first = true;
        while json.next_entry(close, &mut is_first)? {
            if close == b']' {
                self.value(json, levels)?;
                continue;
            }
            let name = json.name()?;
            let is_outermost = self.name.is_none();
            if is_outermost {
                (self.name, self.field) = (Some(name), None);
            }
            self.value(json, levels)?;
            if is_outermost {
                (self.name, self.field) = (None, None);
            }
        }
        Ok(())
    }

    fn push(&mut self, text: RawText<'a>) {
        if self.errors.len() >= MAX_FIELD_ERRORS {
            return;
        }
        let (reader, name) = (self.reader, self.name);
        let field = self.field.get_or_insert_with(|| reader.shown(&name.map(RawText::text).unwrap_or_default()));
        self.errors.push((field.clone(), reader.shown(&text.text())));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Api, ApiKey};

    const KEY: &str = "12|canary-secret";

    fn body_of(body: &[u8]) -> Option<ErrorBody> {
        let keys = Api::new(ApiKey::new(KEY).unwrap()).keys();
        let reader = Reader::new(body, &keys);
        let said = reader.read()?;
        Some(reader.finish(Some(said), || false))
    }

    fn text_of(body: &[u8]) -> String {
        let keys = Api::new(ApiKey::new(KEY).unwrap()).keys();
        Reader::new(body, &keys).finish(None, || false).text().into_owned()
    }

    fn field_errors(body: &str) -> Vec<(String, String)> {
        let owned = |error: &FieldError<'_>| (error.field.to_owned(), error.message.to_owned());
        body_of(body.as_bytes()).unwrap().field_errors().iter().map(owned).collect()
    }

    /// Whether there is a `message`, and its text.
    fn message(body: &[u8]) -> Option<(bool, Option<String>)> {
        let keys = Api::new(ApiKey::new(KEY).unwrap()).keys();
        let said = Reader::new(body, &keys).read()?;
        Some((said.has_message, said.message.map(Cow::into_owned)))
    }

    #[test]
    fn the_message_is_read_by_its_name_in_an_object_and_counts_whatever_its_type() {
        let text = |text: &str| Some((true, Some(text.to_owned())));
        for (body, expected) in [
            (r#"{"message":"Unauthenticated."}"#, text("Unauthenticated.")),
            ("{\n    \"message\": \"This action is unauthorized.\"\n}", text("This action is unauthorized.")),
            (" \n {\"message\":\"x\"}", text("x")),
            (r#"{"message":""}"#, text("")),
            (r#"{"a":[{"message":"inner"}],"message":"outer","z":{}}"#, text("outer")),
            (r#"{"message":"one","message":"two"}"#, text("two")),
            (r#"{"message":"line\nand \u00e9"}"#, text("line\nand é")),
            (r#"{"mess\u0061ge":"x"}"#, text("x")),
            // Of another type.
            (r#"{"message":["x","y"]}"#, text("x")),
            (r#"{"message":{"en":"no"}}"#, text("no")),
            (r#"{"message":{"a":1,"b":[[],["deep"]]}}"#, text("deep")),
            (r#"{"message":[[[[[[[[["too deep"]]]]]]]]]}"#, Some((true, None))),
            (r#"{"message":null}"#, Some((true, None))),
            (r#"{"message":-7.5}"#, Some((true, None))),
            (r#"{"message":true}"#, Some((true, None))),
            // A bad character costs that character.
            (r#"{"message":"a\ud800b"}"#, text("a\u{fffd}b")),
            (r#"{"\ud800":1,"message":"m"}"#, text("m")),
            // No message, or no object.
            (r#"{"error":"x"}"#, Some((false, None))),
            ("{}", Some((false, None))),
            (r#"{"message":"x""#, None),
            (r#"{"message":"x"} trailing"#, None),
            (r#"{"message":"x",}"#, None),
            (r#"["message"]"#, None),
            (r#""message""#, None),
            ("<html>", None),
            ("\u{feff}{\"message\":\"x\"}", None),
            ("", None),
        ] {
            assert_eq!(message(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(message(b"{\"\xfe\":\"\xff\",\"message\":\"a\xffb\"}"), text("a\u{fffd}b"));
    }

    #[test]
    fn a_text_that_may_be_shown_as_it_was_sent_is_kept_once() {
        let body = body_of(br#"{"message":"m","errors":{"a":["one"]}}"#).unwrap();
        let error = body.field_errors()[0];
        for shown in [body.message().unwrap(), error.field, error.message] {
            assert!(body.kept.as_ptr_range().contains(&shown.as_ptr()), "{shown}");
        }
    }

    #[test]
    fn a_text_that_steers_a_terminal_or_is_long_is_not_shown_as_it_was_sent() {
        let long = "x".repeat(MAX_LEN + 1);
        let cut = format!("{}…", "x".repeat(MAX_LEN - 3));
        for (text, shown) in [("a\u{202e}b", "a\\u{202e}b"), (&long, &cut)] {
            let body = body_of(format!(r#"{{"message":"{text}"}}"#).as_bytes()).unwrap();
            assert_eq!(body.message(), Some(shown));
        }
    }

    // `docs/faults.md` 28.
    #[test]
    fn field_errors_are_read_in_every_shape_that_is_known() {
        for (errors, expected) in [
            (r#"{"a":["one","two"],"b.0":["three"]}"#, &[("a", "one"), ("a", "two"), ("b.0", "three")][..]),
            (r#"{"a":"one"}"#, &[("a", "one")]),
            (r#"["one"]"#, &[("", "one")]),
            (r#""one""#, &[("", "one")]),
            (r#"[{"a":"one"},"two"]"#, &[("a", "one"), ("", "two")]),
            (r#"{"a":{"b":["one"]}}"#, &[("a", "one")]),
            (r#"{"a":{"b":["one"]},"c":{"d":"two"}}"#, &[("a", "one"), ("c", "two")]),
            (r#"{"a":[7,null,true,1.5,-1,1e999]}"#, &[]),
            (r#"{"a\ud800":["\udc00b"]}"#, &[("a\u{fffd}", "\u{fffd}b")]),
            ("{}", &[]),
            ("null", &[]),
        ] {
            for body in [format!(r#"{{"errors":{errors},"message":"m"}}"#), format!(r#"{{"errors":{errors}}}"#)] {
                let read = field_errors(&body);
                let read: Vec<_> = read.iter().map(|(field, message)| (field.as_str(), message.as_str())).collect();
                assert_eq!(read, expected, "{body}");
            }
        }
        assert_eq!(field_errors(r#"{"errors":{"a":"1"},"errors":{"b":"2"}}"#), [("b".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn what_is_odd_under_errors_takes_nothing_from_the_message() {
        let deep = |depth: usize| format!("{}\"one\"{}", "[".repeat(depth), "]".repeat(depth));
        for (errors, expected) in [
            (r#"["\ud800"]"#.to_owned(), 1),
            ("[1e999]".to_owned(), 0),
            (deep(usize::from(MAX_DEPTH)), 1),
            (deep(usize::from(MAX_DEPTH) + 1), 0),
            (deep(20_000), 0),
            (deep(100_000), 0),
        ] {
            let body = format!(r#"{{"message":"m","errors":{errors}}}"#);
            assert_eq!(message(body.as_bytes()), Some((true, Some("m".to_owned()))));
            assert_eq!(field_errors(&body).len(), expected);
        }
    }

    #[test]
    fn field_errors_are_bounded_and_cleaned() {
        let many = format!(r#"{{"message":"m","errors":{{"a":[{}"x"]}}}}"#, r#""x","#.repeat(10_000));
        assert_eq!(field_errors(&many).len(), MAX_FIELD_ERRORS);
        let errors = field_errors(&format!(r#"{{"message":"m","errors":{{"{KEY}":["\u001b[2J{KEY}"]}}}}"#));
        assert_eq!(errors, [("[redacted]".to_owned(), "\\u{1b}[2J[redacted]".to_owned())]);
        // Also where the key is written in escapes, or is far behind what is kept.
        let far = " ".repeat(20_000);
        for body in [r#"{"errors":["12|can\u0061ry-secret"]}"#.to_owned(), format!(r#"{{{far}"errors":["{KEY}"]}}"#)] {
            assert_eq!(field_errors(&body), [(String::new(), "[redacted]".to_owned())]);
        }
    }

    // A server that answers with one long name and many values must not make them as many copies.
    #[test]
    fn a_fields_name_costs_its_length_once() {
        let name = format!("\\u0061{}", "a".repeat(1 << 15));
        let values = format!("{}\"x\"", "\"x\",".repeat(5_000));
        let errors = field_errors(&format!(r#"{{"message":"m","errors":{{"{name}":[{values}]}}}}"#));
        assert!(errors.len() == MAX_FIELD_ERRORS && errors.iter().all(|(field, _)| field.len() <= MAX_LEN));
    }

    #[test]
    fn the_body_is_kept_as_text_of_at_most_8_kib() {
        for (body, text) in [
            (&b""[..], ""),
            (b"<p>Sign in</p>", "<p>Sign in</p>"),
            (b"a\r\nb\x1b[2J", "a\\r\\nb\\u{1b}[2J"),
            (b"a\xffb", "a\u{fffd}b"),
            ("Ünïcödé 完".as_bytes(), "Ünïcödé 完"),
            (b"echo 12|canary-secret!\n", "echo [redacted]!\\n"),
            (br#"{"key":"12|canary\u002dsecret"}"#, r#"{"key":"[redacted]"}"#),
        ] {
            assert_eq!(text_of(body), text);
        }
        for (char, ends) in [("x", "x…"), ("é", "é…"), ("完", "完…"), ("😀", "😀…"), ("\n", "…")] {
            for before in 0..4 {
                let body = format!("{}{}", "y".repeat(before), char.repeat(9_000));
                let text = text_of(body.as_bytes());
                assert!(text.len() <= MAX_BODY_TEXT && text.len() > MAX_BODY_TEXT - 8, "{}", text.len());
                assert!(text.ends_with(ends) && !text.contains('\u{fffd}'), "{char:?}");
            }
        }
        assert_eq!(text_of("x".repeat(8192).as_bytes()), "x".repeat(8192));
    }

    #[test]
    fn a_key_that_the_cut_would_tear_is_masked_whole() {
        for before in MAX_BODY_TEXT - KEY.len() - 2..MAX_BODY_TEXT + 2 {
            let text = text_of(format!("{}{KEY}{KEY}", "x".repeat(before)).as_bytes());
            assert!(!text.contains("12|") && !text.contains("cana") && text.len() <= MAX_BODY_TEXT, "{before}");
        }
    }

    #[test]
    fn a_key_that_is_torn_by_the_end_of_what_is_read_is_not_shown() {
        let escaped = KEY.bytes().fold(String::new(), |text, byte| format!("{text}\\u{byte:04x}"));
        let encoded = KEY.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        for key in [KEY, &escaped, &encoded] {
            for before in 0..key.len() {
                // The masks of all that is near are shorter than what is shown.
                let text = text_of(format!("{}{}", "x".repeat(before), key.repeat(1_000)).as_bytes());
                let rest = text.trim_start_matches('x').replace("[redacted]", "");
                assert!(matches!(rest.as_str(), "" | "…") || "[redacted]…".ends_with(&rest), "{before}: {rest}");
            }
        }
        for (padding, tail) in (0..KEY.len()).map(|torn| (MAX_JUDGED - 29 - torn, torn)) {
            let body = format!(r#"{{"p":"{}","message":"bad token {KEY}"}}"#, "x".repeat(padding));
            let message =
                body_of(body.as_bytes()).and_then(|said| said.message().map(str::to_owned)).unwrap_or_default();
            assert!(!message.contains("12|c") || message.is_empty(), "{tail}: {message}");
            assert!(!message.contains("canary"), "{tail}: {message}");
        }
    }

    #[test]
    fn a_key_that_escaping_would_write_is_masked() {
        let keys = Api::new(ApiKey::new(r"12|abcdefgh\nsecret").unwrap()).keys();
        let body = Reader::new(b"12|abcdefgh\nsecret", &keys).finish(None, || false);
        assert_eq!(body.text(), "[redacted]");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            for (before, behind) in [("", ""), (r#"{"message":"#, "}"), (r#"{"message":"m","errors":"#, "}")] {
                let body = [before.as_bytes(), &body, behind.as_bytes()].concat();
                prop_assert!(!text_of(&body).contains(char::is_control));
                if let Some(said) = body_of(&body) {
                    prop_assert!(said.field_errors().len() <= MAX_FIELD_ERRORS);
                }
            }
        }
    }
}
