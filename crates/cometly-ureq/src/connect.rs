//! How a connection is made: look up, connect, tunnel through a proxy, TLS. Each failure says at which of these places it
//! happened, since nothing of a request is sent before the last one is done. One deadline holds at all of them, and for
//! every read and write later on.
//!
//! ureq looks up the address before it looks for a kept connection, and spawns a thread to do so in time: on each request.
//! Here ureq's look-up gives a blank, and the connector makes the real one. These traits of ureq may change with its
//! next minor version, hence the version that the manifest asks for.

mod connection;
mod deadline;
mod dial;
mod place;
mod socket;
mod tls;
mod tunnel;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use cometly_core::{ProxyRules, ProxyUrl};
use http::Uri;
use ureq::{
    Agent, Error,
    config::Config,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport},
    },
};

pub(crate) use deadline::until;
pub(crate) use place::{NotConnected, Place};

use connection::Connection;
use deadline::Deadline;
use dial::dial;
use socket::Socket;
use tls::Tls;
use tunnel::tunnel;

/// An agent whose connections are made here.
pub(crate) fn agent(config: Config, proxies: ProxyRules) -> Agent {
    Agent::with_parts(config, Connect::with(DefaultResolver::default(), proxies), Later)
}

/// Gives a blank for ureq's own look-up.
#[derive(Debug)]
struct Later;

impl Resolver for Later {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut blank = self.empty();
        blank.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
        Ok(blank)
    }
}

#[derive(Debug)]
struct Connect<R> {
    resolver: R,
    proxies: ProxyRules,
    tls: Tls,
}

impl<R: Resolver> Connect<R> {
    fn with(resolver: R, proxies: ProxyRules) -> Self {
        Self { resolver, proxies, tls: Tls::default() }
    }

    fn open(&self, details: &ConnectionDetails<'_>) -> Result<Connection, NotConnected> {
        let deadline = Deadline::new(details.timeout);
        let Some(proxy) = self.proxies.proxy_for(details.uri) else {
            let socket = self.socket(details, details.uri, &deadline)?;
            let inner = self.encrypted(details, details.uri, socket.boxed(), &deadline)?;
            return Ok(Connection::new(inner, deadline));
        };
        let to_proxy = self.to_proxy(details, proxy, &deadline).map_err(|error| error.through(proxy))?;
        let tunnel = tunnel(to_proxy, details, proxy)?;
        let inner = self.encrypted(details, details.uri, tunnel.boxed(), &deadline)?;
        Ok(Connection::new(inner, deadline))
    }

    fn to_proxy(
        &self,
        details: &ConnectionDetails<'_>,
        proxy: &ProxyUrl,
        deadline: &Deadline,
    ) -> Result<Box<dyn Transport>, NotConnected> {
        let uri: Uri = proxy.to_string().parse().map_err(|_| Place::LookUp.failed(Error::InvalidProxyUrl))?;
        let socket = self.socket(details, &uri, deadline)?;
        self.encrypted(details, &uri, socket.boxed(), deadline)
    }

    fn socket(&self, details: &ConnectionDetails<'_>, uri: &Uri, deadline: &Deadline) -> Result<Socket, NotConnected> {
        let config = details.config;
        let timeout = deadline.left().map_err(|error| Place::LookUp.failed(error))?;
        let addrs = self.resolver.resolve(uri, config, timeout).map_err(|error| Place::LookUp.failed(error))?;
        let failed = |error| Place::Dial.failed(error);
        let stream = dial(&addrs, deadline).map_err(failed)?;
        if config.no_delay() {
            stream.set_nodelay(true).map_err(|error| failed(error.into()))?;
        }
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let socket = Socket::new(stream, buffers, deadline.clone());
        (details.register_shutdown)(socket.shutdown_handle()).map_err(failed)?;
        Ok(socket)
    }

    /// In TLS, if the URL says so.
    fn encrypted(
        &self,
        details: &ConnectionDetails<'_>,
        uri: &Uri,
        transport: Box<dyn Transport>,
        deadline: &Deadline,
    ) -> Result<Box<dyn Transport>, NotConnected> {
        if uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
            return Ok(transport);
        }
        let before = deadline.written();
        let details = ConnectionDetails {
            uri,
            addrs: self.resolver.empty(),
            config: details.config,
            // A request changes nothing of TLS, and settings of the agent are set up once.
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.tls.wrap(&details, transport).map_err(|error| {
            // What fails before the first byte of the handshake is ours.
            let place = if deadline.written() == before { Place::TlsSetup } else { Place::Tls };
            place.failed(error)
        })
    }
}

impl<R: Resolver> Connector for Connect<R> {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, Error> {
        self.open(details).map(Some).map_err(|error| Error::Other(Box::new(error)))
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
            let agent = Agent::with_parts(config, Connect::with(resolver, ProxyRules::default()), Later);
            for _ in 0..3 {
                let mut answer = agent.get("http://no-such-host.invalid/").call().unwrap();
                assert_eq!(answer.body_mut().read_to_vec().unwrap(), b"{}");
            }
            assert_eq!(asked.load(Ordering::Relaxed), expected, "{kept} kept");
        }
    }
}
