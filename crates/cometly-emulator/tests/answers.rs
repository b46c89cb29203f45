//! Every answer, byte for byte, on a real socket.

mod wire;

use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use cometly_emulator::{Ability, Clock, Emulator, Space};
use wire::{Answer, EVENTS, TRACK, send, with};

/// The headers of every JSON answer to a call that was not counted.
const PLAIN: [&str; 5] = ["Cache-Control", "Connection", "Content-Length", "Content-Type", "Date"];
const COUNTED: [&str; 7] = [
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "X-Ratelimit-Limit",
    "X-Ratelimit-Remaining",
];

#[track_caller]
fn assert_json(answer: &Answer, status: &str, names: &[&str], body: &str) {
    assert_eq!((answer.status.as_str(), answer.body.as_str()), (status, body));
    assert_eq!(answer.names(), names);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(answer.header("Cache-Control"), Some("no-cache, private"));
}

#[track_caller]
fn assert_html(answer: &Answer, status: &str, names: &[&str]) {
    assert_eq!(answer.status, status);
    assert_eq!(answer.names(), names);
    assert_eq!(answer.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(answer.body.starts_with("<!DOCTYPE html>"), "{answer:?}");
}

fn get(emulator: &Emulator, key: &str) -> Answer {
    send(emulator, "GET", EVENTS, &with(key), "")
}

#[test]
fn an_unknown_missing_or_revoked_key_is_401_compact_and_bare() {
    let emulator = Emulator::start().unwrap();
    let revoked = emulator.issue_key(emulator.space(), Ability::ALL);
    assert_eq!(get(&emulator, &revoked).status, "200 OK");
    emulator.revoke_key(&revoked);
    let foreign = Emulator::start().unwrap().keys().full.clone();

    let accept = "Accept: application/json\r\n";
    let twice = format!("{0}Authorization: Bearer {1}\r\n", with(&emulator.keys().full), emulator.keys().full);
    for headers in [accept, &with("1|nonsense"), &with(&revoked), &with(&foreign), &twice] {
        let answer = send(&emulator, "GET", EVENTS, headers, "");
        assert_json(&answer, "401 Unauthorized", &PLAIN, r#"{"message":"Unauthenticated."}"#);
    }
}

#[test]
fn without_json_first_an_unauthenticated_call_leads_to_the_login_page() {
    let emulator = Emulator::start().unwrap();
    for accept in ["", "Accept: */*\r\n", "Accept: text/html, application/json\r\n"] {
        let answer = send(&emulator, "GET", EVENTS, accept, "");
        assert_html(&answer, "302 Found", &[&PLAIN[..], &["Location"]].concat());
        let login = format!("http://{}/login", emulator.address());
        assert_eq!(answer.header("Location"), Some(login.as_str()));
    }
    for headers in ["", &with("1|nonsense"), &with(&emulator.keys().full)] {
        assert_html(&send(&emulator, "GET", "/login", headers, ""), "200 OK", &PLAIN);
    }
}

#[test]
fn a_key_ends_at_the_first_comma_and_its_scheme_has_no_case() {
    let emulator = Emulator::start().unwrap();
    let key = &emulator.keys().full;
    assert_eq!(get(&emulator, &format!("{key},rest")).status, "200 OK");
    let lower = with(key).replace("Bearer", "bearer");
    assert_eq!(send(&emulator, "GET", EVENTS, &lower, "").status, "200 OK");
    assert_eq!(get(&emulator, &format!("{key}rest")).status, "401 Unauthorized");
    assert_eq!(get(&emulator, &key[..key.len() - 1]).status, "401 Unauthorized");
}

#[test]
fn there_are_three_ways_to_be_forbidden_and_all_are_pretty_and_counted() {
    let emulator = Emulator::start().unwrap();
    let keys = emulator.keys();
    let write_only = emulator.issue_key(Space::active(), &[Ability::EventsWrite]);
    for (key, message) in [
        (&keys.inactive, "Your subscription is inactive."),
        (&keys.no_permission, "This action is unauthorized."),
        (&write_only, "Invalid ability provided."),
    ] {
        let answer = get(&emulator, key);
        assert_json(&answer, "403 Forbidden", &COUNTED, &format!("{{\n    \"message\": \"{message}\"\n}}"));
        assert_eq!(answer.header("X-Ratelimit-Limit"), Some("7"));
        assert_eq!(answer.header("X-Ratelimit-Remaining"), Some("6"));
    }
    let browser = send(&emulator, "GET", EVENTS, &format!("Authorization: Bearer {}\r\n", keys.inactive), "");
    assert_html(&browser, "403 Forbidden", &COUNTED);
}

#[test]
fn an_unknown_route_is_404_whatever_the_key() {
    let emulator = Emulator::start().unwrap();
    for headers in [&with(&emulator.keys().full), &with("1|nonsense")] {
        let answer = send(&emulator, "GET", "/public-api/v1/nothing?a=b", headers, "");
        let body = "{\n    \"message\": \"The route public-api/v1/nothing could not be found.\"\n}";
        assert_json(&answer, "404 Not Found", &PLAIN, body);
    }
    assert_html(&send(&emulator, "GET", "/public-api/v1/nothing", "", ""), "404 Not Found", &PLAIN);
    let malformed = send(&emulator, "GET", "/%ff", &with("1|nonsense"), "");
    assert_json(&malformed, "400 Bad Request", &PLAIN, "{\n    \"message\": \"Malformed URL.\"\n}");
}

#[test]
fn a_wrong_verb_is_405_and_names_the_right_ones() {
    let emulator = Emulator::start().unwrap();
    let names = [&["Allow"], &PLAIN[..]].concat();
    let answer = send(&emulator, "PUT", "/public-api/v1/events", &with("1|nonsense"), "");
    let message = "The PUT method is not supported for route public-api/v1/events. Supported methods: GET, HEAD.";
    assert_json(&answer, "405 Method Not Allowed", &names, &format!("{{\n    \"message\": \"{message}\"\n}}"));
    assert_eq!(answer.header("Allow"), Some("GET, HEAD"));

    let answer = send(&emulator, "GET", TRACK, &with(&emulator.keys().full), "");
    let message = "The GET method is not supported for route public-api/v1/events/track. Supported methods: POST.";
    assert_json(&answer, "405 Method Not Allowed", &names, &format!("{{\n    \"message\": \"{message}\"\n}}"));
    assert_eq!(answer.header("Allow"), Some("POST"));

    let options = send(&emulator, "OPTIONS", "/public-api/v1/events", "", "");
    assert_eq!((options.status.as_str(), options.header("Allow")), ("200 OK", Some("GET,HEAD")));
}

#[test]
fn a_body_too_large_is_413_before_anything_else() {
    let emulator = Emulator::builder().max_body(100).start().unwrap();
    let pretty = "{\n    \"message\": \"The POST data is too large.\"\n}";
    for target in [TRACK, "/public-api/v1/nothing"] {
        let answer = send(&emulator, "POST", target, &with("1|nonsense"), &"x".repeat(101));
        assert_json(&answer, "413 Payload Too Large", &PLAIN, pretty);
    }
    assert_eq!(send(&emulator, "POST", TRACK, &with("1|nonsense"), &"x".repeat(100)).status, "401 Unauthorized");

    // A body much larger than any socket buffer is taken in to its end, so that its sender hears the answer.
    let large = send(&emulator, "POST", TRACK, &with("1|nonsense"), &"x".repeat(16 << 20));
    assert_eq!(large.status, "413 Payload Too Large");
    assert!(emulator.received_requests()[0].body.is_empty());

    let chunked = format!("{}Transfer-Encoding: chunked\r\n", with("1|nonsense"));
    let mut stream = wire::connect(&emulator);
    write!(stream, "POST {TRACK} HTTP/1.1\r\nHost: x\r\n{chunked}\r\n80\r\n{:0128}\r\n0\r\n\r\n", 0).unwrap();
    assert_eq!(wire::receive(&mut stream).status, "413 Payload Too Large");
}

#[test]
fn the_default_body_limit_is_phps() {
    let emulator = Emulator::start().unwrap();
    let headers = with("1|nonsense");
    assert_eq!(send(&emulator, "POST", TRACK, &headers, &" ".repeat(8 << 20)).status, "401 Unauthorized");
    assert_eq!(send(&emulator, "POST", TRACK, &headers, &" ".repeat((8 << 20) + 1)).status, "413 Payload Too Large");
}

#[test]
fn the_eighth_call_in_a_minute_is_429_until_the_window_ends() {
    let clock = Clock::stopped();
    let emulator = Emulator::builder().clock(clock.clone()).start().unwrap();
    let key = &emulator.keys().full;
    for remaining in (0..7).rev() {
        let answer = get(&emulator, key);
        assert_eq!((answer.status.as_str(), answer.names()), ("200 OK", COUNTED.to_vec()));
        assert_eq!(answer.header("X-Ratelimit-Limit"), Some("7"));
        assert_eq!(answer.header("X-Ratelimit-Remaining"), Some(remaining.to_string().as_str()));
    }

    clock.advance(Duration::from_secs(18));
    // Another key of the same Space shares the limit, and a limit comes before the right to call.
    for key in [key, &emulator.keys().no_permission] {
        let answer = get(&emulator, key);
        let names = [&PLAIN[..], &["Retry-After"], &COUNTED[5..], &["X-Ratelimit-Reset"]].concat();
        assert_json(&answer, "429 Too Many Requests", &names, "{\n    \"message\": \"Too Many Attempts.\"\n}");
        assert_eq!(answer.header("X-Ratelimit-Limit"), Some("7"));
        assert_eq!(answer.header("X-Ratelimit-Remaining"), Some("0"));
        assert_eq!(answer.header("Retry-After"), Some("42"));
        let now = httpdate::parse_http_date(answer.header("Date").unwrap()).unwrap();
        let reset = (now + Duration::from_secs(42)).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(answer.header("X-Ratelimit-Reset"), Some(reset.to_string().as_str()));
    }
    let other_space = emulator.issue_key(Space::active(), Ability::ALL);
    assert_eq!(get(&emulator, &other_space).status, "200 OK");
    assert_eq!(get(&emulator, "1|nonsense").status, "401 Unauthorized");

    clock.advance(Duration::from_secs(41));
    assert_eq!(get(&emulator, key).header("Retry-After"), Some("1"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(get(&emulator, key).header("X-Ratelimit-Remaining"), Some("6"));
}

#[test]
fn limits_can_be_set_and_taken_away() {
    let builder = Emulator::builder().limit("POST", "/events/track", 1).window(Duration::from_millis(1001));
    let limited = builder.clock(Clock::stopped()).start().unwrap();
    let track = || send(&limited, "POST", TRACK, &with(&limited.keys().full), "");
    assert_eq!(track().header("X-Ratelimit-Remaining"), Some("0"));
    assert_eq!(track().header("Retry-After"), Some("2"));

    let free = Emulator::builder().limit("GET", "/events", 3).no_limits().start().unwrap();
    for _ in 0..10 {
        let answer = get(&free, &free.keys().full);
        assert_eq!((answer.status.as_str(), answer.names()), ("200 OK", PLAIN.to_vec()));
    }
}

#[test]
fn a_list_without_dates_is_422_compact_and_counted() {
    let emulator = Emulator::start().unwrap();
    let answer = send(&emulator, "GET", "/public-api/v1/events?start_date=++", &with(&emulator.keys().full), "");
    let body = concat!(
        r#"{"message":"The start date field is required. (and 1 more error)","errors":"#,
        r#"{"start_date":["The start date field is required."],"end_date":["The end date field is required."]}}"#
    );
    assert_json(&answer, "422 Unprocessable Entity", &COUNTED, body);

    let browser = format!("Authorization: Bearer {}\r\n", emulator.keys().full);
    let answer = send(&emulator, "GET", "/public-api/v1/events", &browser, "");
    let site = format!("http://{}", emulator.address());
    assert_eq!((answer.status.as_str(), answer.header("Location")), ("302 Found", Some(site.as_str())));
}

#[test]
fn an_event_that_identifies_nobody_is_422_and_so_is_broken_json() {
    let emulator = Emulator::start().unwrap();
    let email = r"The email field is required when none of comet token \/ fingerprint are present.";
    let expected = format!(
        r#"{{"message":"The event name field is required. (and 1 more error)","errors":{{"event_name":["The event name field is required."],"email":["{email}"]}}}}"#
    );
    for body in ["", "{", "[]", "{}", r#"{"event_name":"  ","email":""}"#] {
        let answer = send(&emulator, "POST", TRACK, &with(&emulator.keys().full), body);
        assert_json(&answer, "422 Unprocessable Entity", &PLAIN, &expected);
    }
    assert!(emulator.tracked_events().is_empty());
}

#[test]
fn a_good_event_is_202_and_its_idempotency_key_counts_once() {
    let emulator = Emulator::start().unwrap();
    let body = r#"{"event_name":" purchase ","email":"a@example.com","url":"","idempotency_key":"one"}"#;
    for _ in 0..2 {
        let answer = send(&emulator, "POST", TRACK, &with(&emulator.keys().full), body);
        let expected = r#"{"status":202,"message":"Event queued for processing."}"#;
        assert_json(&answer, "202 Accepted", &PLAIN, expected);
    }
    let event = r#"{"event_name":"purchase","email":"a@example.com","url":null,"idempotency_key":"one"}"#;
    assert_eq!(emulator.tracked_events(), [event]);
    assert_eq!(emulator.received_requests()[1].body, body);
}

#[test]
fn the_first_page_is_laravels_to_the_byte() {
    let emulator = Emulator::builder().seed(0).seeded_events(3).start().unwrap();
    let url = format!(r"http:\/\/{}\/public-api\/v1\/events", emulator.address());
    let rows = [
        r#"{"id":1,"event_time_utc":"2026-01-01 00:00:00"}"#,
        r#"{"id":2,"event_time_utc":"2026-01-11 00:00:00"}"#,
        r#"{"id":3,"event_time_utc":"2026-01-21 00:00:00"}"#,
    ];
    let whole = format!(
        r#"{{"data":[{}],"path":"{url}","per_page":200,"next_cursor":null,"next_page_url":null,"prev_cursor":null,"prev_page_url":null}}"#,
        rows.join(",")
    );
    assert_json(&get(&emulator, &emulator.keys().full), "200 OK", &COUNTED, &whole);

    let page = |query: &str| send(&emulator, "GET", &format!("{EVENTS}{query}"), &with(&emulator.keys().full), "").body;
    let next = "eyJpZCI6MiwiX3BvaW50c1RvTmV4dEl0ZW1zIjp0cnVlfQ";
    let first = format!(
        r#"{{"data":[{},{}],"path":"{url}","per_page":2,"next_cursor":"{next}","next_page_url":"{url}?cursor={next}","prev_cursor":null,"prev_page_url":null}}"#,
        rows[0], rows[1]
    );
    assert_eq!(page("&per_page=2"), first);
    assert_eq!(page("&per_page=2&cursor=unreadable"), first);

    let prev = "eyJpZCI6MywiX3BvaW50c1RvTmV4dEl0ZW1zIjpmYWxzZX0";
    let last = format!(
        r#"{{"data":[{}],"path":"{url}","per_page":2,"next_cursor":null,"next_page_url":null,"prev_cursor":"{prev}","prev_page_url":"{url}?cursor={prev}"}}"#,
        rows[2]
    );
    assert_eq!(page(&format!("&per_page=2&cursor={next}")), last);
}

#[test]
fn a_walk_over_all_pages_sees_each_event_once() {
    let emulator = Emulator::builder().seed(0).seeded_events(1003).no_limits().start().unwrap();
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    for page in 1..=11 {
        let target = format!("{EVENTS}&per_page=100{cursor}");
        let answer = send(&emulator, "GET", &target, &with(&emulator.keys().full), "");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        ids.extend(body["data"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()));
        let Some(next) = body["next_cursor"].as_str() else {
            assert_eq!(page, 11);
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids, (1..=1003).collect::<Vec<_>>());
}

#[test]
fn companies_are_paged_like_events_and_need_no_dates() {
    let emulator = Emulator::builder().seed(0).seeded_companies(300).start().unwrap();
    let page = |query: &str| {
        let target = format!("/public-api/v1/companies?{query}");
        send(&emulator, "GET", &target, &with(&emulator.keys().full), "")
    };
    let first = page("per_page=1");
    let rows = r#"{"data":[{"id":1,"domain":"company-1.example","name":"Company 1"}],"path":"http:"#;
    assert!(first.body.starts_with(rows), "{first:?}");
    assert_eq!(first.header("X-Ratelimit-Limit"), Some("15"));

    let body: serde_json::Value = serde_json::from_str(&page("").body).unwrap();
    assert_eq!((body["data"].as_array().unwrap().len(), body["next_cursor"].is_string()), (200, true));
    let day = page("start_date=2026-01-01%2002:24:00&end_date=2026-01-01%2006:00:00");
    assert!(day.body.starts_with(r#"{"data":[{"id":2,"#) && day.body.contains(r#""next_cursor":null"#), "{day:?}");
    assert!(page("per_page=5001").body.contains("must not be greater than 5000."));
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    let emulator = Emulator::start().unwrap();
    let mut stream = wire::connect(&emulator);
    let headers = with(&emulator.keys().full);
    write!(stream, "HEAD {EVENTS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    assert!(all.starts_with("HTTP/1.1 200 OK\r\n") && all.ends_with("\r\n\r\n"), "{all}");
    assert!(all.contains("\r\nX-Ratelimit-Remaining: 6\r\n"), "{all}");
}
