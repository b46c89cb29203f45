//! The [Cometly](https://docs.cometly.com) API as types, for any HTTP client.
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

pub use amount::Amount;
pub use export_lines::{ExportFileError, ExportLines};
pub use id::Id;
pub use invalid::InvalidRequest;
pub use space_time::{SpaceDate, SpaceTime};
