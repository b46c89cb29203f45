//! Events asked for: as pages, or as an export.

use cometly_core::{
    Api, Call, DecodeError, Endpoint, Export, ExportId, ExportOrder, ExportOrdered, Page, Reply, bytes::Bytes,
};

use super::{AttributionModel, AttributionWindow, Event, EventField, EventName, QueryMode, Source};
use crate::{
    InvalidRequest, SpaceDate, SpaceTime,
    query::{self, Broken, Period, Query},
};

/// `GET /events`: the events between two times of the Space's clock, both included. A day without a time is its first second,
/// so an `end` of `2026-12-01` leaves out the rest of that day. From [`between`](Self::between) or [`on`](Self::on), whose
/// [`build`](ListEventsBuilder::build) fails with [`InvalidRequest`] for a time or day that cannot be read, an `end` that is
/// not after `start`, a `per_page` that is not 1 to 4000, a list that is empty or has an item twice, more than 10 names or 15
/// sources, or `touchpoints` without sources. [`Pages::of`](cometly_core::Pages::of) makes a list of all its pages; a client's
/// `call` with it gives the first page alone. Cometly means it for fewer than 10,000 events; [`ExportEvents`] is for more.
///
/// ```
/// # use cometly::{Api, ApiKey, Endpoint, events::{EventField, EventName, ListEvents}};
/// let list = ListEvents::on("2026-11-24")
///     .event_names([EventName::PURCHASE])
///     .fields([EventField::EMAIL, EventField::AMOUNT])
///     .build()?;
/// # let api = Api::new(ApiKey::new("12|abcdef")?);
/// assert!(list.call(&api).to_request()?.uri().query().unwrap().starts_with("start_date=2026-11-24%2000%3A00%3A00"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ListEvents {
    query: Query,
}

/// `POST /events/exports`: orders the events of one day of the Space's calendar as a file of gzipped NDJSON;
/// [`ExportJob`](cometly_core::ExportJob) waits for it, and [`ExportLines`](crate::ExportLines) reads it. It takes the same
/// filters as [`ListEvents`]. From [`on`](Self::on), whose [`build`](ExportEventsBuilder::build) fails with [`InvalidRequest`]
/// for a text that is no day, a list that is empty or has an item twice, more than 10 names or 15 sources, or `touchpoints`
/// without sources. It is not sent again when its answer is lost, since the export may have been ordered.
#[derive(Clone, Debug)]
pub struct ExportEvents {
    query: Query,
}

/// `GET /events/exports/{id}`: asks once how far an export of events is, and gives an [`Export`]; from [`new`](Self::new).
/// [`ExportJob::resume`](cometly_core::ExportJob::resume) asks until it is completed. If there is no such export, the API
/// answers 404.
#[derive(Clone, Debug)]
pub struct GetEventExport {
    id: ExportId,
}

/// The settings of a [`ListEvents`]; from [`ListEvents::between`] or [`on`](ListEvents::on). A setter that is called twice
/// replaces the value. Its [`build`](Self::build) checks them, and fails with [`InvalidRequest`] for a time or day that cannot
/// be read, an `end` that is not after `start`, a `per_page` that is not 1 to 4000, a list that is empty or has an item twice,
/// more than 10 names or 15 sources, or `touchpoints` without sources.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ListEventsBuilder {
    period: Period,
    filter: Filter,
    per_page: Option<u32>,
    broken: Broken,
}

/// The settings of an [`ExportEvents`]; from [`ExportEvents::on`]. A setter that is called twice replaces the value. Its
/// [`build`](Self::build) checks them, and fails with [`InvalidRequest`] for a text that is no day, a list that is empty or has
/// an item twice, more than 10 names or 15 sources, or `touchpoints` without sources.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct ExportEventsBuilder {
    day: Option<SpaceDate>,
    filter: Filter,
    broken: Broken,
}

