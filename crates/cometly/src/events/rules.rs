//! The rules for an event of `POST /events/track`, as `tests/vectors/event_rules.tsv` has them with their sources.

use std::{borrow::Cow, net::IpAddr};

use cometly_core::backend_trim;
use serde_json::Value;

use super::EventName;
use crate::{Amount, InvalidRequest, space_time::Written};

/// What a field holds.
#[derive(Clone, Copy)]
enum Kind {
    Name,
    Text,
    TextOrNumber,
    Email,
    Ip,
    Amount,
    Flag,
    Time,
    Key,
}

const FIELDS: [(&str, Kind); 28] = [
    ("event_name", Kind::Name),
    ("email", Kind::Email),
    ("comet_token", Kind::Text),
    ("fingerprint", Kind::Text),
    ("ip", Kind::Ip),
    ("tracking_id", Kind::TextOrNumber),
    ("full_name", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("phone", Kind::TextOrNumber),
    ("user_agent", Kind::Text),
    ("event_time", Kind::Time),
    ("url", Kind::Text),
    ("amount", Kind::Amount),
    ("order_id", Kind::TextOrNumber),
    ("order_name", Kind::Text),
    ("checkout_token", Kind::Text),
    ("is_upsell", Kind::Flag),
    ("upsell_common_id", Kind::TextOrNumber),
    ("comet_source", Kind::Text),
    ("comet_network", Kind::Text),
    ("comet_campaign", Kind::Text),
    ("comet_ad_group", Kind::Text),
    ("comet_ad_id", Kind::TextOrNumber),
    ("comet_keyword", Kind::Text),
    ("comet_type", Kind::Text),
    ("idempotency_key", Kind::Key),
    ("do_not_capi", Kind::Flag),
];

/// Seconds of 1973-03-03. Below are all dates that are written as a number of 8 digits, and no event.
const FIRST_SECOND: i64 = 100_000_000;
/// Seconds of the year 5138: what is beyond counts milliseconds.
const LAST_SECOND: i64 = 99_999_999_999;
/// Characters that Laravel's `string` column holds.
const MAX_KEY_LEN: usize = 255;

/// Whether the API has such a field.
pub(super) fn known(field: &str) -> Option<&'static str> {
    FIELDS.iter().map(|(known, _)| *known).find(|known| *known == field)
}

/// A name that the API does not have, to be shown; `*` if it does not look like a field or a column, and so may be an address, a
/// key, or a text that steers a terminal.
fn shown(name: &str) -> &str {
    const MAX_CHARS: usize = 64;

    // Letters of Latin alphabets; of others some are invisible.
    let is_letter = |char: char| char.is_ascii_alphanumeric() || ('\u{c0}'..='\u{24f}').contains(&char);
    let is_usual = |char: char| is_letter(char) || " -_.:/()[]#%&?".contains(char);
    if !name.is_empty() && name.chars().count() <= MAX_CHARS && name.chars().all(is_usual) { name } else { "*" }
}

