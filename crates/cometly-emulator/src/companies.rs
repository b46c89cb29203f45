//! `GET /companies`: a cursor page over seeded companies, one a day.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::backend::Visit;
use crate::page;
use crate::period::Period;
use crate::refusal::{FieldErrors, Refusal};

const DAY: i64 = 24 * 60 * 60;
/// So that a page of the default size is not all.
const SEEDED: u64 = 250;

pub(crate) fn list(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let mut errors = FieldErrors::default();
    let period = Period::read(visit.input, false, &mut errors);
    let per_page = page::per_page(visit.input, 5000, &mut errors);
    errors.into_result()?;
    Ok(page::answer(visit, period.ids(DAY, SEEDED), per_page, company))
}

fn company(id: u64) -> Value {
    json!({ "id": id, "domain": format!("company-{id}.example"), "name": format!("Company {id}") })
}
