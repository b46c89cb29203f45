//! Sends [`cometly_core`] calls on [isahc] (libcurl), async on any executor, or blocking.
//!
//! ```no_run
//! use cometly_isahc::{Client, cometly_core::{Api, ApiKey}};
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
//! On each request, so on a client that you bring too: no redirect is followed, HTTP/1.1 only (over HTTP/2 libcurl logs
//! the key at DEBUG), no proxy but the one named here, nothing is unpacked, no `Expect`, one deadline for the whole
//! call, caps on headers and body.
//!
//! No connection is reused, because libcurl sends a request again by itself, a POST too, when a reused connection dies.
//! [`reuse_connections`](ClientBuilder::reuse_connections) turns that on; a client that you bring keeps its own choice.
//! A POST is then sent in a way that libcurl cannot repeat, but a GET may arrive twice, a connection that is refused no
//! longer proves that nothing was sent, and bytes that a server sends late may be taken for the answer to the next
//! call, of whichever [`Api`].
//!
//! # What cannot be prevented
//! With `log` or `tracing` at TRACE for the target `isahc::wire`, libcurl's view of the wire is logged, the key in it.
//! Do not enable that target where logs are kept. If `SSLKEYLOGFILE` is set in the environment, libcurl writes the
//! secrets of TLS to it.
//!
//! libcurl copies a request's headers into strings and buffers that it frees unwiped: the whole key is found there up to four
//! times after everything was dropped (`cargo test -p cometly-conformance --test key_memory`).
//!
//! With rustls, libcurl gives up a whole answer whose peer closes right behind it without a TLS `close_notify`: that call
//! is [`Unknown`](cometly_core::Delivery::Unknown), and sent again if it may be.
//!
//! Dropping the future of a call ends its transfer at its next byte or at its deadline; what was already sent may have
//! arrived.
#![doc = include_str!("../STACK.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod blocking;
mod builder;
mod clients;
mod convert;
mod download;
mod exchange;
mod failure;
mod run;
mod stream;

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
};

use async_io::Timer;
use bytes::Bytes;
use cometly_core::{
    Api, AuthOutcome, Call, CallError, Moment, Next, Operation, ProxyRules, RetryPolicy, TransportLimits,
};
use http::Request;
use serde::de::DeserializeOwned;

pub use builder::ClientBuilder;
pub use cometly_core;
pub use download::FileReader;
pub use isahc;
pub use run::Run;
pub use stream::Body;

use clients::Clients;

/// Why a call has no result, or why a client was not made: a [`CallError`]. Its [`kind`](CallError::kind) says what failed; if
/// that was the HTTP stack, its source is isahc's own error.
pub type Error = CallError<isahc::Error>;

/// A client that sends calls on isahc, on any executor. It holds no key, so one serves any number of [`Api`]s at once; clones
/// share isahc's client. By default a call has three attempts within 60 s; a call that fails gives an [`Error`].
#[derive(Clone)]
pub struct Client {
    clients: Clients,
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    proxies: ProxyRules,
    /// Whether libcurl keeps connections, and so may send a request again on a new one when a kept one dies under it.
    may_reuse: bool,
}

impl Client {
    /// A client with the default settings, what [`builder`](Client::builder) makes if no setter is called; it reads no proxy from
    /// the environment.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if isahc cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A builder for a client with settings of your own; each has a default. Its [`build`](cometly_core::ClientBuilder::build)
    /// fails with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used, or if isahc cannot
    /// be set up.
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
        self.drive(call.start(&self.retry_policy, &self.limits, seed(), Moment::now())?).await
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
        self.drive(Operation::from_request(request, api, &self.retry_policy, &self.limits, seed(), Moment::now())).await
    }

    async fn drive(&self, mut operation: Operation<Bytes, isahc::Error>) -> Result<AuthOutcome<Bytes>, Error> {
        loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => {
                    Timer::after(pause).await;
                    operation
                }
                Next::Send(attempt) => {
                    let answer = attempt.instrument(self.exchange(&attempt)).await;
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    /// Makes the next call use a new connection, as after a change of network. Calls under way go on; kept connections close at
    /// once, or with the last of these calls. By default [none are kept](ClientBuilder::reuse_connections). It does nothing to a
    /// client that [you brought](ClientBuilder::http_client).
    pub fn close_idle(&self) {
        self.clients.close_idle();
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
