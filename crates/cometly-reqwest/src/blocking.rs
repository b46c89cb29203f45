//! The same client without async.
//!
//! Not for use within async code, where it panics: reqwest's blocking client waits on a runtime of its own.

use std::{fmt, io, thread::sleep};

use bytes::Bytes;
use cometly_core::{
    Api, Attempt, AuthOutcome, Call, Moment, Next, Operation, RetryPolicy, TransportError, TransportLimits,
};
use http::{Method, Request, Response};
use serde::de::DeserializeOwned;

mod run;

pub use run::Run;

use crate::{ClientBuilder, Error, exchange::Exchange, failure::failure, seed, target::LastUrl};

/// Sends calls on reqwest's blocking client. Holds no key, so one serves any number of [`Api`]s, from any number of
/// threads; clones share the connection pool.
#[derive(Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    plain: Option<reqwest::blocking::Client>,
    limits: TransportLimits,
    retry_policy: RetryPolicy,
    last_url: LastUrl,
}

impl Client {
    pub(crate) fn from_parts(
        http: reqwest::blocking::Client,
        plain: Option<reqwest::blocking::Client>,
        limits: TransportLimits,
        retry_policy: RetryPolicy,
    ) -> Self {
        Self { http, plain, limits, retry_policy, last_url: LastUrl::default() }
    }

    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if reqwest cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with settings of your own.
    pub fn builder() -> ClientBuilder<reqwest::blocking::Client> {
        ClientBuilder::default()
    }

    /// Sends a call, again if the [retry policy](ClientBuilder::retry_policy) says so, and says what the answer means.
    ///
    /// # Errors
    /// As [`send`](crate::Client::send) of the async client.
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(call.start(&self.retry_policy, &self.limits, seed(), Moment::now())?)
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`json`](crate::Client::json) of the async client.
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

    fn drive(&self, mut operation: Operation<Bytes, reqwest::Error>) -> Result<AuthOutcome<Bytes>, Error> {
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
    fn exchange(&self, attempt: &Attempt) -> Result<Response<Bytes>, TransportError<reqwest::Error>> {
        let (request, timeout) = (attempt.request(), attempt.timeout());
        let asked = self.last_url.url(request.uri())?;
        let (head, body) = request.into_parts();
        // The blocking client announces the length of any body, and a GET must have none at all.
        let is_bodiless = body.is_empty() && matches!(head.method, Method::GET | Method::DELETE);
        let mut request = reqwest::blocking::Request::new(head.method, asked.clone());
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        if !is_bodiless {
            *request.body_mut() = Some(body.into());
        }
        *request.timeout_mut() = Some(timeout);
        let http = self.plain.as_ref().filter(|_| asked.scheme() == "http").unwrap_or(&self.http);
        let mut response = http.execute(request).map_err(failure)?;
        let mut exchange = Exchange::new(self.limits, &asked, response.url(), response.status());
        exchange.take_headers(std::mem::take(response.headers_mut()))?;
        let mut body = CappedBody { exchange, over: None };
        if let Err(error) = response.copy_to(&mut body) {
            return Err(body.over.unwrap_or_else(|| failure(error)));
        }
        Ok(body.exchange.into_response())
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
    over: Option<TransportError<reqwest::Error>>,
}

impl io::Write for CappedBody {
    fn write(&mut self, read: &[u8]) -> io::Result<usize> {
        self.exchange.extend_body(read, || Bytes::copy_from_slice(read)).map_err(|error| {
            self.over = Some(error);
            io::Error::other("the body is larger than allowed")
        })?;
        Ok(read.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
