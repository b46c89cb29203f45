//! A client with no opinions: it sends the bytes it is given and returns the bytes that came.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "the lint does not know a test's own module for a test")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cometly_emulator::Emulator;

pub(crate) const EVENTS: &str =
    "/public-api/v1/events?start_date=2026-01-01%2000%3A00%3A00&end_date=2026-12-31%2023%3A59%3A59";
pub(crate) const TRACK: &str = "/public-api/v1/events/track";

/// One answer, as it was on the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} came twice: {self:?}");
        value
    }

    /// The names of all headers, in alphabetical order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// The three headers that the API asks for.
pub(crate) fn with(key: &str) -> String {
    format!("Authorization: Bearer {key}\r\nAccept: application/json\r\nContent-Type: application/json\r\n")
}

pub(crate) const JSON: &str = "application/json";

/// Calls an endpoint, whose path is written as in Cometly's documentation, with everything that it asks for.
pub(crate) fn call(emulator: &Emulator, key: &str, method: &str, path: &str, body: &str) -> Answer {
    send(emulator, method, &format!("/public-api/v1{path}"), &with(key), body)
}

/// A call with the full key that must be answered by this status, and its body.
#[track_caller]
pub(crate) fn ask(emulator: &Emulator, method: &str, path: &str, body: &str, status: u16) -> serde_json::Value {
    let answer = call(emulator, &emulator.keys().full, method, path, body);
    assert_eq!(answer.status.get(..3), Some(status.to_string().as_str()), "{method} {path}: {answer:?}");
    assert_eq!(answer.header("Content-Type"), Some(JSON));
    serde_json::from_str(&answer.body).unwrap()
}

/// The body of a 422 that tells of exactly one error.
pub(crate) fn one_error(field: &str, message: &str) -> serde_json::Value {
    serde_json::json!({ "message": message, "errors": { field: [message] } })
}

/// Sends one request on a connection of its own.
pub(crate) fn send(emulator: &Emulator, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut stream = connect(emulator);
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let host = emulator.address();
    write!(stream, "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}{length}\r\n{body}")
        .unwrap();
    receive(&mut stream)
}

pub(crate) fn connect(emulator: &Emulator) -> TcpStream {
    let stream = TcpStream::connect(emulator.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Reads one answer and leaves the connection as it is.
pub(crate) fn receive(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap().to_owned();
    let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
    let mut answer = Answer { status, headers: headers.collect(), body: String::new() };
    let length = answer.header("Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    answer.body = String::from_utf8(body).unwrap();
    answer
}
