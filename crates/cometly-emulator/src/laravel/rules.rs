//! Laravel's validation rules in Laravel's words, as far as the API needs them.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::dates;
use crate::laravel::input::Input;
use crate::laravel::refusal::FieldErrors;

/// What a field that is there must be.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Text,
    /// Ids come as text and as whole numbers; which of them the API takes is not documented, so both will do.
    TextOrNumber,
    ShortText,
    Number,
    Boolean,
    Email,
    Ip,
    Date,
    OneOf(&'static [&'static str]),
}

impl Rule {
    /// What is said to a value that breaks the rule.
    pub(crate) fn broken_by(self, value: &Value) -> Option<&'static str> {
        let (fine, complaint) = match self {
            Self::Text => (value.is_string(), "The :attribute field must be a string."),
            Self::TextOrNumber => {
                (value.is_string() || value.is_i64() || value.is_u64(), "The :attribute field must be a string.")
            }
            Self::ShortText if value.is_string() => {
                let short = value.as_str().is_some_and(|text| text.chars().count() <= 255);
                (short, "The :attribute field must not be greater than 255 characters.")
            }
            Self::ShortText => (false, "The :attribute field must be a string."),
            Self::Number => (is_numeric(value), "The :attribute field must be a number."),
            Self::Boolean => (boolean(value).is_some(), "The :attribute field must be true or false."),
            Self::Email => {
                (value.as_str().is_some_and(is_email), "The :attribute field must be a valid email address.")
            }
            Self::Ip => (
                value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
                "The :attribute field must be a valid IP address.",
            ),
            Self::Date => (moment(value).is_some(), "The :attribute field must be a valid date."),
            Self::OneOf(known) => {
                (value.as_str().is_some_and(|text| known.contains(&text)), "The selected :attribute is invalid.")
            }
        };
        (!fine).then_some(complaint)
    }
}

/// Checks those fields of the table that are there.
pub(crate) fn check(input: &Input, table: &[(&str, Rule)], errors: &mut FieldErrors) {
    for (field, rule) in table {
        if let Some(complaint) = input.get(field).and_then(|value| rule.broken_by(value)) {
            errors.add(field, complaint);
        }
    }
}

/// A flag; as the API's `1` and `0` are.
pub(crate) fn flag(input: &Input, field: &str, default: bool, errors: &mut FieldErrors) -> bool {
    check(input, &[(field, Rule::Boolean)], errors);
    input.get(field).and_then(boolean).unwrap_or(default)
}

/// A list of at most `most` different words, each of which is `known`; `None` if the field is not there.
pub(crate) fn words(
    input: &Input,
    field: &str,
    most: usize,
    known: impl Fn(&str) -> bool,
    errors: &mut FieldErrors,
) -> Option<Vec<String>> {
    let value = input.get(field)?;
    let Some(items) = value.as_array() else {
        errors.add(field, "The :attribute field must be an array.");
        return None;
    };
    match items.len() {
        0 => errors.add(field, "The :attribute field must have at least 1 items."),
        number if number > most => {
            errors.add(field, &format!("The :attribute field must not have more than {most} items."));
            return None;
        }
        _ => {}
    }
    for (index, item) in items.iter().enumerate() {
        let name = format!("{field}.{index}");
        match item.as_str() {
            None if item.is_null() => errors.add(&name, "The :attribute field is required."),
            Some(word) if known(word) => {}
            _ => errors.add(&name, "The selected :attribute is invalid."),
        }
        if items.iter().filter(|other| *other == item).nth(1).is_some() {
            errors.add(&name, "The :attribute field has a duplicate value.");
        }
    }
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text == "1" => Some(true),
        Value::String(text) if text == "0" => Some(false),
        Value::Number(number) => {
            [(0, false), (1, true)].into_iter().find(|(n, _)| number.as_i64() == Some(*n))?.1.into()
        }
        _ => None,
    }
}

/// PHP's `is_numeric`: a string will do.
fn is_numeric(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
}

