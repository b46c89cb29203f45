//! Events: track one, list them, export a day of them.
//!
//! What may be said of an event is checked when it is built, by the rules that the API documents or that its backend is
//! known to have.

mod event;
mod list;
mod names;
mod rules;
mod track;

pub use event::{Event, Touchpoint};
pub use list::{ExportEvents, ExportEventsBuilder, GetEventExport, ListEvents, ListEventsBuilder};
pub use names::{AttributionModel, AttributionWindow, EventField, EventName, QueryMode, Source};
pub use track::{EventTime, IdempotencyKey, Identity, TrackEvent, TrackEventBuilder, Tracked};

#[cfg(feature = "contacts")]
pub(crate) use rules::is_email;
