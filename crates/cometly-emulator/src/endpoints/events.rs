//! `GET /events`: a cursor page over the seeded events and those tracked since.

use serde_json::{Map, Value};

use crate::dates;
use crate::endpoints::period::Period;
use crate::endpoints::track;
use crate::keys::Space;
use crate::laravel::answer::Answer;
use crate::laravel::input::Input;
use crate::laravel::page::{self, Ids};
use crate::laravel::refusal::{FieldErrors, Refusal};
use crate::laravel::rules::{self, Rule};
use crate::store::records::Records;
use crate::store::seeds::Seeds;
use crate::store::tracked::Tracked;
use crate::visit::Visit;

const MODELS: &[&str] = &[
    "first_touch",
    "last_touch",
    "last_non_direct_touch",
    "linear",
    "linear_paid_ads",
    "u_shaped",
    "first_touch_source_specific",
    "last_touch_source_specific",
];
/// Days; none means a lifetime.
const WINDOWS: &[&str] = &["0", "1", "7", "14", "30", "60", "90"];
/// What an event has beside what may have been tracked with it.
const OWN_FIELDS: &[&str] = &["id", "event_time_utc", "event_name", "contact_id", "source"];

pub(crate) fn list(visit: &mut Visit<'_>) -> Result<Answer, Refusal> {
    let (filter, per_page) = validate(visit.input)?;
    let (records, seeds) = (&*visit.records, visit.seeds);
    let ids = filter.ids(records, seeds, visit.space);
    Ok(page::answer(&visit.url, visit.input, &ids, per_page, |id| filter.row(records, seeds, id)))
}

/// Which events are asked for, and what of each.
#[derive(Debug)]
pub(crate) struct Filter {
    period: Period,
    names: Option<Vec<String>>,
    sources: Option<Vec<String>>,
    fields: Option<Vec<String>>,
}

impl Filter {
    pub(crate) fn read(input: &Input, period: Period, errors: &mut FieldErrors) -> Self {
        rules::check(input, &[("query_mode", Rule::OneOf(&["profile", "company"]))], errors);
        let is_name = |name: &str| name == "upsell_purchase" || track::is_event_name(name);
        let names = rules::words(input, "event_names", 10, is_name, errors);
        let sources = rules::words(input, "sources", 15, is_source, errors);
        attribution(input, errors);
        let fields = rules::words(input, "fields", usize::MAX, is_field, errors);
        Self { period, names, sources, fields }
    }

    pub(crate) fn ids<'a>(&'a self, records: &Records, seeds: Seeds, space: Space) -> Ids<'a> {
        let fits =
            |event: &&Tracked| self.period.contains(event.time) && self.asks_for(&event.name, event.source.as_deref());
        Ids {
            seeded: self.period.ids(seeds, seeds.events),
            keep: Box::new(move |id| self.asks_for(seeds.event_name(id), Some(seeds.event_source(id)))),
            added: records.tracked.of(space).filter(fits).map(|event| event.id).collect(),
        }
    }

    fn asks_for(&self, name: &str, source: Option<&str>) -> bool {
        let fits = |wanted: Option<&Vec<String>>, value| {
            wanted.is_none_or(|wanted| wanted.iter().any(|wanted| Some(wanted.as_str()) == value))
        };
        fits(self.names.as_ref(), Some(name)) && fits(self.sources.as_ref(), source)
    }

    pub(crate) fn row(&self, records: &Records, seeds: Seeds, id: u64) -> Value {
        let event = whole(records, seeds, id);
        let default = ["id", "event_time_utc"];
        let fields: Vec<&str> =
            self.fields.as_ref().map_or(default.to_vec(), |fields| fields.iter().map(String::as_str).collect());
        let value = |field: &str| event.get(field).cloned().unwrap_or_default();
        fields.into_iter().map(|field| (field.to_owned(), value(field))).collect::<Map<_, _>>().into()
    }
}

/// All that is known of an event.
pub(crate) fn whole(records: &Records, seeds: Seeds, id: u64) -> Map<String, Value> {
    let Some(tracked) = records.tracked.get(id) else { return seeds.event(id) };
    let own = [
        ("id", tracked.id.into()),
        ("event_time_utc", dates::written(tracked.time).into()),
        ("source", tracked.source.clone().into()),
    ];
    own.into_iter().map(|(field, value)| (field.to_owned(), value)).chain(tracked.body()).collect()
}

