//! What makes a line an event that Cometly takes: the rules of the crate `cometly`, each broken one with its place in the
//! line, and what only a line can break: a field that is given twice, a text that is no JSON.

use std::{borrow::Cow, fmt, fmt::Write as _};

use cometly::events::TrackEvent;
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

/// As what a cell of CSV is sent; whether a field takes it is for the rules to say.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Number,
    Flag,
    Time,
}

/// The fields of an event, in the order of the documentation.
pub(crate) const FIELDS: [(&str, Kind); 28] = [
    ("event_name", Kind::Text),
    ("email", Kind::Text),
    ("comet_token", Kind::Text),
    ("fingerprint", Kind::Text),
    ("ip", Kind::Text),
    ("tracking_id", Kind::Text),
    ("full_name", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("phone", Kind::Text),
    ("user_agent", Kind::Text),
    ("event_time", Kind::Time),
    ("url", Kind::Text),
    ("amount", Kind::Number),
    ("order_id", Kind::Text),
    ("order_name", Kind::Text),
    ("checkout_token", Kind::Text),
    ("is_upsell", Kind::Flag),
    ("upsell_common_id", Kind::Text),
    ("comet_source", Kind::Text),
    ("comet_network", Kind::Text),
    ("comet_campaign", Kind::Text),
    ("comet_ad_group", Kind::Text),
    ("comet_ad_id", Kind::Text),
    ("comet_keyword", Kind::Text),
    ("comet_type", Kind::Text),
    ("idempotency_key", Kind::Text),
    ("do_not_capi", Kind::Flag),
];

/// The most problems reported for one line.
const MAX_PROBLEMS: usize = 8;

/// Checks one line.
pub(crate) fn check(line: &[u8]) -> Result<Event, Vec<Problem>> {
    let Object(fields) = serde_json::from_slice(line).map_err(|error| vec![broken(&error)])?;
    let mut problems = malformed(line, &fields);
    if problems.is_empty() {
        match TrackEvent::from_json(line, None) {
            Ok(event) => {
                let idempotency_key = event.idempotency_key().map(|key| key.as_str().to_owned());
                let content = idempotency_key.is_some().then(|| content(&fields));
                return Ok(Event { idempotency_key, content });
            }
            Err(errors) => {
                let unknown = fields.iter().filter(|(name, _)| !is_field(name));
                problems.extend(
                    unknown.map(|(name, value)| Problem { column: column(line, value), words: self::unknown(name) }),
                );
                // The library names what is no field by what may be shown of it, without its place.
                for error in errors.iter().filter(|error| is_field(error.field())) {
                    let given = fields.iter().find(|(name, _)| name == error.field());
                    let column = given.map_or(1, |(_, value)| column(line, value));
                    problems.push(Problem { column, words: error.to_string() });
                }
            }
        }
    }
    problems.sort_by_key(|problem| problem.column);
    problems.truncate(MAX_PROBLEMS);
    Err(problems)
}

/// What is wrong with the object, whatever its fields mean.
fn malformed(line: &[u8], fields: &[(Cow<'_, str>, &RawValue)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, (name, value)) in fields.iter().enumerate() {
        let mut problem = |words: String| problems.push(Problem { column: column(line, value), words });
        if fields.iter().take(index).any(|(earlier, _)| earlier == name) {
            problem(format!("{} is given twice", shown(name)));
        } else if serde_json::from_str::<Value>(value.get()).is_err() {
            problem(format!("{} cannot be read: it is too deep, or a number that is out of range", shown(name)));
        }
    }
    problems
}

/// Where in the line a value begins, of which it is a piece.
fn column(line: &[u8], value: &RawValue) -> usize {
    value.get().as_ptr().addr().saturating_sub(line.as_ptr().addr()).saturating_add(1)
}

fn is_field(name: &str) -> bool {
    FIELDS.iter().any(|(field, _)| *field == name)
}

/// A name as it may be shown; `*` for one that does not look like a field or a column, and so may be an address, a key, or a text
/// that steers a terminal.
fn shown(name: &str) -> &str {
    const MAX_CHARS: usize = 64;

    // Letters of Latin alphabets; of others some are invisible.
    let is_letter = |char: char| char.is_ascii_alphanumeric() || ('\u{c0}'..='\u{24f}').contains(&char);
    let is_usual = |char: char| is_letter(char) || " -_.:/()[]#%&?".contains(char);
    if !name.is_empty() && name.chars().count() <= MAX_CHARS && name.chars().all(is_usual) { name } else { "*" }
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

/// Says which field may have been meant.
pub(crate) fn unknown(name: &str) -> String {
    let shown = shown(name);
    let likeness = |field: &str| strsim::jaro_winkler(field, name);
    let nearest = FIELDS.iter().map(|(field, _)| *field).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|field| likeness(field) > 0.8) {
        Some(field) => format!("the API has no field {shown}: was {field} meant?"),
        None => format!("the API has no field {shown}"),
    }
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
        let event = check(br#"{"event_name":"purchase","email":"e@x","idempotency_key":"k 1"}"#).unwrap();
        assert_eq!(event.idempotency_key.as_deref(), Some("k 1"));
        let content = |line: &str| check(line.as_bytes()).unwrap().content.unwrap();
        let base = r#"{"event_name":"purchase","email":"e@x","amount":1.50,"idempotency_key":"k"}"#;
        assert_eq!(
            content(base),
            content(r#"{ "idempotency_key":"\u006b","amount" : 1.50,"email":"e@x","event_name":"purchase"}"#)
        );
        for other in [
            base.replace("1.50", "1.5"),
            base.replace("e@x", "f@x"),
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
            ("{}", "1: event_name: expected a name"),
            (r#"{"event_name":"purchase","email":""}"#, "34: email: expected an identification"),
            (r#"{"event_name":"Purchase","email":"e@x"}"#, "15: event_name: expected a documented name"),
            (r#"{"event_name":"purchase","ip":"192.0.2.1","email":"e@x"}"#, "1: fingerprint: expected it beside ip"),
            (r#"{"event_name":"purchase","fingerprint":"f"}"#, "1: ip: expected it beside fingerprint"),
        ] {
            assert!(problems(line).contains(expected), "{line}: {}", problems(line));
        }
        for (field, expected) in [
            (r#""amont":1"#, "58: the API has no field amont: was amount meant?"),
            (r#""x":1"#, "the API has no field x"),
            // A name may be an address.
            (r#""canary@example.com":1"#, "71: the API has no field *"),
            (r#""12|canary":1,"\u001b[31mcanary":2"#, "the API has no field *"),
            (r#""a@canary":1,"a@canary":2"#, "* is given twice"),
            (r#""amont":1,"amount":"canary""#, "amount: expected a number"),
            (r#""email":"b""#, "email is given twice"),
            (r#""amount":"canary""#, "amount: expected a number"),
            (r#""amount":1e999"#, "amount cannot be read"),
            (r#""phone":{"canary":1}"#, "phone: expected a text"),
            (r#""event_time":1767225600000"#, "does it count milliseconds?"),
            (r#""event_time":20261124"#, "the day 2026-11-24 is written with its hyphens"),
            (r#""event_time":"yesterday""#, "ISO 8601"),
            (r#""is_upsell":"canary""#, "expected true, false"),
            (r#""idempotency_key":null"#, "expected 1 to 255 characters"),
            (r#""idempotency_key":" padded""#, "expected 1 to 255 characters"),
            ("\"idempotency_key\":\"\u{200b}\"", "expected 1 to 255 characters"),
            ("\"idempotency_key\":\"k\\u0000\"", "expected 1 to 255 characters"),
            ("\"idempotency_key\":\"\u{feff}k\"", "expected 1 to 255 characters"),
        ] {
            let found = with(field);
            assert!(found.contains(expected) && !found.contains("canary"), "{field}: {found}");
            assert!(!found.contains("documented field"), "told once: {found}");
        }
    }

    /// Each row of the vectors that the crate `cometly` and the emulator are held to as well.
    #[test]
    fn the_rules_are_those_of_the_library_and_the_emulator() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/event_rules.tsv");
        let text = std::fs::read_to_string(path).unwrap();
        let mut rows = 0;
        for row in text.lines().filter(|row| !row.starts_with('#')).skip(1) {
            let [field, value, verdict, as_read, ..] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let beside = match field {
                "ip" => r#","fingerprint":"f""#,
                "fingerprint" => r#","ip":"192.0.2.1""#,
                _ => "",
            };
            let line = match field {
                "*" => value.to_owned(),
                "event_name" => format!("{{\"comet_token\":\"t\",\"event_name\":{value}}}"),
                "comet_token" => format!("{{\"event_name\":\"purchase\",\"comet_token\":{value}}}"),
                _ => {
                    format!("{{\"event_name\":\"purchase\",\"comet_token\":\"t\"{beside},\"{field}\":{value}}}")
                }
            };
            let found = problems(&line);
            assert_eq!(found.is_empty(), verdict == "ok", "{row}: {found}");
            assert!(verdict == "ok" || found.contains(as_read), "{row}: {found}");
            rows += 1;
        }
        assert!(rows > 350, "{rows}");
    }

    #[test]
    fn the_help_names_each_field() {
        let command = <crate::arguments::Arguments as clap::CommandFactory>::command();
        let track = command.find_subcommand("events").and_then(|events| events.find_subcommand("track")).unwrap();
        let help = track.get_after_help().unwrap().to_string();
        let named: Vec<&str> = help.split(|char: char| !char.is_ascii_lowercase() && char != '_').collect();
        for (field, _) in FIELDS {
            assert!(named.contains(&field), "{field}");
        }
    }

    #[test]
    fn each_field_is_one_of_the_library() {
        for (field, _) in FIELDS {
            let errors = TrackEvent::from_json(format!("{{\"{field}\":[]}}").as_bytes(), None).unwrap_err();
            let error = errors.iter().find(|error| error.field() == field).unwrap();
            assert!(!error.rule().contains("documented field"), "{error}");
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
