//! Exports, from the order to the file, which lies on another origin.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the lints do not know a test's helper for a test"
)]

mod wire;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cometly_emulator::{Clock, Emulator, Fault};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use wire::{ask, one_error};

/// Fetches a URL unchanged, with these further header lines.
fn download(url: &str, headers: &str) -> (String, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap(), answer[end + 4..].to_vec())
}

fn lines(url: &str) -> Vec<Value> {
    let (head, body) = download(url, "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Content-Type: application/gzip"), "{head}");
    assert!(!head.contains("Content-Encoding"), "{head}");
    let mut text = String::new();
    GzDecoder::new(body.as_slice()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Orders an export and asks for it until it is done.
fn completed(emulator: &Emulator, kind: &str, order: &Value) -> Value {
    let ordered = ask(emulator, "POST", &format!("/{kind}/exports"), &order.to_string(), 202);
    assert_eq!(ordered["status"], "queued");
    let path = format!("/{kind}/exports/{}", ordered["export_id"].as_str().unwrap());
    for status in ["queued", "processing"] {
        let export = ask(emulator, "GET", &path, "", 200);
        assert_eq!(export["status"], status);
        let fields: Vec<_> = export.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["export_id", "status", "created_at", "message"]);
    }
    let export = ask(emulator, "GET", &path, "", 200);
    assert_eq!(export["status"], "completed");
    export
}

fn url(export: &Value) -> &str {
    export["download_url"].as_str().unwrap()
}

const YEAR: [&str; 2] = ["2026-01-01 00:00:00", "2026-12-31 23:59:59"];

#[test]
fn each_kind_is_exported_as_lines_of_gzipped_json() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let events = completed(&emulator, "events", &json!({ "date": "2026-01-01", "event_names": ["purchase"] }));
    let rows = lines(url(&events));
    assert!(rows.len() > 2 && rows.len() < 34);
    assert_eq!(rows[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "event_time_utc"]);

    let year = json!({ "start_date": YEAR[0], "end_date": YEAR[1], "include_all_emails": 1 });
    let contacts = lines(url(&completed(&emulator, "contacts", &year)));
    assert_eq!((contacts.len(), &contacts[3]["emails"][0]), (250, &json!("contact-4@example.com")));
    let companies = lines(url(&completed(&emulator, "companies", &year)));
    assert_eq!(companies[249], json!({ "id": 250, "domain": "company-250.example", "name": "Company 250" }));
    assert!(emulator.leaked_keys().is_empty());
}

#[test]
fn orders_are_validated_and_exports_belong_to_their_kind_and_space() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let no_date = ask(&emulator, "POST", "/events/exports", "{}", 422);
    assert_eq!(no_date, one_error("date", "The date field is required."));
    let wrong = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01 00:00:00"}"#, 422);
    assert_eq!(wrong, one_error("date", "The date field must match the format Y-m-d."));
    ask(&emulator, "POST", "/contacts/exports", "{}", 422);
    ask(&emulator, "POST", "/companies/exports", "{}", 422);

    let ordered = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#, 202);
    let id = ordered["export_id"].as_str().unwrap();
    ask(&emulator, "GET", &format!("/contacts/exports/{id}"), "", 404);
    ask(&emulator, "GET", "/events/exports/nonsense", "", 404);
    let elsewhere = emulator.issue_key(cometly_emulator::Space::active(), cometly_emulator::Ability::ALL);
    assert_eq!(wire::call(&emulator, &elsewhere, "GET", &format!("/events/exports/{id}"), "").status, "404 Not Found");
}

#[test]
fn time_alone_completes_an_export_and_ends_its_url() {
    let clock = Clock::stopped();
    let emulator = Emulator::builder().seed(0).no_limits().clock(clock.clone()).start().unwrap();
    let ordered = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#, 202);
    clock.advance(Duration::from_secs(10));
    let path = format!("/events/exports/{}", ordered["export_id"].as_str().unwrap());
    let export = ask(&emulator, "GET", &path, "", 200);
    assert_eq!(export["status"], "completed");

    clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(lines(url(&export)).len(), 34);
    clock.advance(Duration::from_secs(1));
    let (head, body) = download(url(&export), "");
    assert!(head.starts_with("HTTP/1.1 403 Forbidden"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("<Code>AccessDenied</Code>"));
    // Asked again, it is signed anew.
    assert_eq!(lines(url(&ask(&emulator, "GET", &path, "", 200))).len(), 34);
}

#[test]
fn the_file_is_on_another_origin_that_tells_of_every_key_it_was_shown() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let export = completed(&emulator, "events", &json!({ "date": "2026-01-01" }));
    assert!(!url(&export).starts_with(&format!("http://{}/", emulator.address())));
    lines(url(&export));
    assert_eq!((emulator.download_requests().len(), emulator.leaked_keys().len()), (1, 0));

    let key = &emulator.keys().full;
    let in_url = format!("{}&key={}", url(&export), key.replace('|', "%7C"));
    for (url, headers) in [
        (url(&export), format!("Authorization: Bearer {key}\r\n")),
        (url(&export), "Authorization: Basic eA==\r\n".to_owned()),
        (url(&export), format!("X-Api-Key: {key}\r\n")),
        (in_url.as_str(), String::new()),
    ] {
        let (head, body) = download(url, &headers);
        assert!(head.starts_with("HTTP/1.1 400 Bad Request"), "{head}");
        assert!(String::from_utf8(body).unwrap().contains("<Code>InvalidArgument</Code>"));
    }
    assert_eq!(emulator.leaked_keys().len(), 4);
    assert!(!format!("{:?}", emulator.leaked_keys()[0]).contains(key.as_str()));
}

