//! What makes a line an event that Cometly takes: the documented rules, checked before anything is sent.

use std::{borrow::Cow, fmt, fmt::Write as _};

use cometly_core::backend_trim;
use jiff::{Timestamp, civil};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use crate::track::event_key::{Fingerprint, fingerprint};

/// One thing that is wrong with a line; shows no value of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// In bytes, from 1; 0 if it is about the whole line.
    pub(crate) column: usize,
    pub(crate) words: String,
}

/// A line that keeps the rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) idempotency_key: Option<String>,
    /// What it says, however it is written: of an event that brings its own key, which must not say two things.
    pub(crate) content: Option<Fingerprint>,
}

const NAMES: [&str; 14] = [
    "lead_generated",
    "view_content",
    "schedule",
    "purchase",
    "subscribe",
    "add_to_cart",
    "contact",
    "initiate_checkout",
    "add_payment_info",
    "complete_registration",
    "start_trial",
    "sign_up",
    "submit_application",
    "webinar_registration",
];

/// What a field may hold.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Name,
    Text,
    Id,
    Number,
    Flag,
    Time,
    Key,
}

pub(crate) const FIELDS: [(&str, Kind); 28] = [
    ("event_name", Kind::Name),
    ("email", Kind::Text),
    ("comet_token", Kind::Text),
    ("fingerprint", Kind::Text),
    ("ip", Kind::Text),
    ("tracking_id", Kind::Id),
    ("full_name", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("phone", Kind::Text),
    ("user_agent", Kind::Text),
    ("event_time", Kind::Time),
    ("url", Kind::Text),
    ("amount", Kind::Number),
    ("order_id", Kind::Id),
    ("order_name", Kind::Text),
    ("checkout_token", Kind::Id),
    ("is_upsell", Kind::Flag),
    ("upsell_common_id", Kind::Id),
    ("comet_source", Kind::Text),
    ("comet_network", Kind::Text),
    ("comet_campaign", Kind::Text),
    ("comet_ad_group", Kind::Text),
    ("comet_ad_id", Kind::Id),
    ("comet_keyword", Kind::Text),
    ("comet_type", Kind::Text),
    ("idempotency_key", Kind::Key),
    ("do_not_capi", Kind::Flag),
];

/// Seconds of the year 5138: what is beyond counts milliseconds.
const LATEST: i64 = 100_000_000_000;

/// The most problems reported for one line.
const MAX_PROBLEMS: usize = 8;

const MAX_KEY_LEN: usize = 255;

/// Checks one line.
pub(crate) fn check(line: &[u8]) -> Result<Event, Vec<Problem>> {
    let Object(fields) = serde_json::from_slice(line).map_err(|error| vec![broken(&error)])?;
    let mut checked = Checked { line, problems: Vec::new(), given: Vec::new(), idempotency_key: None };
    for (name, value) in &fields {
        checked.field(name, value);
    }
    checked.whole();
    checked.problems.truncate(MAX_PROBLEMS);
    if checked.problems.is_empty() {
        let content = checked.idempotency_key.is_some().then(|| content(&fields));
        return Ok(Event { idempotency_key: checked.idempotency_key, content });
    }
    Err(checked.problems)
}

/// The fields by name, texts as they are read and numbers as they are written.
fn content(fields: &[(Cow<'_, str>, &RawValue)]) -> Fingerprint {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut text = String::new();
    for (name, raw) in fields {
        let read = serde_json::from_str::<String>(raw.get());
        let (kind, value) = read.as_deref().map_or(("value", raw.get()), |read| ("text", read));
        // The lengths keep one field from running into the next. Writing to a String does not fail.
        let _ = write!(text, "{name}\0{kind}\0{}\0{value}\0", value.len());
    }
    fingerprint(text.as_bytes())
}

/// What the parser says, but for what it quotes.
fn broken(error: &serde_json::Error) -> Problem {
    let words = if error.is_data() {
        "this is JSON, but no object: expected {\"event_name\": …}".to_owned()
    } else {
        let words = error.to_string();
        format!("this is not JSON: {}", words.split(" at line ").next().unwrap_or_default())
    };
    Problem { column: error.column().max(1), words }
}

struct Checked<'a> {
    line: &'a [u8],
    problems: Vec<Problem>,
    /// Fields that hold something.
    given: Vec<&'static str>,
    idempotency_key: Option<String>,
}

impl Checked<'_> {
    fn problem(&mut self, at: &RawValue, words: impl Into<String>) {
        // The value is a piece of the line.
        let offset = at.get().as_ptr().addr().saturating_sub(self.line.as_ptr().addr());
        self.problems.push(Problem { column: offset.saturating_add(1), words: words.into() });
    }

    fn field(&mut self, name: &str, raw: &RawValue) {
        let Some((name, kind)) = FIELDS.iter().find(|(field, _)| *field == name) else {
            return self.problem(raw, unknown(name));
        };
        if self.given.contains(name) {
            return self.problem(raw, format!("{name} is given twice"));
        }
        // Lists and objects fit nowhere, however deep they are.
        let value = serde_json::from_str::<Value>(raw.get()).unwrap_or_else(|_| Value::Array(Vec::new()));
        // To the server, nothing and blank texts are the same.
        let is_blank = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if is_blank && !matches!(kind, Kind::Key) {
            return;
        }
        self.given.push(name);
        if let Err(expected) = kind.takes(&value) {
            return self.problem(raw, format!("{name} is not what it should be: expected {expected}"));
        }
        if let (Kind::Key, Value::String(key)) = (kind, value) {
            self.idempotency_key = Some(key);
        }
    }

    /// The rules that are about several fields.
    fn whole(&mut self) {
        let given = |name| self.given.contains(&name);
        let mut missing = |words: &str| self.problems.push(Problem { column: 1, words: words.to_owned() });
        if !given("event_name") {
            missing("event_name is missing");
        }
        match (given("fingerprint"), given("ip")) {
            (true, false) => missing("fingerprint needs ip beside it"),
            (false, true) => missing("ip needs fingerprint beside it"),
            (false, false) if !given("email") && !given("comet_token") => {
                missing("no contact is identified: expected email, comet_token, or fingerprint and ip together");
            }
            _ => {}
        }
    }
}

/// Says which field may have been meant.
pub(crate) fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
    let likeness = |field: &str| strsim::jaro_winkler(field, name);
    let nearest = FIELDS.iter().map(|(field, _)| *field).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|field| likeness(field) > 0.8) {
        Some(field) => format!("the API has no field {shown}: was {field} meant?"),
        None => format!("the API has no field {shown}"),
    }
}

