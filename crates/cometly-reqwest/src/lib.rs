//! Sends [`cometly_core`] calls on [reqwest], async on tokio, or blocking.
//!
//! ```no_run
//! use cometly_reqwest::{Client, cometly_core::{Api, ApiKey}};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let api = Api::new(ApiKey::from_env()?);
//! let call = api.get("events").query("start_date", "2026-11-01 00:00:00").query("end_date", "2026-11-02 00:00:00");
//! match Client::new()?.send(call).await {
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
//! No redirect is followed and no `Referer` sent, no call is repeated by reqwest itself, HTTP/1.1 only, no proxy but
//! the one named here, nothing is unpacked, one deadline for all attempts and waits, caps on headers and body.
//!
//! All of it is forced on a client that [you bring](ClientBuilder::http_client) by [`HttpClient::from_builder`] too. reqwest
//! has no such switches on a request, so one that is built already keeps its own redirects, proxy, protocol and unpacking, and
//! a proxy that is set beside it makes `build` fail. The deadline and the caps hold, and an answer from another URL than the
//! one that was asked reads as [`UnexpectedCause::Redirect`](cometly_core::UnexpectedCause::Redirect). A redirect back
//! to the same URL cannot be seen, and may repeat a POST. Build it with `redirect(Policy::none())`.
//!
//! It needs a tokio runtime with its timer and IO enabled, as `#[tokio::main]` makes it.
//!
//! # What cannot be prevented
//! hyper writes a request into a buffer of its connection and frees that unwiped: the key is mostly found there once, whole,
//! after everything was dropped (`cargo test -p cometly-conformance --test key_memory`).
//!
//! Dropping the future of a call closes its connection; what was already sent may have arrived.
#![doc = include_str!("../STACK.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
mod builder;
mod clients;
mod clock;
mod download;
mod error;
mod exchange;
mod failure;
mod frames;
mod http_client;
mod run;
mod stream;
mod target;

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::Instant,
};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, CallError, Moment, Next, Operation, RetryPolicy, TransportLimits};
use http::Request;
use serde::de::DeserializeOwned;

pub use builder::ClientBuilder;
pub use cometly_core;
pub use download::FileReader;
pub use error::ClientError;
pub use http_client::HttpClient;
pub use reqwest;
pub use run::Run;
pub use stream::Body;

use clients::Clients;
use clock::sleep;
use target::LastUrl;

/// Why a call has no result, or why a client was not made: a [`CallError`]. Its [`kind`](CallError::kind) says what failed; if
/// that was the HTTP stack, its source is a [`ClientError`].
pub type Error = CallError<ClientError>;

/// A client that sends calls on reqwest, on tokio. It holds no key, so one serves any number of [`Api`]s at once; clones share
/// the connection pool. By default a call has three attempts within 60 s; a call that fails gives an [`Error`], outside a tokio
/// runtime one of the kind [`Setup`](cometly_core::CallErrorKind::Setup).
#[derive(Clone)]
pub struct Client {
    clients: Clients,
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    last_url: LastUrl,
}

impl Client {
    /// A client with the default settings, what [`builder`](Client::builder) makes if no setter is called; it reads no proxy from
    /// the environment.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if reqwest cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A builder for a client with settings of your own; each has a default. Its [`build`](cometly_core::ClientBuilder::build)
    /// fails with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used, or if reqwest
    /// cannot be set up.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends a call, and again if the [retry policy](ClientBuilder::retry_policy) says so, and gives what its last answer
    /// means for the call and for the API key.
    ///
    /// # Errors
    /// [`CallError`] if no whole answer came, or the call cannot be built; its [`delivery`](CallError::delivery) says whether
    /// the call may be sent again. An answer of the API, refusals included, is no error here but an [`AuthOutcome`].
    pub async fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(call.start(&self.retry_policy, &self.limits, seed(), now())?).await
    }

    /// Sends a call and reads its answer as a `T` from JSON. An answer that is not a success is an error.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallErrorKind::Api`](cometly_core::CallErrorKind::Api) for an answer that is not a
    /// success, also for a 2xx whose body is empty or begins neither with `{` nor `[`;
    /// [`CallErrorKind::Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is no `T`.
    pub async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call).await?.into_result()?.decode()?)
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
    pub async fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(Operation::from_request(request, api, &self.retry_policy, &self.limits, seed(), now())).await
    }

    async fn drive(&self, mut operation: Operation<Bytes, ClientError>) -> Result<AuthOutcome<Bytes>, Error> {
        let mut failed = None;
        loop {
            operation = match operation.next(now()) {
                Next::Wait { pause, operation } => {
                    sleep(pause).await;
                    operation
                }
                Next::Send(attempt) => {
                    let answer = attempt.instrument(self.exchange(&attempt, failed)).await;
                    failed = answer.is_err().then(Instant::now);
                    attempt.finish(answer, now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    /// Makes the next call use a new connection, as after a change of network. Calls under way go on; kept connections close at
    /// once, or with the last of these calls. It does nothing to a reqwest client that was [built already](HttpClient).
    pub fn close_idle(&self) {
        self.clients.close_idle();
    }
}

/// tokio's clock, so that a test can pause time.
fn now() -> Moment {
    tokio::time::Instant::now().into_std().into()
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
