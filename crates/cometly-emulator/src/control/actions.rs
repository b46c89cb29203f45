//! What can be done from outside.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::view::fault_json;
use super::{Request, Said, error, say};
use crate::faults::active::FaultId;
use crate::faults::fault::Fault;
use crate::keys::{Ability, Space, number};

/// More keys than these are not made from outside.
const MAX_KEYS: usize = 10_000;

pub(super) fn inject(request: &Request<'_>) -> Said {
    match Fault::from_json(&request.body) {
        Err(told) => error(StatusCode::UNPROCESSABLE_ENTITY, &told),
        Ok(fault) => {
            let mut state = request.backend.change();
            let id = state.faults.inject(fault);
            let made = state.faults.list().iter().find(|one| one.id == id).map(fault_json);
            say(StatusCode::CREATED, &made.unwrap_or_default())
        }
    }
}

pub(super) fn clear_faults(request: &Request<'_>) -> Said {
    request.backend.change().faults.clear();
    say(StatusCode::OK, &json!({ "faults": [] }))
}

pub(super) fn remove_fault(request: &Request<'_>) -> Said {
    let id = request.id.parse().map(FaultId::of);
    if id.is_ok_and(|id| request.backend.change().faults.remove(id)) {
        say(StatusCode::OK, &json!({ "removed": request.id }))
    } else {
        error(StatusCode::NOT_FOUND, "no fault of this id is switched on")
    }
}

/// Of a Space that is there, or of a `new` or a new `inactive` one; with all abilities unless told.
pub(super) fn issue_key(request: &Request<'_>) -> Said {
    let abilities: Option<Vec<Ability>> = match request.body.get("abilities") {
        None | Some(Value::Null) => Some(Ability::ALL.to_vec()),
        Some(Value::Array(list)) => list.iter().map(Ability::named).collect(),
        Some(_) => None,
    };
    let Some(abilities) = abilities else {
        let known: Vec<_> = Ability::ALL.iter().map(|ability| ability.name()).collect();
        let told = format!("`abilities` is a list of some of: {}", known.join(", "));
        return error(StatusCode::UNPROCESSABLE_ENTITY, &told);
    };
    let mut state = request.backend.change();
    if state.keys.all().count() >= MAX_KEYS {
        return error(StatusCode::CONFLICT, "there are 10,000 keys already");
    }
    let space = match request.body.get("space") {
        None | Some(Value::Null) => state.keys.all().map(|(_, grant)| grant.space).min_by_key(|space| space.id()),
        Some(Value::String(word)) if word == "new" => Some(Space::active()),
        Some(Value::String(word)) if word == "inactive" => Some(Space::inactive()),
        Some(id) => state.keys.space(id.as_u64().unwrap_or_default()),
    };
    let Some(space) = space else {
        let told = "`space` is the id of a Space that has a key, or \"new\", or \"inactive\"";
        return error(StatusCode::UNPROCESSABLE_ENTITY, told);
    };
    let key = state.issue_key(space, &abilities);
    say(StatusCode::CREATED, &json!({ "key": key, "space": space.id() }))
}

pub(super) fn revoke_key(request: &Request<'_>) -> Said {
    let mut state = request.backend.change();
    let key = state.keys.all().map(|(key, _)| key).find(|key| number(key) == request.id);
    match key.map(str::to_owned) {
        None => error(StatusCode::NOT_FOUND, "no valid key has this id"),
        Some(key) => {
            state.revoke_key(&key);
            say(StatusCode::OK, &json!({ "revoked": request.id }))
        }
    }
}

pub(super) fn advance_clock(request: &Request<'_>) -> Said {
    let Some(seconds) = request.body.get("advance_seconds").and_then(Value::as_u64) else {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "`advance_seconds` is a whole number, not negative");
    };
    let clock = request.backend.clock();
    clock.advance(Duration::from_secs(seconds));
    drop(request.backend.change());
    say(StatusCode::OK, &json!({ "now": clock.date() }))
}
