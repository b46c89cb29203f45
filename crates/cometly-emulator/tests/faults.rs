//! Every fault, as it is seen from the other end of the wire, and what became of the call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the lints do not know a test's helper for a test")]

mod wire;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cometly_emulator::{Ability, Clock, Emulator, Fault};
use wire::{Answer, TRACK, ask, call, with};

const EVENT: &str = r#"{"event_name":"purchase","email":"a@example.com"}"#;
const LONGER_THAN_ANY_PATIENCE: Duration = Duration::from_secs(3600);

/// Tracks an event while the fault is on.
fn struck(fault: Fault) -> (Answer, Emulator) {
    let emulator = Emulator::start().unwrap();
    emulator.inject(fault);
    let answer = call(&emulator, &emulator.keys().full, "POST", "/events/track", EVENT);
    (answer, emulator)
}

#[test]
fn what_answers_in_place_of_the_backend_says_what_it_should() {
    let cases: [(Fault, &str, &str); 12] = [
        (Fault::unauthenticated(), "401 Unauthorized", r#"{"message":"Unauthenticated."}"#),
        (Fault::forbidden(), "403 Forbidden", "{\n    \"message\": \"This action is unauthorized.\"\n}"),
        (Fault::inactive_subscription(), "403 Forbidden", "{\n    \"message\": \"Your subscription is inactive.\"\n}"),
        (Fault::too_many_requests(7), "429 Too Many Requests", "{\n    \"message\": \"Too Many Attempts.\"\n}"),
        (Fault::server_error(500), "500 Internal Server Error", "{\n    \"message\": \"Server Error\"\n}"),
        (Fault::server_error(503), "503 Service Unavailable", "{\n    \"message\": \"Service Unavailable\"\n}"),
        (Fault::server_error(502), "502 Bad Gateway", "<!DOCTYPE html>"),
        (Fault::login_redirect(), "302 Found", "<!DOCTYPE html>"),
        (Fault::cloudflare_block(), "403 Forbidden", "<!DOCTYPE html>"),
        (Fault::waf_challenge(), "202 Accepted", ""),
        (Fault::waf_captcha(), "405 Method Not Allowed", "<!DOCTYPE html>"),
        (Fault::html_page(), "200 OK", "<!DOCTYPE html>"),
    ];
    for (fault, status, body) in cases {
        let name = fault.name();
        let (answer, emulator) = struck(fault);
        assert_eq!(answer.status, status, "{name}");
        assert!(answer.body.starts_with(body) && answer.body.is_empty() == body.is_empty(), "{name}: {answer:?}");
        let seen = &emulator.received_requests()[0];
        assert_eq!((seen.fault, seen.carried_out, seen.status.as_str()), (Some(name), false, &status[..3]));
        assert!(emulator.tracked_events().is_empty(), "{name}");
    }
}

#[test]
fn the_headers_tell_them_apart() {
    let (challenge, _) = struck(Fault::cloudflare_challenge());
    assert_eq!((challenge.status.as_str(), challenge.header("Cf-Mitigated")), ("403 Forbidden", Some("challenge")));
    assert_eq!(struck(Fault::cloudflare_block()).0.header("Cf-Mitigated"), None);
    assert_eq!(struck(Fault::waf_challenge()).0.header("X-Amzn-Waf-Action"), Some("challenge"));
    assert_eq!(struck(Fault::waf_captcha()).0.header("X-Amzn-Waf-Action"), Some("captcha"));
    let (redirect, emulator) = struck(Fault::login_redirect());
    assert_eq!(redirect.header("Location"), Some(format!("http://{}/login", emulator.address()).as_str()));

    let (limited, _) = struck(Fault::too_many_requests(7));
    assert_eq!((limited.header("Retry-After"), limited.header("X-Ratelimit-Remaining")), (Some("7"), Some("0")));
    let (closed, _) = struck(Fault::maintenance(90));
    let date = |name| httpdate::parse_http_date(closed.header(name).unwrap()).unwrap();
    assert_eq!(date("Retry-After"), date("Date") + Duration::from_secs(90));
    let (forever, _) = struck(Fault::maintenance(u64::MAX));
    assert_eq!(forever.header("Retry-After"), Some("Fri, 31 Dec 9999 23:59:59 GMT"));

    // A key that is accepted and not allowed is counted, as it is without a fault.
    let emulator = Emulator::builder().clock(Clock::stopped()).start().unwrap();
    emulator.inject(Fault::forbidden());
    let path = "/events?start_date=2026-01-01%2000:00:00&end_date=2026-02-01%2000:00:00";
    let answer = call(&emulator, &emulator.keys().full, "GET", path, "");
    assert_eq!((answer.status.as_str(), answer.header("X-Ratelimit-Remaining")), ("403 Forbidden", Some("6")));
}

#[test]
fn an_answer_can_be_lost_after_the_call_was_carried_out() {
    let (answer, emulator) = struck(Fault::server_error(504).carried_out(true));
    assert_eq!(answer.status, "504 Gateway Timeout");
    assert_eq!((emulator.tracked_events().len(), emulator.received_requests()[0].carried_out), (1, true));
}

/// Sends an event and reads until the connection ends, or for so long.
fn read_on(emulator: &Emulator, patience: Duration) -> (Vec<u8>, Option<ErrorKind>, Duration) {
    let mut stream = TcpStream::connect(emulator.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20).min(patience))).unwrap();
    let (headers, length, host) = (with(&emulator.keys().full), EVENT.len(), emulator.address());
    write!(stream, "POST {TRACK} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{EVENT}")
        .unwrap();
    let began = Instant::now();
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (read, None, began.elapsed()),
            Ok(count) if began.elapsed() < patience => read.extend(&buffer[..count]),
            Ok(_) => return (read, Some(ErrorKind::TimedOut), began.elapsed()),
            Err(error) => return (read, Some(error.kind()), began.elapsed()),
        }
    }
}

