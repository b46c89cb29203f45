//! What the server says in words: the API's error JSON, `{"message": …, "errors": {…}}`.
//!
//! Texts are shown to people and written to logs, so the keys in them are masked, characters that steer a terminal are
//! escaped, and their length is capped.

use std::{borrow::Cow, fmt, iter};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{ApiKey, api::Keys};

/// The longest message that is told, in bytes.
pub(crate) const MAX_LEN: usize = 1024;
/// The most field errors that are told.
const MAX_FIELD_ERRORS: usize = 256;
const MASK: &str = "[redacted]";

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

/// The first byte that is not white space, as far as it stands near the beginning.
#[inline]
pub(crate) fn first_byte(body: &[u8]) -> Option<u8> {
    body.iter().take(64).copied().find(|byte| !byte.is_ascii_whitespace())
}

/// The string `message` of a JSON object; the last one if there are several. `None` if the body is anything else.
#[inline]
pub(crate) fn read_message(body: &[u8]) -> Option<Cow<'_, str>> {
    // A page of HTML is told by its first byte, without waking the parser.
    if first_byte(body) == Some(b'{') { read_object_message(body) } else { None }
}

fn read_object_message(body: &[u8]) -> Option<Cow<'_, str>> {
    let mut message = None;
    read_field(body, "message", false, &mut |_, text| message = Some(text)).then_some(message)?
}

/// The texts under `errors`, in whatever shape.
pub(crate) fn read_field_errors<'a>(body: &'a [u8], keys: &Keys) -> Vec<FieldError<'a>> {
    let mut errors = Vec::new();
    let is_read = read_field(body, "errors", true, &mut |field, message| {
        if errors.len() < MAX_FIELD_ERRORS {
            let field = clean(field.cloned().unwrap_or_default(), keys);
            errors.push(FieldError { field, message: clean(message, keys) });
        }
    });
    if is_read { errors } else { Vec::new() }
}

/// Feeds the texts under one field of a JSON object to `sink`. Whether the body is such an object, whole.
fn read_field<'a>(body: &'a [u8], field: &str, nested: bool, sink: Sink<'_, 'a>) -> bool {
    let Ok(body) = std::str::from_utf8(body) else { return false };
    let mut json = serde_json::Deserializer::from_str(body);
    let read = json.deserialize_map(Object { field, nested, sink });
    read.and_then(|()| json.end()).is_ok()
}

/// Masks the keys, escapes control and bidirectional characters, and cuts what is too long: in this order, so that no cut
/// leaves half a key. Reads no more of a long text than it shows.
pub(crate) fn clean<'a>(text: Cow<'a, str>, keys: &Keys) -> Cow<'a, str> {
    let secrets = Secrets(keys);
    // Plain ASCII steers nothing.
    let steers = |found, byte| found | !matches!(byte, b' '..=b'~');
    let is_plain = !text.bytes().fold(false, steers) || !text.chars().any(steers_terminal);
    if is_plain && text.len() <= MAX_LEN && !secrets.are_in(&text) {
        return text;
    }
    let mut shown = String::with_capacity(text.len().min(MAX_LEN));
    let mut rest = text.as_ref();
    while let Some(char) = rest.chars().next() {
        let before = shown.len();
        let secret = secrets.at_start_of(rest);
        match secret {
            Some(_) => shown.push_str(MASK),
            None if steers_terminal(char) => shown.extend(char.escape_default()),
            None => shown.push(char),
        }
        if shown.len() > MAX_LEN {
            while shown.len() > before.min(MAX_LEN.saturating_sub('…'.len_utf8())) {
                shown.pop();
            }
            shown.push('…');
            break;
        }
        rest = rest.get(secret.map_or(char.len_utf8(), <[u8]>::len)..).unwrap_or_default();
    }
    shown.into()
}

/// What must not be shown of the keys.
struct Secrets<'a>(&'a Keys);

impl<'a> Secrets<'a> {
    fn each(&self) -> impl Iterator<Item = &'a [u8]> {
        iter::once(&self.0.current).chain(&self.0.previous).flat_map(ApiKey::secrets)
    }

    fn are_in(&self, text: &str) -> bool {
        self.each().any(|secret| {
            let mut rest = text.as_bytes();
            // Its first byte is looked for before the whole.
            while let [first, tail @ ..] = rest {
                if rest.len() < secret.len() {
                    break;
                }
                if secret.first() == Some(first) && rest.starts_with(secret) {
                    return true;
                }
                rest = tail;
            }
            false
        })
    }

    /// The longest, for one key may be the beginning of another.
    fn at_start_of(&self, text: &str) -> Option<&'a [u8]> {
        self.each().filter(|secret| text.as_bytes().starts_with(secret)).max_by_key(|secret| secret.len())
    }
}

