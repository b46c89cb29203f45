//! The emulator as its user holds it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::backend::{Backend, State};
use crate::builder::EmulatorBuilder;
use crate::control::Control;
use crate::downloads::Downloads;
use crate::faults::active::{FaultId, InjectedFault};
use crate::faults::fault::Fault;
use crate::keys::{Ability, Keys, Space};
use crate::path::{API, HOME};
use crate::record::ReceivedRequest;
use crate::server::connections::{self, Server};
use crate::server::network::Bound;
use crate::store::restore::Beginning;
use crate::store::settled::Wait;

/// A running emulator of Cometly's API, on a port of 127.0.0.1 by default, served by a thread of its own; from
/// [`start`](Self::start) or [`builder`](Self::builder).
///
/// Starting it fails with an [`io::Error`] only, for what [`EmulatorBuilder`] names. How many requests and events it keeps is set
/// by [`keep_requests`](EmulatorBuilder::keep_requests) and [`keep_events`](EmulatorBuilder::keep_events). When it is dropped, its
/// connections are closed, its port is free and its thread has ended.
pub struct Emulator {
    address: SocketAddr,
    base_url: String,
    page_url: String,
    keys: Keys,
    space: Space,
    backend: Arc<Backend>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator on a free port of 127.0.0.1, with the rate limits of Cometly's docs, 1000 example events, 250
    /// contacts, 250 companies and the system's clock. It runs until it is dropped.
    ///
    /// # Errors
    /// If the system gives no port, no thread, or no epoll or kqueue.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// A builder for an emulator with settings of your own, each of which has a default; to be followed by
    /// [`EmulatorBuilder::start`].
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new()
    }

    /// The base URL for the client under test, in place of `https://app.cometly.com/public-api/v1`:
    /// `http://127.0.0.1:PORT/public-api/v1`. Its host is the address of [`listen`](EmulatorBuilder::listen), 127.0.0.1 for
    /// 0.0.0.0; with [`public_url`](EmulatorBuilder::public_url), scheme, host and port are those of that URL.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The socket address on which the emulator listens, with the real port, also if a free one was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the page that shows each call: `http://127.0.0.1:PORT/_emulator`. Its host is the address of
    /// [`listen`](EmulatorBuilder::listen), 127.0.0.1 for 0.0.0.0; with [`public_url`](EmulatorBuilder::public_url), scheme,
    /// host and port are those of that URL. If other machines can reach the emulator, or [`page_token`](EmulatorBuilder::page_token) was called, the page asks for a
    /// token, and the URL holds it. The control API lies below the same path; see the
    /// [README](https://crates.io/crates/cometly-emulator).
    #[must_use]
    pub fn page_url(&self) -> String {
        self.page_url.clone()
    }

    /// The three keys that the emulator began with; with a data folder, those that the folder began with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The first Space, that of [`Keys::full`], [`Keys::no_permission`] and each [`key`](EmulatorBuilder::key); its
    /// subscription is active.
    #[must_use]
    pub fn space(&self) -> Space {
        self.space
    }

    /// Makes a new key of this Space with these abilities, and gives its text: a number, a bar, and 48 letters and digits. Keys of
    /// one Space share its rate limits. The key is valid until [`revoke_key`](Self::revoke_key).
    ///
    /// A key that lacks the ability for a call is answered by 403, `Invalid ability provided.`; one that has no ability at all,
    /// by 403, `This action is unauthorized.`
    #[must_use]
    pub fn issue_key(&self, space: Space, abilities: &[Ability]) -> String {
        let (key, written) = self.backend.change().issue_key(space, abilities);
        // A key that could not be written is good for as long as the emulator runs.
        drop(written.map(Wait::done));
        key
    }

    /// Makes a key invalid from now on: its calls are answered by 401. An unknown key changes nothing.
    pub fn revoke_key(&self, key: &str) {
        let written = self.backend.change().revoke_key(key);
        drop(written.map(Wait::done));
    }

    /// Switches a fault on, until it is removed or has struck as often as [`up_to_n_times`](Fault::up_to_n_times) says. Of
    /// several faults, the oldest one that applies to a call is the only one that strikes it. At most 256 are on: one more
    /// switches the oldest off. The id is for [`remove_fault`](Self::remove_fault).
    #[expect(clippy::must_use_candidate, reason = "a fault that is never removed needs no name")]
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.backend.change().faults.inject(fault)
    }

    /// The faults that are on, oldest first. A fault that has struck as often as [`up_to_n_times`](Fault::up_to_n_times) says
    /// is off. Empty if none is on.
    #[must_use]
    pub fn faults(&self) -> Vec<InjectedFault> {
        self.backend.state().faults.list()
    }

    /// Switches off the fault to which [`inject`](Self::inject) gave this id, and says whether it was on: false too if it had
    /// struck as often as it may, or gave way to a 257th fault. The other faults stay on.
    #[expect(clippy::must_use_candidate, reason = "that it is off now is enough for most")]
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.backend.change().faults.remove(id)
    }

    /// Switches every fault off; calls are answered as without them. How often each had struck is forgotten.
    pub fn clear_faults(&self) {
        self.backend.change().faults.clear();
    }

    /// The requests to the API that were answered so far, oldest first: the latest ones, if there were more than
    /// [`keep_requests`](EmulatorBuilder::keep_requests), 65,536 by default, or they took more than 64 MiB.
    ///
    /// A request is in here before its answer is on its way. One that was broken off, or was no HTTP, is not. Empty if there
    /// was none, or [`keep_requests`](EmulatorBuilder::keep_requests) is 0.
    #[must_use]
    pub fn received_requests(&self) -> Vec<ReceivedRequest> {
        self.backend.state().record.latest()
    }

    /// How many requests to the API were answered so far, remembered or not; those to the host of the exports are not among
    /// them.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        self.backend.state().record.count()
    }

    /// The events that `POST /events/track` accepted, of all Spaces, oldest first, each as one compact JSON object: strings
    /// trimmed and empty ones null, as the application sees them.
    ///
    /// An event whose `idempotency_key` came before in its Space, or whose name and `order_id` did, is answered by 202 and is
    /// not in here twice. None is forgotten, unless [`keep_events`](EmulatorBuilder::keep_events) says so.
    #[must_use]
    pub fn tracked_events(&self) -> Vec<String> {
        self.backend.state().records.tracked.to_json()
    }

    /// The requests to the host from which exports are downloaded, oldest first: the latest 1000 of them, or as many as
    /// [`keep_requests`](EmulatorBuilder::keep_requests) says if that is less. Empty if there was none.
    ///
    /// That host is another origin than [`base_url`](Self::base_url), as that of a presigned URL is.
    #[must_use]
    pub fn download_requests(&self) -> Vec<ReceivedRequest> {
        self.backend.state().downloads.latest()
    }

    /// The requests to the host of exports that carried a valid key anywhere in the URL or a header, or any `Authorization`,
    /// `Proxy-Authorization` or `Cookie` header, oldest first: the latest 1000 of them, or as many as
    /// [`keep_requests`](EmulatorBuilder::keep_requests) says if that is less, but at least one. That host must never get a
    /// key, so a test asserts that this is empty.
    #[must_use]
    pub fn leaked_keys(&self) -> Vec<ReceivedRequest> {
        self.backend.state().leaks.latest()
    }
}

