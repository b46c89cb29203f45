//! What its user relies on beyond the answers: the record, many clients at once, and a clean end.

mod wire;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use cometly_emulator::Emulator;
use wire::{EVENTS, send, with};

#[test]
fn every_request_is_on_record_and_debug_hides_its_key() {
    let emulator = Emulator::start().unwrap();
    let key = &emulator.keys().full;
    send(&emulator, "GET", EVENTS, &with(key), "");
    send(&emulator, "POST", "/nowhere", &format!("{}X-Twice: a\r\nX-Twice: b\r\n", with(key)), "the body");

    let seen = emulator.received_requests();
    assert_eq!((seen.len(), emulator.request_count()), (2, 2));
    let (path, query) = EVENTS.split_once('?').unwrap();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("GET", path));
    assert_eq!((seen[0].query.as_deref(), seen[0].status.as_u16()), (Some(query), 200));
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {key}"));
    assert_eq!((seen[1].body.as_ref(), seen[1].query.as_deref()), (&b"the body"[..], None));
    assert_eq!(seen[1].status.as_u16(), 404);
    assert_eq!(seen[1].headers.get_all("x-twice").iter().collect::<Vec<_>>(), ["a", "b"]);

    let secret = key.split_once('|').unwrap().1;
    assert!(!format!("{seen:?} {emulator:?} {:?}", emulator.keys()).contains(secret));
}

#[test]
fn the_record_can_be_short_or_off_and_still_counts() {
    for kept in [0, 2] {
        let emulator = Emulator::builder().keep_requests(kept).start().unwrap();
        for path in ["/1", "/2", "/3"] {
            send(&emulator, "GET", path, "", "");
        }
        let paths: Vec<_> = emulator.received_requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, ["/2", "/3"][2 - kept..]);
        assert_eq!(emulator.request_count(), 3);
    }
}

#[test]
fn sixty_four_connections_are_served_at_once_and_kept_alive() {
    const CLIENTS: usize = 64;
    const EACH: usize = 160;
    let emulator = Emulator::builder().no_limits().seeded_events(1).start().unwrap();
    let request = format!("GET {EVENTS} HTTP/1.1\r\nHost: x\r\n{}\r\n", with(&emulator.keys().full));
    let mut connections: Vec<_> = (0..CLIENTS).map(|_| wire::connect(&emulator)).collect();
    let ask = |stream: &mut TcpStream| {
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(wire::receive(stream).status, "200 OK");
    };
    // None is closed before the last one is served.
    connections.iter_mut().for_each(ask);
    let began = Instant::now();
    thread::scope(|scope| {
        for mut stream in connections {
            scope.spawn(move || (1..EACH).for_each(|_| ask(&mut stream)));
        }
    });
    assert_eq!(emulator.request_count(), (CLIENTS * EACH) as u64);
    assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
}

#[test]
fn nothing_that_arrives_stops_it() {
    let emulator = Emulator::start().unwrap();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    let requests: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nbroken off",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer \xff\r\nAccept: ;q=,\xff\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ];
    for request in requests {
        let mut stream = wire::connect(&emulator);
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    assert_eq!(send(&emulator, "GET", EVENTS, &with(&emulator.keys().full), "").status, "200 OK");
}

#[test]
fn dropping_it_closes_connections_and_frees_the_port_at_once() {
    let emulator = Emulator::start().unwrap();
    let address = emulator.address();
    assert!(address.ip().is_loopback());
    assert_eq!(emulator.base_url(), format!("http://{address}/public-api/v1"));
    let mut idle = wire::connect(&emulator);
    let mut halfway = wire::connect(&emulator);
    halfway.write_all(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n").unwrap();
    send(&emulator, "GET", "/", "", "");

    let began = Instant::now();
    drop(emulator);
    assert!(began.elapsed() < Duration::from_secs(5));
    for stream in [&mut idle, &mut halfway] {
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    }
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn threads_can_share_it() {
    fn shared<T: Send + Sync>() {}
    shared::<Emulator>();
}

#[test]
fn it_starts_and_ends_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let emulator = Emulator::start().unwrap();
        assert_eq!(send(&emulator, "GET", "/login", "", "").status, "200 OK");
    });
}