/// What the backend reads; `None` if the field counts as left out.
pub(super) fn read(field: &str, value: &Value) -> Result<Option<Value>, InvalidRequest> {
    let Some((name, kind)) = FIELDS.iter().find(|(known, _)| *known == field) else {
        return Err(InvalidRequest::new(shown(field).to_owned(), "expected a documented field"));
    };
    let refused = |rule: &'static str| Err(InvalidRequest::new(*name, rule));
    if matches!(kind, Kind::Key) {
        return match value.as_str() {
            Some(key) if is_key(key) => Ok(Some(value.clone())),
            _ => refused(KEY),
        };
    }
    let value = match value {
        Value::Null => return Ok(None),
        Value::String(text) => match backend_trim(text) {
            "" => return Ok(None),
            text => Cow::Owned(text.into()),
        },
        other => Cow::Borrowed(other),
    };
    let text = value.as_str();
    match kind {
        Kind::Name => match text.map(str::parse::<EventName>) {
            Some(Ok(name)) if name == EventName::UPSELL_PURCHASE => {
                refused("expected a name to track: an upsell is a purchase with is_upsell")
            }
            Some(Ok(_)) => Ok(Some(value.into_owned())),
            Some(Err(error)) => Err(error),
            None => refused("expected a name, as purchase"),
        },
        Kind::Text if text.is_some() => Ok(Some(value.into_owned())),
        Kind::Text => refused("expected a text"),
        Kind::TextOrNumber if text.is_some() || value.is_u64() || value.is_i64() => Ok(Some(value.into_owned())),
        Kind::TextOrNumber => refused("expected a text or a whole number"),
        Kind::Email if text.is_some_and(is_email) => Ok(Some(value.into_owned())),
        Kind::Email => refused("expected an email address, as ada@example.com"),
        Kind::Ip if text.is_some_and(|text| text.parse::<IpAddr>().is_ok()) => Ok(Some(value.into_owned())),
        Kind::Ip => refused("expected an IPv4 or IPv6 address, as 192.0.2.1"),
        Kind::Amount => match amount(&value) {
            Some(number) => Ok(Some(number)),
            None => refused("expected a number, as 12.50"),
        },
        Kind::Flag => match flag(&value) {
            Some(flag) => Ok(Some(flag.into())),
            None => refused("expected true, false, 1 or 0"),
        },
        Kind::Time => time(&value).map(Some),
        Kind::Key => refused(KEY),
    }
}

const KEY: &str = "expected 1 to 255 characters without white space or an invisible character at an end, which the \
                   backend would trim: two keys could become one";

pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty() && backend_trim(key) == key && key.chars().count() <= MAX_KEY_LEN
}

/// The rules that are about several fields: a name, and one identification.
pub(super) fn whole(is_given: impl Fn(&str) -> bool) -> Result<(), InvalidRequest> {
    if !is_given("event_name") {
        return Err(InvalidRequest::new("event_name", "expected a name, as purchase"));
    }
    for (field, other) in [("ip", "fingerprint"), ("fingerprint", "ip")] {
        if is_given(other) && !is_given(field) {
            return Err(InvalidRequest::new(field, format!("expected it beside {other}: neither identifies alone")));
        }
    }
    if ["email", "comet_token", "fingerprint"].into_iter().any(is_given) {
        return Ok(());
    }
    Err(InvalidRequest::new("email", "expected an identification: email, comet_token, or fingerprint and ip together"))
}

/// Laravel's rule `numeric`: a numeric text will do.
fn amount(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite()).map(|_| value.clone()),
        Value::String(text) => serde_json::to_value(text.parse::<Amount>().ok()?).ok(),
        _ => None,
    }
}

/// Laravel's rule `boolean`.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text == "1" => Some(true),
        Value::String(text) if text == "0" => Some(false),
        Value::Number(number) if number.as_i64() == Some(1) => Some(true),
        Value::Number(number) if number.as_i64() == Some(0) => Some(false),
        _ => None,
    }
}

/// Laravel's rule `email`, which is RFC 5322 without its quoted forms: no dot is asked for in the host.
pub(crate) fn is_email(text: &str) -> bool {
    let is_plain = |char: char| !char.is_control() && !char.is_whitespace() && !"@,<>()[]:;\\\"".contains(char);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(is_plain);
    let is_label = |label: &str| is_part(label) && !label.starts_with('-') && !label.ends_with('-');
    text.split_once('@').is_some_and(|(user, host)| user.split('.').all(is_part) && host.split('.').all(is_label))
}

