//! Killed with -9 at moments drawn from a seed, and run again each time, until all is sent, by a server that fails at random:
//! nothing is lost or doubled.
//!
//! `COMETLY_KILL_EVENTS` (default 1000), `COMETLY_KILLS` (default 12) and `COMETLY_KILL_SEED` (default 1) make it larger, or
//! another one.

use std::{
    collections::BTreeMap,
    env,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use cometly_emulator::{Emulator, Fault};
use serde_json::Value;

use crate::{program::Program, track::TRACK};

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
    let (count, kills) = (setting("COMETLY_KILL_EVENTS", 1000), setting("COMETLY_KILLS", 12));
    let seed = setting("COMETLY_KILL_SEED", 1);
    let mut draw = Draw(seed);
    let emulator =
        Emulator::builder().limit("POST", "/events/track", 60).window(Duration::from_secs(1)).start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    // One call in 12 goes wrong, in every way that is not the key's fault: refused, carried out and lost, cut, or a page.
    let faults = [
        Fault::server_error(500),
        Fault::server_error(503),
        Fault::too_many_requests(1),
        Fault::html_page(),
        Fault::server_error(503).carried_out(true),
        Fault::reset_after(),
        Fault::reset_before(),
        Fault::cut_body(),
    ];
    for (fault, number) in faults.into_iter().zip(0..) {
        emulator.inject(fault.for_path("/events/track").share(0.01, seed.wrapping_add(number)));
    }
    // Each line twice, for equal lines are different events; and every fifth brings its own key.
    let line = |number: u64| {
        let (email, own) = (number / 2, format!(",\"idempotency_key\":\"own-{number}\""));
        let own = if number.is_multiple_of(5) { &own } else { "" };
        format!("{{\"event_name\":\"purchase\",\"email\":\"a{email}@example.com\",\"amount\":1.50{own}}}\n")
    };
    program.write("events.ndjson", (0..count).map(line).collect::<Vec<_>>().concat());

    let (mut killed, mut stalled) = (0, 0);
    let summary = loop {
        let mut child = program.command(&[&TRACK[..], &["--json"]].concat()).spawn().unwrap();
        // At the n-th arrival from now, so that all kills fit, and up to 4 ms later: before or after its answer.
        let arrivals = emulator.request_count() + 1 + draw.below(2 * count / kills);
        match watch(&emulator, arrivals, killed < kills, &mut child) {
            Moment::Arrival => {
                thread::sleep(Duration::from_micros(draw.below(4_000)));
                killed += u64::from(child.kill().is_ok());
            }
            Moment::Stall => {
                child.kill().unwrap();
                stalled += 1;
            }
            Moment::End => {}
        }
        let ran = program.finish(child);
        let journal = program.read("events.ndjson.cometly-journal");
        let answers = journal.lines().skip(1).filter(|line| !line.contains("\"outcome\":\"sending\""));
        let noted = u64::try_from(answers.count()).unwrap();
        let taken = u64::try_from(emulator.tracked_events().len()).unwrap();
        assert!(noted <= taken, "{noted} are noted and {taken} arrived");
        match ran.code {
            0 => break ran.json(),
            // Faults left some: run again, as it says.
            5 | 7..=9 => {}
            -1 => assert!(killed + stalled < 10 * kills + count, "it gets nowhere"),
            _ => panic!("{}", ran.stderr),
        }
    };
    assert_eq!((&summary["accepted"], &summary["left"]), (&count.into(), &0.into()));

    let mut arrived: BTreeMap<_, u64> = (0..count).map(|number| (format!("a{}@example.com", number / 2), 0)).collect();
    for event in emulator.tracked_events() {
        let event: Value = serde_json::from_str(&event).unwrap();
        *arrived.entry(event["email"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let wrong: Vec<_> = arrived.iter().filter(|(_, times)| **times != 2).take(5).collect();
    assert!(wrong.is_empty(), "each line is there twice, but arrived: {wrong:?} …");
    assert!(killed * 2 > kills, "it ended before it could be killed: {killed} of {kills}");
    let calls = emulator.request_count();
    let struck: u64 = emulator.faults().iter().map(|fault| fault.struck).sum();
    println!(
        "{count} events, {struck} faults, seed {seed}, killed {killed} times at arrivals and {stalled} times while it waited, {calls} calls"
    );
}

enum Moment {
    Arrival,
    /// It waits for a limit to open, which is as good a moment as any, and longer than a test has.
    Stall,
    End,
}

/// Waits for this many arrivals, if the kill comes after them.
fn watch(emulator: &Emulator, arrivals: u64, is_to_be_killed: bool, child: &mut Child) -> Moment {
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let now = emulator.request_count();
        if child.try_wait().unwrap().is_some() {
            return Moment::End;
        }
        if is_to_be_killed && now >= arrivals {
            return Moment::Arrival;
        }
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
        if since.elapsed() > Duration::from_secs(3) {
            return Moment::Stall;
        }
        thread::sleep(Duration::from_micros(200));
    }
}
