//! The first programs of a reader who had the READMEs, `docs/` and the pages of rustdoc alone, each as it was written then, with
//! the emulator in the place of Cometly.
#![cfg(feature = "adapters")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "programs for one use, which clippy does not take for tests"
)]

mod endpoint;
mod names_call;
mod pacer;
mod resume;
mod telemetry;
#[cfg(unix)]
mod watched;
mod wipe;
mod yesterday;

use std::error::Error;

use cometly::{Api, ApiKey};
use cometly_emulator::Emulator;

type Done = Result<(), Box<dyn Error>>;

/// The API that an emulator plays.
fn api_of(emulator: &Emulator) -> Result<Api, Box<dyn Error>> {
    let key = ApiKey::new(emulator.keys().full.as_str())?;
    Ok(Api::builder(key).base_url(emulator.base_url().parse()?).build())
}
