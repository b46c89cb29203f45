//! One Cometly rate limit for many processes, on Redis or Valkey.
//!
//! Cometly's limits belong to a Space, so the limit of a program that runs on a hundred machines is still 7 or 60 calls a
//! minute. Processes that use the same engine and the same name for the Space share what is left: each call has leave
//! before it is sent, and waits in one line.
//!
//! ```
//! use cometly_core::{Api, ApiKey};
//! use cometly_fleet::Fleet;
//!
//! let fleet = Fleet::connect("redis://127.0.0.1:6379")?;
//! let api = Api::builder(ApiKey::new("12|abcdef")?).pacer(fleet.pacer("space-42")?).build();
//! // Send calls of `api` with any client: it waits for its turn.
//! println!("{}", fleet.status());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # When the engine goes
//! An engine that is down, takes longer than 50 ms, is full, read-only, flushed or replaced holds no call back that may
//! go: the [`Pacer`] decides alone, as one without a fleet, and the engine is tried again at once and then after 1, 2, 4 …
//! 30 s. [`Fleet::status`] says so.
//!
//! # What it costs
//! - One thread and one connection for each [`Fleet`], with any number of Spaces, async and blocking clients.
//! - One key of at most 1 KiB for each endpoint in use. It expires two windows after its last moment.
//! - Two to five questions to the engine for each call; more where strangers use the same limit and thousands of processes
//!   wait.
//!
//! # What it does not promise
//! - A failover that loses the last second costs refusals; a call is never lost or sent twice by it.
//! - Redis Cluster is refused: use one server with replicas. So is a server before version 5.
//! - Priorities: calls go in the order in which they asked.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod carrier;
mod endpoint;
mod engine;
mod error;
mod status;
mod telemetry;

