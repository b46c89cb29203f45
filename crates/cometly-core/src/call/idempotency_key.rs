//! The field that makes a POST safe to send again, and what the backend does to it.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor},
};

use crate::RequestError;

const FIELD: &str = "idempotency_key";

/// Gives `text` as Cometly's backend stores it: without the characters that it removes from both ends of every text in a body
/// or query. It cannot fail; it gives an empty text if nothing is left, which arrives as null.
///
/// The backend is built on Laravel, which removes white space as Unicode defines it, NUL, and a list of invisible characters
/// such as U+200B and U+FEFF (`Str::trim`, from version 11.23; Cometly does not say which version it runs, and earlier ones
/// remove less). Two texts that are trimmed to the same one are the same to the backend: of two events with such idempotency
/// keys it keeps the first.
///
/// ```
/// use cometly_core::backend_trim;
///
/// assert_eq!(backend_trim("\u{feff}order 7 \0"), "order 7");
/// assert_eq!(backend_trim("\u{200b}"), "");
/// ```
#[must_use]
pub fn backend_trim(text: &str) -> &str {
    text.trim_matches(is_trimmed)
}

fn is_trimmed(char: char) -> bool {
    // PCRE's `\s` under `/u` is Unicode's White_Space; U+180E, which was one once, is in the list.
    char.is_whitespace() || char == '\0' || INVISIBLE.contains(&char)
}

/// Laravel's `Str::INVISIBLE_CHARACTERS`, without the white space in it.
const INVISIBLE: [char; 39] = [
    '\u{00ad}',
    '\u{034f}',
    '\u{061c}',
    '\u{115f}',
    '\u{1160}',
    '\u{17b4}',
    '\u{17b5}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2060}',
    '\u{2061}',
    '\u{2062}',
    '\u{2063}',
    '\u{2064}',
    '\u{2065}',
    '\u{206a}',
    '\u{206b}',
    '\u{206c}',
    '\u{206d}',
    '\u{206e}',
    '\u{206f}',
    '\u{2800}',
    '\u{3164}',
    '\u{feff}',
    '\u{ffa0}',
    '\u{1d159}',
    '\u{1d173}',
    '\u{1d174}',
    '\u{1d175}',
    '\u{1d176}',
    '\u{1d177}',
    '\u{1d178}',
    '\u{1d179}',
    '\u{1d17a}',
    '\u{e0020}',
];

/// Whether the key arrives as it is.
pub(super) fn check(key: &str) -> Result<(), RequestError> {
    if key.is_empty() || backend_trim(key) != key { Err(RequestError::IdempotencyKey) } else { Ok(()) }
}

/// The JSON object `json` with the field. Its own text stays as it is: parsed and written again, some numbers would
/// change.
pub(super) fn add(mut json: Vec<u8>, key: &str) -> Result<Vec<u8>, RequestError> {
    let present: Object = serde_json::from_slice(&json).map_err(|_| RequestError::IdempotencyKey)?;
    match present.key {
        Some(present) if present == key => return Ok(json),
        Some(_) => return Err(RequestError::IdempotencyKey),
        None => {}
    }
    // The text is an object, so only white space comes after its last brace.
    while json.pop().is_some_and(|byte| byte != b'}') {}
    if !present.is_empty {
        json.push(b',');
    }
    json.extend_from_slice(b"\"idempotency_key\":");
    json.extend_from_slice(&super::json::to_vec(key)?);
    json.push(b'}');
    Ok(json)
}

/// What the object holds of the field, before ours is added.
struct Object {
    is_empty: bool,
    key: Option<serde_json::Value>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object { is_empty: true, key: None };
                while let Some(name) = map.next_key::<String>()? {
                    object.is_empty = false;
                    if name == FIELD {
                        if object.key.replace(map.next_value()?).is_some() {
                            return Err(A::Error::duplicate_field(FIELD));
                        }
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(object)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(json: &str, key: &str) -> Result<String, RequestError> {
        add(json.as_bytes().to_vec(), key).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn the_field_is_added_behind_the_others_and_the_rest_stays_as_written() {
        for (json, key, expected) in [
            (r#"{"amount":0.1}"#, "k\"1", r#"{"amount":0.1,"idempotency_key":"k\"1"}"#),
            ("{}", "k", r#"{"idempotency_key":"k"}"#),
            (" { } \n", "k", r#" { "idempotency_key":"k"}"#),
            (r#"{"a":{}}"#, "k", r#"{"a":{},"idempotency_key":"k"}"#),
            (r#"{"id":12345678901234567890123}"#, "k", r#"{"id":12345678901234567890123,"idempotency_key":"k"}"#),
            (r#"{"x":{"idempotency_key":"y"}}"#, "k", r#"{"x":{"idempotency_key":"y"},"idempotency_key":"k"}"#),
        ] {
            assert_eq!(added(json, key).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_field_that_is_there_must_be_the_same_key() {
        let same = r#"{"idempotency_key": "k"}"#;
        assert_eq!(added(same, "k").as_deref(), Ok(same));
        for other in [r#"{"idempotency_key":"x"}"#, r#"{"idempotency_key":null}"#, r#"{"idempotency_ke\u0079":1}"#] {
            assert_eq!(added(other, "k"), Err(RequestError::IdempotencyKey));
        }
    }

    #[test]
    fn only_an_object_can_carry_it() {
        for json in ["[]", "\"text\"", "null", "1", "", "{", "{}x", "{}{}"] {
            assert_eq!(added(json, "k"), Err(RequestError::IdempotencyKey), "{json}");
        }
    }

    // `docs/faults.md` 88.
    #[test]
    fn a_key_that_the_backend_would_change_is_refused_at_either_end() {
        let trimmed = "\u{0}\t\n\u{b}\u{c}\r \u{85}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{1680}\u{17b4}\u{17b5}\u{180e}\
             \u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{200b}\u{200c}\u{200d}\
             \u{200e}\u{200f}\u{2028}\u{2029}\u{202f}\u{205f}\u{2060}\u{2061}\u{2062}\u{2063}\u{2064}\u{2065}\u{206a}\u{206b}\
             \u{206c}\u{206d}\u{206e}\u{206f}\u{2800}\u{3000}\u{3164}\u{feff}\u{ffa0}\u{1d159}\u{1d173}\u{1d174}\u{1d175}\
             \u{1d176}\u{1d177}\u{1d178}\u{1d179}\u{1d17a}\u{e0020}";
        for char in trimmed.chars() {
            for key in [format!("{char}"), format!("{char}k"), format!("k{char}"), format!("k{char}{char}")] {
                assert_eq!(check(&key), Err(RequestError::IdempotencyKey), "{key:?}");
            }
            assert_eq!(check(&format!("k{char}k")), Ok(()), "within, {char:?} stays");
        }
        assert_eq!(backend_trim(trimmed), "");
        // No other character of Unicode is taken.
        let others = ('\0'..=char::MAX).filter(|char| is_trimmed(*char)).count();
        assert_eq!(others, trimmed.chars().count());
        assert_eq!(check(""), Err(RequestError::IdempotencyKey));
        for key in ["k", "order 7", "\u{1}", "é", "-", "\"", "\u{301}"] {
            assert_eq!(check(key), Ok(()), "{key:?}");
        }
    }
}