#[derive(Clone, Debug, Default)]
struct Filter {
    query_mode: Option<QueryMode>,
    event_names: Option<Vec<EventName>>,
    sources: Option<Vec<Source>>,
    model: Option<AttributionModel>,
    window: Option<AttributionWindow>,
    fields: Option<Vec<EventField>>,
}

impl Filter {
    fn add_to(self, query: &mut Query, broken: &mut Broken) {
        if let Some(mode) = self.query_mode {
            query.add("query_mode", mode);
        }
        query::names(("event_names[]", "event_names"), self.event_names.as_deref(), 10, query, broken);
        query::names(("sources[]", "sources"), self.sources.as_deref(), 15, query, broken);
        let has_sources = self.sources.is_some();
        for (field, is_given) in
            [("attribution_model", self.model.is_some()), ("attribution_window", self.window.is_some())]
        {
            broken.check(is_given || !has_sources, field, || "expected it, since sources are given".to_owned());
        }
        if let Some(model) = self.model {
            query.add("attribution_model", model);
        }
        if let Some(window) = self.window {
            query.add("attribution_window", window.as_days());
        }
        let touchpoints = self.fields.iter().flatten().any(|field| *field == EventField::TOUCHPOINTS);
        broken.check(has_sources || !touchpoints, "fields", || "expected sources, which touchpoints need".to_owned());
        query::names(("fields[]", "fields"), self.fields.as_deref(), usize::MAX, query, broken);
    }
}

/// What both builders can be asked for.
macro_rules! filters {
    ($builder:ident) => {
        impl $builder {
            /// Lists only events with one of these names; by default all. A second call replaces them. [`build`](Self::build)
            /// refuses an empty list, more than 10 names, and a name that is there twice.
            pub fn event_names(mut self, names: impl IntoIterator<Item = EventName>) -> Self {
                self.filter.event_names = Some(names.into_iter().collect());
                self
            }

            /// Lists only events from one of these sources, and shares each conversion among the visits before it by `model`
            /// and `window`; by default all events. A second call replaces them. [`build`](Self::build) refuses an empty list,
            /// more than 15 sources, and a source that is there twice.
            pub fn sources(
                mut self,
                sources: impl IntoIterator<Item = Source>,
                model: AttributionModel,
                window: AttributionWindow,
            ) -> Self {
                self.filter.sources = Some(sources.into_iter().collect());
                self.attribution(model, window)
            }

            /// Shares each conversion among the visits before it by `model` and `window`; neither is checked. By default
            /// neither is sent. [`sources`](Self::sources) sets both too; the last of these calls counts.
            pub fn attribution(mut self, model: AttributionModel, window: AttributionWindow) -> Self {
                (self.filter.model, self.filter.window) = (Some(model), Some(window));
                self
            }

            /// The columns that each event has, any number of them; `id` and `event_time_utc` by default. A second call replaces
            /// them. [`build`](Self::build) refuses an empty list, a column that is there twice, and `touchpoints` without
            /// [`sources`](Self::sources).
            pub fn fields(mut self, fields: impl IntoIterator<Item = EventField>) -> Self {
                self.filter.fields = Some(fields.into_iter().collect());
                self
            }

            /// Whether events are listed by person, [`QueryMode::PROFILE`], as by default, or by company, [`QueryMode::COMPANY`];
            /// any other mode is sent unchecked. A second call replaces it.
            pub fn query_mode(mut self, mode: QueryMode) -> Self {
                self.filter.query_mode = Some(mode);
                self
            }
        }
    };
}
filters!(ListEventsBuilder);
filters!(ExportEventsBuilder);