#[test]
fn a_reset_comes_before_or_after_the_call_was_carried_out_and_says_which() {
    for (fault, carried_out, status) in [(Fault::reset_before(), false, 444), (Fault::reset_after(), true, 202)] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(fault.up_to_n_times(1));
        let (read, end, _) = read_on(&emulator, LONGER_THAN_ANY_PATIENCE);
        assert_eq!((read.len(), end), (0, Some(ErrorKind::ConnectionReset)));
        let seen = &emulator.received_requests()[0];
        assert_eq!((seen.carried_out, seen.status.as_u16()), (carried_out, status));
        assert_eq!(emulator.tracked_events().len(), usize::from(carried_out));
        // Struck once, it is gone.
        assert!(emulator.faults().is_empty());
        ask(&emulator, "POST", "/events/track", EVENT, 202);
    }
}

#[test]
fn a_body_is_cut_or_endless_and_the_call_was_carried_out() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::cut_body().up_to_n_times(1));
    let (read, end, _) = read_on(&emulator, LONGER_THAN_ANY_PATIENCE);
    let text = String::from_utf8(read).unwrap();
    assert!(
        text.contains("Content-Length: 55\r\n") && text.ends_with("\r\n\r\n{\"status\":202,\"message\":\"Ev"),
        "{text}"
    );
    assert_ne!(end, Some(ErrorKind::TimedOut));

    emulator.inject(Fault::endless());
    let (read, end, _) = read_on(&emulator, Duration::from_millis(300));
    let text = String::from_utf8(read).unwrap();
    assert!(text.contains("Transfer-Encoding: chunked") && text.contains("queued for processing.\""), "{text}");
    assert!(text.len() > 5000, "{}", text.len());
    assert_eq!((end, emulator.tracked_events().len()), (Some(ErrorKind::TimedOut), 2));
}

#[test]
fn an_answer_is_late_or_slow_or_never_comes() {
    let pause = Duration::from_millis(200);
    let began = Instant::now();
    let (answer, _) = struck(Fault::slow(pause));
    assert!(answer.status == "202 Accepted" && began.elapsed() >= pause);

    let began = Instant::now();
    let (answer, _) = struck(Fault::trickle(Duration::from_millis(3)));
    assert_eq!(answer.body, r#"{"status":202,"message":"Event queued for processing."}"#);
    assert!(began.elapsed() >= Duration::from_millis(3 * 55));

    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::silence());
    let (read, end, _) = read_on(&emulator, pause);
    assert_eq!((read.len(), end), (0, Some(ErrorKind::WouldBlock)));
    assert_eq!((emulator.tracked_events().len(), emulator.received_requests()[0].status.as_u16()), (0, 444));
    // A client that waits for an answer does not keep the emulator from ending.
    let began = Instant::now();
    drop(emulator);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_key_is_revoked_in_the_middle_of_the_work() {
    let emulator = Emulator::start().unwrap();
    let other = emulator.issue_key(emulator.space(), Ability::ALL);
    emulator.inject(Fault::revoked_key().after(2).up_to_n_times(1));
    let track = |key: &str| call(&emulator, key, "POST", "/events/track", EVENT).status;
    let key = &emulator.keys().full;
    assert_eq!([track(key), track(key)], ["202 Accepted", "202 Accepted"]);
    assert_eq!([track(key), track(key), track(&other)], ["401 Unauthorized", "401 Unauthorized", "202 Accepted"]);
}

#[test]
fn an_export_can_fail() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    emulator.inject(Fault::export_failed().up_to_n_times(1));
    let order = r#"{"date":"2026-01-01"}"#;
    let ordered = ask(&emulator, "POST", "/events/exports", order, 202);
    let path = format!("/events/exports/{}", ordered["export_id"].as_str().unwrap());
    let [_, _, last] = [(); 3].map(|()| ask(&emulator, "GET", &path, "", 200));
    assert_eq!((last["status"].as_str(), last.get("download_url")), (Some("failed"), None));
}

