//! From a call to an `http::Request`, dropped again.

use std::{hint::black_box, io::Write as _};

use bytes::Bytes;
use harness::Suite;
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::{AGENT, BASE, KEY, api, template::Template};

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// 164 bytes of JSON.
#[derive(Serialize)]
struct Event<'a> {
    event_name: &'a str,
    email: &'a str,
    value: f64,
    currency: &'a str,
    event_id: &'a str,
    occurred_at: &'a str,
}

fn event() -> Event<'static> {
    black_box(Event {
        event_name: "purchase",
        email: "jane.doe@example.com",
        value: 129.5,
        currency: "USD",
        event_id: "evt_01JD9Q6Y3K8M2N4P5R7S9T",
        occurred_at: "2026-11-24T03:28:59Z",
    })
}

/// The values of a GET that need no encoding, which must be found out.
fn plain() -> (u64, u32, u32, &'static str) {
    black_box((4_815_162_342, 7, 100, "2026-11-01"))
}

/// Those of one that do.
fn encoded() -> (&'static str, &'static str, &'static str) {
    black_box(("a b/c", "2026-11-01 00:00:00", "Add to cart"))
}

fn naive(method: Method, uri: String, body: Vec<u8>) -> Request<Bytes> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header("Authorization", format!("Bearer {}", black_box(KEY)))
        .header("Accept", "application/json")
        .header("Content-Type", "application/json")
        .header("Accept-Encoding", "identity")
        .header("User-Agent", AGENT);
    request.body(Bytes::from(body)).expect("a request")
}

pub fn add(suite: &mut Suite) {
    assert_eq!(serde_json::to_vec(&event()).expect("JSON").len(), 164);
    add_get(suite);
    add_get_with_values(suite);
    add_get_with_encoded_values(suite);
    add_post(suite);
}

fn add_get(suite: &mut Suite) {
    let ours = api();
    suite.add("get", "ours", move || drop(black_box(black_box(&ours).get("spaces/current").to_request())));
    for (who, template) in [("lean", Template::whole()), ("lean-3-headers", Template::required())] {
        suite.add("get", who, move || drop(black_box(black_box(&template).request.clone())));
    }
    suite.add("get", "naive", || {
        drop(black_box(naive(Method::GET, format!("{}/spaces/current", black_box(BASE)), Vec::new())));
    });
}

fn add_get_with_values(suite: &mut Suite) {
    const JOB: &str = "get-values";
    let ours = api();
    suite.add(JOB, "ours", move || {
        let (space, page, per_page, from) = plain();
        let call = black_box(&ours).get("spaces/{id}/events").segment(space);
        drop(black_box(call.query("page", page).query("per_page", per_page).query("from", from).to_request()));
    });
    for (who, template) in [("lean", Template::whole()), ("lean-3-headers", Template::required())] {
        suite.add(JOB, who, move || drop(black_box(black_box(&template).get(path()))));
    }
    suite.add(JOB, "naive", || {
        let (space, page, per_page, from) = plain();
        let base = black_box(BASE);
        let uri = format!("{base}/spaces/{space}/events?page={page}&per_page={per_page}&from={from}");
        drop(black_box(naive(Method::GET, uri, Vec::new())));
    });
}

/// Written on the stack, then copied once, with what is text encoded.
fn path() -> Bytes {
    let (space, page, per_page, from) = plain();
    let mut buffer = [0; 256];
    let room = buffer.len();
    let mut rest = &mut buffer[..];
    let mut digits = itoa::Buffer::new();
    let mut write = |text: &str| rest.write_all(text.as_bytes()).expect("room");
    write("/public-api/v1/spaces/");
    write(digits.format(space));
    write("/events?page=");
    write(digits.format(page));
    write("&per_page=");
    write(digits.format(per_page));
    write("&from=");
    utf8_percent_encode(from, ENCODED).for_each(write);
    let left = rest.len();
    Bytes::copy_from_slice(&buffer[..room - left])
}

fn add_get_with_encoded_values(suite: &mut Suite) {
    const JOB: &str = "get-encoded";
    let ours = api();
    suite.add(JOB, "ours", move || {
        let (id, from, name) = encoded();
        let call = black_box(&ours).get("contacts/{id}").segment(id);
        drop(black_box(call.query("start_date", from).query("event_names[]", name).to_request()));
    });
    let template = Template::whole();
    suite.add(JOB, "lean", move || {
        let (id, from, name) = encoded();
        let mut path = String::with_capacity(128);
        path.push_str("/public-api/v1/contacts/");
        path.extend(utf8_percent_encode(id, ENCODED));
        path.push_str("?start_date=");
        path.extend(utf8_percent_encode(from, ENCODED));
        path.push_str("&event_names%5B%5D=");
        path.extend(utf8_percent_encode(name, ENCODED));
        drop(black_box(black_box(&template).get(Bytes::copy_from_slice(path.as_bytes()))));
    });
    suite.add(JOB, "naive", || {
        let (id, from, name) = encoded();
        let [id, from, name] = [id, from, name].map(|value| utf8_percent_encode(value, ENCODED).to_string());
        let base = black_box(BASE);
        let uri = format!("{base}/contacts/{id}?start_date={from}&event_names%5B%5D={name}");
        drop(black_box(naive(Method::GET, uri, Vec::new())));
    });
}

fn add_post(suite: &mut Suite) {
    let ours = api();
    suite.add("post", "ours", move || {
        drop(black_box(black_box(&ours).post("spaces/current").json(&event()).to_request()));
    });
    for (who, template) in [("lean", Template::whole()), ("lean-3-headers", Template::required())] {
        let mut scratch = Vec::with_capacity(512);
        suite.add("post", who, move || {
            let mut request = black_box(&template).request.clone();
            *request.method_mut() = Method::POST;
            scratch.clear();
            serde_json::to_writer(&mut scratch, &event()).expect("JSON");
            *request.body_mut() = Bytes::copy_from_slice(&scratch);
            drop(black_box(request));
        });
    }
    suite.add("post", "naive", || {
        let body = serde_json::to_vec(&event()).expect("JSON");
        drop(black_box(naive(Method::POST, format!("{}/spaces/current", black_box(BASE)), body)));
    });
}
