//! The script decides as the rule in Rust does: in Lua 5.1 in this process, and in a real server.
//!
//! `COMETLY_FLEET_DEPTH` (3) is the length of the sequences of which all are tried, `COMETLY_FLEET_RANDOM` (100,000) how many
//! random steps are.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may fail, and says what it measured"
)]

mod support;

use std::env;

use mlua::{Function, Lua, Table};
use redis::Commands as _;

use support::{Process, Random, Server, rule};

const RULE: &str = include_str!("../src/rule.lua");
const START: u64 = 1_764_000_000_000;

/// As much of Redis as the script uses, on a table.
const REDIS: &str = r"
    redis = {}
    function redis.call(command, key, value, px, keeps)
        if command == 'TIME' then return { seconds, micros } end
        if command == 'GET' then return held or false end
        assert(command == 'SET' and px == 'PX' and tonumber(keeps) > 0)
        held, kept_for = value, keeps
    end
    redis.pcall = redis.call
";

struct Engine {
    lua: Lua,
    script: Function,
}

impl Engine {
    fn new() -> Self {
        let lua = Lua::new();
        lua.load(REDIS).exec().unwrap();
        lua.globals().set("KEYS", ["key"]).unwrap();
        let script = lua.load(RULE).into_function().unwrap();
        Self { lua, script }
    }

    fn answer(&self, held: Option<&str>, now: u64, events: &[u64]) -> (Vec<u64>, String) {
        let globals = self.lua.globals();
        globals.set("held", held).unwrap();
        globals.set("seconds", (now / 1_000).to_string()).unwrap();
        globals.set("micros", (now % 1_000 * 1_000 + 999).to_string()).unwrap();
        let events: Vec<String> = events.iter().map(u64::to_string).collect();
        globals.set("ARGV", events).unwrap();
        let answer: Table = self.script.call(()).unwrap();
        let answer: Vec<f64> = answer.sequence_values().map(Result::unwrap).collect();
        assert!(answer.iter().all(|value| value.fract() == 0.0 && *value >= 0.0 && *value < 9e15), "{answer:?}");
        let kept_for: String = globals.get("kept_for").unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are whole, as asserted")]
        let answer: Vec<u64> = answer.into_iter().map(|value| value as u64).collect();
        assert_eq!(kept_for, answer[11].to_string());
        (answer, globals.get("held").unwrap())
    }

    /// Both, which must be the same.
    fn step(&self, held: Option<&str>, now: u64, events: &[u64]) -> (Vec<u64>, String) {
        let (script, rust) = (self.answer(held, now, events), rule(held, now, events));
        assert_eq!(script, rust, "of {held:?} at {now} with {events:?}");
        rust
    }
}