#[test]
fn a_url_changed_by_hand_opens_nothing() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let export = completed(&emulator, "events", &json!({ "date": "2026-01-01" }));
    let later = url(&export).replace("Expires=1", "Expires=2");
    for (url, status) in [
        (later.as_str(), "403 Forbidden"),
        (url(&export).split_once('?').unwrap().0, "403 Forbidden"),
        (&url(&export).replace(".ndjson", ".json"), "404 Not Found"),
    ] {
        let (head, _) = download(url, "");
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{url}: {head}");
    }
}

/// The status line, the headers by name, and the body.
fn part(url: &str, headers: &str) -> (String, impl Fn(&str) -> String + use<>, Vec<u8>) {
    let (head, body) = download(url, headers);
    let (status, _) = head.split_once("\r\n").unwrap();
    let status = status.trim_start_matches("HTTP/1.1 ").to_owned();
    let header = move |name: &str| {
        let line = head.split("\r\n").find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    };
    (status, header, body)
}

#[test]
fn a_file_is_fetched_in_parts_and_if_range_notices_another_file() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let export = completed(&emulator, "events", &json!({ "date": "2026-01-01" }));
    let (status, header, whole) = part(url(&export), "");
    let (tag, date, length) = (header("Etag"), header("Last-Modified"), whole.len());
    assert_eq!((status.as_str(), header("Accept-Ranges").as_str()), ("200 OK", "bytes"));
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10, "{tag}");

    let (status, header, rest) = part(url(&export), "Range: bytes=100-\r\n");
    assert_eq!(status, "206 Partial Content");
    assert_eq!(header("Content-Range"), format!("bytes 100-{}/{length}", length - 1));
    assert_eq!((rest.as_slice(), header("Etag")), (&whole[100..], tag.clone()));
    assert_eq!(part(url(&export), "Range: bytes=-7\r\n").2, whole[length - 7..]);
    for known in [&tag, &date] {
        let (status, _, middle) = part(url(&export), &format!("Range: bytes=3-9\r\nIf-Range: {known}\r\n"));
        assert_eq!((status.as_str(), middle.as_slice()), ("206 Partial Content", &whole[3..10]));
    }
    let (status, _, again) = part(url(&export), "Range: bytes=3-9\r\nIf-Range: \"other\"\r\n");
    assert_eq!((status.as_str(), again == whole), ("200 OK", true));
    let (status, header, body) = part(url(&export), &format!("Range: bytes={length}-\r\n"));
    assert_eq!((status.as_str(), header("Content-Range")), ("416 Range Not Satisfiable", format!("bytes */{length}")));
    assert!(String::from_utf8(body).unwrap().contains("<Code>InvalidRange</Code>"));
}

#[test]
fn downloads_are_slow_cut_expired_changed_or_whole_on_demand() {
    let emulator = Emulator::builder().seed(0).no_limits().start().unwrap();
    let export = completed(&emulator, "contacts", &json!({ "start_date": YEAR[0], "end_date": YEAR[1] }));
    let (_, header, whole) = part(url(&export), "");
    let tag = header("Etag");
    assert!(whole.len() > 2048, "{}", whole.len());
    let strike = |fault: Fault| {
        emulator.clear_faults();
        emulator.inject(fault);
    };

    // Faults of downloads strike no call to the API, and the others no download.
    strike(Fault::server_error(500));
    assert_eq!(part(url(&export), "").0, "200 OK");
    strike(Fault::expired_download().up_to_n_times(1));
    ask(&emulator, "GET", "/companies", "", 200);
    assert_eq!(part(url(&export), "").0, "403 Forbidden");
    assert_eq!(part(url(&export), "").0, "200 OK");

    strike(Fault::cut_download_after(100));
    let (status, header, cut) = part(url(&export), "");
    assert_eq!((status.as_str(), header("Content-Length")), ("200 OK", whole.len().to_string()));
    assert_eq!(cut, whole[..100]);
    strike(Fault::cut_download());
    assert_eq!(part(url(&export), "").2, whole[..whole.len() / 2]);

    strike(Fault::slow_download(Duration::from_millis(20)));
    let began = Instant::now();
    assert_eq!(part(url(&export), "").2, whole);
    let pieces = u32::try_from(whole.len().div_ceil(1024)).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(20) * pieces, "{:?}", began.elapsed());

    strike(Fault::ignored_range());
    assert_eq!(part(url(&export), "Range: bytes=5-9\r\n").0, "200 OK");
    strike(Fault::changed_download().for_path("/exports/contacts/{id}"));
    let (status, header, _) = part(url(&export), &format!("Range: bytes=5-9\r\nIf-Range: {tag}\r\n"));
    assert_eq!(status, "200 OK");
    assert_ne!(header("Etag"), tag);
    let struck: Vec<_> = emulator.download_requests().iter().filter_map(|request| request.fault).collect();
    let names =
        ["expired_download", "cut_download", "cut_download", "slow_download", "ignored_range", "changed_download"];
    assert_eq!(struck, names);
}
