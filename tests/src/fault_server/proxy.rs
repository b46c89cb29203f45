//! A proxy that records what it receives, and tunnels to loopback only.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{Received, Seen, SeenRequest, Watched, lock};

/// The proxy; it accepts no more connections once dropped.
#[derive(Debug)]
pub struct ConnectProxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<Received>>>,
    is_over: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
    /// Held until the acceptor is gone, as that of the fault server is.
    _port: TcpListener,
}

impl ConnectProxy {
    /// A proxy that opens a tunnel for `CONNECT`, and answers 502 to anything else.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn start() -> io::Result<Self> {
        Self::listen(None)
    }

    /// A proxy that answers this to all that it is asked for, and closes the connection.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn refusing(answer: &'static str) -> io::Result<Self> {
        Self::listen(Some(answer))
    }

    fn listen(refusal: Option<&'static str>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (heads, is_over) = (Arc::<Mutex<Vec<Received>>>::default(), Arc::<AtomicBool>::default());
        let (log, over, port) = (Arc::clone(&heads), Arc::clone(&is_over), listener.try_clone()?);
        let acceptor = thread::Builder::new().name("proxy".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let log = Arc::clone(&log);
                thread::spawn(move || tunnel(stream, &log, refusal));
            }
        })?;
        Ok(Self { address, heads, is_over, acceptor: Some(acceptor), _port: port })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it saw, to be asked at any time, and after its end.
    pub(crate) fn watched(&self) -> Box<dyn Watched> {
        Box::new(Witness { server: format!("the proxy at {}", self.url()), heads: Arc::clone(&self.heads) })
    }

    /// The heads of what it was asked for.
    #[must_use]
    pub fn heads(&self) -> Vec<Received> {
        lock(&self.heads).clone()
    }
}

struct Witness {
    server: String,
    heads: Arc<Mutex<Vec<Received>>>,
}

impl Watched for Witness {
    fn seen(&self) -> Seen {
        let heads = lock(&self.heads);
        let request = |head| SeenRequest { connection: None, ..SeenRequest::of(head) };
        let requests: Vec<_> = heads.iter().map(request).collect();
        let arrivals = u64::try_from(requests.len()).ok();
        Seen { server: self.server.clone(), connections: None, arrivals, requests }
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn tunnel(mut client: TcpStream, log: &Mutex<Vec<Received>>, refusal: Option<&str>) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = Vec::new();
    let mut byte = [0];
    // Byte by byte, for what follows the head belongs to the tunnel.
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 * 1024 && client.read(&mut byte)? == 1 {
        head.extend(byte);
    }
    let received = Received { head, ..Received::default() };
    let line = received.request_line();
    lock(log).push(received);
    if let Some(refusal) = refusal {
        return client.write_all(refusal.as_bytes());
    }
    let target = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let target = target.and_then(|target| target.parse::<SocketAddr>().ok()).filter(|to| to.ip().is_loopback());
    let Some(target) = target else {
        return client.write_all(b"HTTP/1.1 502 No Tunnel\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let server = TcpStream::connect(target)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (up_from, up_to) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || pump(up_from, up_to));
    pump(server, client);
    let _ = up.join();
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
