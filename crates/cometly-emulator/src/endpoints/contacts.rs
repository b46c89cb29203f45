//! The endpoints of contacts: seeded ones and those created since.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::endpoints::contact::{self, Named, Parts};
use crate::endpoints::events;
use crate::endpoints::period::Period;
use crate::keys::Space;
use crate::laravel::answer::{self, Answer};
use crate::laravel::input::Input;
use crate::laravel::page::{self, Ids};
use crate::laravel::refusal::{FieldErrors, Refusal};
use crate::laravel::rules;
use crate::store::records::Records;
use crate::store::seeds::Seeds;
use crate::store::tracked::Tracked;
use crate::visit::Visit;

/// How many of a contact's events come with it.
const EVENTS: usize = 100;

/// `GET /contacts`.
pub(crate) fn list(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let period = Period::read(visit.input, true, &mut errors);
    let per_page = page::per_page(visit.input, 5000, &mut errors);
    let parts = parts(visit.input, &mut errors);
    errors.into_result()?;
    let (records, seeds, space) = (&*visit.records, visit.seeds, visit.space);
    let ids = ids(&period, records, seeds, space);
    Ok(page::answer(&visit.url, visit.input, &ids, per_page, |id| row(records, seeds, space, id, &parts)))
}

/// `POST /contacts`.
pub(crate) fn create(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let has_email =
        visit.input.get("emails").is_some_and(|emails| emails.as_array().is_none_or(|list| !list.is_empty()));
    let mut contact = if has_email {
        contact::read(visit.input, &mut errors)
    } else {
        errors.add("emails", "The :attribute field is required.");
        Map::new()
    };
    errors.into_result()?;
    contact.insert("created".into(), visit.now.into());
    let (space, records) = (visit.space, &mut *visit.records);
    let id = records.contacts.next_id(space, visit.seeds.contacts);
    let whole = contact::whole(id, &contact, Named::Keys);
    records.contacts.put(&records.store, space, id, contact)?;
    Ok(answer::compact(StatusCode::CREATED, &whole.into()))
}

/// `GET /contacts/{id}`.
pub(crate) fn get(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let id = visit.number(&mut errors);
    let mut flag = |field, default| rules::flag(visit.input, field, default, &mut errors);
    let comet_tokens = flag("include_comet_tokens", false);
    let with_events = flag("include_events", false);
    flag("hide_direct_touchpoints", true);
    let named = if flag("use_custom_field_labels", false) { Named::Labels } else { Named::Keys };
    let sessions = flag("include_browsing_session_data", false);
    errors.into_result()?;

    let contact = called_for(visit, id)?;
    let mut whole = contact::whole(id, &contact, named);
    if comet_tokens {
        whole.insert("comet_tokens".into(), contact::comet_tokens(id));
    }
    if with_events {
        whole.insert("events".into(), events_of(visit, id, &contact));
    }
    if sessions {
        whole.insert("browsing_session_hits".into(), json!([]));
    }
    Ok(answer::compact(StatusCode::OK, &whole.into()))
}

/// `PUT /contacts/{id}`: what is not in the body stays as it is.
pub(crate) fn update(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let id = visit.number(&mut errors);
    let said = contact::read(visit.input, &mut errors);
    if said.is_empty() && !["emails", "phones", "names", "locations"].into_iter().any(|list| visit.input.has(list)) {
        let others = "phones / names / locations / custom fields";
        errors.add("emails", &format!("The :attribute field is required when none of {others} are present."));
    }
    errors.into_result()?;
    let mut contact = called_for(visit, id)?;
    contact.extend(said);
    let whole = contact::whole(id, &contact, Named::Keys);
    let records = &mut *visit.records;
    records.contacts.put(&records.store, visit.space, id, contact)?;
    Ok(answer::compact(StatusCode::OK, &whole.into()))
}

/// What a list or an export may be asked to include.
pub(crate) fn parts(input: &Input, errors: &mut FieldErrors) -> Parts {
    let mut flag = |field| rules::flag(input, field, false, errors);
    let named = if flag("use_custom_field_labels") { Named::Labels } else { Named::Keys };
    Parts {
        comet_tokens: flag("include_comet_tokens"),
        all_emails: flag("include_all_emails"),
        custom_fields: flag("include_custom_fields").then_some(named),
    }
}

pub(crate) fn ids(period: &Period, records: &Records, seeds: Seeds, space: Space) -> Ids<'static> {
    let created = records.contacts.beyond(space, seeds.contacts);
    let created = created.filter(|(_, created)| period.contains(*created));
    Ids::all(period.ids(seeds, seeds.contacts), created.map(|(id, _)| id))
}

pub(crate) fn row(records: &Records, seeds: Seeds, space: Space, id: u64, parts: &Parts) -> Value {
    find(records, seeds, space, id).map(|contact| contact::row(id, &contact, parts)).unwrap_or_default()
}

pub(crate) fn find(records: &Records, seeds: Seeds, space: Space, id: u64) -> Option<Map<String, Value>> {
    records.contacts.get(space, id).or_else(|| seeds.contact(id))
}

/// The latest events that name one of the contact's addresses, or that were seeded as the contact's.
fn events_of(visit: &Visit<'_>, id: u64, contact: &Map<String, Value>) -> Value {
    let (records, seeds) = (&*visit.records, visit.seeds);
    let emails = contact.get("emails").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_his = |event: &Map<String, Value>| event.get("email").is_some_and(|email| emails.contains(email));
    // A look further back would take too long.
    let tracked = records.tracked.of(visit.space).rev().take(100_000);
    // Few are worth the parsing.
    let mentions = |event: &&Tracked| emails.iter().filter_map(Value::as_str).any(|email| event.mentions(email));
    let tracked = tracked.filter(mentions).map(|event| events::whole(records, seeds, event.id));
    let seeded = (1..=seeds.events).rev().take(100_000).filter(|event| seeds.contact_of(*event) == Some(id));
    let seeded = seeded.map(|event| seeds.event(event));
    tracked.filter(is_his).chain(seeded).take(EVENTS).map(Value::Object).collect()
}

fn called_for(visit: &Visit<'_>, id: u64) -> Result<Map<String, Value>, Refusal> {
    find(visit.records, visit.seeds, visit.space, id).ok_or_else(|| Refusal::no_record("Contact", visit.id))
}
