//! Filters and columns that lists and exports share.

use cometly::{
    InvalidRequest,
    events::{AttributionModel, AttributionWindow, EventField, EventName, QueryMode, Source},
};

use crate::{arguments::EventFilter, failure::Failure};

/// The columns of a listed contact and a company, as the API always gives them.
pub(crate) const CONTACT: &[&str] = &["id", "email", "name", "phone", "location"];
pub(crate) const COMPANY: &[&str] = &["id", "domain", "name"];
/// Those of an event if none are named.
const EVENT: &[&str] = &["id", "event_time_utc"];

/// Fields of the API under the options that set them.
const OPTIONS: [(&str, &str); 19] = [
    ("start_date", "--from"),
    ("end_date", "--to"),
    ("date", "--on"),
    ("per_page", "--per-page"),
    ("event_name", "--event-name"),
    ("event_names", "--event-name"),
    ("sources", "--source"),
    ("attribution_model", "--attribution-model"),
    ("attribution_window", "--attribution-window"),
    ("query_mode", "--query-mode"),
    ("fields", "--field"),
    ("emails", "--email"),
    ("phones", "--phone"),
    ("names", "--name"),
    ("locations", "--location"),
    ("custom_fields", "--custom-field"),
    ("name", "--name"),
    ("domain", "--domain"),
    ("id", "ID"),
];

/// A rule that is broken, by the option that breaks it.
pub(crate) fn invalid(error: InvalidRequest) -> Failure {
    let name = error.field().split('.').next().unwrap_or_default();
    let option = OPTIONS.iter().find(|(field, _)| *field == name).map_or(error.field(), |(_, option)| option);
    Failure::usage(format!("{option}: {}", error.rule()))
}

pub(crate) fn columns<'a>(usual: &[&str], further: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut columns: Vec<String> = usual.iter().map(ToString::to_string).collect();
    for column in further {
        if !columns.iter().any(|known| known == column) {
            columns.push(column.to_owned());
        }
    }
    columns
}

/// Which events, and which columns of them.
pub(crate) struct Filter {
    pub(crate) names: Vec<EventName>,
    pub(crate) sources: Vec<Source>,
    pub(crate) attribution: Option<(AttributionModel, AttributionWindow)>,
    pub(crate) fields: Vec<EventField>,
    pub(crate) mode: Option<QueryMode>,
}

impl Filter {
    pub(crate) fn of(arguments: &EventFilter) -> Result<Self, Failure> {
        let window = arguments.attribution_window.as_deref().map(window).transpose()?;
        let model = arguments.attribution_model.as_deref().map(str::parse).transpose().map_err(invalid)?;
        Ok(Self {
            names: parsed(&arguments.event_name)?,
            sources: parsed(&arguments.source)?,
            attribution: model.zip(window),
            fields: parsed(&arguments.field)?,
            mode: arguments.query_mode.as_deref().map(str::parse).transpose().map_err(invalid)?,
        })
    }

    pub(crate) fn columns(&self) -> Vec<String> {
        match &*self.fields {
            [] => columns(EVENT, None),
            fields => columns(&[], fields.iter().map(EventField::as_str)),
        }
    }
}

fn parsed<T: std::str::FromStr<Err = InvalidRequest>>(texts: &[String]) -> Result<Vec<T>, Failure> {
    texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(invalid)
}

fn window(text: &str) -> Result<AttributionWindow, Failure> {
    if text == "lifetime" {
        return Ok(AttributionWindow::LIFETIME);
    }
    let days = text.parse().ok().and_then(|days| AttributionWindow::days(days).ok());
    days.ok_or_else(|| Failure::usage("--attribution-window: expected 1, 7, 14, 30, 60, 90 or lifetime"))
}

/// A builder of the list or the export of events, with a filter. They have these methods in common, but no trait.
macro_rules! filtered {
    ($builder:expr, $filter:expr) => {{
        let filter = $filter;
        let mut builder = $builder;
        if !filter.names.is_empty() {
            builder = builder.event_names(filter.names);
        }
        if !filter.fields.is_empty() {
            builder = builder.fields(filter.fields);
        }
        if let Some(mode) = filter.mode {
            builder = builder.query_mode(mode);
        }
        match filter.attribution {
            Some((model, window)) if filter.sources.is_empty() => builder.attribution(model, window),
            Some((model, window)) => builder.sources(filter.sources, model, window),
            None => builder,
        }
    }};
}
pub(crate) use filtered;

/// A builder with what is to be included, a method for each choice.
macro_rules! included {
    ($builder:expr, $include:expr, $choice:ident { $($variant:ident => $method:ident,)+ }) => {{
        let mut builder = $builder;
        for choice in $include {
            builder = match choice {
                $($choice::$variant => builder.$method(),)+
            };
        }
        builder
    }};
}
pub(crate) use included;

#[cfg(test)]
mod tests {
    use cometly::{companies::UpdateCompany, contacts::CreateContact, events::ListEvents};

    use super::*;

    #[test]
    fn a_broken_rule_is_told_by_its_option() {
        for (error, words) in [
            (ListEvents::on("2026-11-24").per_page(4001).build().unwrap_err(), "--per-page: expected 1 to 4000"),
            (CreateContact::new(["canary"]).build().unwrap_err(), "--email: expected an email address"),
            (UpdateCompany::new(7).build().unwrap_err(), "--domain: expected domain or name"),
        ] {
            let failure = invalid(error).to_string();
            assert!(failure.contains(words) && !failure.contains("canary"), "{failure}");
        }
    }
}
