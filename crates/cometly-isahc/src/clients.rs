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
