//! Killed with -9 at moments drawn from a seed, and run again each time, until all is sent: nothing is lost or doubled.
//!
//! `COMETLY_KILL_EVENTS` (default 600), `COMETLY_KILLS` (default 12) and `COMETLY_KILL_SEED` (default 1) make it larger, or
//! another one.

use std::{
    env,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use cometly_emulator::Emulator;
use serde_json::Value;

use crate::program::Program;

const TRACK: [&str; 4] = ["events", "track", "--input", "events.ndjson"];

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// `SplitMix64`: the same moments on every machine.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[test]
fn killed_at_any_moment_each_event_arrives_exactly_once() {
    let (count, kills) = (setting("COMETLY_KILL_EVENTS", 600), setting("COMETLY_KILLS", 12));
    let mut draw = Draw(setting("COMETLY_KILL_SEED", 1));
    let emulator =
        Emulator::builder().limit("POST", "/events/track", 60).window(Duration::from_secs(1)).start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    // Each line twice, for equal lines are different events.
    let line =
        |number: u64| format!("{{\"event_name\":\"purchase\",\"email\":\"a{number}@example.com\",\"amount\":1.50}}\n");
    program.write("events.ndjson", (0..count).map(|number| line(number / 2)).collect::<Vec<_>>().concat());

    let (mut killed, mut torn) = (0, 0);
    for kill in 0..kills {
        let mut child = program.command(&TRACK).spawn().unwrap();
        // At the n-th arrival from now, so that all kills fit, and up to 4 ms later: before or after its answer.
        let arrivals = emulator.request_count() + 1 + draw.below(2 * count / kills);
        if wait_for(&emulator, arrivals, &mut child) {
            thread::sleep(Duration::from_micros(draw.below(4_000)));
            child.kill().unwrap();
            killed += 1;
        }
        let ran = program.finish(child);
        assert!(ran.code == -1 || ran.code == 0, "{}", ran.stderr);
        let journal = program.read("events.ndjson.cometly-journal");
        torn += u64::from(!journal.ends_with('\n'));
        let noted = u64::try_from(journal.lines().count()).unwrap() - 1;
        let taken = u64::try_from(emulator.tracked_events().len()).unwrap();
        assert!(noted <= taken, "kill {kill}: {noted} are noted and {taken} arrived");
    }
    let summary = program.run(&[&TRACK[..], &["--json"]].concat()).ends(0).json();
    assert_eq!((&summary["accepted"], &summary["left"]), (&count.into(), &0.into()));

    let mut emails: Vec<_> = emulator
        .tracked_events()
        .iter()
        .map(|event| serde_json::from_str::<Value>(event).unwrap()["email"].as_str().unwrap().to_owned())
        .collect();
    emails.sort_unstable();
    let mut expected: Vec<_> = (0..count).map(|number| format!("a{}@example.com", number / 2)).collect();
    expected.sort_unstable();
    assert_eq!(emails, expected);
    assert!(killed * 2 > kills, "it ended before it could be killed: {killed} of {kills}");
    let calls = emulator.request_count();
    println!("{count} events, killed {killed} times ({torn} torn records), {calls} calls");
}

/// Whether so many calls arrived before the program ended by itself.
fn wait_for(emulator: &Emulator, arrivals: u64, child: &mut Child) -> bool {
    let started = Instant::now();
    while emulator.request_count() < arrivals {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "nothing arrives any more");
        thread::sleep(Duration::from_micros(200));
    }
    true
}
