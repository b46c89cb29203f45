//! What others' own builders and readers cost, driven without IO, for the jobs that they do much as we do.
//!
//! Names are those of the jobs in `proof/bench/micro`. What each does otherwise than ours is said beside it.

use std::process::ExitCode;

use harness::{Counting, Suite};

mod on_http_clients;
mod on_oauth2;
mod on_octocrab;
mod on_rusty_s3;
mod on_tame_oauth;
mod on_twitch;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KEY: &str = "12|0123456789abcdef0123456789abcdef0123456789abcdef";
const BASE: &str = "https://app.cometly.com/public-api/v1";

/// The same event that ours send.
#[derive(serde::Serialize)]
struct Event<'a> {
    event_name: &'a str,
    email: &'a str,
    value: f64,
    currency: &'a str,
    event_id: &'a str,
    occurred_at: &'a str,
}

fn event() -> Event<'static> {
    std::hint::black_box(Event {
        event_name: "purchase",
        email: "jane.doe@example.com",
        value: 129.5,
        currency: "USD",
        event_id: "evt_01JD9Q6Y3K8M2N4P5R7S9T",
        occurred_at: "2026-11-24T03:28:59Z",
    })
}

fn main() -> ExitCode {
    let mut suite = Suite::default();
    on_http_clients::add(&mut suite);
    on_octocrab::add(&mut suite);
    on_twitch::add(&mut suite);
    on_oauth2::add(&mut suite);
    on_tame_oauth::add(&mut suite);
    on_rusty_s3::add(&mut suite);
    suite.main()
}
