//! `docs/faults.md` 84: the clients within tokio, on a plain executor, and without any; and their futures are `Send`.
#![cfg(feature = "adapters")]
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

use std::time::Duration;

use cometly_core::{Api, ApiKey, Call};
use cometly_emulator::Emulator;
use futures_lite::future::block_on;

fn emulated() -> (Emulator, Call) {
    let emulator = Emulator::start().unwrap();
    let key = ApiKey::new(emulator.keys().full.as_str()).unwrap();
    let api = Api::builder(key).base_url(emulator.base_url().parse().unwrap()).build();
    let call = api.get("companies").query("per_page", 1);
    (emulator, call)
}

fn tokio(kind: fn() -> tokio::runtime::Builder) -> tokio::runtime::Runtime {
    kind().enable_all().build().unwrap()
}

#[test]
fn reqwest_runs_on_either_kind_of_tokio_and_across_its_threads() {
    let (_emulator, call) = emulated();
    for kind in [tokio::runtime::Builder::new_current_thread, tokio::runtime::Builder::new_multi_thread] {
        let runtime = tokio(kind);
        let (client, call) = (cometly_reqwest::Client::new().unwrap(), call.clone());
        // `spawn` takes only a future that is `Send` and owns all it needs.
        let sent = runtime.block_on(async { tokio::spawn(async move { client.send(call).await }).await.unwrap() });
        assert!(sent.unwrap().error().is_none());
    }
}

#[test]
fn isahc_runs_without_a_runtime_and_within_a_foreign_one() {
    let (_emulator, call) = emulated();
    let client = cometly_isahc::Client::new().unwrap();
    assert!(block_on(client.send(call.clone())).unwrap().error().is_none());
    let runtime = tokio(tokio::runtime::Builder::new_multi_thread);
    let sent = runtime.block_on(async { tokio::spawn(async move { client.send(call).await }).await.unwrap() });
    assert!(sent.unwrap().error().is_none());
}

#[test]
fn blocking_clients_run_where_tokio_lets_one_block() {
    let (_emulator, call) = emulated();
    let runtime = tokio(tokio::runtime::Builder::new_multi_thread);
    let ureq = cometly_ureq::Client::new().unwrap();
    let isahc = cometly_isahc::blocking::Client::new().unwrap();
    // reqwest's blocking client has a runtime of its own, which must not be dropped within another.
    let reqwest = cometly_reqwest::blocking::Client::new().unwrap();
    let (again, twice) = (call.clone(), call.clone());
    runtime.block_on(async {
        let one = tokio::task::spawn_blocking(move || ureq.send(call).unwrap().error().is_none());
        let other = tokio::task::spawn_blocking(move || isahc.send(again).unwrap().error().is_none());
        let third = tokio::task::spawn_blocking(move || reqwest.send(twice).unwrap().error().is_none());
        assert!(one.await.unwrap() && other.await.unwrap() && third.await.unwrap());
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
}
