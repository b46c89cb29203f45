//! A process that gets signals, or is stopped and goes on, as by a terminal or the host of a container: its calls go on, too.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Api, ApiKey, Endpoint, endpoint};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::drivers::{Driver, for_each_driver};

const BASE_URL: &str = "STOPS_BASE_URL";
/// More than the sockets of both ends hold.
const LARGE: usize = 16 << 20;
/// Until a signal is handled.
const PAUSE: Duration = Duration::from_millis(50);

/// Signals it, and stops it for a while. Linux ends a read that has a time-out with `EINTR` after either, and a write after a
/// signal that is handled, whatever its handler asks for (signal(7)).
fn disturb(child: &Child) {
    let is_sent = |signal: &str, to: &str| {
        let is_sent = Command::new("kill").args([signal, to]).stderr(Stdio::null()).status().unwrap().success();
        thread::sleep(PAUSE);
        is_sent
    };
    let process = child.id().to_string();
    thread::sleep(PAUSE * 5);
    for _ in 0..3 {
        // One thread gets a signal for a process: the one that is named, if it has nothing against it. One may have ended.
        for thread in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
            is_sent("-USR1", &thread.unwrap().file_name().into_string().unwrap());
        }
    }
    assert!(is_sent("-STOP", &process) && is_sent("-CONT", &process));
}

/// The next connection of a process that may have ended.
fn accept(listener: &TcpListener, child: &mut Child) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    loop {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            return stream;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended without a call");
        assert!(begun.elapsed() < Duration::from_secs(60), "it makes no call");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads a request to its end and answers it. Its process is disturbed while it writes, and while it waits for the answer.
fn answer(mut stream: TcpStream, child: &Child) {
    disturb(child);
    let (mut read, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    // Its JSON is a string.
    while !read.ends_with(b"x\"") {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "the request is cut after {} bytes", read.len());
        read.extend_from_slice(&buffer[..len]);
    }
    let head = read.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    assert_eq!(read.len() - head - 4, LARGE + 2, "the bytes of the body");
    disturb(child);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").unwrap();
}

fn track() -> impl Endpoint<Output = Value> + Send {
    endpoint(|api: &Api| api.post("events/track").json(&"x".repeat(LARGE)))
}

// `docs/faults.md` 149.
fn a_call_goes_on_with_a_process_that_is_signalled_or_stopped<D: Driver>() {
    if let Ok(base_url) = env::var(BASE_URL) {
        let api = Api::builder(ApiKey::new("1|canary").unwrap()).base_url(base_url.parse().unwrap()).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Its handler stays as long as the process.
        drop(runtime.block_on(async { signal(SignalKind::user_defined1()) }).unwrap());
        // A POST, which is not sent again.
        D::new(Duration::from_secs(20)).call(&api, track()).unwrap();
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", thread::current().name().unwrap(), "--nocapture"])
        .env(BASE_URL, format!("http://{}", listener.local_addr().unwrap()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stream = accept(&listener, &mut child);
    answer(stream, &child);
    assert!(child.wait().unwrap().success());
}

for_each_driver![a_call_goes_on_with_a_process_that_is_signalled_or_stopped];
