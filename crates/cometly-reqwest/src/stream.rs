//! Answers whose bodies are read piece by piece.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use cometly_core::{Attempt, AuthOutcome, BodyMeter, Call, Delivery, Next, Redirected, TransportError};
use http::Response;
use tokio::runtime::Handle;

use crate::{
    Client, ClientError, Error,
    clock::{sleep, timeout},
    failure::{Way, failure},
    now, seed,
};

type Failed = TransportError<ClientError>;

impl Client {
    /// Sends a call, as [`send`](Client::send), and gives the body of a success in pieces as they come in. Any other answer is read
    /// to its end before this resolves.
    ///
    /// The time-outs of [`send`](Client::send) hold until the body begins; from then on each piece may take
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set. A body may be as large as
    /// [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default. If the body breaks off, the call is not sent
    /// again.
    ///
    /// # Errors
    /// As [`send`](Client::send), up to the beginning of the body: [`CallError`](cometly_core::CallError) if no answer came, or
    /// the call cannot be built. A body that breaks off later is an error of reading it.
    ///
    /// ```no_run
    /// # use cometly_reqwest::{Client, cometly_core::Api};
    /// # use std::io::Write as _;
    /// # async fn save(client: &Client, api: &Api) -> Result<(), Box<dyn std::error::Error>> {
    /// let call = api.get("events").query("start_date", "2026-11-01 00:00:00").query("end_date", "2026-11-02 00:00:00");
    /// let mut body = client.stream(call).await?.into_result()?.into_body();
    /// let mut file = std::fs::File::create("events.json")?;
    /// while let Some(piece) = body.next_chunk().await? {
    ///     file.write_all(&piece)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stream(&self, call: Call) -> Result<AuthOutcome<Body>, Error> {
        let mut operation = call.start(&self.retry_policy, &self.limits, seed(), now())?;
        let mut failed = None;
        loop {
            operation = match operation.next(now()) {
                Next::Wait { pause, operation } => {
                    sleep(pause).await;
                    operation
                }
                Next::Send(attempt) => {
                    let answer = attempt.instrument(self.begin(&attempt, failed)).await;
                    failed = answer.is_err().then(Instant::now);
                    attempt.finish(answer, now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    /// One attempt, as far as it has to be read to be judged.
    async fn begin(&self, attempt: &Attempt, failed: Option<Instant>) -> Result<Response<Body>, Failed> {
        if Handle::try_current().is_err() {
            return Err(TransportError::setup(ClientError::NoRuntime));
        }
        let reading = timeout(attempt.timeout(), self.begin_unbounded(attempt, failed)).await;
        reading.unwrap_or_else(|| Err(silent()))
    }

    async fn begin_unbounded(&self, attempt: &Attempt, failed: Option<Instant>) -> Result<Response<Body>, Failed> {
        // Held until the request is out.
        let call = Arc::new(());
        let request = self.to_reqwest(attempt, &call)?;
        let asked = request.url().clone();
        let way = self.clients.way_to(attempt.uri());
        let http = self.clients.get(&asked, failed.filter(|_| attempt.needs_fresh_connection()))?;
        let mut rest = http.execute(request).await.map_err(|error| failure(error, way))?;
        let mut head = Response::new(());
        *head.status_mut() = rest.status();
        *head.headers_mut() = std::mem::take(rest.headers_mut());
        if *rest.url() != asked {
            head.extensions_mut().insert(Redirected);
        }
        self.limits.check_head(head.status(), head.headers())?;
        let (head, ()) = head.into_parts();
        let mut meter = attempt.body_meter(head.status);
        let (mut start, mut is_success, mut is_whole) = (BytesMut::new(), None, false);
        while is_success != Some(true) && !is_whole {
            let piece = rest.chunk().await.map_err(|error| failure(error, way))?;
            is_whole = piece.is_none();
            let piece = piece.unwrap_or_default();
            meter.add(piece.len())?;
            is_success = is_success.or_else(|| attempt.begins_success(&head, &piece));
            start.extend_from_slice(&piece);
        }
        drop(call);
        let body = Body { start: start.freeze(), rest: (!is_whole).then_some(rest), meter, idle: self.idle() };
        Ok(Response::from_parts(head, body))
    }
}

fn silent() -> Failed {
    TransportError::timed_out(Delivery::Unknown)
}

/// The body of a success, read in pieces as they come in, by [`next_chunk`](Self::next_chunk); from [`Client::stream`]. It
/// keeps no more of the body in memory than a piece. Reading fails with an [`Error`], then and later, if the body breaks off,
/// if it is silent for [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, or if it is longer
/// than [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default.
///
/// Its `as_ref` gives the beginning of the body, which was read to see that the answer is a success (it begins with `{` or `[`,
/// after any white space); it is empty once [`next_chunk`](Self::next_chunk) has given that.
pub struct Body {
    start: Bytes,
    rest: Option<reqwest::Response>,
    meter: BodyMeter,
    idle: Duration,
}

impl Body {
    /// The next piece of the body; `None` at its end. The future can be dropped: nothing is lost.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if the body breaks off, if no piece comes within
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, or if the whole body is longer than
    /// [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default. Every later call fails too.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if !self.start.is_empty() {
            return Ok(Some(std::mem::take(&mut self.start)));
        }
        self.meter.check()?;
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let read = match timeout(self.idle, rest.chunk()).await {
            Some(read) => read.map_err(|error| failure(error, Way::default())),
            None => Err(silent()),
        };
        let len = |piece: &Option<Bytes>| piece.as_ref().map_or(0, Bytes::len);
        let read = read.and_then(|piece| self.meter.add(len(&piece)).map(|()| piece));
        read.map_err(|error| self.meter.failed(error))
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.start
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("meter", &self.meter).finish_non_exhaustive()
    }
}
