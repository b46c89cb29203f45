//! A Redis server of the tests' own, and the rule in Rust as the engine holds it.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    env, fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use cometly_core::SharedLane;
use redis::{Client, Connection};
use tempfile::TempDir;

/// The rule in Rust on the text that the engine holds: the answer, and the text after.
pub(crate) fn rule(held: Option<&str>, now: u64, events: &[u64]) -> (Vec<u64>, String) {
    let is_state = held.is_some_and(|held| held.len() <= 1024);
    let fields: Option<Vec<u64>> =
        held.filter(|_| is_state).unwrap_or_default().split_ascii_whitespace().map(|word| word.parse().ok()).collect();
    let mut lane = SharedLane::from_fields(&fields.unwrap_or_default());
    let answer = lane.answer(now, events).to_vec();
    (answer, lane.fields().map(|field| field.to_string()).join(" "))
}

/// Drawn from a seed: the same each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, ceiling: u64) -> u64 {
        self.bits() % ceiling
    }

    pub(crate) fn of(&mut self, values: &[u64]) -> u64 {
        values[usize::try_from(self.below(u64::try_from(values.len()).unwrap())).unwrap()]
    }
}

/// Leases and a place in line that an engine's answers gave, and events that use them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Process {
    pub(crate) leases: Vec<[u64; 3]>,
    pub(crate) place: [u64; 3],
}

impl Process {
    pub(crate) fn on_answer(&mut self, answer: &[u64]) {
        if answer[0] > 0 {
            self.leases.push([answer[1], answer[2], answer[3]]);
        }
        self.place = [answer[1], answer[4], answer[5]];
    }

    /// An event as a process of a fleet sends it, or almost: some numbers are of no lease, some are huge.
    pub(crate) fn event(&self, random: &mut Random) -> [u64; 8] {
        let odd = [0, 1, 7, 60, 999, 1 << 20, 1 << 50, u64::MAX];
        if random.below(50) == 0 {
            return std::array::from_fn(|_| random.of(&odd));
        }
        let newest = self.leases.len().saturating_sub(usize::try_from(random.below(4)).unwrap() + 1);
        let [epoch, window, at] = self.leases.get(newest).copied().unwrap_or_default();
        let limit = random.of(&[1, 5, 7, 15, 60]);
        match random.below(8) {
            0 => [2, epoch, window, 0, 0, 0, 0, 0],
            1 => [3, epoch, window, random.below(9), 0, 0, 0, 0],
            2 | 3 => {
                let flags = random.of(&[2, 14, 14, 14, 14, 10, 29, 29, 25, 13, 12, 46, 61, 8, 0, 63]);
                let (remaining, wait) =
                    (random.below(limit + 2), random.of(&[0, 400, 3_000, 30_000, 60_000, 4_000_000]));
                let at = if flags & 32 == 0 { at } else { random.below(3_000) };
                [1, epoch, window, at, flags, limit, remaining, wait]
            }
            4 => [1, epoch, window, at, 14, limit, limit - 1 - random.below(limit), 0],
            5 => [4, 0, 0, 0, random.of(&[0, 1, 2, 9, 90]), random.of(&odd), 0, 0],
            _ => [4, self.place[0], self.place[1], self.place[2], random.of(&[0, 1, 2, 9, 90]), 0, 0, 0],
        }
    }
}

/// A Redis on a free port of loopback, with a folder of its own. Killed when dropped. `COMETLY_REDIS_SERVER` names another
/// program than `redis-server`, such as `valkey-server`.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    variables: Vec<(String, String)>,
    child: Child,
}

fn program() -> String {
    env::var("COMETLY_REDIS_SERVER").unwrap_or_else(|_| "redis-server".into())
}

impl Server {
    /// None, and a line, where there is no redis-server.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        Self::start_with(options, tempfile::tempdir().unwrap(), &[])
    }

    /// One whose clock [`set_clock`](Self::set_clock) moves. None, and a line, where there is no `faketime`.
    pub(crate) fn start_with_clock() -> Option<Self> {
        // The program knows where its library is.
        let library = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let Some(library) = library.ok().filter(|output| output.status.success()) else {
            eprintln!("skipped: no faketime");
            return None;
        };
        let library = String::from_utf8(library.stdout).unwrap().trim().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let clock = folder.path().join("clock");
        fs::write(&clock, "+0").unwrap();
        let variables = [
            // Redis's own allocator asks for the time before the library can tell it, so it gets libc's.
            ("LD_PRELOAD", &*format!("{library} libc.so.6")),
            ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        Self::start_with(&[], folder, &variables)
    }

    fn start_with(options: &[&str], folder: TempDir, variables: &[(&str, &str)]) -> Option<Self> {
        let is_there = Command::new(program()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !is_there.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no {}", program());
            return None;
        }
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let variables: Vec<_> = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        for _ in 0..5 {
            let port = free_port();
            if let Some(child) = spawn(port, &folder, &options, &variables) {
                return Some(Self { folder, port, options, variables, child });
            }
        }
        panic!("{} does not start: {:?}", program(), fs::read_to_string(folder.path().join("log")));
    }

    /// Sets the clock this many seconds ahead of the right time.
    pub(crate) fn set_clock(&self, ahead: u32) {
        fs::write(self.folder.path().join("clock"), format!("+{ahead}")).unwrap();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn connection(&self) -> Connection {
        Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port; it knows nothing of before.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.options, &self.variables).expect("the port is free again");
    }

    /// `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that is stopped dies of this too. It may have been killed before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(port: u16, folder: &TempDir, options: &[String], variables: &[(String, String)]) -> Option<Child> {
    let folder = folder.path().to_str().unwrap();
    let mut child = Command::new(program())
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"])
        .args(["--logfile", "log", "--daemonize", "no"])
        .args(options)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .spawn()
        .ok()?;
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    None
}

/// Waits until it is so, for thirty seconds: the fleet's thread looks every ten for pacers that are gone.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it takes more than 30 s: {what}");
        sleep(Duration::from_millis(5));
    }
}