#[test]
fn faults_are_listed_and_removed() {
    let emulator = Emulator::start().unwrap();
    let first = emulator.inject(Fault::forbidden().for_method("POST").up_to_n_times(5));
    let second = emulator.inject(Fault::html_page());
    call(&emulator, &emulator.keys().full, "POST", "/events/track", EVENT);
    let faults = emulator.faults();
    assert_eq!(faults.iter().map(|one| (one.id, one.struck)).collect::<Vec<_>>(), [(first, 1), (second, 0)]);
    let text = r#"{"fault":"forbidden","method":"POST","times":5,"carried_out":false}"#;
    assert_eq!(faults[0].fault.to_string(), text);
    assert!(emulator.remove_fault(first) && !emulator.remove_fault(first));
    emulator.clear_faults();
    ask(&emulator, "POST", "/events/track", EVENT, 202);
}

/// The ids and cursors of pages of five companies, walked by `next_cursor`.
fn walk(emulator: &Emulator, pages: usize) -> Vec<(u64, serde_json::Value)> {
    let mut walked = Vec::new();
    let mut cursor = String::new();
    while walked.len() < pages {
        let page = ask(emulator, "GET", &format!("/companies?per_page=5{cursor}"), "", 200);
        let next = page.get("next_cursor").cloned().unwrap_or("missing".into());
        walked.push((page["data"][0]["id"].as_u64().unwrap(), next.clone()));
        let Some(next) = next.as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    walked
}

#[test]
fn cursors_lead_in_circles_or_nowhere_on_demand() {
    let firsts = |fault: Fault, pages| {
        let emulator = Emulator::builder().no_limits().seeded_companies(15).start().unwrap();
        emulator.inject(fault);
        walk(&emulator, pages)
    };
    let ids = |walked: Vec<(u64, serde_json::Value)>| walked.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(firsts(Fault::cursor_cycle(), 6)), [1, 6, 1, 6, 1, 6]);
    assert_eq!(ids(firsts(Fault::cursor_cycle().after(2), 5)), [1, 6, 11, 6, 1]);
    assert_eq!(ids(firsts(Fault::cursor_first_page(), 3)), [1, 1, 1]);
    assert_eq!(firsts(Fault::cursor_empty(), 1), [(1, "".into())]);
    assert_eq!(firsts(Fault::cursor_missing(), 1), [(1, "missing".into())]);
    assert_eq!(firsts(Fault::cursor_long(), 1)[0].1.as_str().unwrap().len(), 1 << 20);
    // The last page has no cursor to spoil, and what lists nothing is not struck.
    let emulator = Emulator::builder().no_limits().seeded_companies(5).start().unwrap();
    emulator.inject(Fault::cursor_empty());
    assert_eq!(walk(&emulator, 2), [(1, serde_json::Value::Null)]);
    ask(&emulator, "GET", "/companies/1", "", 200);
    assert_eq!(emulator.faults()[0].struck, 1);
    let page = call(&emulator, &emulator.keys().full, "GET", "/companies?per_page=5", "");
    assert!(page.body.contains(r#""next_cursor":null,"next_page_url":null,"#), "{}", page.body);
}

#[test]
fn a_stub_answers_as_it_is_told() {
    let emulator = Emulator::start().unwrap();
    let stub =
        Fault::stub(418).header("X-Tea", "green").header("X-Tea", "black").header("Content-Length", "7").body("short");
    emulator.inject(stub.for_method("GET").for_path("/spaces/{id}"));
    let answer = call(&emulator, "no key", "GET", "/spaces/7", "");
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("418 I'm a teapot", "short"));
    assert_eq!(answer.names(), ["Connection", "Content-Length", "Date", "X-Tea", "X-Tea"]);
    assert_eq!(call(&emulator, "no key", "POST", "/spaces/7", "").status, "404 Not Found");
    assert_eq!(Fault::stub(101), Fault::stub(500));
}

#[test]
fn the_record_has_the_answer_and_the_time_it_took() {
    let (answer, emulator) = struck(Fault::slow(Duration::from_millis(300)));
    let seen = &emulator.received_requests()[0];
    assert_eq!((seen.answer_start.as_ref(), seen.answer_length), (answer.body.as_bytes(), answer.body.len()));
    assert_eq!(seen.answer_headers["content-type"], "application/json");
    // It is known a moment after the client has read its answer.
    let took = || emulator.received_requests()[0].took;
    let began = Instant::now();
    while took() < Duration::from_millis(300) {
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", took());
        std::thread::sleep(Duration::from_millis(5));
    }
}