use std::{
    fmt,
    sync::{Arc, mpsc},
    task::{Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

pub use cometly_core;
use cometly_core::{InvalidSpace, Pacer, SharedLane};

use carrier::{Carrier, Post};
pub use endpoint::EndpointStatus;
use engine::{Address, Trouble};
pub use error::FleetError;
pub use status::{FleetStatus, SpaceStatus};

/// How long [`Fleet::connect`] waits for the first connection.
const FIRST_CONNECTION: Duration = Duration::from_secs(2);

/// A connection to Redis or Valkey by which processes share one rate limit; from [`Fleet::connect`], which takes two seconds at
/// most and fails with [`FleetError`] for what trying again does not cure. While the engine is down, from the start or later, or
/// takes longer than 50 ms, each process goes by its own limit, and that is no error; it is tried again at once, and then after 1 s
/// to 30 s. Clones share the connection, and it lasts as long as a clone or a pacer of it.
#[derive(Clone)]
pub struct Fleet {
    handle: Arc<Handle>,
}

/// Ends the thread when the last clone is dropped, and the last pacer.
struct Handle {
    address: Address,
    post: Arc<Post>,
    waker: Waker,
}

struct Bell(Thread);

impl Fleet {
    /// Connects to `redis://user:password@host:6379/0`, or `rediss://` with the feature `tls`. It blocks for up to two seconds
    /// until the engine answers.
    ///
    /// An engine that is down is no error: the fleet's pacers decide alone until it is there, and [`status`](Self::status) says
    /// so.
    ///
    /// # Errors
    /// [`FleetError`], for a fault that trying again does not cure: a URL that is not one of Redis, a wrong password, a server that
    /// is too old, in a cluster or no Redis, or no thread.
    pub fn connect(url: &str) -> Result<Self, FleetError> {
        let address = Address::read(url)?;
        let post = Arc::new(Post::new(address.to_string()));
        let (first, connected) = mpsc::sync_channel(1);
        let carrier = Carrier::new(address.clone(), Arc::clone(&post));
        let thread = thread::Builder::new()
            .name("cometly-fleet".into())
            .spawn(move || carrier.run(&first))
            .map_err(FleetError::Thread)?;
        let waker = Waker::from(Arc::new(Bell(thread.thread().clone())));
        if let Ok(Err(error)) = connected.recv_timeout(FIRST_CONNECTION) {
            return Err(error);
        }
        Ok(Self { handle: Arc::new(Handle { address, post, waker }) })
    }

    /// A pacer to give to [`ApiBuilder::pacer`](cometly_core::ApiBuilder::pacer); that setter says how long a call waits and when
    /// it fails. All pacers with the same name, in any process on the same engine, share the limits of one Space.
    ///
    /// The name is any text of 1 to 128 bytes that all processes know, such as `space-42`: never the key, and no hash of it, since
    /// keys rotate.
    ///
    /// # Errors
    /// [`InvalidSpace`] if the name is empty, longer than 128 bytes, holds a control character or a brace, or looks like an API
    /// key.
    pub fn pacer(&self, space: &str) -> Result<Pacer, InvalidSpace> {
        let (pacer, mailbox) = Pacer::shared(space)?;
        mailbox.set_waker(self.handle.waker.clone());
        self.handle.post.add(space, mailbox);
        Ok(pacer)
    }

    /// Whether the fleet has a connection to its engine (Redis or Valkey), and which Spaces' pacers decide alone now, without
    /// it. It does not ask the engine and cannot fail: it is what was seen last, so that a connection which broke is noticed
    /// with the next call of a pacer. Before the first connection it says that there is none.
    #[must_use]
    pub fn status(&self) -> FleetStatus {
        self.handle.post.status()
    }

    /// What the engine holds of endpoints of the Space `space`: one value for each method and path of `endpoints`, such as
    /// `("GET", "contacts/{id}")`, in their order. `None` if the engine holds nothing of it: no call was sent, there is no such
    /// name or path, or what it held has expired. It expires two windows after the later of two moments: the end of its last
    /// window, and 30 s after its last call; a window is one minute, unless the server shows another length. This changes
    /// nothing there and uses a connection of its own. It blocks for at most 1 s to connect, and 250 ms for each answer of the
    /// engine.
    ///
    /// # Errors
    /// [`FleetError::Unavailable`] if the engine cannot be asked now; another [`FleetError`] as at [`connect`](Self::connect).
    pub fn endpoints(
        &self,
        space: &str,
        endpoints: &[(&str, &str)],
    ) -> Result<Vec<Option<EndpointStatus>>, FleetError> {
        let address = &self.handle.address;
        let error = |trouble| match trouble {
            Trouble::Lasting(error) => error,
            Trouble::Passing(problem) => FleetError::Unavailable { problem },
        };
        let keys: Vec<_> = endpoints.iter().map(|(method, path)| SharedLane::key(space, method, path)).collect();
        let mut engine = address.connect().map_err(error)?;
        let (now, held) = engine.look(&keys).map_err(|failed| error(address.trouble(&failed)))?;
        Ok(held.into_iter().map(|text| EndpointStatus::read(&text?, now)).collect())
    }

    /// Blocks until the fleet's thread has passed on every report of the pacers, for `at_most` this time; false if the time was
    /// over before. True does not say that the engine has it: a report is dropped while the engine is down, as
    /// [`status`](Self::status) then shows. It is for the end of a process: if the engine misses an answer, the next process
    /// has to find out what is left of the limit.
    #[must_use]
    pub fn settle(&self, at_most: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(1);

        let (post, started) = (&self.handle.post, Instant::now());
        // The round under way may have passed a pacer before it had something to tell.
        let before = post.idle_rounds();
        while post.idle_rounds().wrapping_sub(before) < 2 {
            if started.elapsed() >= at_most {
                return false;
            }
            self.handle.waker.wake_by_ref();
            thread::sleep(STEP);
        }
        true
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.post.close();
        self.waker.wake_by_ref();
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("status", &self.status()).finish()
    }
}

/// The programs of the page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/fleet.md")]
struct Page;
