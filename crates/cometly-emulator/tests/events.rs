//! `GET /events` with its filters, and what `POST /events/track` adds to it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the lints do not know a test's helper for a test"
)]

mod wire;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cometly_emulator::{Clock, Emulator, Space};
use serde_json::{Value, json};
use wire::{ask, call, one_error};

const YEAR: &str = "/events?start_date=2026-01-01%2000:00:00&end_date=2026-12-31%2023:59:59";

fn column(page: &Value, field: &str) -> Vec<Value> {
    page["data"].as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}

#[test]
fn filters_choose_events_and_fields_choose_their_parts() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let fields = "&fields[]=id&fields[]=event_name&fields[]=source&fields[]=amount&per_page=4000";
    let all = ask(&emulator, "GET", &format!("{YEAR}{fields}"), "", 200);
    assert_eq!(all["data"].as_array().unwrap().len(), 1000);
    assert_eq!(
        all["data"][0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["id", "event_name", "source", "amount"]
    );

    let bought = ask(&emulator, "GET", &format!("{YEAR}{fields}&event_names[]=purchase"), "", 200);
    let names = column(&bought, "event_name");
    assert!(!names.is_empty() && names.len() < 1000 && names.iter().all(|name| name == "purchase"));
    assert!(column(&bought, "amount").iter().all(Value::is_number));

    let sources = "&sources[]=x_organic&sources[]=google_ads&attribution_model=linear&attribution_window=30";
    let found = column(&ask(&emulator, "GET", &format!("{YEAR}{fields}{sources}"), "", 200), "source");
    assert!(!found.is_empty() && found.iter().all(|source| source == "x_organic" || source == "google_ads"));
}

#[test]
fn a_filtered_walk_sees_each_event_once() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let list = format!("{YEAR}&event_names[]=purchase&event_names[]=sign_up");
    let all = column(&ask(&emulator, "GET", &format!("{list}&per_page=4000"), "", 200), "id");
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&emulator, "GET", &format!("{list}&per_page=50{cursor}"), "", 200);
        walked.extend(column(&page, "id"));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(walked, all);
}

#[test]
fn what_the_filters_refuse_is_told_item_by_item() {
    let emulator = Emulator::start().unwrap();
    let refused = ask(&emulator, "GET", &format!("{YEAR}&event_names[]=purchase&event_names[]=sale"), "", 422);
    assert_eq!(refused, one_error("event_names.1", "The selected event_names.1 is invalid."));
    let scalar = ask(&emulator, "GET", &format!("{YEAR}&fields=id"), "", 422);
    assert_eq!(scalar, one_error("fields", "The fields field must be an array."));
    let eleven = "&event_names[]=purchase".repeat(11);
    let many = ask(&emulator, "GET", &format!("{YEAR}{eleven}"), "", 422);
    assert_eq!(many, one_error("event_names", "The event names field must not have more than 10 items."));
}

#[test]
fn a_tracked_event_is_listed_in_its_own_space_at_its_own_time() {
    let emulator = Emulator::builder().seed(0).no_limits().seeded_events(2).start().unwrap();
    for body in [
        json!({ "event_name": "purchase", "email": "a@example.com", "event_time": "2026-03-01T12:00:00Z", "amount": 5 }),
        json!({ "event_name": "sign_up", "email": "b@example.com", "event_time": 1_767_225_600 }),
        json!({ "event_name": "sign_up", "email": "b@example.com", "event_time": "2031-01-01" }),
    ] {
        ask(&emulator, "POST", "/events/track", &body.to_string(), 202);
    }
    let page = ask(&emulator, "GET", &format!("{YEAR}&fields[]=id&fields[]=event_time_utc&fields[]=amount"), "", 200);
    assert_eq!(column(&page, "id"), [1, 2, 3, 4]);
    assert_eq!(page["data"][2], json!({ "id": 3, "event_time_utc": "2026-03-01 12:00:00", "amount": 5 }));

    let elsewhere = emulator.issue_key(Space::active(), cometly_emulator::Ability::ALL);
    assert!(call(&emulator, &elsewhere, "GET", YEAR, "").body.contains(r#""id":2,"#));
    assert!(!call(&emulator, &elsewhere, "GET", YEAR, "").body.contains(r#""id":3,"#));
}

#[test]
fn scalars_that_come_as_lists_are_422() {
    let emulator = Emulator::start().unwrap();
    let body = r#"{"event_name":"purchase","email":"a@example.com","idempotency_key":["a"]}"#;
    let refused = ask(&emulator, "POST", "/events/track", body, 422);
    assert_eq!(refused, one_error("idempotency_key", "The idempotency key field must be a string."));
}

#[test]
fn without_a_seed_yesterday_has_events_and_tomorrow_has_none() {
    let emulator = Emulator::builder().no_limits().clock(Clock::stopped()).start().unwrap();
    let date = call(&emulator, &emulator.keys().full, "GET", "/companies", "").header("Date").unwrap().to_owned();
    let now = httpdate::parse_http_date(&date).unwrap();
    let day = |now: SystemTime| {
        let midnight = now.duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400 * 86_400;
        let [from, to] = [midnight, midnight + 86_399].map(|seconds| {
            let time = jiff::Timestamp::from_second(seconds.try_into().unwrap()).unwrap();
            time.strftime("%Y-%m-%d%%20%H:%M:%S").to_string()
        });
        let page = ask(&emulator, "GET", &format!("/events?start_date={from}&end_date={to}"), "", 200);
        page["data"].as_array().unwrap().len()
    };
    let a_day = Duration::from_secs(86_400);
    // 1000 in 30 days.
    assert!((33..=34).contains(&day(now - a_day)), "{}", day(now - a_day));
    assert_eq!((day(now + a_day), day(now - 31 * a_day)), (0, 0));
}
