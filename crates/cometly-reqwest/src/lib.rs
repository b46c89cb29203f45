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
//! # What is forced
//! No redirect is followed and no `Referer` sent, no call is repeated behind your back, HTTP/1.1 only, no proxy but the
//! one named here, nothing is unpacked, one deadline for the whole call, caps on headers and body.
//!
//! reqwest has no such switches on a request, so a client that [you bring](ClientBuilder::http_client) keeps its own
//! redirects, proxy, protocol and unpacking. The deadline and the caps hold, and an answer behind a redirect that it
//! followed reads as [`UnexpectedCause::Redirect`](cometly_core::UnexpectedCause::Redirect); build it with
//! `redirect(Policy::none())`, for by then the body of a POST may have been sent elsewhere.
//!
//! Dropping the future of a call closes its connection; what was already sent may have arrived.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
mod builder;
mod exchange;
mod failure;

use std::fmt;

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, CallError, Limits};
use http::{HeaderValue, Method, Request, header::CONTENT_LENGTH};
use serde::de::DeserializeOwned;

pub use builder::ClientBuilder;
pub use cometly_core;
pub use reqwest;

use exchange::Exchange;
use failure::failure;

/// Why a call has no result; the transport's part is reqwest's own error.
pub type Error = CallError<reqwest::Error>;

/// Sends calls on reqwest. Holds no key, so one serves any number of [`Api`]s at once; clones share the connection pool.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    limits: Limits,
}

impl Client {
    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallError::Transport`] if reqwest cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with settings of your own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends a call and says what the answer means.
    ///
    /// # Errors
    /// [`CallError`] if no answer could be read; its [`delivery`](CallError::delivery) says whether the call may be sent
    /// again. An answer that the API gave, refusals included, is not an error here.
    pub async fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.send_request(call.to_request()?, call.api()).await
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallError::Api`] for an answer that is not a success, [`CallError::Decode`] for
    /// one of another shape.
    pub async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call).await?.into_result()?.json()?)
    }

    /// Sends a request that came from [`Api::authorize`].
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub async fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        // hyper says nothing of an empty body, and a POST without one must say so (RFC 9110 §8.6).
        let is_empty_post = request.body().is_empty() && !matches!(*request.method(), Method::GET | Method::DELETE);
        let mut request = reqwest::Request::try_from(request).map_err(failure)?;
        if is_empty_post {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        *request.timeout_mut() = Some(self.limits.deadline);
        let asked = request.url().clone();
        let mut response = self.http.execute(request).await.map_err(failure)?;
        let mut exchange = Exchange::new(self.limits, &asked, response.url(), response.status());
        exchange.take_headers(std::mem::take(response.headers_mut()))?;
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            exchange.extend_body(&chunk)?;
        }
        Ok(api.read(exchange.into_response()))
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}
