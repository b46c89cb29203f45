//! What can be seen from outside. No key is shown, but for its last four letters.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Request, Said, error, say};
use crate::backend::{Backend, State};
use crate::endpoints::{companies, contact, contacts, events, routes};
use crate::faults::active::InjectedFault;
use crate::faults::json::CATALOG;
use crate::keys::{Ability, Grant, Space, hidden, number};
use crate::laravel::input::Input;
use crate::laravel::page::Ids;
use crate::path::API;
use crate::record::call;

const CALLS: usize = 200;
const ROWS: usize = 50;
const SPACES: usize = 20;

pub(super) fn state(request: &Request<'_>) -> Said {
    let backend = request.backend;
    let state = &*backend.state();
    let catalog = CATALOG.iter().map(|entry| json!({ "fault": entry.name, "words": entry.words }));
    let endpoints = routes::limitable().map(|(method, path)| json!({ "method": method, "path": path }));
    let body = json!({
        "base_url": format!("{}{API}", backend.site()),
        "now": backend.clock().date(),
        "count": state.record.count(),
        "tracked": state.records.tracked.count(),
        "leaked_keys": state.leaks.count(),
        "endpoints": endpoints.collect::<Vec<_>>(),
        "abilities": Ability::ALL.iter().map(|ability| ability.name()).collect::<Vec<_>>(),
        "catalog": catalog.collect::<Vec<_>>(),
        "faults": list_faults(state),
        "keys": list_keys(state),
        "limits": list_limits(backend, state),
    });
    say(StatusCode::OK, &body)
}

pub(super) fn faults(request: &Request<'_>) -> Said {
    say(StatusCode::OK, &json!({ "faults": list_faults(&request.backend.state()) }))
}

pub(super) fn keys(request: &Request<'_>) -> Said {
    say(StatusCode::OK, &json!({ "keys": list_keys(&request.backend.state()) }))
}

/// The latest calls, oldest first.
pub(super) fn calls(request: &Request<'_>) -> Said {
    let state = &*request.backend.state();
    let mut calls: Vec<Value> = state.record.iter().rev().take(CALLS).map(|one| call(one, &state.keys)).collect();
    calls.reverse();
    say(StatusCode::OK, &json!({ "calls": calls }))
}

fn list_faults(state: &State) -> Value {
    state.faults.list().iter().map(fault_json).collect()
}

pub(super) fn fault_json(active: &InjectedFault) -> Value {
    let mut fault = active.fault.to_json();
    fault.insert("id".into(), active.id.number().into());
    fault.insert("struck".into(), active.struck.into());
    fault.into()
}

fn list_keys(state: &State) -> Value {
    let mut keys: Vec<_> = state.keys.all().collect();
    keys.sort_by_key(|(key, _)| number(key).parse::<u64>().ok());
    let line = |(key, grant): (&str, &Grant)| {
        json!({
            "id": number(key),
            "key": hidden(key),
            "space": grant.space.id(),
            "active": grant.space.is_active(),
            "abilities": grant.abilities.iter().map(|ability| ability.name()).collect::<Vec<_>>(),
        })
    };
    keys.into_iter().map(line).collect()
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
pub(super) fn data(request: &Request<'_>) -> Said {
    let query = Input::read(Some(request.query), &HeaderMap::new(), b"");
    let asked = |field: &str| query.text(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let state = &*request.backend.state();
    let Some(space) = state.keys.space(asked("space")) else {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "`space` is the id of a Space that has a key");
    };
    let (records, seeds) = (&state.records, request.backend.seeds());
    let seeded = |count: u64| 1..count.saturating_add(1);
    let (ids, row): (Ids<'_>, &dyn Fn(u64) -> Value) = match request.id {
        kind @ ("events" | "tracked") => {
            let seeded = if kind == "events" { seeded(seeds.events) } else { 0..0 };
            (Ids::all(seeded, records.tracked.of(space).map(|event| event.id)), &|id| {
                events::whole(records, seeds, id).into()
            })
        }
        "contacts" => (
            Ids::all(seeded(seeds.contacts), records.contacts.beyond(space, seeds.contacts).map(|(id, _)| id)),
            &|id| {
                let contact = contacts::find(records, seeds, space, id).unwrap_or_default();
                let mut whole = contact::whole(id, &contact, contact::Named::Keys);
                if let Some(Value::Object(fields)) = whole.get_mut("custom_fields") {
                    fields.retain(|_, value| !value.is_null());
                }
                whole.into()
            },
        ),
        "companies" => (
            Ids::all(seeded(seeds.companies), records.companies.beyond(space, seeds.companies).map(|(id, _)| id)),
            &|id| companies::row(records, seeds, space, id),
        ),
        "exports" => (
            Ids::all(
                0..0,
                (1..).zip(records.exports.iter()).filter(|(_, one)| one.space == space.id()).map(|(n, _)| n),
            ),
            &|id| {
                let export = id.checked_sub(1).and_then(|id| records.exports.iter().nth(usize::try_from(id).ok()?));
                export.map_or(Value::Null, |export| export.shown(request.backend.clock().seconds()))
            },
        ),
        _ => return error(StatusCode::NOT_FOUND, "there are events, tracked, contacts, companies and exports"),
    };
    let mut found: Vec<u64> = ids.between(Some(asked("after")), None).take(ROWS.saturating_add(1)).collect();
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let rows: Vec<Value> = found.iter().map(|id| row(*id)).collect();
    say(StatusCode::OK, &json!({ "next": found.last().filter(|_| more), "rows": rows }))
}
