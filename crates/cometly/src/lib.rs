//! The [Cometly](https://docs.cometly.com) API as types, for any HTTP client: events, contacts, companies, lists and
//! exports. It does no IO; a client sends what it describes.
//!
//! ```no_run
//! use cometly::{Api, Pages, events::{EventField, EventName, ListEvents}};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (api, client) = (Api::from_env()?, cometly_ureq::Client::new()?); // COMETLY_API_KEY
//!     let list = ListEvents::on("2026-11-24").event_names([EventName::PURCHASE]);
//!     let list = list.fields([EventField::EMAIL, EventField::AMOUNT]).build()?;
//!     for event in client.run(&api, Pages::of(list).rows()) {
//!         let event = event?;
//!         println!("{:?} {:?}", event.email, event.amount);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! An application takes this crate and one client: `cometly-reqwest`, `cometly-ureq`, `cometly-isahc`, or a loop of its own
//! around [`Operation`] and [`Flow`]. With the feature `jiff`, `SpaceDate::yesterday(now, &zone)` is yesterday in the Space's
//! time zone, which the API does not tell.
//!
//! | to | call | run as |
//! | --- | --- | --- |
//! | track an event | [`events::TrackEvent`] | `client.call(&api, event)` |
//! | list | [`events::ListEvents`], [`contacts::ListContacts`], [`companies::ListCompanies`] | `client.run(&api, Pages::of(list))`: [`Pages`], [`Pages::rows`] |
//! | read one | [`contacts::GetContact`], [`companies::GetCompany`] | `client.call_opt(&api, get)`: `None` for a 404 |
//! | create, update | [`contacts::CreateContact`], [`contacts::UpdateContact`], [`companies::UpdateCompany`] | `client.call(&api, update)` |
//! | export more than 10,000 rows | [`events::ExportEvents`], [`contacts::ExportContacts`], [`companies::ExportCompanies`] | `client.run(&api, ExportJob::new(order)).end()`: [`ExportJob`] |
//! | read the file of an export | [`Download`], [`ExportLines`] | see there |
//! | ask after an export | [`events::GetEventExport`], [`contacts::GetContactExport`], [`companies::GetCompanyExport`] | [`ExportJob::resume`] does |
//! | call what this crate lacks | [`endpoint`] | `client.call(&api, …)` |
//!
//! # Requests
//! A request is built, and then it keeps the documented rules: [`InvalidRequest`] names the field and the rule.
//!
//! ```
//! use cometly::events::{EventName, Identity, TrackEvent};
//!
//! let event = TrackEvent::new(EventName::PURCHASE, Identity::email("ada@example.com"), "order-1001");
//! let error = event.event_time("20261124").build().unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "event_time: 20261124 would be read as seconds of 1970; the day 2026-11-24 is written with its hyphens"
//! );
//! ```
//!
//! A contact's list is replaced, wiped or left untouched:
//!
//! ```
//! use cometly::contacts::UpdateContact;
//!
//! let update = UpdateContact::new(7).replace_emails(["ada@example.com"]).wipe_phones().build()?; // names stay
//! # Ok::<(), cometly::InvalidRequest>(())
//! ```
//!
//! # Answers
//! Rows are structs with public fields, and `extra` for what they do not know. Names to which Cometly may add are structs
//! around text with constants ([`events::EventName`], [`events::Source`]), so that a new one breaks nothing. Money is
//! exact: [`Amount`]. [`Pages::rows_lossy`] gives each row as a result, so that one that cannot be read costs no other.
//!
//! # Time
//! Lists are asked for by the Space's wall clock, [`SpaceTime`]; there the hours of a clock change are named. Events happen
//! at a moment: [`events::EventTime`].
//!
//! # Features
//! `events`, `contacts` (with `events`) and `companies`, all on; `jiff` for its types of dates and times.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "events", feature = "contacts", feature = "companies")),
    allow(dead_code, unused_imports, unused_macros, reason = "what the features share is not used by each of them")
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod amount;
mod body;
mod export_lines;
mod id;
mod invalid;
mod open_set;
mod query;
mod row;
mod space_time;

#[cfg(feature = "companies")]
#[cfg_attr(docsrs, doc(cfg(feature = "companies")))]
pub mod companies;
#[cfg(feature = "contacts")]
#[cfg_attr(docsrs, doc(cfg(feature = "contacts")))]
pub mod contacts;
#[cfg(feature = "events")]
#[cfg_attr(docsrs, doc(cfg(feature = "events")))]
pub mod events;

pub use cometly_core::*;

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use amount::Amount;
pub use export_lines::{ExportFileError, ExportLines};
pub use id::Id;
pub use invalid::InvalidRequest;
pub use space_time::{SpaceDate, SpaceTime};
