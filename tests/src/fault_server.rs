//! A server on loopback that does what a server should not: it writes scripted bytes, and keeps and counts all it reads.
//!
//! Written by hand on purpose, for an HTTP library would not write broken HTTP. One thread a connection.

mod answer;
mod closed_port;
mod connection;
mod proxy;
mod raw;
mod received;
mod script;
mod seen;
mod tls;

use std::{
    collections::HashMap,
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

pub use answer::{Act, Answer};
pub use closed_port::ClosedPort;
pub use proxy::ConnectProxy;
pub use raw::RawServer;
pub use received::Received;
pub use script::Script;
pub(crate) use seen::{Seen, SeenRequest, Watched};
pub use tls::{Authority, ServerCertificate};

/// How long a connection may be silent before it is given up.
const IDLE: Duration = Duration::from_secs(60);

/// The server; it ends, with all of its connections, when it is dropped.
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream};
/// use cometly_conformance::fault_server::{Answer, FaultServer, Script};
///
/// let server = FaultServer::start(Script::always(Answer::json(200, "{}").then_close()))?;
/// let mut client = TcpStream::connect(server.address())?;
/// client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("{}"));
/// assert_eq!((server.connections(), server.arrivals()), (1, 1));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    is_tls: bool,
    log: Arc<Log>,
    acceptor: Option<JoinHandle<()>>,
    /// Held until the acceptor is gone: what wakes it must not reach the next server on the same port.
    _port: TcpListener,
}

/// What the threads of one server share.
#[derive(Debug, Default)]
pub(crate) struct Log {
    is_over: AtomicBool,
    connections: AtomicUsize,
    /// Requests whose head was read: each gets its number from here.
    begun: AtomicUsize,
    arrivals: AtomicUsize,
    failed_handshakes: AtomicUsize,
    /// The protocols that were negotiated, by connection.
    alpn: Mutex<Vec<Option<String>>>,
    requests: Mutex<Vec<Received>>,
    /// The sockets that are open, to be shut when the server ends.
    open: Mutex<HashMap<usize, TcpStream>>,
}

impl FaultServer {
    /// A server that speaks plain HTTP.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn start(script: Script) -> io::Result<Self> {
        Self::listen(script, None)
    }

    /// A server that speaks TLS, and offers HTTP/2 before HTTP/1.1 to see who takes it.
    ///
    /// # Errors
    /// If no port or thread can be had, or the certificate cannot be used.
    pub fn start_tls(certificate: &ServerCertificate, script: Script) -> io::Result<Self> {
        Self::listen(script, Some(certificate.server_config()?))
    }

    fn listen(script: Script, tls: Option<Arc<rustls::ServerConfig>>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (log, is_tls) = (Arc::new(Log::default()), tls.is_some());
        let (shared, port) = (Arc::clone(&log), listener.try_clone()?);
        let acceptor = thread::Builder::new().name("fault-server".into()).spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if shared.is_over() {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (log, script, tls) = (Arc::clone(&shared), script.clone(), tls.clone());
                let id = log.open(&stream);
                // A connection that breaks is what this server is for.
                threads.push(thread::spawn(move || {
                    let _ = connection::serve(stream, id, &script, tls, &log);
                    log.close(id);
                }));
                threads.retain(|thread| !thread.is_finished());
            }
            for thread in threads {
                let _ = thread.join();
            }
        })?;
        Ok(Self { address, is_tls, log, acceptor: Some(acceptor), _port: port })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, or `https://…`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }

    /// The origin, and the path that Cometly's API has.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}/public-api/v1", self.origin())
    }

    /// How many connections were made, failed TLS handshakes included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }

    /// How many requests were read, each with as much of its body as the script reads.
    #[must_use]
    pub fn arrivals(&self) -> usize {
        self.log.arrivals.load(Ordering::SeqCst)
    }

    /// How many TLS handshakes failed.
    #[must_use]
    pub fn failed_handshakes(&self) -> usize {
        self.log.failed_handshakes.load(Ordering::SeqCst)
    }

    /// The protocols that TLS clients negotiated, in the order of their handshakes.
    #[must_use]
    pub fn alpn(&self) -> Vec<Option<String>> {
        lock(&self.log.alpn).clone()
    }

    /// What was read, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.log.requests).clone()
    }

    /// Forgets what was read and negotiated so far, for a run that is long; the counts go on.
    pub fn forget(&self) {
        lock(&self.log.requests).clear();
        lock(&self.log.alpn).clear();
    }

    /// What it saw, to be asked at any time, and after its end.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        Box::new(Witness { server: format!("the fault server at {}", self.origin()), log: Arc::clone(&self.log) })
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        lock(&self.log.open).len()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.log.is_over.store(true, Ordering::SeqCst);
        for stream in lock(&self.log.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor out of `accept`.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

struct Witness {
    server: String,
    log: Arc<Log>,
}

impl Watched for Witness {
    fn seen(&self) -> Seen {
        Seen {
            server: self.server.clone(),
            connections: Some(self.log.connections.load(Ordering::SeqCst)),
            arrivals: u64::try_from(self.log.arrivals.load(Ordering::SeqCst)).ok(),
            requests: lock(&self.log.requests).iter().map(SeenRequest::of).collect(),
        }
    }
}

impl Log {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn open(&self, stream: &TcpStream) -> usize {
        let id = self.connections.fetch_add(1, Ordering::SeqCst);
        let _ = stream.set_read_timeout(Some(IDLE));
        let _ = stream.set_write_timeout(Some(IDLE));
        let _ = stream.set_nodelay(true);
        if let Ok(stream) = stream.try_clone() {
            lock(&self.open).insert(id, stream);
        }
        id
    }

    fn close(&self, id: usize) {
        lock(&self.open).remove(&id);
    }

    /// Sleeps, unless the server ends.
    fn pause(&self, duration: Duration) {
        let slice = Duration::from_millis(20);
        let mut left = duration;
        while !left.is_zero() && !self.is_over() {
            thread::sleep(left.min(slice));
            left = left.saturating_sub(slice);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
