//! Every Rust program in the READMEs compiles, runs, and is accepted by the emulator.
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

use cometly_core::{Api, ApiBuilder, ApiKey};
use cometly_emulator::Emulator;

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
    for Program { name, calls, .. } in PROGRAMS {
        let prints_rows = PROGRAMS
            .iter()
            .find(|program| program.name.starts_with("README.md"))
            .is_some_and(|first| first.name == *name);
        let emulator = Emulator::start().expect("a port on loopback");
        let output = run_in_child(name, &emulator).expect("this test can be started again");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(!prints_rows || said.matches("Company {").count() == 5, "{name}: five rows, not {said}");
        let key = &emulator.keys().full;
        assert!(!said.contains(key.as_str()), "{name} shows its key");
        let requests = emulator.received_requests();
        assert_eq!(!requests.is_empty(), *calls, "{name}");
        assert!(requests.iter().all(|request| request.status.is_success()), "{name}: {requests:?}");
    }
}

/// The programs that a newcomer meets first, as rustfmt leaves them.
#[test]
fn a_first_call_takes_ten_lines_and_reaches_the_server() {
    for stack in ["cometly_reqwest", "cometly_ureq", "cometly_isahc", "my_stack"] {
        let text = include_str!("../../README.md");
        let blocks: Vec<&str> = text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let first = blocks.iter().find(|block| block.contains(stack)).expect("the README has a call on each stack");
        assert!(first.lines().count() <= 10, "{stack}: {} lines", first.lines().count());
    }
}
