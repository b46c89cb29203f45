//! The control API and the page, over sockets.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the lints do not know a test's helper for a test")]

mod wire;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use cometly_emulator::{Clock, Emulator, Fault};
use serde_json::{Value, json};
use wire::{Answer, EVENTS, TRACK, call, send, with};

fn control(emulator: &Emulator, method: &str, path: &str, body: &str) -> Answer {
    send(emulator, method, &format!("/_emulator{path}"), "Content-Type: application/json\r\n", body)
}

fn told(emulator: &Emulator, method: &str, path: &str, body: &Value, status: &str) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = control(emulator, method, path, &body);
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    serde_json::from_str(&answer.body).unwrap()
}

/// A listener to the stream, which has heard the greeting.
fn listen(emulator: &Emulator) -> BufReader<TcpStream> {
    let mut stream = wire::connect(emulator);
    write!(stream, "GET /_emulator/stream HTTP/1.1\r\nHost: {}\r\n\r\n", emulator.address()).unwrap();
    let mut lines = BufReader::new(stream);
    assert!(next_line(&mut lines, "HTTP/1.1").contains("200 OK"));
    next_line(&mut lines, "event: state");
    lines
}

/// The next line that begins like this.
fn next_line(lines: &mut BufReader<TcpStream>, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the stream ended before {start}");
        if line.starts_with(start) {
            return line;
        }
    }
}

fn next_call(lines: &mut BufReader<TcpStream>) -> (String, Value) {
    next_line(lines, "event: call");
    let line = next_line(lines, "data: ");
    let data = serde_json::from_str(line.trim_start_matches("data: ")).unwrap();
    (line, data)
}

