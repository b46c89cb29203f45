//! One flavour under faults for as long as one likes, every outcome and every arrival accounted for.
//!
//! `cargo xtask soak` runs five of these and their servers, and judges what they say.
#![forbid(unsafe_code)]

mod client;
mod gauge;
mod plan;
mod server;

use std::{env, time::Duration};

use cometly_conformance::BoxError;

/// The most of a body that the client takes, in bytes.
const MAX_BODY: usize = 64 * 1024;

fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server"] => server::run(),
        ["client", flavour, seconds, seed] => {
            client::run(flavour, Duration::from_secs(seconds.parse()?), seed.parse()?)
        }
        _ => Err("soak server, or soak client FLAVOUR SECONDS SEED; best by `cargo xtask soak`".into()),
    }
}