/// Sources say who must be attributed, so that the two settings of attribution are asked for with them.
fn attribution(input: &Input, errors: &mut FieldErrors) {
    // A window may be a number as well.
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (field, known) in [("attribution_model", MODELS), ("attribution_window", WINDOWS)] {
        match input.get(field) {
            None if input.get("sources").is_some() => {
                errors.add(field, "The :attribute field is required when sources is present.");
            }
            Some(value) if !known.contains(&plain(value).as_str()) => {
                errors.add(field, "The selected :attribute is invalid.");
            }
            _ => {}
        }
    }
}

/// An open set: what is paid for ends in `_ads`, the rest in `_organic`.
fn is_source(source: &str) -> bool {
    let who = source.strip_suffix("_ads").or_else(|| source.strip_suffix("_organic"));
    who.is_some_and(|who| !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

fn is_field(field: &str) -> bool {
    OWN_FIELDS.contains(&field) || track::FIELDS.iter().any(|(known, _)| *known == field)
}

fn validate(input: &Input) -> Result<(Filter, u64), Refusal> {
    let mut errors = FieldErrors::default();
    let period = Period::read(input, true, &mut errors);
    let filter = Filter::read(input, period, &mut errors);
    let per_page = page::per_page(input, 4000, &mut errors);
    errors.into_result()?;
    Ok((filter, per_page))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(query: &str) -> String {
        let validated = validate(&Input::of_query(query));
        validated.map_or_else(Refusal::told, |(_, per_page)| format!("{per_page} a page"))
    }

    #[test]
    fn what_is_wrong_is_told_in_laravels_words() {
        const FORMAT: &str = "must match the format Y-m-d H:i:s. (and 1";
        const GOOD: &str = "start_date=2026-01-01 00:00:00&end_date=2026-01-02 00:00:00";
        let sources = "sources[]=x_ads&attribution_model=linear&attribution_window";
        let cases = [
            ("", "The start date field is required. (and 1 more error)"),
            ("start_date=2026-02-30 00:00:00&end_date=2026-03-01 00:00:00", FORMAT),
            ("start_date=2026-1-1 0:0:0&end_date=2026-03-01 00:00:00", FORMAT),
            ("end_date=2026-03-01 00:00:00", r#""message":"The start date field is required.","#),
            (
                "start_date=2026-01-02 00:00:00&end_date=2026-01-02 00:00:00",
                "The end date field must be a date after start date.",
            ),
            (&format!("{GOOD}&per_page=x"), "The per page field must be an integer."),
            (&format!("{GOOD}&per_page[]=1"), "The per page field must be an integer."),
            (&format!("{GOOD}&per_page=0"), "The per page field must be at least 1."),
            (&format!("{GOOD}&per_page=4001"), "The per page field must not be greater than 4000."),
            (&format!("{GOOD}&per_page=4000"), "4000 a page"),
            (&format!("{GOOD}&per_page="), "200 a page"),
            (&format!("{GOOD}&query_mode=people"), "The selected query mode is invalid."),
            (&format!("{GOOD}&event_names[]=upsell_purchase&query_mode=company"), "200 a page"),
            (&format!("{GOOD}&event_names[]=sale"), "The selected event_names.0 is invalid."),
            (&format!("{GOOD}&fields[]=nonsense"), "The selected fields.0 is invalid."),
            (
                &format!("{GOOD}&sources[]=x_ads"),
                "The attribution model field is required when sources is present. (and 1",
            ),
            (&format!("{GOOD}&{sources}=0"), "200 a page"),
            (&format!("{GOOD}&{sources}=2"), "The selected attribution window is invalid."),
            (&format!("{GOOD}&attribution_model=mine"), "The selected attribution model is invalid."),
        ];
        for (query, expected) in cases {
            assert!(message(query).contains(expected), "{query}: {}", message(query));
        }
    }

    #[test]
    fn sources_are_an_open_set_of_one_form() {
        assert!(["facebook_ads", "brave_organic", "x_ads"].into_iter().all(is_source));
        assert!(!["facebook", "_ads", "Facebook_ads", "face book_ads"].into_iter().any(is_source));
    }
}
