//! Sends [`cometly_core`] calls on [ureq], blocking.
//!
//! ```no_run
//! use cometly_ureq::{Client, cometly_core::{Api, ApiKey}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let api = Api::new(ApiKey::from_env()?);
//! let call = api.get("events").query("start_date", "2026-11-01 00:00:00").query("end_date", "2026-11-02 00:00:00");
//! match Client::new()?.send(call) {
//!     Ok(outcome) => println!("{outcome}"),
//!     Err(error) => println!("{error}; {:?}", error.delivery()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What is sent again
//! By default a call has three attempts within a minute. It is sent again after a 429, when the server says; if it did not reach
//! the server; and, if it is idempotent, after no answer or a 502, 503 or 504. A POST that may have arrived is never sent again,
//! unless it has an [idempotency key](Call::idempotency_key) or is [marked](Call::idempotent). The [`RetryPolicy`] has all of it
//! in a table. [`ClientBuilder::retry_policy`] sets another policy, [`ClientBuilder::timeout`] another time; an [`Api`] with a
//! [`Pacer`](cometly_core::Pacer) waits for its turn instead of being refused. With the feature `tracing` there is a span at INFO
//! for each call and for each attempt, and an event at DEBUG for each wait, with the target `cometly_core::operation`.
//!
//! # What is forced
//! On each request, so on an agent that you bring too: no redirect is followed, every status is an answer, no proxy but
//! the one named here, one deadline for all attempts and waits, caps on headers and body. Left to your agent: TLS, the
//! pool, DNS.
//!
//! If another crate of the program turns on ureq's `gzip` feature, an answer that is compressed unasked is unpacked
//! before we see it (ureq has no switch for that at run time); the body cap counts the unpacked bytes.
//!
//! # What cannot be prevented
//! With `log` at TRACE for the target `ureq_proto::util`, ureq logs what it writes and reads, the key in it, in rows of
//! a hex dump. Do not enable that target where logs are kept.
//!
//! ureq writes a request into a buffer of its connection and frees that unwiped. Nothing of the key was found after everything
//! was dropped (`cargo test -p cometly-conformance --test key_memory`), for the GNU C library gives so large a block back to
//! the system; another allocator may keep it.
#![doc = include_str!("../STACK.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod agents;
mod builder;
mod connect;
mod download;
mod exchange;
mod failure;
mod run;
mod stream;

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    thread::sleep,
};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, CallError, Moment, Next, Operation, RetryPolicy, TransportLimits};
use http::Request;
use serde::de::DeserializeOwned;

pub use builder::ClientBuilder;
pub use cometly_core;
pub use download::FileReader;
pub use run::Run;
pub use stream::Body;
pub use ureq;

use agents::Agents;

/// Why a call has no result, or why a client was not made: a [`CallError`]. Its [`kind`](CallError::kind) says what failed; if
/// that was the HTTP stack, its source is ureq's own error.
pub type Error = CallError<ureq::Error>;

/// A client that sends calls on ureq and waits for their answers. It holds no key, so one serves any number of [`Api`]s, from
/// any number of threads; clones share the connection pool. By default a call has three attempts within 60 s; a call that fails
/// gives an [`Error`].
#[derive(Clone)]
pub struct Client {
    agents: Agents,
    limits: TransportLimits,
    retry_policy: RetryPolicy,
}

impl Client {
    /// A client with the default settings, what [`builder`](Client::builder) makes if no setter is called; it reads no proxy from
    /// the environment.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if ureq cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A builder for a client with settings of your own; each has a default. Its [`build`](cometly_core::ClientBuilder::build)
    /// fails with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used, or if ureq cannot
    /// be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends a call, again if the [retry policy](ClientBuilder::retry_policy) says so, and blocks the thread until it ends.
    /// It gives what the last answer means for the call and for the API key.
    ///
    /// # Errors
    /// [`CallError`] if no whole answer came, or the call cannot be built; its [`delivery`](CallError::delivery) says whether
    /// the call may be sent again. An answer of the API, refusals included, is no error here but an [`AuthOutcome`].
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(call.start(&self.retry_policy, &self.limits, seed(), Moment::now())?)
    }

    /// Sends a call and reads its answer as a `T` from JSON. An answer that is not a success is an error.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallErrorKind::Api`](cometly_core::CallErrorKind::Api) for an answer that is not a
    /// success, also for a 2xx whose body is empty or begins neither with `{` nor `[`;
    /// [`CallErrorKind::Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is no `T`.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call)?.into_result()?.decode()?)
    }

    /// Sends a request of your own, to which [`Api::authorize`] gave the key, and gives its last answer as
    /// [`send`](Client::send) does; a refusal by the API is no error but an [`AuthOutcome`]. If it may have arrived, it is sent
    /// again only if its method is idempotent (GET, PUT, DELETE; POST and PATCH are not); after a 429, or if nothing was sent,
    /// any method is. At each attempt, an `Authorization` header of a request to the API's own origin, also one of your own, is
    /// replaced by the key that is current then; a request without that header, or to another origin, is sent as it is.
    /// Attempts and time are those of the client's [retry policy](ClientBuilder::retry_policy).
    ///
    /// # Errors
    /// As [`send`](Client::send): [`CallError`] if no whole answer came.
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(Operation::from_request(request, api, &self.retry_policy, &self.limits, seed(), Moment::now()))
    }

    fn drive(&self, mut operation: Operation<Bytes, ureq::Error>) -> Result<AuthOutcome<Bytes>, Error> {
        loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => {
                    sleep(pause);
                    operation
                }
                Next::Send(attempt) => {
                    let answer = attempt.in_scope(|| self.exchange(&attempt));
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    /// Makes the next call use a new connection, as after a change of network. Calls under way go on; kept connections close at
    /// once, or with the last of these calls. It does nothing to an agent that [you brought](ClientBuilder::http_client).
    pub fn close_idle(&self) {
        self.agents.close_idle();
    }
}

/// Another number each time.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Shows the limits; a proxy's URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_calls_draw_the_same_jitter() {
        assert_ne!(super::seed(), super::seed());
    }
}
