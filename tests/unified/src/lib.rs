//! Our adapters in a program whose other crates have brought about something else than the project's own workspace has:
//! a lock file that gives isahc the older major version of `http`, ureq with all of its decoders, and numbers of `serde_json`
//! that reach a visitor as maps.
#![cfg(test)]

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use cometly_emulator::Emulator;
use cometly_isahc::{
    cometly_core::{Api, ApiKey, CallErrorKind},
    isahc,
};

fn api(key: &str, base_url: &str) -> Api {
    Api::builder(ApiKey::new(key).unwrap()).base_url(base_url.parse().unwrap()).build()
}

/// Compiles only if isahc's `http` is 0.2.
fn is_0_2(status: isahc::http::StatusCode) -> http::StatusCode {
    status
}

#[test]
fn a_call_is_sent_and_read_across_two_major_versions_of_http() {
    assert_eq!(is_0_2(isahc::http::StatusCode::OK).as_u16(), 200);

    let emulator = Emulator::start().unwrap();
    let api = api(&emulator.keys().full, emulator.base_url());
    let client = cometly_isahc::blocking::Client::new().unwrap();
    let outcome = client.send(api.get("companies").query("per_page", 1)).unwrap();
    let reply = outcome.into_result().unwrap();
    assert_eq!(reply.rate_limit().limit(), Some(15));
    let refused = client.send(api.get("events")).unwrap();
    assert_eq!(refused.status(), 422, "{refused}");
    assert_eq!(emulator.received_requests()[0].headers["accept"], "application/json");
}

/// Answers once, with 64 MiB of `{` that are 64 KiB on the wire.
fn bomb() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![b'{'; 64 << 20]).unwrap();
    let packed = packed.finish().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _head = stream.read(&mut [0; 4096]).unwrap();
        let length = packed.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        // The client leaves when it has had enough.
        let _ = stream.write_all(&packed);
    });
    base_url
}

// `docs/faults.md` 70, 85.
#[test]
fn a_ureq_that_unpacks_unasked_is_stopped_by_the_cap() {
    let client = cometly_ureq::Client::builder().max_body_size(1 << 20).build().unwrap();
    let sent = client.send(api("1|abc", &bomb()).get("events"));
    assert_eq!(sent.unwrap_err().kind(), CallErrorKind::TooLarge);
}

#[test]
fn asked_for_nothing_packed_it_is_sent_nothing_packed() {
    let emulator = Emulator::start().unwrap();
    let client = cometly_ureq::Client::new().unwrap();
    assert!(client.send(api(&emulator.keys().full, emulator.base_url()).get("companies")).unwrap().error().is_none());
    assert_eq!(emulator.received_requests()[0].headers["accept-encoding"], "identity");
}

#[test]
fn a_number_of_any_precision_is_no_field_error() {
    // Fails as soon as the feature is off.
    assert_eq!(serde_json::from_str::<serde_json::Value>("1.10").unwrap().to_string(), "1.10");

    let body = r#"{"message": "m", "errors": {"a": [7, "one"], "b": 1.5}}"#;
    let error = api("k", "https://a.example").read(response(422, body)).into_result().unwrap_err();
    let [field] = error.field_errors().try_into().unwrap();
    assert_eq!((field.field, field.message), ("a", "one"));
    let refused = api("k", "https://a.example").read(response(401, r#"{"message": 7}"#));
    assert_eq!(refused.error().unwrap().message(), None);
}

fn response(status: u16, body: &str) -> cometly_isahc::cometly_core::http::Response<&str> {
    cometly_isahc::cometly_core::http::Response::builder().status(status).body(body).unwrap()
}