impl ListEvents {
    /// A list of the events from `start` to `end`, both included, to the second and by the Space's clock. `start` and `end` are
    /// each a [`SpaceTime`], or a text as `2026-11-24 10:00:00`; a day without a time is its first second, so for a whole day take
    /// [`on`](Self::on). [`build`](ListEventsBuilder::build) fails with [`InvalidRequest`] for a time that cannot be read, and an
    /// `end` that is not after `start`.
    pub fn between<S, E>(start: S, end: E) -> ListEventsBuilder
    where
        S: TryInto<SpaceTime>,
        S::Error: Into<InvalidRequest>,
        E: TryInto<SpaceTime>,
        E::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        let period = Period::between(start, end, &mut broken);
        ListEventsBuilder { period, filter: Filter::default(), per_page: None, broken }
    }

    /// A list of the events of one day of the Space's calendar: a [`SpaceDate`], or a text as `2026-11-24`.
    /// [`build`](ListEventsBuilder::build) fails with [`InvalidRequest`] for any other text.
    pub fn on<D>(day: D) -> ListEventsBuilder
    where
        D: TryInto<SpaceDate>,
        D::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        let period = Period::on(day, &mut broken);
        ListEventsBuilder { period, filter: Filter::default(), per_page: None, broken }
    }
}

impl ListEventsBuilder {
    /// How many events a page holds: 1 to 4000, 200 by default; [`build`](Self::build) refuses any other number. A second call
    /// replaces it.
    pub fn per_page(mut self, events: u32) -> Self {
        self.per_page = Some(events);
        self
    }

    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken: a time or day that cannot be read, an `end` that is not after `start`,
    /// a list that is empty or has an item twice, more than 10 names or 15 sources, the column [`EventField::TOUCHPOINTS`] without
    /// [`sources`](Self::sources), or a `per_page` that is not 1 to 4000.
    pub fn build(self) -> Result<ListEvents, InvalidRequest> {
        let Self { period, filter, per_page, mut broken } = self;
        let mut query = Query::default();
        period.add_to(&mut query);
        filter.add_to(&mut query, &mut broken);
        query::per_page(per_page, 4000, &mut query, &mut broken);
        broken.into_result()?;
        Ok(ListEvents { query })
    }
}

impl Endpoint for ListEvents {
    type Output = Page<Event>;

    fn call(&self, api: &Api) -> Call {
        self.query.add_to(api.get("events"))
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Page<Event>, DecodeError> {
        reply.json()
    }
}

impl ExportEvents {
    /// An export of the events of one day of the Space's calendar: a [`SpaceDate`], or a text as `2026-11-24`.
    /// [`build`](ExportEventsBuilder::build) fails with [`InvalidRequest`] for any other text.
    pub fn on<D>(day: D) -> ExportEventsBuilder
    where
        D: TryInto<SpaceDate>,
        D::Error: Into<InvalidRequest>,
    {
        let mut broken = Broken::default();
        ExportEventsBuilder { day: broken.take("date", day), filter: Filter::default(), broken }
    }
}

impl ExportEventsBuilder {
    /// Checks the settings and makes the request.
    ///
    /// # Errors
    /// [`InvalidRequest`] for the first rule that is broken: a text that is no day, a list that is empty or has an item twice, more
    /// than 10 names or 15 sources, or the column [`EventField::TOUCHPOINTS`] without [`sources`](Self::sources).
    pub fn build(self) -> Result<ExportEvents, InvalidRequest> {
        let Self { day, filter, mut broken } = self;
        let mut query = Query::default();
        if let Some(day) = day {
            query.add("date", day);
        }
        filter.add_to(&mut query, &mut broken);
        broken.into_result()?;
        Ok(ExportEvents { query })
    }
}

impl Endpoint for ExportEvents {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("events/exports").json(&self.query.to_json())
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for ExportEvents {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("events/exports/{id}").segment(id)
    }
}

impl GetEventExport {
    /// Asks once for the export with this id, an [`ExportId`] of the order's answer or read from text by its `FromStr`. It
    /// cannot fail; the API answers 404 if there is no such export.
    #[must_use]
    pub fn new(id: ExportId) -> Self {
        Self { id }
    }
}

impl Endpoint for GetEventExport {
    type Output = Export;

    fn call(&self, api: &Api) -> Call {
        ExportEvents::status_call(api, &self.id)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Export, DecodeError> {
        reply.json()
    }
}
