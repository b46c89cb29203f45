//! The SDK, tested without a socket: the requests that it makes, and what it reads.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test"
)]

use cometly_core::{Api, ApiKey, Endpoint, bytes::Bytes, http};
use example_sdk::{Note, add_note, get_note, list_notes};

fn api() -> Api {
    Api::new(ApiKey::new("12|abcdef").unwrap())
}

fn read<E: Endpoint>(endpoint: &E, body: &'static str) -> E::Output {
    let reply = api().read(http::Response::new(Bytes::from_static(body.as_bytes()))).into_result().unwrap();
    endpoint.read(&reply).unwrap()
}

#[test]
fn a_note_is_got_and_added() {
    let get = get_note(7);
    assert_eq!(get.call(&api()).to_request().unwrap().uri().path(), "/public-api/v1/notes/7");
    assert_eq!(read(&get, r#"{"id": 7, "text": "called"}"#), Note { id: Some(7), text: "called".into() });

    let add = add_note(3, Note { id: None, text: "called".into() }, "note-1".into());
    let call = add.call(&api());
    assert!(call.is_idempotent());
    assert_eq!(call.to_request().unwrap().body(), r#"{"text":"called","idempotency_key":"note-1"}"#);
}

#[test]
fn notes_come_in_pages() {
    let list = list_notes(3);
    assert_eq!(list.call(&api()).to_request().unwrap().uri().query(), Some("per_page=100"));
    let page = read(&list, r#"{"data": [{"id": 7, "text": "called"}], "next_cursor": "x", "prev_cursor": null}"#);
    assert_eq!((page.rows().len(), page.next_cursor().unwrap().as_str()), (1, "x"));
}