impl EmulatorBuilder {
    /// Starts the emulator with these settings. It listens when this returns, and runs until it is dropped.
    ///
    /// # Errors
    /// [`io::Error`], whose text says what to change, if
    /// - a [`limit`](Self::limit) names an endpoint that the emulator does not have;
    /// - more than 10 million events or companies, or 100,000 contacts, are to be seeded;
    /// - a [`key`](Self::key) has less than 4 or more than 512 characters, or one that is a blank, `"`, backslash, comma or no
    ///   printable ASCII;
    /// - the [token](Self::page_token) is empty or has another character than ASCII letters and digits;
    /// - the [public URL](Self::public_url), or [that of the exports](Self::public_downloads_url), is not scheme, host and
    ///   port alone;
    /// - the [address](Self::listen) is not there, or its port or [that of the exports](Self::downloads_port) is in use or
    ///   not permitted;
    /// - the data folder cannot be made, read or written, is in use, of another version, or was made with other settings;
    /// - the system gives no thread, or no epoll or kqueue.
    pub fn start(self) -> io::Result<Emulator> {
        let limits = self.limits()?;
        self.check_keys()?;
        let Bound { api, files, address, sites, access } = self.network.bind()?;
        let store = self.store()?;
        let (events, clock) = (self.kept_events, self.clock);
        let beginning = Beginning::of(store, &self.wanted, events, clock.seconds())?;
        let Beginning { seeds, mut ring, records, keys, space } = beginning;
        for (key, abilities) in self.fixed_keys {
            ring.insert(key, space, &abilities);
        }
        let token = access.token.as_ref().map_or_else(String::new, |token| format!("?token={token}"));
        let (base_url, page_url) = (format!("{}{API}", sites.api), format!("{}{HOME}{token}", sites.api));
        let state = State::new(ring, records, limits, self.kept_requests);
        let backend = Arc::new(Backend::new(sites, clock, seeds, state));
        let downloads = Arc::new(Downloads::new(Arc::clone(&backend)));
        let control = Control::new(Arc::clone(&backend), access);
        let server = Server::new(Arc::clone(&backend), downloads, control, self.max_body);

        let (stop, stopped) = oneshot::channel();
        let (report, started) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("cometly-emulator".into())
            .spawn(move || connections::run(api, files, server, &report, stopped))?;
        started.recv().map_err(|_| io::Error::other("the emulator's thread ended before it began"))??;
        Ok(Emulator { address, base_url, page_url, keys, space, backend, stop: Some(stop), thread: Some(thread) })
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already, and a second one while dropping would abort.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_said_to_be() {
        let first = Emulator::start().unwrap();
        let port = first.address().port();
        let error = Emulator::builder().port(port).start().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("port {port} of 127.0.0.1 is in use; ")), "{error}");
        drop(first);
        assert_eq!(Emulator::builder().port(port).start().unwrap().address().port(), port);
    }

    #[test]
    fn nothing_is_left_running_after_the_drop() {
        for _ in 0..50 {
            let emulator = Emulator::start().unwrap();
            let backend = Arc::downgrade(&emulator.backend);
            drop(emulator);
            assert_eq!(backend.strong_count(), 0);
        }
    }

    #[test]
    fn a_limit_needs_an_endpoint() {
        let error = Emulator::builder().limit("GET", "/event", 1).start().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(text.starts_with("no endpoint GET /event to limit; there are: GET /events, POST /events/track, POST"));
        assert!(text.ends_with("PUT /companies/{id}"), "{text}");
    }

    #[test]
    fn seeding_has_an_end() {
        let error = Emulator::builder().seeded_events(10_000_001).start().unwrap_err();
        assert_eq!(error.to_string(), "10000001 events cannot be seeded; 10000000 can");
    }
}