impl Kind {
    /// Whether it takes a value, or what it expects.
    fn takes(self, value: &Value) -> Result<(), &'static str> {
        let (fits, expected) = match self {
            Self::Name => (
                value.as_str().is_some_and(is_event_name),
                "one of the documented names, as purchase, or custom_event_1 to custom_event_50",
            ),
            Self::Text => (value.is_string(), "a text"),
            Self::Id => (value.is_string() || value.is_i64() || value.is_u64(), "a text or a whole number"),
            Self::Number => (value.is_number(), "a number without quotes, as 12.5"),
            Self::Flag => (value.is_boolean() || matches!(value.as_u64(), Some(0 | 1)), "true or false"),
            Self::Time => (is_time(value), "ISO 8601, as 2026-11-24T10:00:00Z, or whole seconds since 1970"),
            Self::Key => {
                (value.as_str().is_some_and(is_key), "a text of 1 to 255 visible characters, or no such field")
            }
        };
        if fits { Ok(()) } else { Err(expected) }
    }
}

fn is_event_name(name: &str) -> bool {
    let custom = name.strip_prefix("custom_event_").filter(|number| !number.starts_with(['0', '+']));
    NAMES.contains(&name)
        || custom.and_then(|number| number.parse().ok()).is_some_and(|number: u8| (1..=50).contains(&number))
}

fn is_time(value: &Value) -> bool {
    let is_second = |second: i64| (0..LATEST).contains(&second);
    match value {
        Value::Number(number) => number.as_i64().is_some_and(is_second),
        Value::String(text) => {
            text.parse().is_ok_and(is_second)
                || text.parse::<Timestamp>().is_ok()
                || text.parse::<civil::DateTime>().is_ok()
        }
        _ => false,
    }
}

/// What the backend trims away would make two keys one; what is trimmed to nothing is no key.
fn is_key(key: &str) -> bool {
    !key.is_empty() && backend_trim(key) == key && key.len() <= MAX_KEY_LEN && !key.contains(char::is_control)
}