/// Seconds since 1970, or the wall clock's text.
fn time(value: &Value) -> Result<Value, InvalidRequest> {
    let refused = |rule: String| Err(InvalidRequest::new("event_time", rule));
    let digits = match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return refused(EXPECTED_TIME.to_owned()),
    };
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return match digits.parse::<i64>() {
            Ok(seconds) if (FIRST_SECOND..=LAST_SECOND).contains(&seconds) => Ok(seconds.into()),
            Ok(seconds) if seconds < FIRST_SECOND => refused(both_readings(&digits, seconds)),
            _ => refused(format!("{EXPECTED_TIME}; this number is no seconds: does it count milliseconds?")),
        };
    }
    match value.as_str().and_then(Written::read) {
        Some(Written { time, offset: Some(offset), .. }) => match time.seconds_since_1970().saturating_sub(offset) {
            seconds @ 0.. => Ok(seconds.into()),
            _ => refused(EXPECTED_TIME.to_owned()),
        },
        Some(Written { time, .. }) if time.seconds_since_1970() >= 0 => Ok(time.to_string().into()),
        _ => refused(EXPECTED_TIME.to_owned()),
    }
}

const EXPECTED_TIME: &str = "expected ISO 8601, as 2026-11-24T10:00:00Z, or seconds since 1970";

/// A small number: the moment that the backend would read, and the day that was meant if its digits are one.
fn both_readings(digits: &str, seconds: i64) -> String {
    let year = seconds.div_euclid(31_556_952).saturating_add(1970);
    let day = match (digits.get(..4), digits.get(4..6), digits.get(6..)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => String::new(),
    };
    match Written::read(&day) {
        Some(_) => format!("{digits} would be read as seconds of {year}; the day {day} is written with its hyphens"),
        None => format!("{digits} would be read as seconds of {year}; {EXPECTED_TIME}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads each row of the vectors as its head says.
    #[test]
    fn the_vectors_are_kept() {
        let text = include_str!("../../../../tests/vectors/event_rules.tsv");
        let mut rows = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let [field, value, verdict, as_read, source, _] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}: expected six columns");
            };
            let value: Value = serde_json::from_str(value).unwrap();
            assert!(!source.is_empty(), "{line}");
            let (event, own) = if field == "*" {
                (value, None)
            } else {
                let mut event = serde_json::json!({"event_name": "purchase", "comet_token": "t"});
                if field == "ip" {
                    event["fingerprint"] = "f".into();
                }
                if field == "fingerprint" {
                    event["ip"] = "192.0.2.1".into();
                }
                event[field] = value.clone();
                (event, Some(read(field, &value)))
            };
            let mut first = None;
            let mut given = Vec::new();
            for (name, value) in event.as_object().unwrap() {
                match read(name, value) {
                    Ok(Some(_)) => given.push(name.clone()),
                    Ok(None) => {}
                    Err(error) => drop(first.get_or_insert(error)),
                }
            }
            let verdict_of_all = first.map_or(Ok(()), Err).and_then(|()| whole(|name| given.iter().any(|g| g == name)));
            match (verdict, verdict_of_all) {
                ("ok", Ok(())) if field == "*" => assert_eq!(as_read, "-", "{line}"),
                ("ok", Ok(())) => {
                    let expected: Value = serde_json::from_str(as_read).unwrap();
                    let found = own.unwrap().unwrap().unwrap_or_default();
                    let same = found == expected || found.as_f64().is_some_and(|f| Some(f) == expected.as_f64());
                    assert!(same, "{line}: read as {found}");
                }
                ("refused", Err(error)) => assert_eq!(error.field(), as_read, "{line}: {error}"),
                (_, found) => panic!("{line}: {found:?}"),
            }
            rows += 1;
        }
        assert!(rows > 350, "{rows}");
    }

    #[test]
    fn a_date_without_hyphens_is_refused_with_both_readings() {
        for value in [serde_json::json!("20261124"), serde_json::json!(20_261_124)] {
            let error = read("event_time", &value).unwrap_err();
            assert_eq!(
                error.to_string(),
                "event_time: 20261124 would be read as seconds of 1970; the day 2026-11-24 is written with its hyphens"
            );
        }
        let error = read("event_time", &serde_json::json!(2026)).unwrap_err().to_string();
        assert!(error.contains("2026 would be read as seconds of 1970; expected ISO 8601"), "{error}");
    }

    #[test]
    fn no_error_shows_a_value() {
        for (field, value) in [("email", "canary"), ("ip", "canary"), ("amount", "canary"), ("event_time", "canary")] {
            let error = read(field, &value.into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
