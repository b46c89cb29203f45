//! What can be seen from outside. No key is shown, but for its last four letters. The state is locked only to take what is to
//! be shown out of it.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::reply::{error, say};
use crate::backend::{Backend, State};
use crate::endpoints::{companies, contact, contacts, events, routes};
use crate::faults::active::InjectedFault;
use crate::faults::json::CATALOG;
use crate::keys::{Ability, Grant, Secrets, Space, hidden, number};
use crate::laravel::input::Input;
use crate::path::API;
use crate::record::ReceivedRequest;

const CALLS: usize = 200;
const ROWS: usize = 50;
const SPACES: usize = 20;

pub(super) fn state(backend: &Backend) -> Response {
    let state = backend.state();
    let (count, tracked, leaked_keys) = (state.record.count(), state.records.tracked.count(), state.leaks.count());
    let (faults, keys, limits) = (state.faults.list(), all_keys(&state), list_limits(backend, &state));
    let secrets = state.keys.secrets();
    drop(state);
    let catalog =
        CATALOG.iter().map(|entry| json!({ "fault": entry.name, "words": entry.words, "takes": entry.parameters() }));
    let endpoints = routes::limitable().map(|(method, path)| json!({ "method": method, "path": path }));
    let body = json!({
        "base_url": format!("{}{API}", backend.sites().api),
        "now": backend.clock().date(),
        "count": count,
        "tracked": tracked,
        "leaked_keys": leaked_keys,
        "endpoints": endpoints.collect::<Vec<_>>(),
        "abilities": Ability::ALL.iter().map(|ability| ability.name()).collect::<Vec<_>>(),
        "catalog": catalog.collect::<Vec<_>>(),
        "faults": list_faults(&faults, &secrets),
        "keys": list_keys(keys),
        "limits": limits,
    });
    say(StatusCode::OK, &body)
}

pub(super) fn faults(backend: &Backend) -> Response {
    let state = backend.state();
    let (faults, secrets) = (state.faults.list(), state.keys.secrets());
    drop(state);
    say(StatusCode::OK, &json!({ "faults": list_faults(&faults, &secrets) }))
}

pub(super) fn keys(backend: &Backend) -> Response {
    let keys = all_keys(&backend.state());
    say(StatusCode::OK, &json!({ "keys": list_keys(keys) }))
}

/// The latest calls, oldest first.
pub(super) fn calls(backend: &Backend) -> Response {
    let state = backend.state();
    let secrets = state.keys.secrets();
    let latest: Vec<ReceivedRequest> = state.record.iter().rev().take(CALLS).cloned().collect();
    drop(state);
    let calls: Vec<Value> = latest.iter().rev().map(|call| call.shown(&secrets)).collect();
    say(StatusCode::OK, &json!({ "calls": calls }))
}

/// A stub may have a key in its body.
fn list_faults(faults: &[InjectedFault], secrets: &Secrets) -> Value {
    let faults: Value = faults.iter().map(fault_json).collect();
    // No secret has a character that JSON escapes.
    serde_json::from_str(&secrets.mask(&faults.to_string(), "", usize::MAX)).unwrap_or_default()
}

pub(super) fn fault_json(active: &InjectedFault) -> Value {
    let mut fault = active.fault.to_json();
    fault.insert("id".into(), active.id.number().into());
    fault.insert("struck".into(), active.struck.into());
    fault.into()
}

fn all_keys(state: &State) -> Vec<(String, Grant)> {
    state.keys.all().map(|(key, grant)| (key.to_owned(), grant.clone())).collect()
}

fn list_keys(mut keys: Vec<(String, Grant)>) -> Value {
    keys.sort_by_key(|(key, _)| number(key).parse::<u64>().ok());
    let line = |(key, grant): &(String, Grant)| {
        json!({
            "id": number(key),
            "key": hidden(key),
            "space": grant.space.id(),
            "active": grant.space.is_active(),
            "abilities": grant.abilities.iter().map(|ability| ability.name()).collect::<Vec<_>>(),
        })
    };
    keys.iter().map(line).collect()
}

fn list_limits(backend: &Backend, state: &State) -> Value {
    let mut spaces: Vec<Space> = state.keys.all().map(|(_, grant)| grant.space).collect();
    spaces.sort_by_key(|space| space.id());
    spaces.dedup();
    let now = backend.clock().seconds();
    let all = spaces.into_iter().take(SPACES).flat_map(|space| {
        state.limits.look(space, now).map(move |(endpoint, limit, used, resets)| {
            json!({
                "space": space.id(),
                "method": endpoint.0,
                "path": endpoint.1.strip_prefix(API),
                "limit": limit,
                "used": used,
                "resets_in": resets,
            })
        })
    });
    all.collect()
}

/// Rows of a kind, from the id after `after` on, of the Space `space`.
pub(super) fn data(backend: &Backend, kind: &str, query: Option<&str>) -> Response {
    let query = Input::read(query, &HeaderMap::new(), b"");
    let asked = |field: &str| query.text(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let after = asked("after");
    let state = backend.state();
    let Some(space) = state.keys.space(asked("space")) else {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "`space` is the id of a Space that has a key");
    };
    let (records, seeds) = (&state.records, backend.seeds());
    // One more than is shown, to know whether there is a further page.
    let most = ROWS.saturating_add(1);
    let seeded = |count: u64| after.saturating_add(1)..count.saturating_add(1);
    let beyond = |(id, _): &(u64, i64)| *id > after;
    let mut rows: Vec<(u64, Value)> = match kind {
        "events" | "tracked" => {
            let seeded = if kind == "events" { seeded(seeds.events) } else { 0..0 };
            let tracked = records.tracked.after(space, after).map(|event| event.id);
            let event = |id| (id, events::whole(records, seeds, id).into());
            seeded.chain(tracked).take(most).map(event).collect()
        }
        "contacts" => {
            let created = records.contacts.beyond(space, seeds.contacts).filter(beyond).map(|(id, _)| id);
            let contact = |id| {
                let contact = contacts::find(records, seeds, space, id).unwrap_or_default();
                let mut whole = contact::whole(id, &contact, contact::Named::Keys);
                if let Some(Value::Object(fields)) = whole.get_mut("custom_fields") {
                    fields.retain(|_, value| !value.is_null());
                }
                (id, whole.into())
            };
            seeded(seeds.contacts).chain(created).take(most).map(contact).collect()
        }
        "companies" => {
            let created = records.companies.beyond(space, seeds.companies).filter(beyond).map(|(id, _)| id);
            let company = |id| (id, companies::row(records, seeds, space, id));
            seeded(seeds.companies).chain(created).take(most).map(company).collect()
        }
        "exports" => {
            let now = backend.clock().seconds();
            let mine = (1..).zip(records.exports.iter()).filter(|(_, export)| export.space == space.id());
            let mine = mine.filter(|(number, _)| *number > after);
            mine.take(most).map(|(number, export)| (number, export.shown(now))).collect()
        }
        _ => return error(StatusCode::NOT_FOUND, "there are events, tracked, contacts, companies and exports"),
    };
    drop(state);
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let next = rows.last().map(|(id, _)| *id).filter(|_| more);
    let rows: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    say(StatusCode::OK, &json!({ "next": next, "rows": rows }))
}
