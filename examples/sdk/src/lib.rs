//! Notes on contacts, which Cometly does not have: an SDK of one's own, in three functions. The application's client runs
//! what they give: `client.call(&api, get_note(7))`, `client.run(&api, Pages::of(list_notes(7)).rows())`.

use cometly_core::{Endpoint, Page, endpoint};
use serde::{Deserialize, Serialize};

/// A note on a contact.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Note {
    /// Its id, which the API gives.
    #[serde(skip_serializing)]
    pub id: Option<u64>,
    /// What it says.
    pub text: String,
}

/// `GET /contacts/{id}/notes`: the notes on a contact, in pages.
pub fn list_notes(contact: u64) -> impl Endpoint<Output = Page<Note>> {
    endpoint(move |api| api.get("contacts/{id}/notes").segment(contact).query("per_page", 100))
}

/// `GET /notes/{id}`: one note.
pub fn get_note(id: u64) -> impl Endpoint<Output = Note> {
    endpoint(move |api| api.get("notes/{id}").segment(id))
}

/// `POST /contacts/{id}/notes`: a new note. It is added once for each `key`, however often it is sent.
pub fn add_note(contact: u64, note: Note, key: String) -> impl Endpoint<Output = Note> {
    endpoint(move |api| api.post("contacts/{id}/notes").segment(contact).json(&note).idempotency_key(&key))
}
