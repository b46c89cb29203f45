//! The rules of an event, one by one, from the file that the typed crate runs too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the lints do not know a test's helper for a test")]

mod wire;

use std::path::Path;
use std::{fs, str};

use cometly_emulator::Emulator;
use serde_json::{Map, Value, json};
use wire::{TRACK, call, send, with};

/// The event of a row.
fn event(field: &str, value: &Value) -> Value {
    if field == "*" {
        return value.clone();
    }
    let mut event = json!({ "event_name": "purchase", "comet_token": "t" });
    match field {
        "ip" => event["fingerprint"] = json!("f"),
        "fingerprint" => event["ip"] = json!("192.0.2.1"),
        _ => {}
    }
    event[field] = value.clone();
    event
}

/// What the emulator made of the latest event that it took.
fn taken(emulator: &Emulator) -> Map<String, Value> {
    let path = format!("/_emulator/data/tracked?space={}", space(emulator));
    let page: Value = serde_json::from_str(&send(emulator, "GET", &path, "", "").body).unwrap();
    page["rows"].as_array().unwrap().last().unwrap().as_object().unwrap().clone()
}

fn space(emulator: &Emulator) -> Value {
    let state: Value = serde_json::from_str(&send(emulator, "GET", "/_emulator/state", "", "").body).unwrap();
    state["keys"][0]["space"].clone()
}

/// Whether a value was read as the row says: amounts as numbers, flags as truth, and a time as a moment.
fn is_read_so(field: &str, expected: &Value, event: &Map<String, Value>) -> bool {
    let value = event.get(field).cloned().unwrap_or_default();
    let number = |value: &Value| value.as_str().map_or_else(|| value.as_f64(), |text| text.parse::<f64>().ok());
    match (field, expected) {
        (_, Value::Null) => value.is_null(),
        ("amount", expected) => number(&value) == number(expected),
        ("is_upsell" | "do_not_capi", Value::Bool(expected)) => match value {
            Value::Bool(flag) => flag == *expected,
            other => number(&other) == Some(f64::from(u8::from(*expected))),
        },
        ("event_time", Value::Number(seconds)) => {
            let time = jiff::Timestamp::from_second(seconds.as_i64().unwrap()).unwrap();
            event["event_time_utc"] == time.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        ("event_time", wall_clock) => event["event_time_utc"] == *wall_clock,
        (_, expected) => value == *expected,
    }
}

#[test]
fn every_rule_of_the_book_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/event_rules.tsv");
    let book = fs::read_to_string(path).unwrap();
    let rows = book.lines().filter(|line| !line.starts_with('#')).skip(1);
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in rows {
        let columns: Vec<_> = row.split('\t').collect();
        let [field, value, verdict, as_read, ..] = columns.as_slice() else { panic!("{row}") };
        let value: Value = serde_json::from_str(value).unwrap();
        let emulator = Emulator::builder().no_limits().seeded_events(0).start().unwrap();
        let answer = send(&emulator, "POST", TRACK, &with(&emulator.keys().full), &event(field, &value).to_string());
        count += 1;
        let holds = match (answer.status.as_str(), *verdict) {
            ("202 Accepted", "ok") if *as_read == "-" => true,
            ("202 Accepted", "ok") => is_read_so(field, &serde_json::from_str(as_read).unwrap(), &taken(&emulator)),
            ("422 Unprocessable Entity", "refused") => {
                let body: Value = serde_json::from_str(&answer.body).unwrap();
                body["errors"].as_object().unwrap().contains_key(*as_read)
            }
            // A backend takes such a key, and makes another one of it, or none: that is why it is refused before it is sent.
            ("202 Accepted", "refused") if *field == "idempotency_key" => {
                taken(&emulator)[*field] != value || value.is_null()
            }
            _ => false,
        };
        if !holds {
            wrong.push(format!("{row}: {} {} {:?}", answer.status, answer.body, emulator.tracked_events()));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 300, "{count}");
}

#[test]
fn keys_that_the_backend_makes_one_of_are_one_event() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    for key in ["k", " k", "k\0", "k\u{200b}", "\u{feff}k", "k\u{180e}", "k\u{ad}"] {
        let event = json!({ "event_name": "purchase", "email": "a@example.com", "idempotency_key": key });
        assert_eq!(
            call(&emulator, &emulator.keys().full, "POST", "/events/track", &event.to_string()).status,
            "202 Accepted"
        );
    }
    assert_eq!(emulator.tracked_events().len(), 1);
    for _ in 0..2 {
        let event = json!({ "event_name": "purchase", "email": "a@example.com", "idempotency_key": "\u{200b}" });
        call(&emulator, &emulator.keys().full, "POST", "/events/track", &event.to_string());
    }
    assert_eq!(emulator.tracked_events().len(), 3, "a key that is trimmed to nothing is no key");
}