fn wanted(name: &str, usual: u64) -> u64 {
    env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// Tries every next step of a process from here on; how many there were.
fn all_from(engine: &Engine, held: Option<&str>, now: u64, process: &Process, depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    let first = process.leases.first().copied().unwrap_or_default();
    let last = process.leases.last().copied().unwrap_or_default();
    let told =
        |[epoch, window, at]: [u64; 3], flags, remaining, wait| [1, epoch, window, at, flags, 3, remaining, wait];
    let [epoch, start, count] = process.place;
    let events = [
        [4, 0, 0, 0, 1, 0, 0, 0],
        [4, epoch, start, count, 3, 0, 0, 0],
        told(first, 14, 2, 0),
        told(last, 14, 0, 0),
        told(last, 29, 0, 1_000),
        told(last, 29, 0, 40_000),
        [2, last[0], last[1], 0, 0, 0, 0, 0],
        [3, last[0], last[1], 1, 0, 0, 0, 0],
    ];
    let mut steps = 0;
    for pause in [0, 1_100, 60_000] {
        for event in events {
            let now = now + pause;
            let (answer, held) = engine.step(held, now, &event);
            let mut process = process.clone();
            process.on_answer(&answer);
            steps += 1 + all_from(engine, Some(&held), now, &process, depth - 1);
        }
    }
    steps
}

#[test]
fn all_short_sequences_are_decided_alike() {
    let engine = Engine::new();
    let depth = wanted("COMETLY_FLEET_DEPTH", 3);
    let steps = all_from(&engine, None, START, &Process::default(), depth);
    println!("{steps} steps");
    assert_eq!(steps, (1..=u32::try_from(depth).unwrap()).map(|length| 24_u64.pow(length)).sum::<u64>());
}

/// Something else than what the rule wrote.
fn rubbish(random: &mut Random, held: &str) -> String {
    let mut words: Vec<String> = held.split(' ').map(str::to_owned).collect();
    let at = usize::try_from(random.below(30)).unwrap();
    match random.below(4) {
        0 => {
            let odd = ["x", "-1", "1e3", "0x1f", "", "99999999999999999999", "1.5"];
            odd[usize::try_from(random.below(7)).unwrap()].clone_into(&mut words[at]);
        }
        1 => words[at] = random.of(&[0, 1, 2, 59, 60_000, START, START + 3_600_000, 1 << 50, 1 << 51]).to_string(),
        2 => words.truncate(at),
        _ => words.push("7".into()),
    }
    words.join(" ")
}

#[test]
fn random_steps_are_decided_alike() {
    let engine = Engine::new();
    let (steps, mut random) = (wanted("COMETLY_FLEET_RANDOM", 100_000), Random(1));
    let (mut held, mut now, mut process) = (None::<String>, START, Process::default());
    let mut granted = 0;
    for _ in 0..steps {
        now = match random.below(2_000) {
            0 => now + 3_600_000,
            1 => now.saturating_sub(3_600_000),
            2 => random.of(&[0, 1, START, 1 << 49]),
            _ => now + random.below(30) * random.below(300),
        };
        match random.below(1_000) {
            0 => (held, process) = (None, Process::default()),
            1..=20 => held = held.map(|held| rubbish(&mut random, &held)),
            _ => {}
        }
        let events: Vec<u64> = (0..random.below(4)).flat_map(|_| process.event(&mut random)).collect();
        let (answer, after) = engine.step(held.as_deref(), now, &events);
        process.on_answer(&answer);
        process.leases.drain(..process.leases.len().saturating_sub(8));
        held = Some(after);
        granted += answer[0];
    }
    println!("{steps} random steps, in which {granted} calls went");
    assert!(granted > steps / 20, "{granted} calls went in {steps} steps");
}

#[test]
fn a_real_server_decides_alike() {
    let Some(server) = Server::start(&[]) else { return };
    let (mut connection, mut random) = (server.connection(), Random(2));
    let sha1: String = redis::cmd("SCRIPT").arg("LOAD").arg(RULE).query(&mut connection).unwrap();
    let (mut held, mut process) = (None::<String>, Process::default());
    for step in 0..10_000 {
        // Windows are short, so that some pass while the test runs.
        if step % 500 == 0 {
            held = None;
            let _: () = connection.del("key").unwrap();
        }
        if random.below(100) == 0 {
            if let Some(before) = held.take() {
                let rubbish = rubbish(&mut random, &before);
                let _: () = connection.set("key", &rubbish).unwrap();
                held = Some(rubbish);
            }
        }
        let events: Vec<u64> = (0..random.below(4)).flat_map(|_| process.event(&mut random)).collect();
        let answer: Vec<u64> =
            redis::cmd("EVALSHA").arg(&sha1).arg(1).arg("key").arg(&events).query(&mut connection).unwrap();
        let (after, kept_for): (String, i64) = redis::pipe().get("key").pttl("key").query(&mut connection).unwrap();
        // The time is the server's, and it never goes back in the state: the answer tells it.
        let time = if held.is_some() { answer[3] } else { answer[3].max(1) };
        assert_eq!(
            (answer.clone(), after.clone()),
            rule(held.as_deref(), time, &events),
            "step {step}: {held:?} {events:?}"
        );
        assert!(kept_for > 0 && kept_for <= i64::try_from(answer[11]).unwrap(), "{kept_for} {answer:?}");
        process.on_answer(&answer);
        process.leases.drain(..process.leases.len().saturating_sub(8));
        held = Some(after);
    }
}