#[test]
fn a_call_is_told_as_it_comes_and_its_key_is_not() {
    let emulator = Emulator::start().unwrap();
    let mut lines = listen(&emulator);
    let key = &emulator.keys().full;
    send(&emulator, "GET", &format!("{EVENTS}&key={}", key.replace('|', "%7C")), &with(key), "");
    let (line, told) = next_call(&mut lines);
    let last4 = &key[key.len() - 4..];
    let hidden = format!("Bearer ••••{last4}");
    let headers = told["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["authorization", hidden])), "{headers:?}");
    assert_eq!((&told["method"], &told["status"], &told["number"]), (&json!("GET"), &json!(200), &json!(1)));
    assert!(told["query"].as_str().unwrap().contains("&key="));
    let secret = key.split_once('|').unwrap().1;
    assert!(!line.contains(secret), "{line}");

    emulator.inject(Fault::reset_before());
    next_line(&mut lines, "event: state");
    let mut stream = wire::connect(&emulator);
    write!(stream, "GET {EVENTS} HTTP/1.1\r\nHost: x\r\n{}\r\n", with("12|wrong-key")).unwrap();
    let (line, told) = next_call(&mut lines);
    assert_eq!(
        (&told["fault"], &told["carried_out"], &told["status"]),
        (&json!("reset_before"), &json!(false), &json!(444))
    );
    assert!(!line.contains("wrong"), "{line}");
}

#[test]
fn nothing_that_is_shown_holds_a_key() {
    let emulator = Emulator::start().unwrap();
    let key = &emulator.keys().full;
    let body = json!({ "event_name": "purchase", "email": "a@example.com", "url": key }).to_string();
    send(&emulator, "POST", TRACK, &format!("{}X-Copy: {key}\r\n", with(key)), &body);
    emulator.inject(Fault::stub(200).header("X-Key", key).body(key.clone()).for_path("/x"));
    for path in ["/state", "/calls", "/keys", "/faults"] {
        let answer = control(&emulator, "GET", path, "");
        let keys = emulator.keys();
        for key in [&keys.full, &keys.no_permission, &keys.inactive] {
            assert!(!answer.body.contains(key.split_once('|').unwrap().1), "{path}: {}", answer.body);
        }
        // So that this test does not pass because there was nothing to hide.
        assert!(answer.body.contains(&key[key.len() - 4..]), "{path}");
    }
}

#[test]
fn a_hostile_event_name_stays_data() {
    let emulator = Emulator::start().unwrap();
    let mut lines = listen(&emulator);
    let hostile = "</script><img src=x onerror=alert(1)>\n\nevent: state\ndata: {}";
    let body = json!({ "event_name": hostile, "email": "a@example.com" }).to_string();
    send(&emulator, "POST", TRACK, &with(&emulator.keys().full), &body);
    let (line, told) = next_call(&mut lines);
    assert!(line.ends_with("}\n") && told["status"] == 422, "{line}");
    assert_eq!(serde_json::from_str::<Value>(told["body"].as_str().unwrap()).unwrap()["event_name"], hostile);
    let answer = control(&emulator, "GET", "/calls", "");
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
}

#[test]
fn the_page_is_whole_and_asks_nobody_else() {
    let emulator = Emulator::start().unwrap();
    assert_eq!(emulator.page_url(), format!("http://{}/_emulator", emulator.address()));
    let files = [("", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")];
    for (path, kind) in files {
        let answer = control(&emulator, "GET", path, "");
        assert_eq!(answer.status, "200 OK");
        assert!(answer.header("Content-Type").unwrap().starts_with(kind));
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; ") && !policy.contains("unsafe"),
            "{policy}"
        );
        for forbidden in ["http://", "https://", "//cdn", "innerHTML", "insertAdjacentHTML", "document.write", "eval("]
        {
            assert!(!answer.body.contains(forbidden), "{path}: {forbidden}");
        }
    }
    // It is not the API: its calls are not on record, and no key is asked for.
    assert_eq!(emulator.request_count(), 0);
}

#[test]
fn another_sites_page_does_not_come_in() {
    let emulator = Emulator::start().unwrap();
    let port = emulator.address().port();
    let here = format!("127.0.0.1:{port}");
    let ask = |path: &str, headers: String| {
        let mut stream = wire::connect(&emulator);
        write!(stream, "GET /_emulator{path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
        wire::receive(&mut stream).status
    };
    for path in ["", "/state", "/stream"] {
        assert_eq!(ask(path, format!("Host: evil.example:{port}\r\n")), "403 Forbidden");
        assert_eq!(ask(path, format!("Host: {here}\r\nOrigin: http://evil.example\r\n")), "403 Forbidden");
        assert_eq!(ask(path, format!("Host: {here}\r\nSec-Fetch-Site: cross-site\r\n")), "403 Forbidden");
        assert_eq!(ask(path, format!("Host: localhost:{port}\r\nOrigin: http://{here}\r\n")), "200 OK");
    }
    let form = send(&emulator, "POST", "/_emulator/faults", "Content-Type: text/plain\r\n", r#"{"fault":"silence"}"#);
    assert_eq!((form.status.as_str(), emulator.faults().len()), ("403 Forbidden", 0));
}

#[test]
fn faults_are_switched_from_outside() {
    let emulator = Emulator::start().unwrap();
    let fault = json!({ "fault": "server_error", "status": 502, "method": "POST", "times": 2, "after": 1 });
    let made = told(&emulator, "POST", "/faults", &fault, "201 Created");
    assert_eq!((&made["id"], &made["struck"], &made["status"]), (&json!(1), &json!(0), &json!(502)));
    let track = || send(&emulator, "POST", TRACK, &with(&emulator.keys().full), "{}").status;
    assert_eq!([track(), track()], ["422 Unprocessable Entity", "502 Bad Gateway"]);
    let listed = told(&emulator, "GET", "/faults", &Value::Null, "200 OK");
    assert_eq!(listed["faults"][0]["struck"], 1);
    assert_eq!(emulator.faults()[0].fault, Fault::server_error(502).for_method("POST").up_to_n_times(2).after(1));

    told(&emulator, "DELETE", "/faults/1", &Value::Null, "200 OK");
    told(&emulator, "DELETE", "/faults/1", &Value::Null, "404 Not Found");
    told(&emulator, "POST", "/faults", &json!({ "fault": "silence" }), "201 Created");
    told(&emulator, "DELETE", "/faults", &Value::Null, "200 OK");
    assert!(emulator.faults().is_empty());
}

#[test]
fn what_cannot_be_done_is_told_in_words() {
    let emulator = Emulator::start().unwrap();
    for (method, path, body, status, words) in [
        (
            "POST",
            "/faults",
            r#"{"fault":"fire"}"#,
            "422 Unprocessable Entity",
            "unknown fault `fire`; there are: unauth",
        ),
        ("POST", "/faults", "{", "400 Bad Request", "the body is no JSON: EOF"),
        (
            "POST",
            "/keys",
            r#"{"abilities":["fly"]}"#,
            "422 Unprocessable Entity",
            "`abilities` is a list of some of: events",
        ),
        (
            "POST",
            "/keys",
            r#"{"abilitys":["events:read"]}"#,
            "422 Unprocessable Entity",
            "a key is described by a JSON object",
        ),
        ("POST", "/keys", "[]", "422 Unprocessable Entity", "a key is described by a JSON object"),
        ("POST", "/keys", r#"{"space":4000000000}"#, "422 Unprocessable Entity", "`space` is the id of a Space"),
        ("POST", "/clock", "{}", "422 Unprocessable Entity", "`advance_seconds` is a whole number"),
        ("DELETE", "/keys/0", "", "404 Not Found", "no valid key has this id"),
        ("GET", "/data/secrets?space=1", "", "422 Unprocessable Entity", "`space` is the id"),
        ("GET", "/nothing", "", "404 Not Found", "there is nothing here"),
        ("PUT", "/faults", "", "405 Method Not Allowed", "this method is not served here; the Allow header names"),
    ] {
        let answer = control(&emulator, method, path, body);
        assert_eq!(answer.status, status, "{method} {path}");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(told["message"].as_str().unwrap().starts_with(words), "{told}");
    }
    let large = control(&emulator, "POST", "/faults", &" ".repeat(70_000));
    assert_eq!(large.status, "413 Payload Too Large");
}

#[test]
fn keys_are_made_and_revoked_from_outside() {
    let emulator = Emulator::start().unwrap();
    let order = json!({ "space": "new", "abilities": ["companies:read"] });
    let made = told(&emulator, "POST", "/keys", &order, "201 Created");
    let key = made["key"].as_str().unwrap();
    assert_eq!(call(&emulator, key, "GET", "/companies", "").status, "200 OK");
    assert_eq!(call(&emulator, key, "GET", "/contacts/1", "").status, "403 Forbidden");
    let id = key.split_once('|').unwrap().0;
    told(&emulator, "DELETE", &format!("/keys/{id}"), &Value::Null, "200 OK");
    assert_eq!(call(&emulator, key, "GET", "/companies", "").status, "401 Unauthorized");

    let inactive = told(&emulator, "POST", "/keys", &json!({ "space": "inactive" }), "201 Created");
    let answer = call(&emulator, inactive["key"].as_str().unwrap(), "GET", "/companies", "");
    assert!(answer.body.contains("Your subscription is inactive."));
    let same = told(&emulator, "POST", "/keys", &json!({}), "201 Created");
    assert_eq!(call(&emulator, same["key"].as_str().unwrap(), "GET", "/companies", "").status, "200 OK");
}

#[test]
fn limits_and_data_can_be_looked_at_and_time_passes_on_request() {
    let emulator = Emulator::builder().clock(Clock::stopped()).start().unwrap();
    send(&emulator, "GET", EVENTS, &with(&emulator.keys().full), "");
    let state = told(&emulator, "GET", "/state", &Value::Null, "200 OK");
    let limit = &state["limits"][0];
    assert_eq!(
        (&limit["path"], &limit["limit"], &limit["used"], &limit["resets_in"]),
        (&json!("/events"), &json!(7), &json!(1), &json!(60))
    );
    told(&emulator, "POST", "/clock", &json!({ "advance_seconds": 60 }), "200 OK");
    let state = told(&emulator, "GET", "/state", &Value::Null, "200 OK");
    assert_eq!(state["limits"][0]["used"], 0);

    let space = &state["limits"][0]["space"];
    let rows = |kind: &str, after: u64| {
        let path = format!("/data/{kind}?space={space}&after={after}");
        told(&emulator, "GET", &path, &Value::Null, "200 OK")
    };
    let first = rows("events", 0);
    assert_eq!((first["rows"].as_array().unwrap().len(), &first["next"]), (50, &json!(50)));
    assert_eq!(rows("events", 950)["next"], Value::Null);
    assert_eq!(rows("contacts", 50)["rows"][0]["id"], 51);
    assert_eq!(rows("companies", 0)["rows"][0]["domain"], "company-1.example");
    send(&emulator, "POST", TRACK, &with(&emulator.keys().full), r#"{"event_name":"purchase","email":"a@x"}"#);
    assert_eq!(rows("tracked", 0)["rows"][0]["email"], "a@x");
    call(&emulator, &emulator.keys().full, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#);
    assert_eq!(rows("exports", 0)["rows"][0]["status"], "queued");
}

#[test]
fn listeners_are_not_unbounded_and_leave_room_when_they_go() {
    let emulator = Emulator::start().unwrap();
    let listeners: Vec<_> = (0..32).map(|_| listen(&emulator)).collect();
    assert_eq!(control(&emulator, "GET", "/stream", "").status, "503 Service Unavailable");
    drop(listeners);
    // Their end is noticed at the next message.
    for _ in 0..200 {
        send(&emulator, "GET", "/login", "", "");
        let mut stream = wire::connect(&emulator);
        write!(stream, "GET /_emulator/stream HTTP/1.1\r\nHost: {}\r\n\r\n", emulator.address()).unwrap();
        if wire::receive(&mut stream).status == "200 OK" {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no room was left");
}
