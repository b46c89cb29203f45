//! The core's calls without any IO, each beside two that are written by hand: `naive`, as one writes it at first, and
//! `lean`, the least that does the same; `cargo xtask bench` runs them.

use std::process::ExitCode;

use harness::{Counting, Suite};

mod answers;
mod reading;
mod requests;
mod template;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As Cometly's are: an id, a bar and a secret.
const KEY: &str = "12|0123456789abcdef0123456789abcdef0123456789abcdef";
/// Its second half, which alone opens nothing but must not be shown either.
const SECRET: &str = KEY.split_at(3).1;
/// Where it is asked.
const BASE: &str = "https://app.cometly.com/public-api/v1";
/// What our requests say of who sends them.
const AGENT: &str = "cometly-core/0.1.0";

fn api() -> cometly_core::Api {
    cometly_core::Api::new(cometly_core::ApiKey::new(KEY).expect("a key"))
}

fn main() -> ExitCode {
    let mut suite = Suite::default();
    requests::add(&mut suite);
    reading::add(&mut suite);
    suite.main()
}
