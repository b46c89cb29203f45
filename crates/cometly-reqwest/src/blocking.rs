//! The same client without async.
//!
//! Not for use within async code, where it panics: reqwest's blocking client waits on a runtime of its own.

use std::{
    fmt, io,
    thread::sleep,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{Api, Attempt, AuthOutcome, Call, Limits, RetryPolicy, Step};
use http::{Method, Request, Response};
use serde::de::DeserializeOwned;

use crate::{ClientBuilder, Error, exchange::Exchange, failure::failure, seed, target::LastUrl, watch::Watch};

/// Sends calls on reqwest's blocking client. Holds no key, so one serves any number of [`Api`]s, from any number of
/// threads; clones share the connection pool.
#[derive(Clone)]
pub struct Client {
    http: reqwest::blocking::Client,
    plain: Option<reqwest::blocking::Client>,
    limits: Limits,
    retry_policy: RetryPolicy,
    last_url: LastUrl,
}

impl Client {
    pub(crate) fn from_parts(
        http: reqwest::blocking::Client,
        plain: Option<reqwest::blocking::Client>,
        limits: Limits,
        retry_policy: RetryPolicy,
    ) -> Self {
        Self { http, plain, limits, retry_policy, last_url: LastUrl::default() }
    }

    /// A client with the default settings.
    ///
    /// # Errors
    /// [`CallError::Setup`](cometly_core::CallError::Setup) if reqwest cannot be set up.
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
        self.drive(call.attempt(&self.retry_policy, seed())?)
    }

    /// Sends a call and reads its success as JSON.
    ///
    /// # Errors
    /// As [`json`](crate::Client::json) of the async client.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call)?.into_result()?.json()?)
    }

    /// Sends a request that came from [`Api::authorize`]; whether it may be sent twice goes by its method alone.
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.drive(Attempt::from_request(request, api, &self.retry_policy, seed()))
    }

    fn drive(&self, mut attempt: Attempt) -> Result<AuthOutcome<Bytes>, Error> {
        let (watch, started) = (Watch::begin(&attempt), Instant::now());
        let mut now = started;
        loop {
            while let Some(wait) = attempt.pace(now, now.duration_since(started))? {
                watch.waits(&attempt, wait);
                sleep(wait);
                now = Instant::now();
            }
            let timeout = self.limits.try_timeout.min(attempt.remaining(now.duration_since(started)));
            let tried = self.exchange(attempt.request(), timeout);
            watch.tried(&attempt, &tried);
            let step = match tried {
                Ok(response) => attempt.on_response(response, started.elapsed()),
                Err(error) => attempt.on_error(error, started.elapsed()),
            };
            match step {
                Step::Done(result) => return result,
                Step::Retry { after, next } => {
                    watch.waits(&next, after);
                    sleep(after);
                    (attempt, now) = (next, Instant::now());
                }
            }
        }
    }

    /// One try.
    fn exchange(&self, request: Request<Bytes>, timeout: Duration) -> Result<Response<Bytes>, Error> {
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
    over: Option<Error>,
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