/// An address as RFC 5322 and RFC 6531 have it, which is what Laravel's `email` checks by default: dots and hyphens stand
/// between other characters, and no dot is asked for in the host. A quoted user, a comment and an address in brackets are
/// taken by Laravel too, and are not worth their rules here.
fn is_email(text: &str) -> bool {
    let is_atom = |part: &str| {
        let sound =
            |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(char) || !char.is_ascii();
        !part.is_empty() && part.chars().all(|char| sound(char) && !char.is_whitespace() && !char.is_control())
    };
    let is_label = |part: &str| {
        let sound =
            |char: char| char.is_ascii_alphanumeric() || char == '-' || (!char.is_ascii() && char.is_alphanumeric());
        !part.is_empty() && part.chars().all(sound) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.split_once('@').is_some_and(|(user, host)| user.split('.').all(is_atom) && host.split('.').all(is_label))
}

/// What is taken for seconds since 1970: from 1973 to the year 5138. Less is a date without its hyphens, and more is
/// milliseconds.
const SECONDS: RangeInclusive<i64> = 100_000_000..=99_999_999_999;

/// ISO 8601, with or without a time and an offset, or Unix seconds; as seconds since 1970.
pub(crate) fn moment(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|seconds| SECONDS.contains(seconds))
        }
        Value::String(text) => dates::read_iso(text).filter(|seconds| *seconds >= 0),
        value => value.as_i64().filter(|seconds| SECONDS.contains(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laravel::refusal::Refusal;
    use serde_json::json;

    #[test]
    fn each_rule_has_its_words() {
        let cases = [
            (Rule::Text, json!("x"), json!(1), "must be a string."),
            (Rule::TextOrNumber, json!(1), json!([1]), "must be a string."),
            (
                Rule::ShortText,
                json!("é".repeat(255)),
                json!("é".repeat(256)),
                "must not be greater than 255 characters.",
            ),
            (Rule::ShortText, json!("x"), json!({}), "must be a string."),
            (Rule::Number, json!("1.5"), json!("much"), "must be a number."),
            (Rule::Number, json!(-2), json!("inf"), "must be a number."),
            (Rule::Boolean, json!("1"), json!("true"), "must be true or false."),
            (Rule::Boolean, json!(0), json!(2), "must be true or false."),
            (Rule::Email, json!("a+b@localhost"), json!("a@b@c"), "must be a valid email address."),
            (Rule::Email, json!("a@example.com"), json!("a b@example.com"), "must be a valid email address."),
            (Rule::Ip, json!("2001:db8::1"), json!("192.0.2"), "must be a valid IP address."),
            (Rule::Date, json!("2026-01-01T00:00:00+02:00"), json!("yesterday, maybe"), "must be a valid date."),
            (Rule::Date, json!(1_767_225_600), json!(u64::MAX), "must be a valid date."),
            (Rule::OneOf(&["a"]), json!("a"), json!("b"), "The selected :attribute is invalid."),
        ];
        for (rule, good, bad, complaint) in cases {
            assert_eq!(rule.broken_by(&good), None, "{good}");
            assert!(rule.broken_by(&bad).is_some_and(|told| told.contains(complaint)), "{bad}: {complaint}");
        }
    }

    #[test]
    fn a_moment_can_be_written_in_several_ways() {
        for value in [
            json!("1767225600"),
            json!(1_767_225_600),
            json!("2026-01-01"),
            json!("2026-01-01 00:00:00"),
            json!("2026-01-01T00:00:00.5"),
            json!("2026-01-01T00:00:00Z"),
            json!("2026-01-01T02:00:00+02:00"),
        ] {
            assert_eq!(moment(&value), Some(1_767_225_600), "{value}");
        }
    }

    #[test]
    fn a_list_of_words_is_checked_word_by_word() {
        let told = |query: &str| {
            let mut errors = FieldErrors::default();
            let words = words(&Input::of_query(query), "some_words", 3, |word| word.len() == 1, &mut errors);
            errors.into_result().map_or_else(Refusal::told, |()| format!("{words:?}"))
        };
        assert_eq!(told(""), "None");
        assert_eq!(told("some_words[]=a&some_words[]=b"), r#"Some(["a", "b"])"#);
        for (query, expected) in [
            ("some_words=a", r#"{"some_words":["The some words field must be an array."]}"#),
            ("some_words[]=a&some_words[]=bb", r#"{"some_words.1":["The selected some_words.1 is invalid."]}"#),
            ("some_words[]=", r#"{"some_words.0":["The some_words.0 field is required."]}"#),
            ("some_words[]=a&some_words[]=a", r#""some_words.1":["The some_words.1 field has a duplicate value."]}"#),
            (
                "some_words[]=a&some_words[]=b&some_words[]=c&some_words[]=d",
                r#"{"some_words":["The some words field must not have more than 3 items."]}"#,
            ),
        ] {
            assert!(told(query).contains(expected), "{query}: {}", told(query));
        }
    }
}