/// The fields in their order, the repeated ones too.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A name that is borrowed if it can be; `Cow` alone never is, within a map.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(line: &str) -> String {
        let problems = check(line.as_bytes()).err().unwrap_or_default();
        problems
            .into_iter()
            .map(|problem| format!("{}: {}", problem.column, problem.words))
            .collect::<Vec<_>>()
            .join(" | ")
    }

    /// A good event with one more field.
    fn with(field: &str) -> String {
        problems(&format!(r#"{{"event_name":"purchase","email":"a@example.com",{field}}}"#))
    }

    #[test]
    fn events_that_keep_the_rules_pass() {
        for line in [
            r#"{"event_name":"purchase","email":"a@example.com"}"#,
            r#" {"event_name":"custom_event_50","comet_token":"t","amount":12.50,"phone":null,"is_upsell":true} "#,
            r#"{"event_name":"contact","fingerprint":"f","ip":"192.0.2.1","order_id":7,"event_time":1767225600}"#,
        ] {
            assert_eq!(check(line.as_bytes()), Ok(Event { idempotency_key: None, content: None }), "{line}");
        }
        for time in [
            "2026-11-24T10:00:00Z",
            "2026-11-24T10:00:00+01:00",
            "2026-11-24 10:00:00",
            "20261124T100000Z",
            "1767225600",
        ] {
            assert_eq!(with(&format!(r#""event_time":"{time}""#)), "", "{time}");
        }
        let event = check(br#"{"event_name":"purchase","email":"e","idempotency_key":"k 1"}"#).unwrap();
        assert_eq!(event.idempotency_key.as_deref(), Some("k 1"));
        let content = |line: &str| check(line.as_bytes()).unwrap().content.unwrap();
        let base = r#"{"event_name":"purchase","email":"e","amount":1.50,"idempotency_key":"k"}"#;
        assert_eq!(
            content(base),
            content(r#"{ "idempotency_key":"\u006b","amount" : 1.50,"email":"e","event_name":"purchase"}"#)
        );
        for other in [
            base.replace("1.50", "1.5"),
            base.replace("\"e\"", "\"f\""),
            base.replace("\"email\"", "\"phone\",\"email\"").replace("\"phone\",", "\"phone\":\"1\","),
        ] {
            assert_ne!(content(base), content(&other), "{other}");
        }
    }

    #[test]
    fn each_broken_rule_is_told_with_its_column() {
        for (line, expected) in [
            (r#"{"event_name":"purchase""#, "24: this is not JSON: EOF while parsing an object"),
            (r#"{"event_name" "purchase"}"#, "15: this is not JSON: expected `:`"),
            ("", "1: this is not JSON: EOF while parsing a value"),
            ("[1]", "this is JSON, but no object"),
            (r#""canary""#, "this is JSON, but no object"),
            ("{}", "1: event_name is missing | 1: no contact is identified"),
            (r#"{"event_name":" ","email":""}"#, "1: event_name is missing | 1: no contact is identified"),
            (r#"{"event_name":"Purchase","email":"e"}"#, "15: event_name is not what it should be: expected one of"),
            (r#"{"event_name":"purchase","ip":"i","email":"e"}"#, "1: ip needs fingerprint beside it"),
            (r#"{"event_name":"purchase","fingerprint":"f"}"#, "1: fingerprint needs ip beside it"),
        ] {
            assert!(problems(line).contains(expected), "{line}: {}", problems(line));
        }
        for (field, expected) in [
            (r#""amont":1"#, "58: the API has no field amont: was amount meant?"),
            (r#""x":1"#, "the API has no field x"),
            (r#""email":"b""#, "email is given twice"),
            (r#""amount":"12.5""#, "expected a number without quotes"),
            (r#""phone":{"canary":1}"#, "phone is not what it should be: expected a text"),
            (r#""event_time":1767225600000"#, "whole seconds"),
            (r#""event_time":"yesterday""#, "ISO 8601"),
            (r#""is_upsell":"canary""#, "true or false"),
            (r#""idempotency_key":null"#, "or no such field"),
            (r#""idempotency_key":" padded""#, "or no such field"),
            ("\"idempotency_key\":\"\u{200b}\"", "or no such field"),
            ("\"idempotency_key\":\"k\\u0000\"", "or no such field"),
            ("\"idempotency_key\":\"\u{feff}k\"", "or no such field"),
        ] {
            let found = with(field);
            assert!(found.contains(expected) && !found.contains("canary"), "{field}: {found}");
        }
    }

    #[test]
    fn no_line_is_too_strange() {
        let deep = "[".repeat(100_000);
        for line in [&deep[..], "\u{feff}{}", "{\"\u{1b}\":1}", &format!("{{\"url\":{deep}}}")] {
            assert!(!problems(line).contains('\u{1b}') && check(line.as_bytes()).is_err());
        }
        assert!(check(b"\xff\xfe").is_err());
        let many = (0..1000).map(|n| format!("\"x{n}\":1,")).collect::<Vec<_>>().concat();
        assert_eq!(check(format!("{{{many}\"y\":1}}").as_bytes()).unwrap_err().len(), MAX_PROBLEMS);
    }
}
