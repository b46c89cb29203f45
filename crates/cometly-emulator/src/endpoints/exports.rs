//! Exports: ordered, queued, processed, and completed by a file on another host.

use http::StatusCode;
use serde_json::{Value, json};

use crate::dates::iso;
use crate::endpoints::events::Filter;
use crate::endpoints::period::Period;
use crate::endpoints::{companies, contacts};
use crate::json::fields;
use crate::keys::Space;
use crate::laravel::answer::{self, Answer};
use crate::laravel::input::Input;
use crate::laravel::page::Ids;
use crate::laravel::refusal::{FieldErrors, Refusal};
use crate::store::exports::{Export, Status, VALID_SECONDS, What};
use crate::store::records::Records;
use crate::store::seeds::Seeds;
use crate::visit::Visit;

/// Gives lines of what was ordered, each with its id: those after an id, up to a number of lines.
type Order = Box<dyn Fn(&Records, Seeds, Space, Option<u64>, usize) -> Vec<(u64, Value)>>;

/// Reads what is asked for.
fn read(what: What, input: &Input, errors: &mut FieldErrors) -> Order {
    let some = |ids: &Ids<'_>, after, most, row: &dyn Fn(u64) -> Value| {
        ids.between(after, None).take(most).map(|id| (id, row(id))).collect()
    };
    match what {
        What::Events => {
            let filter = Filter::read(input, Period::read_day(input, errors), errors);
            Box::new(move |records, seeds, space, after, most| {
                some(&filter.ids(records, seeds, space), after, most, &|id| filter.row(records, seeds, id))
            })
        }
        What::Contacts => {
            let (period, parts) = (Period::read(input, true, errors), contacts::parts(input, errors));
            Box::new(move |records, seeds, space, after, most| {
                let row = |id| contacts::row(records, seeds, space, id, &parts);
                some(&contacts::ids(&period, records, seeds, space), after, most, &row)
            })
        }
        What::Companies => {
            let period = Period::read(input, true, errors);
            Box::new(move |records, seeds, space, after, most| {
                let row = |id| companies::row(records, seeds, space, id);
                some(&companies::ids(&period, records, seeds, space), after, most, &row)
            })
        }
    }
}

/// At most `most` lines of an export's file, from the one after `after` on.
pub(crate) fn rows(
    export: &Export,
    records: &Records,
    seeds: Seeds,
    after: Option<u64>,
    most: usize,
) -> Vec<(u64, Value)> {
    // It was found valid when it was ordered.
    let order = read(export.what, &Input::of(export.input.clone()), &mut FieldErrors::default());
    order(records, seeds, Space::of(export.space), after, most)
}

pub(crate) fn create(what: What, visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    drop(read(what, visit.input, &mut errors));
    errors.into_result()?;
    let (records, space) = (&mut *visit.records, visit.space.id());
    let id = records.exports.free_id(visit.seeds.seed, space);
    let export = Export {
        id: id.clone(),
        what,
        space,
        input: visit.input.fields().clone(),
        created: visit.now,
        asked: 0,
        completed: None,
        doomed: visit.doomed,
    };
    records.exports.add(&records.store, export)?;
    let body = json!({ "export_id": id, "status": "queued" });
    Ok(answer::compact(StatusCode::ACCEPTED, &body))
}

pub(crate) fn get(what: What, visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let (id, now) = (visit.id, visit.now);
    let no_export = || Refusal::no_record("Export", id);
    let export = visit.records.exports.get_mut(what, visit.space, id).ok_or_else(no_export)?;
    let mut next = export.clone();
    next.asked = next.asked.saturating_add(1);
    let status = next.status(now);
    let mut body = fields(json!({
        "export_id": id,
        "status": status.name(),
        "created_at": iso(next.created),
        "message": format!("The export is {}.", status.name()),
    }));
    if status == Status::Completed {
        let completed = *next.completed.get_or_insert(now);
        let expires = now.saturating_add(VALID_SECONDS);
        body.insert("download_url".into(), format!("{}{}", visit.files, next.file(expires)).into());
        body.insert("completed_at".into(), iso(completed).into());
        body.insert("expires_at".into(), iso(expires).into());
    }
    visit.records.store.has_room()?;
    visit.records.store.keep(vec![next.to_row()]);
    if let Some(export) = visit.records.exports.get_mut(what, visit.space, id) {
        *export = next;
    }
    Ok(answer::compact(StatusCode::OK, &body.into()))
}
