//! The look-up of an address, put off until a connection is made.
//!
//! ureq looks up the address before it looks for a kept connection, and spawns a thread to do so in time: on each request.
//! Here the first look-up gives a blank, and the connector makes the real one. These traits of ureq may change with its
//! next minor version, hence the version that the manifest asks for.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{self, Instant},
};

use http::Uri;
use ureq::{
    Agent, Error,
    config::Config,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport, time::Duration},
    },
};

/// An agent like ureq's own that looks up no address for a connection that it has.
pub(crate) fn agent(config: Config) -> Agent {
    Agent::with_parts(config, LookUp::with(DefaultResolver::default()), Later)
}

const BLANK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[derive(Debug)]
struct Later;

impl Resolver for Later {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut blank = self.empty();
        blank.push(BLANK);
        Ok(blank)
    }
}

#[derive(Debug)]
struct LookUp<R> {
    resolver: R,
    connector: DefaultConnector,
}

impl<R> LookUp<R> {
    fn with(resolver: R) -> Self {
        Self { resolver, connector: DefaultConnector::default() }
    }
}

impl<R: Resolver> Connector for LookUp<R> {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        let (mut addrs, mut timeout) = (self.resolver.empty(), details.timeout);
        if details.addrs.first() == Some(&BLANK) {
            let begun = Instant::now();
            addrs = self.resolver.resolve(details.uri, details.config, timeout)?;
            timeout = less(timeout, begun.elapsed())?;
        } else {
            // None, where a proxy is to look it up; or a proxy's own.
            details.addrs.iter().for_each(|addr| addrs.push(*addr));
        }
        let details = ConnectionDetails {
            uri: details.uri,
            addrs,
            config: details.config,
            request_level: details.request_level,
            // Another address, a proxy's, is looked up here.
            resolver: &self.resolver,
            now: details.now,
            timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.connector.connect(&details, chained)
    }
}

/// What is left of the time for connecting when some of it is gone.
fn less(timeout: NextTimeout, gone: time::Duration) -> Result<NextTimeout, Error> {
    let Duration::Exact(after) = timeout.after else { return Ok(timeout) };
    match after.saturating_sub(gone) {
        time::Duration::ZERO => Err(Error::Timeout(timeout.reason)),
        left => Ok(NextTimeout { after: Duration::Exact(left), ..timeout }),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use ureq::Timeout;

    use super::*;

    /// Knows one place, and how often it was asked.
    #[derive(Debug)]
    struct Counting(SocketAddr, Arc<AtomicUsize>);

    impl Resolver for Counting {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let mut addrs = self.empty();
            addrs.push(self.0);
            Ok(addrs)
        }
    }

    #[test]
    fn an_address_is_looked_up_once_for_a_connection_and_not_for_a_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                while stream.read(&mut [0; 4096]).unwrap() > 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
                }
            }
        });
        for (kept, expected) in [(1, 1), (0, 3)] {
            let asked = Arc::new(AtomicUsize::new(0));
            let config = Agent::config_builder().proxy(None).max_idle_connections(kept).build();
            let resolver = Counting(addr, asked.clone());
            let agent = Agent::with_parts(config, LookUp::with(resolver), Later);
            for _ in 0..3 {
                let mut answer = agent.get("http://no-such-host.invalid/").call().unwrap();
                assert_eq!(answer.body_mut().read_to_vec().unwrap(), b"{}");
            }
            assert_eq!(asked.load(Ordering::Relaxed), expected, "{kept} kept");
        }
    }

    #[test]
    fn what_a_look_up_takes_is_gone() {
        let (second, timeout) = (time::Duration::from_secs(1), NextTimeout::default());
        assert_eq!(less(timeout, second).unwrap(), timeout, "no end is no end");
        let timeout = NextTimeout { after: Duration::from_secs(3), reason: Timeout::Connect, ..timeout };
        assert_eq!(less(timeout, second).unwrap().after, Duration::from_secs(2));
        for late in [3, 4] {
            let late = less(timeout, second * late);
            assert!(matches!(late, Err(Error::Timeout(Timeout::Connect))), "{late:?}");
        }
    }
}
