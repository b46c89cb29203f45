//! Connects to the first address that answers (RFC 8305, "happy eyeballs"): the families take turns, and the next address
//! is tried when the last one has failed or has been silent for a quarter of a second.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use ureq::{Error, unversioned::transport::time::Duration as Left};

use super::deadline::Deadline;

/// RFC 8305 §5: the time after which the next address is tried as well.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

pub(super) fn dial(addrs: &[SocketAddr], deadline: &Deadline) -> Result<TcpStream, Error> {
    if let [addr] = addrs {
        return connect(*addr, deadline);
    }
    let (done, results) = mpsc::channel();
    let mut waiting = by_turns(addrs);
    let (mut running, mut first_error) = (0_usize, None);
    loop {
        if let Some(addr) = waiting.pop_front() {
            running = running.saturating_add(1);
            let (sender, until) = (done.clone(), deadline.clone());
            // Ends by itself, at the deadline at the latest; a connection that is not taken is closed.
            let attempt = move || {
                let _ = sender.send(connect(addr, &until));
            };
            if thread::Builder::new().name("connect".into()).spawn(attempt).is_err() {
                let _ = done.send(connect(addr, deadline));
            }
        } else if running == 0 {
            return Err(first_error.unwrap_or(Error::HostNotFound));
        }
        let left = match deadline.left()?.after {
            Left::Exact(left) => left,
            Left::NotHappening => Duration::MAX,
        };
        let pause = if waiting.is_empty() { left } else { left.min(ATTEMPT_DELAY) };
        match results.recv_timeout(pause) {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => {
                running = running.saturating_sub(1);
                first_error.get_or_insert(error);
            }
            // Its turn has come, or the deadline.
            Err(_) => {}
        }
    }
}

fn connect(addr: SocketAddr, deadline: &Deadline) -> Result<TcpStream, Error> {
    let stream = match deadline.left()?.after {
        Left::Exact(left) => TcpStream::connect_timeout(&addr, left),
        Left::NotHappening => TcpStream::connect(addr),
    };
    stream.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => deadline.passed(),
        _ => error.into(),
    })
}

/// The families by turns, beginning with the one that the system prefers (RFC 8305 §4).
fn by_turns(addrs: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let is_preferred = |addr: &SocketAddr| addrs.first().is_none_or(|first| first.is_ipv4() == addr.is_ipv4());
    let mut preferred = addrs.iter().copied().filter(|addr| is_preferred(addr));
    let mut others = addrs.iter().copied().filter(|addr| !is_preferred(addr));
    let mut turns = VecDeque::with_capacity(addrs.len());
    loop {
        let pair = [preferred.next(), others.next()];
        if pair == [None, None] {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use ureq::{Timeout, unversioned::transport::NextTimeout};

    use super::*;

    /// Linux drops what comes to a listener whose queue is full: an address that is dark.
    fn dark() -> (TcpListener, Vec<thread::JoinHandle<()>>) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let listener: TcpListener = socket.into();
        let addr = listener.local_addr().unwrap();
        let fill = move || {
            let held = TcpStream::connect_timeout(&addr, Duration::from_millis(300));
            thread::sleep(Duration::from_secs(3));
            drop(held);
        };
        let fillers = (0..3).map(|_| thread::spawn(fill)).collect();
        thread::sleep(Duration::from_millis(400));
        (listener, fillers)
    }

    fn within(time: Duration) -> Deadline {
        let timeout = NextTimeout { after: Left::Exact(time), reason: Timeout::Connect, ..NextTimeout::default() };
        Deadline::new(timeout)
    }

    #[test]
    fn an_address_that_is_dark_delays_the_next_one_by_a_quarter_of_a_second() {
        let (dark, _fillers) = dark();
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let [dark, alive] = [&dark, &alive].map(|listener| listener.local_addr().unwrap());
        let begun = Instant::now();
        let stream = dial(&[dark, alive], &within(Duration::from_secs(10))).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        assert!(begun.elapsed() >= ATTEMPT_DELAY && begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let begun = Instant::now();
        for addrs in [&[dark, dark][..], &[dark]] {
            let late = dial(addrs, &within(Duration::from_millis(500))).unwrap_err();
            assert!(matches!(late, Error::Timeout(Timeout::Connect)), "{late:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_address_that_refuses_delays_nothing_and_the_first_refusal_is_told() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let begun = Instant::now();
        let addrs = [closed, closed, alive.local_addr().unwrap()];
        assert_eq!(dial(&addrs, &within(Duration::from_secs(10))).unwrap().peer_addr().unwrap(), addrs[2]);
        assert!(begun.elapsed() < ATTEMPT_DELAY, "{:?}", begun.elapsed());
        let refused = dial(&[closed, closed], &within(Duration::from_secs(10))).unwrap_err();
        assert!(
            matches!(&refused, Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
            "{refused:?}"
        );
        assert!(matches!(dial(&[], &within(Duration::from_secs(1))), Err(Error::HostNotFound)));
    }

    #[test]
    fn the_families_take_turns() {
        let turns = |addrs: &[&str]| {
            let addrs: Vec<SocketAddr> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
            by_turns(&addrs).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let listed = ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"];
        assert_eq!(turns(&listed), ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"]);
        assert_eq!(turns(&["127.0.0.1:1", "[::1]:1", "[::2]:1"]), ["127.0.0.1:1", "[::1]:1", "[::2]:1"]);
    }
}
