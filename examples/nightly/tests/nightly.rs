//! The job against an emulator whose every part fails now and then, killed and run again until it is done.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test"
)]

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use cometly::{Api, ApiKey, Id, Pages, SpaceDate, events::ListEvents};
use cometly_emulator::{Emulator, Fault};
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::Connection;

const ZONE: &str = "Europe/Berlin";

fn start(emulator: &Emulator, database: &Path, day: Option<&str>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-nightly"));
    command.arg(database).args(day).env_clear().env("COMETLY_TIME_ZONE", ZONE);
    command.env("COMETLY_BASE_URL", emulator.base_url()).env("COMETLY_API_KEY", &emulator.keys().full);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(emulator: &Emulator, child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(emulator.keys().full.as_str()) && !said.contains("panicked"), "{said}");
    output
}

/// The ids of the day's events, as the list has them.
fn listed(emulator: &Emulator, day: &str) -> Vec<String> {
    let key = ApiKey::new(&*emulator.keys().full).unwrap();
    let api = Api::builder(key).base_url(emulator.base_url().parse().unwrap()).build();
    let list = ListEvents::on(day).per_page(4000).build().unwrap();
    let client = cometly_ureq::Client::new().unwrap();
    let rows = client.run(&api, Pages::of(list).rows());
    rows.map(|event| event.unwrap().id.as_ref().map(Id::to_string).unwrap()).collect()
}

fn stored(database: &Path) -> Vec<String> {
    let database = Connection::open(database).unwrap();
    let mut statement = database.prepare("SELECT id FROM event ORDER BY rowid").unwrap();
    let rows = statement.query_map((), |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn orders(emulator: &Emulator) -> usize {
    emulator.received_requests().iter().filter(|request| request.method == "POST" && request.carried_out).count()
}

#[test]
fn with_faults_and_kills_each_event_is_stored_once() {
    let emulator = Emulator::builder().no_limits().seeded_events(300_000).start().unwrap();
    // A day that is over in the zone; some 10,000 events.
    let day = SpaceDate::yesterday(Timestamp::now(), &TimeZone::get(ZONE).unwrap()).unwrap().to_string();
    let expected = listed(&emulator, &day);
    assert!(expected.len() > 5000, "{}", expected.len());
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("events.sqlite");

    emulator.inject(Fault::server_error(502).share(0.2, 1).for_method("GET"));
    emulator.inject(Fault::reset_before().share(0.2, 2));
    emulator.inject(Fault::cut_download_after(20_000).share(0.4, 3));
    emulator.inject(Fault::expired_download().share(0.2, 4));
    emulator.inject(Fault::slow_download(Duration::from_millis(20)));
    let (mut kills, mut grew) = (0, Vec::new());
    let began = Instant::now();
    let output = loop {
        let mut child = start(&emulator, &database, None);
        // The first runs live a little longer each time; later ones may end by themselves.
        let life = Duration::from_millis(if kills < 20 { 400 + kills * 60 } else { 20_000 });
        let until = Instant::now() + life;
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        let is_over = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        kills += u64::from(!is_over);
        let output = finish(&emulator, child);
        grew.push(if database.exists() { stored_or_none(&database) } else { 0 });
        if output.status.success() {
            break output;
        }
        assert!(began.elapsed() < Duration::from_secs(180), "{grew:?} {}", String::from_utf8_lossy(&output.stderr));
    };
    println!("{kills} kills: {grew:?}");
    assert!(output.stdout.is_empty() && kills > 3, "{kills} kills");
    assert!(
        grew.iter().filter(|rows| (1..expected.len()).contains(*rows)).count() > 1,
        "no kill within the file: {grew:?}"
    );
    assert_eq!(stored(&database), expected);
    assert!(emulator.leaked_keys().is_empty());

    // Done is done.
    let before = emulator.request_count();
    assert!(finish(&emulator, start(&emulator, &database, Some(&day))).status.success());
    assert_eq!(emulator.request_count(), before);
}

/// How many rows there are, while no table may be there yet.
fn stored_or_none(database: &Path) -> usize {
    let database = Connection::open(database).unwrap();
    database.query_row("SELECT count(*) FROM event", (), |row| row.get(0)).unwrap_or_default()
}

#[test]
fn an_export_that_fails_is_ordered_anew_by_the_next_run() {
    let emulator = Emulator::builder().no_limits().seed(0).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("events.sqlite");
    let run = || finish(&emulator, start(&emulator, &database, Some("2026-01-02")));
    let fault = emulator.inject(Fault::export_failed());
    let output = run();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("the export failed"));
    emulator.remove_fault(fault);
    assert!(run().status.success());
    assert_eq!((stored(&database), orders(&emulator)), (listed(&emulator, "2026-01-02"), 2));
}

#[test]
fn what_it_needs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let database = folder.path().join("events.sqlite");
    let output = finish(&emulator, start(&emulator, &database, Some("yesterday")));
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected a day"));
    assert_eq!(emulator.request_count(), 0);
}

/// The page shows the program as it is.
#[test]
fn the_page_has_the_program() {
    let page = include_str!("../../../docs/nightly.md");
    let shown = page.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(include_str!("../src/main.rs")));
}
