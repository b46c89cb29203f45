//! What people see, word for word: the sessions in `tests/transcripts`, a folder for each key or server.
//!
//! `TRYCMD=overwrite` writes them anew; read the difference before it is committed.

use std::{net::TcpListener, path::Path};

use cometly_emulator::Emulator;
use trycmd::TestCases;

use crate::{fleet::Redis, program::KEY};

fn play(folder: &str, base_url: &str, key: Option<&str>) {
    play_with(folder, base_url, key, None);
}

/// As [`play`], beside an engine at this `host:port`.
fn play_with(folder: &str, base_url: &str, key: Option<&str>, engine: Option<&str>) {
    let home = tempfile::tempdir().unwrap();
    let home_path = home.path().to_str().unwrap().to_owned();
    let cases = TestCases::new();
    cases.register_bin("cometly", Path::new(env!("CARGO_BIN_EXE_cometly")));
    cases.env("HOME", &home_path).env("XDG_CONFIG_HOME", &home_path).env("COMETLY_BASE_URL", base_url);
    cases.env("COMETLY_API_KEY", key.unwrap_or_default()).env("COLUMNS", "100");
    if let Some(engine) = engine {
        cases.env("COMETLY_FLEET_URL", format!("redis://{engine}")).env("COMETLY_SPACE", "space-42");
        cases.insert_var("[ENGINE]", engine.to_owned()).unwrap();
    }
    cases.insert_var("[BASE_URL]", base_url.to_owned()).unwrap();
    cases.insert_var("[HOME]", home_path).unwrap();
    if let Some(key) = key.filter(|key| key.len() > 20) {
        cases.insert_var("[ENDING]", key[key.len() - 4..].to_owned()).unwrap();
    }
    cases.case(format!("tests/transcripts/{folder}/*.trycmd"));
    cases.run();
}

#[test]
fn with_a_good_key() {
    // A seed fixes the dates of the data.
    let emulator = Emulator::builder().no_limits().seed(0).start().unwrap();
    play("full", emulator.base_url(), Some(&emulator.keys().full));
}

#[test]
fn with_a_fleet() {
    let Some(redis) = Redis::start(&[]) else { return };
    let emulator = Emulator::builder().start().unwrap();
    let engine = redis.url().replace("redis://", "");
    play_with("fleet", emulator.base_url(), Some(&emulator.keys().full), Some(&engine));
}

#[test]
fn with_keys_that_may_not() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    play("no_permission", emulator.base_url(), Some(&emulator.keys().no_permission));
    play("inactive", emulator.base_url(), Some(&emulator.keys().inactive));
    emulator.revoke_key(&emulator.keys().full);
    play("revoked", emulator.base_url(), Some(&emulator.keys().full));
}

#[test]
fn with_no_key() {
    play("without_account", "http://127.0.0.1:1/public-api/v1", None);
}

#[test]
fn with_a_limit_that_is_used_up() {
    let emulator = Emulator::builder().limit("GET", "/companies", 0).start().unwrap();
    play("limited", emulator.base_url(), Some(&emulator.keys().full));
}

#[test]
fn with_nobody_who_answers() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    play("nobody_home", &format!("http://127.0.0.1:{port}/public-api/v1"), Some(KEY));
}
