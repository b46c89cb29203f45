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
//! By default, what the [`RetryPolicy`] allows within a minute and three tries: a 429 as soon as the server says, what
//! was never sent, and where it does no harm what got no answer. A POST of unknown fate never, unless the call is
//! [marked](Call::idempotent). [`ClientBuilder::retry_policy`] sets another policy, [`ClientBuilder::timeout`] another
//! end; an [`Api`] with a [`Pacer`](cometly_core::Pacer) waits for its turn instead of being refused. The feature
//! `tracing` lets one watch: a span for each call, an event for each try and each wait, at DEBUG with the target
//! `cometly_ureq::watch`.
//!
//! # What is forced
//! On each request, so on an agent that you bring too: no redirect is followed, every status is an answer, no proxy but
//! the one named here, one deadline for all tries and waits, caps on headers and body. Left to your agent: TLS, the
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
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod failure;
mod lookup;
mod run;

use std::{
    fmt,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::Read as _,
    thread::sleep,
    time::Duration,
};

use bytes::Bytes;
use cometly_core::{
    Api, Attempt, AuthOutcome, Call, CallError, Moment, Next, Operation, RetryPolicy, TransportError, TransportLimits,
};
use http::{Method, Request, Response, uri::Scheme};
use serde::de::DeserializeOwned;
use ureq::AsSendBody;

pub use builder::ClientBuilder;
pub use cometly_core;
pub use run::Run;
pub use ureq;

use builder::forced;
use failure::failure;

/// Why a call has no result; the transport's part is ureq's own error.
pub type Error = CallError<ureq::Error>;

/// Sends calls on ureq. Holds no key, so one serves any number of [`Api`]s, from any number of threads; clones share
/// the connection pool.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    /// Whether the agent is set up as is forced, so that a request only says where it differs.
    is_own: bool,
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    proxy: Option<ureq::Proxy>,
}

impl Client {
    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if ureq cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with settings of your own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends a call, again if the [retry policy](ClientBuilder::retry_policy) says so, and says what the answer means.
    ///
    /// # Errors
    /// [`CallError`] if no answer could be read; its [`delivery`](CallError::delivery) says whether the call may be
    /// sent again. An answer that the API gave, refusals included, is not an error here.
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(call.start(&self.retry_policy, &self.limits, seed(), Moment::now())?)
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallErrorKind::Api`](cometly_core::CallErrorKind::Api) for an answer that is not a success, [`CallErrorKind::Decode`](cometly_core::CallErrorKind::Decode) for
    /// one of another shape.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call)?.into_result()?.decode()?)
    }

    /// Sends a request that came from [`Api::authorize`]; whether it may be sent twice goes by its method alone.
    ///
    /// # Errors
    /// As [`send`](Client::send).
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

    /// One attempt.
    fn exchange(&self, attempt: &Attempt) -> Result<Response<Bytes>, TransportError<ureq::Error>> {
        let (request, timeout) = (attempt.request(), attempt.timeout());
        let (head, body) = request.into_parts();
        // ureq announces the length of any body, and a GET must have none at all.
        if body.is_empty() && matches!(head.method, Method::GET | Method::DELETE) {
            self.exchange_with(Request::from_parts(head, ()), timeout)
        } else {
            self.exchange_with(Request::from_parts(head, body.as_ref()), timeout)
        }
    }

    fn exchange_with<B: AsSendBody>(
        &self,
        request: Request<B>,
        timeout: Duration,
    ) -> Result<Response<Bytes>, TransportError<ureq::Error>> {
        // A proxy would read what is not encrypted.
        let proxy = if request.uri().scheme() == Some(&Scheme::HTTPS) { self.proxy.clone() } else { None };
        let is_as_set_up =
            timeout == TransportLimits::DEFAULT_ATTEMPT_TIMEOUT && proxy.is_some() == self.proxy.is_some();
        let request = if self.is_own && is_as_set_up {
            request
        } else {
            forced!(self.agent.configure_request(request), self.limits, proxy, timeout).build()
        };
        let (head, body) = self.agent.run(request).map_err(failure)?.into_parts();
        self.limits.check_head(head.status, &head.headers)?;
        let limit = u64::try_from(self.limits.max_body_size).unwrap_or(u64::MAX);
        let claimed = usize::try_from(body.content_length().unwrap_or_default()).unwrap_or(MAX_CLAIM);
        let mut read = Vec::with_capacity(claimed.min(MAX_CLAIM));
        match body.into_with_config().limit(limit).reader().read_to_end(&mut read).map_err(ureq::Error::from) {
            Err(ureq::Error::BodyExceedsLimit(_)) => Err(TransportError::too_large(Some(head.status))),
            read => read.map_err(failure),
        }?;
        let mut response = Response::new(Bytes::from(read));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }
}

/// How much of the length that an answer claims is made room for before it is read.
const MAX_CLAIM: usize = 16_384;

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
