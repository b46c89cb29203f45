//! One real call by each client, and then everything is dropped.

use std::{thread, time::Duration};

use cometly_core::{AuthOutcome, Call, bytes::Bytes};

use crate::{
    BoxError,
    stage::{Left::Told, Scene, Stage},
};

pub(crate) const SCENES: &[Scene] = &[
    Scene { name: "reqwest", left: Told, play: reqwest },
    Scene { name: "reqwest-blocking", left: Told, play: reqwest_blocking },
    Scene { name: "ureq", left: Told, play: ureq },
    Scene { name: "isahc", left: Told, play: isahc },
    Scene { name: "isahc-blocking", left: Told, play: isahc_blocking },
];

/// A call that the server answers, and that is gone then.
fn call<T, E: std::error::Error + Send + Sync + 'static>(
    stage: &mut Stage,
    client: T,
    send: impl FnOnce(&T, Call) -> Result<AuthOutcome<Bytes>, E>,
) -> Result<(), BoxError> {
    let api = stage.api()?;
    let outcome = send(&client, api.get("events"))?;
    stage.alive()?;
    // It does not know the key, so it got one.
    assert!(matches!(outcome, AuthOutcome::Unauthenticated(_)), "{outcome}");
    drop((outcome, api, client));
    // Some have threads, which end when they notice.
    thread::sleep(Duration::from_millis(300));
    Ok(())
}

fn reqwest(stage: &mut Stage) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    call(stage, cometly_reqwest::Client::new()?, |client, call| runtime.block_on(client.send(call)))
}

fn reqwest_blocking(stage: &mut Stage) -> Result<(), BoxError> {
    call(stage, cometly_reqwest::blocking::Client::new()?, cometly_reqwest::blocking::Client::send)
}

fn ureq(stage: &mut Stage) -> Result<(), BoxError> {
    call(stage, cometly_ureq::Client::new()?, cometly_ureq::Client::send)
}

fn isahc(stage: &mut Stage) -> Result<(), BoxError> {
    call(stage, cometly_isahc::Client::new()?, |client, call| futures_lite::future::block_on(client.send(call)))
}

fn isahc_blocking(stage: &mut Stage) -> Result<(), BoxError> {
    call(stage, cometly_isahc::blocking::Client::new()?, cometly_isahc::blocking::Client::send)
}