/// Control characters, line and paragraph separators, and those that turn the direction of text around
/// ([UAX #9](https://www.unicode.org/reports/tr9/)).
fn steers_terminal(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Takes a text and the field that it stands under.
type Sink<'s, 'a> = &'s mut dyn FnMut(Option<&Cow<'a, str>>, Cow<'a, str>);

/// The object itself, of which one field counts.
struct Object<'s, 'a> {
    field: &'s str,
    nested: bool,
    sink: Sink<'s, 'a>,
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = next_key(&mut map)? {
            if key == self.field {
                map.next_value_seed(Texts { sink: &mut *self.sink, field: None, nested: self.nested })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Feeds the texts of a JSON value to a sink, each with the field that it stands under; all else is passed over.
struct Texts<'s, 'a> {
    sink: Sink<'s, 'a>,
    field: Option<&'s Cow<'a, str>>,
    /// Whether texts within lists and objects count.
    nested: bool,
}

impl<'s, 'a> Texts<'s, 'a> {
    /// Only the value itself, if it is a string.
    fn one(sink: Sink<'s, 'a>) -> Self {
        Self { sink, field: None, nested: false }
    }
}

impl<'de> DeserializeSeed<'de> for Texts<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Texts<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        (self.sink)(self.field, Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        (self.sink)(self.field, Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.nested {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let Self { sink, field, nested } = self;
        while seq.next_element_seed(Texts { sink: &mut *sink, field, nested })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if !self.nested {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let Self { sink, field, nested } = self;
        while let Some(key) = next_key(&mut map)? {
            let field = field.or(Some(&key));
            map.next_value_seed(Texts { sink: &mut *sink, field, nested })?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    let mut key = None;
    map.next_key_seed(Texts::one(&mut |_, text| key = Some(text)))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Api, ApiKey};

    const KEY: &str = "12|canary-secret";

    fn keys() -> std::sync::Arc<Keys> {
        Api::new(ApiKey::new(KEY).unwrap()).keys()
    }

    fn cleaned(text: &str) -> String {
        clean(text.into(), &keys()).into_owned()
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
            assert_eq!(read_message(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(read_message(b"{\"message\":\"\xff\"}"), None);
    }

    #[test]
    fn a_message_in_which_nothing_is_to_be_changed_is_borrowed() {
        // The second and third begin as the key does.
        for message in ["Too Many Attempts.", "1 more error", "12|canary", "Ünïcödé stays – 完", &"x".repeat(MAX_LEN)]
        {
            let body = format!(r#"{{"message":"{message}"}}"#);
            let cleaned = clean(read_message(body.as_bytes()).unwrap(), &keys());
            assert!(matches!(cleaned, Cow::Borrowed(shown) if shown == message), "{cleaned}");
        }
    }

    // Row 28 of the fault list.
    #[test]
    fn field_errors_are_read_in_every_shape_that_is_known() {
        let table: [(&str, &[(&str, &str)]); 7] = [
            (
                r#"{"message":"m","errors":{"a":["one","two"],"b.0":["three"]}}"#,
                &[("a", "one"), ("a", "two"), ("b.0", "three")],
            ),
            (r#"{"errors":{"a":"one"}}"#, &[("a", "one")]),
            (r#"{"errors":["one"]}"#, &[("", "one")]),
            (r#"{"errors":"one"}"#, &[("", "one")]),
            (r#"{"errors":{"a":{"b":["one"]}}}"#, &[("a", "one")]),
            (r#"{"errors":{"a":[7,null,true,1.5]}}"#, &[]),
            (r#"{"message":"m"}"#, &[]),
        ];
        for (body, expected) in table {
            let errors = read_field_errors(body.as_bytes(), &keys());
            let read: Vec<_> = errors.iter().map(|e| (e.field.as_ref(), e.message.as_ref())).collect();
            assert_eq!(read, expected, "{body}");
        }
    }

    #[test]
    fn field_errors_are_bounded_and_cleaned() {
        let many = format!(r#"{{"errors":{{"a":[{}"x"]}}}}"#, r#""x","#.repeat(10_000));
        assert_eq!(read_field_errors(many.as_bytes(), &keys()).len(), MAX_FIELD_ERRORS);
        let body = format!(r#"{{"errors":{{"{KEY}":["\u001b[2J{KEY}"]}}}}"#);
        let errors = read_field_errors(body.as_bytes(), &keys());
        assert_eq!(errors[0].field, "[redacted]");
        assert_eq!(errors[0].message, "\\u{1b}[2J[redacted]");
    }

    #[test]
    fn our_key_is_masked_whole_or_by_its_secret_half() {
        assert_eq!(cleaned(&format!("bad token {KEY}!")), "bad token [redacted]!");
        assert_eq!(cleaned("bad token canary-secret"), "bad token [redacted]");
        assert_eq!(cleaned("12%7Ccanary-secret"), "12%7C[redacted]");
        // A half that is short may be a word.
        for (key, text, shown) in
            [("1|12345678", "in 12345678 s", "in [redacted] s"), ("1|1234567", "in 1234567 s", "in 1234567 s")]
        {
            assert_eq!(clean(text.into(), &Api::new(ApiKey::new(key).unwrap()).keys()), shown);
        }
    }

    // A server that answers with one long name and many values must not make them as many copies.
    #[test]
    fn a_fields_name_costs_what_it_is_long_however_often_it_stands() {
        let name = format!("\\u0061{}", "a".repeat(1 << 20));
        let (numbers, lists) = ("[0,".repeat(100), "0]".repeat(100));
        let body = format!(r#"{{"message":"m","errors":{{"{name}":[{}{numbers}{lists}]}}}}"#, "0,".repeat(1 << 18));
        // As many copies would be 256 GiB.
        assert!(read_field_errors(body.as_bytes(), &keys()).is_empty());
    }

    #[test]
    fn a_one_letter_key_in_a_huge_message_costs_no_more_than_is_shown() {
        let keys = Api::new(ApiKey::new("x").unwrap()).keys();
        let shown = clean("x".repeat(30 << 20).into(), &keys);
        assert!(shown.len() <= MAX_LEN && !shown.contains('x'));
    }

    #[test]
    fn a_key_that_the_cut_would_tear_is_masked_first() {
        let text = format!("{}{KEY}", "x".repeat(MAX_LEN - 6));
        assert!(!cleaned(&text).contains("12|"));
    }

    // Row 38 of the fault list.
    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(cleaned("\u{1b}[31m\r\n\u{202e}x\u{0}"), "\\u{1b}[31m\\r\\n\\u{202e}x\\u{0}");
        for (text, shown) in [
            ("\n", "\\n"),
            ("\r\n", "\\r\\n"),
            ("two\nlines\n", "two\\nlines\\n"),
            ("\u{200b}", "\\u{200b}"),
            ("it's \"Ünïcödé\" – 完\n", "it's \"Ünïcödé\" – 完\\n"),
        ] {
            assert_eq!(cleaned(text), shown);
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        for text in ["é".repeat(5_000_000), "\n".repeat(2000), "x".repeat(MAX_LEN + 1)] {
            let shown = cleaned(&text);
            assert!(shown.len() <= MAX_LEN && shown.ends_with('…'), "{}", shown.len());
        }
        assert_eq!(cleaned(&"x".repeat(MAX_LEN + 1)), format!("{}…", "x".repeat(MAX_LEN - 3)));
        assert_eq!(cleaned(&format!("{}\n", "x".repeat(MAX_LEN - 2))), format!("{}\\n", "x".repeat(MAX_LEN - 2)));
    }

    proptest! {
        #[test]
        fn no_text_carries_the_key_or_grows_past_the_cap(text in ".{0,40}", more in ".{0,2000}") {
            let shown = cleaned(&format!("{text}{KEY}{more}{KEY}"));
            prop_assert!(!shown.contains("canary") && shown.len() <= MAX_LEN);
            prop_assert!(!shown.chars().any(steers_terminal));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let object = [b"{\"message\":", body.as_slice(), b"}"].concat();
            let _ = (read_message(&body), read_message(&object), read_field_errors(&object, &keys()));
        }
    }
}
