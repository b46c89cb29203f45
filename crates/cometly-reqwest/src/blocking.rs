//! The same client without async.
//!
//! Not for use within async code: reqwest's blocking client waits on a runtime of its own.

use std::{fmt, io};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, Limits};
use http::{Method, Request};
use serde::de::DeserializeOwned;

use crate::{ClientBuilder, Error, exchange::Exchange, failure::failure};

/// Sends calls on reqwest's blocking client. Holds no key, so one serves any number of [`Api`]s, from any number of
/// threads; clones share the connection pool.
#[derive(Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    limits: Limits,
}

impl Client {
    pub(crate) fn from_parts(http: reqwest::blocking::Client, limits: Limits) -> Self {
        Self { http, limits }
    }

    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallError::Transport`](cometly_core::CallError::Transport) if reqwest cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with settings of your own.
    pub fn builder() -> ClientBuilder<reqwest::blocking::Client> {
        ClientBuilder::default()
    }

    /// Sends a call and says what the answer means.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if no answer could be read; its [`delivery`](cometly_core::CallError::delivery) says whether the call may be sent
    /// again. An answer that the API gave, refusals included, is not an error here.
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.send_request(call.to_request()?, call.api())
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallError::Api`](cometly_core::CallError::Api) for an answer that is not a success, [`CallError::Decode`](cometly_core::CallError::Decode) for
    /// one of another shape.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call)?.into_result()?.json()?)
    }

    /// Sends a request that came from [`Api::authorize`].
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        // The blocking client announces the length of any body, and a GET must have none at all.
        let is_bodiless = request.body().is_empty() && matches!(*request.method(), Method::GET | Method::DELETE);
        let mut request = reqwest::blocking::Request::try_from(request).map_err(failure)?;
        *request.timeout_mut() = Some(self.limits.deadline);
        if is_bodiless {
            *request.body_mut() = None;
        }
        let asked = request.url().clone();
        let mut response = self.http.execute(request).map_err(failure)?;
        let mut exchange = Exchange::new(self.limits, &asked, response.url(), response.status());
        exchange.take_headers(std::mem::take(response.headers_mut()))?;
        let mut body = CappedBody { exchange, over: None };
        if let Err(error) = response.copy_to(&mut body) {
            return Err(body.over.unwrap_or_else(|| failure(error)));
        }
        Ok(api.read(body.exchange.into_response()))
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Takes what reqwest copies, and remembers when it was too much.
struct CappedBody {
    exchange: Exchange,
    over: Option<Error>,
}

impl io::Write for CappedBody {
    fn write(&mut self, read: &[u8]) -> io::Result<usize> {
        self.exchange.extend_body(read).map_err(|error| {
            self.over = Some(error);
            io::Error::other("the body is larger than allowed")
        })?;
        Ok(read.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
