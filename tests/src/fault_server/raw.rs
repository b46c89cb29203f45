//! A server that does what a function says with each connection, where there is no request to answer.

use std::{
    fmt, io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{IDLE, Seen, Watched, lock};

/// The server; it ends, with all of its connections, when it is dropped.
pub struct RawServer {
    address: SocketAddr,
    log: Arc<RawLog>,
    acceptor: Option<JoinHandle<()>>,
    /// Held until the acceptor is gone, as that of the fault server is.
    _port: TcpListener,
}

#[derive(Default)]
struct RawLog {
    is_over: AtomicBool,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl RawServer {
    /// A server that gives each connection, and its number from 0, to `serve`, in a thread of its own.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn start(serve: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (log, serve) = (Arc::new(RawLog::default()), Arc::new(serve));
        let (shared, port) = (Arc::clone(&log), listener.try_clone()?);
        let acceptor = thread::Builder::new().name("raw-server".into()).spawn(move || {
            let mut threads: Vec<JoinHandle<()>> = Vec::new();
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let _ = stream.set_read_timeout(Some(IDLE));
                let _ = stream.set_write_timeout(Some(IDLE));
                lock(&shared.open).extend(stream.try_clone().ok());
                let (serve, log) = (Arc::clone(&serve), Arc::clone(&shared));
                threads.push(thread::spawn(move || {
                    let own = stream.peer_addr().ok();
                    let _ = serve(stream, number);
                    lock(&log.open).retain(|other| other.peer_addr().ok() != own);
                }));
                threads.retain(|thread| !thread.is_finished());
            }
            for thread in threads {
                let _ = thread.join();
            }
        })?;
        Ok(Self { address, log, acceptor: Some(acceptor), _port: port })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `scheme://127.0.0.1:PORT`, and the path that Cometly's API has.
    #[must_use]
    pub fn base_url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/public-api/v1", self.address)
    }

    /// What it saw, to be asked at any time, and after its end.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        Box::new(Witness { server: format!("the server of raw bytes at {}", self.address), log: Arc::clone(&self.log) })
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log.connections.load(Ordering::SeqCst)
    }
}

struct Witness {
    server: String,
    log: Arc<RawLog>,
}

impl Watched for Witness {
    fn seen(&self) -> Seen {
        let connections = self.log.connections.load(Ordering::SeqCst);
        Seen { server: self.server.clone(), connections: Some(connections), ..Seen::default() }
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.log.is_over.store(true, Ordering::SeqCst);
        for stream in lock(&self.log.open).iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl fmt::Debug for RawServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawServer").field("address", &self.address).finish_non_exhaustive()
    }
}
