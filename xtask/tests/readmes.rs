//! Every Rust program in the READMEs and in `docs/keys.md` compiles, runs, and is accepted by the emulator.
//!
//! Each runs in a process of its own, with the two variables in its environment that `cometly emulator` prints to paste,
//! and a reference to the key.
#![allow(clippy::expect_used, reason = "the lint does not know the helpers of a test for tests")]

use std::{
    env,
    error::Error,
    io,
    process::{Command, Output},
};

use cometly::{
    SpaceDate,
    events::{EventName, ListEvents},
};
use cometly_core::{Api, ApiBuilder, ApiKey};
use cometly_emulator::Emulator;
use jiff::{Timestamp, tz::TimeZone};

struct Program {
    /// File and line.
    name: &'static str,
    /// Whether it calls the API.
    calls: bool,
    run: fn() -> Result<(), Box<dyn Error>>,
}

include!(concat!(env!("OUT_DIR"), "/readmes.rs"));

const PROGRAM: &str = "README_PROGRAM";

/// Takes the place of `Api::new` in the programs.
fn new(key: ApiKey) -> Api {
    builder(key).build()
}

/// Takes the place of `Api::builder`.
fn builder(key: ApiKey) -> ApiBuilder {
    let base_url = env::var("COMETLY_BASE_URL").expect("the parent set it");
    Api::builder(key).base_url(base_url.parse().expect("the emulator's own URL"))
}

/// In place of the HTTP stack that a reader has.
mod my_stack {
    use cometly_core::{bytes::Bytes, http};

    pub(super) fn send(request: http::Request<Bytes>) -> Result<http::Response<Vec<u8>>, ureq::Error> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build().into();
        let (head, body) = request.into_parts();
        let response = if body.is_empty() {
            agent.run(http::Request::from_parts(head, ()))
        } else {
            agent.run(http::Request::from_parts(head, body.as_ref()))
        };
        let (head, mut body) = response?.into_parts();
        Ok(http::Response::from_parts(head, body.read_to_vec()?))
    }
}

fn run_in_child(name: &str, emulator: &Emulator) -> io::Result<Output> {
    Command::new(env::current_exe()?)
        .args(["--exact", "every_program_of_the_readmes_is_accepted", "--nocapture"])
        .env(PROGRAM, name)
        .env("COMETLY_BASE_URL", emulator.base_url())
        .env("COMETLY_API_KEY", &emulator.keys().full)
        .env("COMETLY_KEY_FROM", "env:COMETLY_API_KEY")
        .output()
}

#[test]
fn every_program_of_the_readmes_is_accepted() {
    if let Ok(name) = env::var(PROGRAM) {
        let program = PROGRAMS.iter().find(|program| program.name == name).expect("the parent knows its name");
        return (program.run)().expect("it ends well");
    }
    assert!(PROGRAMS.len() > 5, "the READMEs were read");
    let of_keys = PROGRAMS.iter().filter(|program| program.name.starts_with("docs/keys.md:")).count();
    assert!(of_keys >= 4, "{of_keys} programs of docs/keys.md");
    let mut with_purchases = 0;
    for Program { name, calls, .. } in PROGRAMS {
        let emulator = Emulator::start().expect("a port on loopback");
        let earlier = purchases_of_yesterday(&emulator).expect("the emulator lists them");
        let before = emulator.received_requests().len();
        let output = run_in_child(name, &emulator).expect("this test can be started again");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
        let key = &emulator.keys().full;
        assert!(!said.contains(key.as_str()), "{name} shows its key");
        let requests = emulator.received_requests().split_off(before);
        assert_eq!(!requests.is_empty(), *calls, "{name}");
        assert!(requests.iter().all(|request| request.status.is_success()), "{name}: {requests:?}");
        let printed = said.matches("Event {").count();
        if name.starts_with("README.md:") && printed > 0 {
            with_purchases += 1;
            // At midnight it is another day.
            let later = purchases_of_yesterday(&emulator).expect("the emulator lists them");
            assert!([earlier, later].contains(&printed), "{name}: {earlier} purchases, not {said}");
        }
    }
    assert_eq!(with_purchases, 3, "the front page has a program for each client");
}

/// By a call of its own, in the zone of the programs.
fn purchases_of_yesterday(emulator: &Emulator) -> Result<usize, Box<dyn Error>> {
    let api = Api::builder(ApiKey::new(&*emulator.keys().full)?).base_url(emulator.base_url().parse()?).build();
    let day = SpaceDate::yesterday(Timestamp::now(), &TimeZone::get("Europe/Berlin")?)?;
    let list = ListEvents::on(day).event_names([EventName::PURCHASE]).per_page(4000).build()?;
    Ok(cometly_ureq::Client::new()?.call(&api, list)?.rows().len())
}

/// The programs that a newcomer meets first, as rustfmt leaves them. What they import is not counted.
#[test]
fn a_first_program_takes_ten_lines_on_each_stack() {
    for (stack, call) in [
        ("cometly_reqwest", "purchases.next()"),
        ("cometly_ureq", "client.run("),
        ("cometly_isahc", "client.run("),
        ("my_stack", "to_request"),
    ] {
        let text = include_str!("../../README.md");
        let blocks: Vec<&str> = text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let first = blocks.iter().find(|block| block.contains(stack)).expect("the README has a program on each stack");
        let lines = first.lines().filter(|line| !line.is_empty() && !line.starts_with("use ")).count();
        assert!(lines <= 10 && first.contains(call), "{stack}: {lines} lines");
    }
}
