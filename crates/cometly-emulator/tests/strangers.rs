//! Clients that bring nothing, read nothing or say nothing do not keep others from their answers, nor fill the memory.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "the lints do not know a test's helper for a test"
)]

mod wire;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cometly_emulator::{Emulator, Fault};
use wire::{EVENTS, TRACK, send, with};

/// Memory and time are measured: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The tests below hold some 2,500 sockets in one process.
fn enough_files() -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft = line.split_whitespace().nth(3).unwrap();
    let enough = soft.parse::<u64>().is_ok_and(|soft| soft >= 4096) || soft == "unlimited";
    if !enough {
        eprintln!("skipped: no more than {soft} files may be open");
    }
    enough
}

/// Memory that this process holds, in MiB.
fn held() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

#[track_caller]
fn is_answered_soon(emulator: &Emulator) {
    for _ in 0..3 {
        let began = Instant::now();
        let answer = send(emulator, "GET", &format!("{EVENTS}&per_page=1"), &with(&emulator.keys().full), "");
        assert_eq!(answer.status, "200 OK");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}

// `docs/faults.md` 126.
#[test]
fn strangers_neither_block_nor_fill_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !enough_files() {
        return;
    }
    // Silent connections.
    let emulator = Emulator::builder().no_limits().keep_requests(0).start().unwrap();
    let silent: Vec<_> = (0..1200).map(|_| wire::connect(&emulator)).collect();
    is_answered_soon(&emulator);
    let closed = silent.iter().filter(|stream| {
        stream.set_nonblocking(true).unwrap();
        matches!((&mut &**stream).read(&mut [0]), Ok(0))
    });
    // No more than 1024 are held.
    let closed = closed.count();
    assert!((176..300).contains(&closed), "{closed} were closed");
    drop(silent);

    // Half bodies without a key.
    let before = held();
    let halves: Vec<TcpStream> = (0..100)
        .map(|_| {
            let mut stream = wire::connect(&emulator);
            let length = 8 << 20;
            write!(stream, "POST {TRACK} HTTP/1.1\r\nHost: x\r\n{}Content-Length: {length}\r\n\r\n", with("1|wrong"))
                .unwrap();
            // What the emulator does not read, the sockets hold.
            stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
            let _ = stream.write_all(&vec![b'x'; length / 2]);
            stream
        })
        .collect();
    is_answered_soon(&emulator);
    // Nor do they take the room of clients with a key.
    let began = Instant::now();
    let large = "x".repeat(1 << 20);
    let status = send(&emulator, "POST", TRACK, &with(&emulator.keys().full), &large).status;
    assert_eq!(status, "422 Unprocessable Entity");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let grown = held().saturating_sub(before);
    assert!(grown < 64, "{grown} MiB are held for strangers");
    drop(halves);

    // Clients that ask for much and read nothing.
    let before = held();
    let large = Fault::stub(200).body(vec![b'x'; 300 << 10]);
    emulator.inject(large.for_path("/large"));
    let request = "GET /public-api/v1/large HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut deaf: Vec<TcpStream> = Vec::new();
    for _ in 0..1100 {
        let mut stream = wire::connect(&emulator);
        stream.write_all(request.as_bytes()).unwrap();
        deaf.push(stream);
    }
    is_answered_soon(&emulator);
    let grown = held().saturating_sub(before);
    assert!(grown < 250, "{grown} MiB are held for clients that read nothing");
    drop(deaf);
    is_answered_soon(&emulator);
}

#[test]
fn large_answers_wait_for_those_who_read_nothing_to_go() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let emulator = Emulator::builder().no_limits().start().unwrap();
    // More than the sockets' buffers take, and 64 MiB are four of them.
    let large = Fault::stub(200).body(vec![b'x'; 16 << 20]);
    emulator.inject(large.for_path("/large"));
    let request = b"GET /public-api/v1/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let ask = || {
        let mut stream = wire::connect(&emulator);
        stream.write_all(request).unwrap();
        stream
    };
    let deaf: Vec<TcpStream> = (0..12).map(|_| ask()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    let mut stream = ask();
    assert_eq!(wire::receive(&mut stream).body.len(), 16 << 20);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let closed = deaf.iter().filter(|stream| {
        let mut all = Vec::new();
        (&mut &**stream).read_to_end(&mut all).is_err() || all.len() < 16 << 20
    });
    // The last one waited for one of them at least; how many more are closed by then is a matter of time.
    assert!(closed.count() >= 1);
}

#[test]
fn a_body_with_a_key_waits_for_its_turn_and_is_taken_whole() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let emulator = Emulator::start().unwrap();
    let text = "x".repeat(7 << 20);
    let body = format!(r#"{{"event_name":"purchase","email":"a@example.com","url":"{text}"}}"#);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let answer = send(&emulator, "POST", TRACK, &with(&emulator.keys().full), &body);
                assert_eq!(answer.status, "202 Accepted");
            });
        }
    });
    assert_eq!(emulator.tracked_events().len(), 20);
}

#[test]
fn a_body_without_a_key_is_counted_and_a_small_one_is_on_record() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let emulator = Emulator::builder().max_body(1 << 20).start().unwrap();
    let refused = |body: &str| send(&emulator, "POST", TRACK, &with("1|wrong"), body).status;
    assert_eq!(refused(&"x".repeat(1000)), "401 Unauthorized");
    assert_eq!(refused(&"x".repeat(1 << 20)), "401 Unauthorized");
    assert_eq!(refused(&"x".repeat((1 << 20) + 1)), "413 Payload Too Large");
    let lengths: Vec<_> = emulator.received_requests().iter().map(|request| request.body.len()).collect();
    assert_eq!(lengths, [1000, 0, 0]);
}

#[test]
fn many_keys_and_large_bodies_on_the_page_do_not_hold_up_a_call() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let emulator = Emulator::builder().no_limits().start().unwrap();
    for _ in 0..300 {
        drop(emulator.issue_key(emulator.space(), &[]));
    }
    let body = "x".repeat(7 << 20);
    for _ in 0..9 {
        send(&emulator, "POST", TRACK, &with(&emulator.keys().full), &body);
    }
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let began = Instant::now();
            let mut stream = wire::connect(&emulator);
            let host = emulator.address();
            write!(stream, "GET /_emulator/calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
            let mut read = Vec::new();
            stream.read_to_end(&mut read).unwrap();
            assert!(read.starts_with(b"HTTP/1.1 200 OK") && read.len() < 100_000, "{}", read.len());
            began.elapsed()
        });
        is_answered_soon(&emulator);
        let took = looks.join().unwrap();
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}
