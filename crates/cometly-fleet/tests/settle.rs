//! What a fleet holds of an endpoint, and that a process that ends can wait until the engine has its last answers.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test may fail, and says what it measured"
)]

mod support;

use std::{
    thread::{self, sleep},
    time::{Duration, Instant},
};

use cometly_core::{Api, ApiKey, BaseUrl};
use cometly_emulator::{Emulator, Fault};
use cometly_fleet::Fleet;

use support::Server;

#[test]
fn what_the_engine_does_not_have_yet_is_known_and_waited_for() {
    let Some(server) = Server::start(&[]) else { return };
    let emulator = Emulator::builder().limit("GET", "/companies", 7).start().unwrap();
    let fleet = Fleet::connect(&server.url()).unwrap();
    let key = ApiKey::new(emulator.keys().full.clone()).unwrap();
    let pacer = fleet.pacer("space-42").unwrap();
    let api = Api::builder(key).base_url(BaseUrl::new(emulator.base_url()).unwrap()).pacer(pacer).build();
    let look = || fleet.endpoints("space-42", &[("GET", "/companies"), ("GET", "events")]).unwrap();
    let client = cometly_ureq::Client::new().unwrap();
    assert_eq!(look(), [None, None]);
    client.send(api.get("companies")).unwrap().into_result().unwrap();
    assert!(fleet.settle(Duration::from_secs(5)));
    let told = look();
    let companies = told.first().unwrap().as_ref().unwrap();
    assert_eq!((companies.limit, companies.left, companies.under_way, companies.waiting), (Some(7), Some(6), 0, 0));
    assert!(companies.resets_in.is_some_and(|left| left <= Duration::from_secs(60)));
    assert_eq!(told.last(), Some(&None));

    // The answer comes while the engine is paused.
    emulator.inject(Fault::slow(Duration::from_millis(300)));
    let call = thread::spawn(move || client.send(api.get("companies")).unwrap().into_result().unwrap());
    sleep(Duration::from_millis(150));
    assert_eq!(look().first().unwrap().as_ref().unwrap().under_way, 1);
    server.signal("STOP");
    call.join().unwrap();
    let started = Instant::now();
    assert!(!fleet.settle(Duration::from_millis(20)));
    assert!(started.elapsed() < Duration::from_millis(200));
    server.signal("CONT");
    assert!(fleet.settle(Duration::from_secs(5)));
}
