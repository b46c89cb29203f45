//! The endpoints of companies: all of them seeded.

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::endpoints::period::Period;
use crate::keys::Space;
use crate::laravel::answer::{self, Answer};
use crate::laravel::input::Input;
use crate::laravel::page::{self, Ids};
use crate::laravel::refusal::{FieldErrors, Refusal};
use crate::laravel::rules::Rule;
use crate::store::records::Records;
use crate::store::seeds::Seeds;
use crate::visit::Visit;

const FIELDS: [(&str, &str); 2] = [("domain", "name"), ("name", "domain")];

/// `GET /companies`.
pub(crate) fn list(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let period = Period::read(visit.input, false, &mut errors);
    let per_page = page::per_page(visit.input, 5000, &mut errors);
    errors.into_result()?;
    let (records, seeds, space) = (&*visit.records, visit.seeds, visit.space);
    let ids = ids(&period, records, seeds, space);
    Ok(page::answer(&visit.url, visit.input, &ids, per_page, |id| row(records, seeds, space, id)))
}

/// `GET /companies/{id}`.
pub(crate) fn get(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let id = visit.number(&mut errors);
    errors.into_result()?;
    let company = called_for(visit, id)?;
    Ok(answer::compact(StatusCode::OK, &whole(id, &company)))
}

/// `PUT /companies/{id}`: what is not in the body stays as it is.
pub(crate) fn update(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let id = visit.number(&mut errors);
    let said = read(visit.input, &mut errors);
    errors.into_result()?;
    let mut company = called_for(visit, id)?;
    company.extend(said);
    let whole = whole(id, &company);
    let records = &mut *visit.records;
    records.companies.put(&records.store, visit.space, id, company)?;
    Ok(answer::compact(StatusCode::OK, &whole))
}

fn read(input: &Input, errors: &mut FieldErrors) -> Map<String, Value> {
    let mut said = Map::new();
    for (field, other) in FIELDS {
        match input.get(field) {
            Some(value) => {
                if let Some(complaint) = Rule::ShortText.broken_by(value) {
                    errors.add(field, complaint);
                }
                said.insert(field.to_owned(), value.clone());
            }
            None if input.get(other).is_none() => {
                errors.add(field, &format!("The :attribute field is required when {other} is not present."));
            }
            // There, but null: neither field is said to be nullable.
            None if input.has(field) => errors.add(field, "The :attribute field must be a string."),
            None => {}
        }
    }
    said
}

pub(crate) fn ids(period: &Period, records: &Records, seeds: Seeds, space: Space) -> Ids<'static> {
    let created = records.companies.beyond(space, seeds.companies);
    let created = created.filter(|(_, created)| period.contains(*created));
    Ids::all(period.ids(seeds, seeds.companies), created.map(|(id, _)| id))
}

pub(crate) fn row(records: &Records, seeds: Seeds, space: Space, id: u64) -> Value {
    find(records, seeds, space, id).map(|company| whole(id, &company)).unwrap_or_default()
}

fn find(records: &Records, seeds: Seeds, space: Space, id: u64) -> Option<Map<String, Value>> {
    records.companies.get(space, id).or_else(|| seeds.company(id))
}

fn called_for(visit: &Visit<'_>, id: u64) -> Result<Map<String, Value>, Refusal> {
    find(visit.records, visit.seeds, visit.space, id).ok_or_else(|| Refusal::no_record("Company", visit.id))
}

fn whole(id: u64, company: &Map<String, Value>) -> Value {
    let field = |name: &str| company.get(name).cloned().unwrap_or_default();
    json!({ "id": id, "domain": field("domain"), "name": field("name") })
}
