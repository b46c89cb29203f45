//! The isahc client that calls are sent through.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cometly_core::TransportLimits;
use isahc::HttpClient;

use crate::convert::forced;

/// The most connections at once; further calls wait for their turn. libcurl, as isahc builds it, can use no file
/// descriptor above 1,023, and each connection takes one.
const MOST_CONNECTIONS: usize = 256;

#[derive(Clone)]
pub(crate) struct Clients {
    current: Arc<Mutex<HttpClient>>,
    /// Whether it was made here.
    is_own: bool,
    reuse: bool,
    limits: TransportLimits,
}

impl Clients {
    pub(crate) fn new(users: Option<HttpClient>, reuse: bool, limits: TransportLimits) -> Result<Self, isahc::Error> {
        let is_own = users.is_none();
        let http = users.map_or_else(|| own_client(reuse, limits), Ok)?;
        Ok(Self { current: Arc::new(Mutex::new(http)), is_own, reuse, limits })
    }

    /// Whether it is set up as is forced, so that a request only says where it differs.
    pub(crate) fn is_own(&self) -> bool {
        self.is_own
    }

    /// The client; another one than was used so far, if it must not use connections that were kept.
    pub(crate) fn current(&self, fresh: bool) -> HttpClient {
        if fresh {
            self.close_idle();
        }
        self.lock().clone()
    }

    /// A new client for the calls from now on; the old one ends, and its connections, with its last call.
    pub(crate) fn close_idle(&self) {
        if !self.is_own || !self.reuse {
            return;
        }
        // One that was made before can be made again; if not, the old one stays.
        if let Ok(http) = own_client(self.reuse, self.limits) {
            let old = std::mem::replace(&mut *self.lock(), http);
            // Waits for its thread, without the lock.
            drop(old);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HttpClient> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn own_client(reuse: bool, limits: TransportLimits) -> Result<HttpClient, isahc::Error> {
    let http = HttpClient::builder().max_connections(MOST_CONNECTIONS);
    let http = forced(http, TransportLimits::DEFAULT_ATTEMPT_TIMEOUT, limits.connect_timeout, None);
    if reuse { http.build() } else { http.connection_cache_size(0).build() }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use cometly_core::{Api, ApiKey};

    use super::*;
    use crate::{Client, blocking};

    #[test]
    fn a_client_that_is_brought_is_never_replaced() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = vec![0; 4096];
            let len = stream.read(&mut head).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
            String::from_utf8_lossy(&head[..len]).into_owned()
        });
        let brought = HttpClient::builder().default_header("x-brought", "1").build().unwrap();
        let client = Client::builder().http_client(brought).reuse_connections(true).build().unwrap();
        let client = blocking::Client::from(client);
        client.close_idle();
        let api = Api::builder(ApiKey::new("1|canary").unwrap()).base_url(base_url).build();
        assert!(client.send(api.get("events")).unwrap().error().is_none());
        let head = server.join().unwrap();
        assert!(head.contains("x-brought: 1"), "{head}");
    }
}
