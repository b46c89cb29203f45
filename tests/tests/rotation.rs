//! A key that is replaced while calls run: none of them fails for it.
#![cfg(all(unix, feature = "adapters"))]
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use std::{
    env, fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use cometly_conformance::{
    Settings,
    canary::{Canary, capture_logs, records_of},
};
use cometly_core::{Api, ApiKey, Call, RetryPolicy};
use cometly_credentials::{KeyRef, Watcher};
use cometly_emulator::{Ability, Emulator, EmulatorBuilder};

const CALLS_AT_ONCE: u64 = 64;
const ROTATION: Duration = Duration::from_millis(100);

/// How long each client is tried: `COMETLY_ROTATION_SECONDS`, 3 if it is not set.
fn duration() -> Duration {
    Duration::from_secs(env::var("COMETLY_ROTATION_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3))
}

/// Writes beside the file and renames it into place.
fn put(path: &Path, key: &str) {
    let new = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    fs::write(&new, key).unwrap();
    new.persist(path).unwrap();
}

/// What came of a call, if it is not a success.
type Send<'a> = &'a (dyn Fn(Call) -> Option<String> + Sync);

/// Calls without a pause from 64 threads, while the key in the file is replaced and the one before it is revoked as soon as
/// the `Api` has the new one.
fn rotate_under(send: Send<'_>) {
    // One client at a time, so that there are 64 calls and not 128.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    capture_logs();
    // As many as the longest run takes.
    let canaries: Vec<Canary> = (0..1_000).map(|_| Canary::new()).collect();
    let keyed = |builder: EmulatorBuilder, canary: &Canary| builder.key(canary.secret(), &[Ability::CompaniesRead]);
    let emulator = canaries.iter().fold(Emulator::builder().no_limits().keep_requests(1), keyed).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let mut unused = canaries.iter().map(|canary| canary.secret().to_owned());
    let mut key = unused.next().unwrap();
    put(&path, &key);
    let reference: KeyRef = format!("file:{}", path.display()).parse().unwrap();
    let api = Api::builder(reference.read().unwrap()).base_url(emulator.base_url().parse().unwrap()).build();
    let watcher = Watcher::builder(reference).interval(Duration::from_millis(10)).start(&api).unwrap();

    let (stop, answered, failures) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    let mut rotations = 0;
    thread::scope(|scope| {
        for _ in 0..CALLS_AT_ONCE {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match send(api.get("companies").query("per_page", 1)) {
                        None => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Some(failure) => failures.lock().unwrap().push(failure),
                    }
                }
            });
        }
        let started = Instant::now();
        while started.elapsed() < duration() {
            let begun = Instant::now();
            let answered_before = answered.load(Ordering::Relaxed);
            let (before, next) = (api.key_generation(), unused.next().unwrap());
            put(&path, &next);
            while api.key_generation() == before && begun.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(1));
            }
            emulator.revoke_key(&key);
            key = next;
            rotations += 1;
            thread::sleep(ROTATION.saturating_sub(begun.elapsed()));
            // On a machine that is busy otherwise: a key that lives shorter than a call takes is another matter.
            while answered.load(Ordering::Relaxed) < answered_before + CALLS_AT_ONCE
                && begun.elapsed() < ROTATION.saturating_mul(20)
            {
                thread::sleep(Duration::from_millis(1));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let failures = failures.into_inner().unwrap();
    let answered = answered.into_inner();
    assert!(failures.is_empty(), "{} of {answered} calls failed, as: {}", failures.len(), failures.first().unwrap());
    assert!(answered > 100 && rotations > 5, "{answered} calls, {rotations} rotations");
    let status = watcher.status();
    assert!(status.changes() >= rotations, "{status:?}");
    assert!(records_of("cometly") > 0, "nothing was logged");
    let leaks: Vec<String> = canaries.iter().flat_map(Canary::leaks).collect();
    assert!(leaks.is_empty(), "a key is in {leaks:?}");
    // Not one call of the last key's was refused, so there was no key that the server did not know.
    assert_ne!(api.refused_generation(), Some(api.key_generation()));
    assert!(ApiKey::new(key).is_ok_and(|key| {
        api.get("companies").to_request().unwrap().headers()["authorization"]
            .to_str()
            .unwrap()
            .ends_with(key.expose_secret())
    }));
}

fn no_call_fails_on(client: &str) {
    let subjects = cometly_conformance::adapters::all();
    let subject = subjects.iter().find(|subject| subject.name() == client).unwrap();
    let settings = Settings::default().retry_policy(RetryPolicy::default());
    let transport = subject.connect(&settings).unwrap().unwrap();
    rotate_under(&|call| match transport.send(call) {
        Ok(outcome) => outcome.error().map(ToString::to_string),
        Err(error) => Some(error.to_string()),
    });
}

#[test]
fn no_call_fails_on_ureq() {
    no_call_fails_on("ureq");
}

#[test]
fn no_call_fails_on_reqwest() {
    no_call_fails_on("reqwest");
}

#[test]
fn no_call_fails_on_reqwests_blocking_client() {
    no_call_fails_on("reqwest-blocking");
}

#[test]
fn no_call_fails_on_isahc() {
    no_call_fails_on("isahc");
}

#[test]
fn no_call_fails_on_isahcs_blocking_client() {
    no_call_fails_on("isahc-blocking");
}

#[test]
fn no_call_fails_on_tower() {
    no_call_fails_on("tower");
}
