//! The SDK in two applications: one blocks on ureq, one awaits on reqwest. The emulator answers what it does not have by
//! stubs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use cometly_core::{Api, ApiKey, Pages};
use cometly_emulator::{Emulator, Fault};
use example_sdk::{Note, add_note, get_note, list_notes};

/// An emulator with two pages of notes on contact 3, the note 7, and room for a new one.
fn stage() -> (Emulator, Api) {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let api = Api::builder(ApiKey::new(&*emulator.keys().full).unwrap()).base_url(emulator.base_url().parse().unwrap());
    let notes = |body: &str| Fault::stub(200).header("Content-Type", "application/json").body(body.to_owned());
    let list = |body: &str| notes(body).for_method("GET").for_path("/contacts/3/notes").up_to_n_times(1);
    emulator.inject(list(r#"{"data": [{"id": 7, "text": "called"}], "next_cursor": "x", "prev_cursor": null}"#));
    emulator.inject(list(r#"{"data": [{"id": 8, "text": "wrote"}], "next_cursor": null, "prev_cursor": "y"}"#));
    emulator.inject(notes(r#"{"id": 7, "text": "called"}"#).for_path("/notes/7"));
    emulator.inject(notes(r#"{"id": 9, "text": "met"}"#).for_method("POST"));
    (emulator, api.build())
}

fn note(id: impl Into<Option<u64>>, text: &str) -> Note {
    Note { id: id.into(), text: text.to_owned() }
}

/// What the server saw: the same from both applications.
fn check(emulator: &Emulator) {
    let seen: Vec<String> = emulator
        .received_requests()
        .iter()
        .map(|request| {
            let path = request.path.trim_start_matches("/public-api/v1");
            let query = request.query.as_deref().unwrap_or_default();
            format!("{} {path}?{query} {}", request.method, String::from_utf8_lossy(&request.body))
        })
        .collect();
    assert_eq!(
        seen,
        [
            "GET /contacts/3/notes?per_page=100 ",
            "GET /contacts/3/notes?per_page=100&cursor=x ",
            "GET /notes/7? ",
            "GET /notes/404? ",
            r#"POST /contacts/3/notes? {"text":"met","idempotency_key":"note-1"}"#,
        ]
    );
}

#[test]
fn it_blocks_on_ureq() {
    let (emulator, api) = stage();
    let client = cometly_ureq::Client::new().unwrap();
    let notes: Vec<Note> = client.run(&api, Pages::of(list_notes(3)).rows()).map(Result::unwrap).collect();
    assert_eq!(notes, [note(7, "called"), note(8, "wrote")]);
    assert_eq!(client.call(&api, get_note(7)).unwrap(), notes[0]);
    assert_eq!(client.call_opt(&api, get_note(404)).unwrap(), None);
    let added = client.call(&api, add_note(3, note(None, "met"), "note-1".into())).unwrap();
    assert_eq!(added, note(9, "met"));
    check(&emulator);
}

#[tokio::test]
async fn it_awaits_on_reqwest() {
    let (emulator, api) = stage();
    let client = cometly_reqwest::Client::new().unwrap();
    let mut run = client.run(&api, Pages::of(list_notes(3)).rows());
    let mut notes = Vec::new();
    while let Some(note) = run.next().await.unwrap() {
        notes.push(note);
    }
    assert_eq!(notes, [note(7, "called"), note(8, "wrote")]);
    assert_eq!(client.call(&api, get_note(7)).await.unwrap(), notes[0]);
    assert_eq!(client.call_opt(&api, get_note(404)).await.unwrap(), None);
    let added = client.call(&api, add_note(3, note(None, "met"), "note-1".into())).await.unwrap();
    assert_eq!(added, note(9, "met"));
    check(&emulator);
}

#[test]
fn it_takes_at_most_forty_lines() {
    assert!(include_str!("../src/lib.rs").lines().count() <= 40);
}
