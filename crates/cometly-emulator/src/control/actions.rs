//! The calls of the control pages that change something.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::reply::{error, say};
use super::view::fault_json;
use crate::backend::Backend;
use crate::faults::active::FaultId;
use crate::faults::fault::Fault;
use crate::keys::{Ability, Space, number};
use crate::store::settled::Wait;

/// More keys than these are not made from outside.
const MAX_KEYS: usize = 10_000;

pub(super) fn inject(backend: &Backend, body: &Value) -> Response {
    match Fault::from_json(body) {
        Err(words) => error(StatusCode::UNPROCESSABLE_ENTITY, &words),
        Ok(fault) => {
            let mut state = backend.change();
            let id = state.faults.inject(fault);
            let made = state.faults.list().iter().find(|one| one.id == id).map(fault_json);
            say(StatusCode::CREATED, &made.unwrap_or_default())
        }
    }
}

pub(super) fn clear_faults(backend: &Backend) -> Response {
    backend.change().faults.clear();
    say(StatusCode::OK, &json!({ "faults": [] }))
}

pub(super) fn remove_fault(backend: &Backend, id: &str) -> Response {
    let named = id.parse().map(FaultId::of);
    if named.is_ok_and(|id| backend.change().faults.remove(id)) {
        say(StatusCode::OK, &json!({ "removed": id }))
    } else {
        error(StatusCode::NOT_FOUND, "no fault of this id is switched on")
    }
}

/// Of a Space that is there, or of a `new` or a new `inactive` one; with all abilities by default.
pub(super) fn issue_key(backend: &Backend, body: &Value) -> Response {
    let is_known = |name: &String| ["abilities", "space"].contains(&name.as_str());
    if !body.is_null() && !body.as_object().is_some_and(|fields| fields.keys().all(is_known)) {
        let words = "a key is described by a JSON object with the fields `abilities` and `space`, or none of them";
        return error(StatusCode::UNPROCESSABLE_ENTITY, words);
    }
    let abilities: Option<Vec<Ability>> = match body.get("abilities") {
        None | Some(Value::Null) => Some(Ability::ALL.to_vec()),
        Some(Value::Array(list)) => list.iter().map(Ability::named).collect(),
        Some(_) => None,
    };
    let Some(abilities) = abilities else {
        let known: Vec<_> = Ability::ALL.iter().map(|ability| ability.name()).collect();
        let words = format!("`abilities` is a list of some of: {}", known.join(", "));
        return error(StatusCode::UNPROCESSABLE_ENTITY, &words);
    };
    let mut state = backend.change();
    if state.keys.all().count() >= MAX_KEYS {
        return error(StatusCode::CONFLICT, "there are 10,000 keys already");
    }
    let space = match body.get("space") {
        None | Some(Value::Null) => state.keys.all().map(|(_, grant)| grant.space).min_by_key(|space| space.id()),
        Some(Value::String(word)) if word == "new" => Some(Space::active()),
        Some(Value::String(word)) if word == "inactive" => Some(Space::inactive()),
        Some(id) => state.keys.space(id.as_u64().unwrap_or_default()),
    };
    let Some(space) = space else {
        let words = "`space` is the id of a Space that has a key, or \"new\", or \"inactive\"";
        return error(StatusCode::UNPROCESSABLE_ENTITY, words);
    };
    let (key, written) = state.issue_key(space, &abilities);
    drop(state);
    // A key that could not be written is good for as long as the emulator runs.
    drop(written.map(Wait::done));
    say(StatusCode::CREATED, &json!({ "key": key, "space": space.id() }))
}

pub(super) fn revoke_key(backend: &Backend, id: &str) -> Response {
    let mut state = backend.change();
    let key = state.keys.all().map(|(key, _)| key).find(|key| number(key) == id).map(str::to_owned);
    let Some(key) = key else { return error(StatusCode::NOT_FOUND, "no valid key has this id") };
    let written = state.revoke_key(&key);
    drop(state);
    drop(written.map(Wait::done));
    say(StatusCode::OK, &json!({ "revoked": id }))
}

pub(super) fn advance_clock(backend: &Backend, body: &Value) -> Response {
    let Some(seconds) = body.get("advance_seconds").and_then(Value::as_u64) else {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "`advance_seconds` is a whole number, not negative");
    };
    let clock = backend.clock();
    clock.advance(Duration::from_secs(seconds));
    drop(backend.change());
    say(StatusCode::OK, &json!({ "now": clock.date() }))
}
