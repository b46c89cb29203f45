//! Answers whose bodies are read piece by piece.

use std::{fmt, time::Duration};

use async_io::Timer;
use bytes::Bytes;
use cometly_core::{Attempt, AuthOutcome, BodyMeter, Call, Delivery, Moment, Next, TransportError, TransportLimits};
use futures_lite::{AsyncReadExt as _, future::or};
use http::Response;
use isahc::AsyncBody;

use crate::{
    Client, Error,
    convert::{self, Length, ends_when_silent, forced, proxy_uri},
    failure::{failure, io_failure},
    seed,
};

type Failed = TransportError<isahc::Error>;

const PIECE: usize = 16_384;

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
    /// # use cometly_isahc::{Client, cometly_core::Api};
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
        let mut operation = call.start(&self.retry_policy, &self.limits, seed(), Moment::now())?;
        loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => {
                    Timer::after(pause).await;
                    operation
                }
                Next::Send(attempt) => {
                    let answer = attempt.instrument(self.begin(&attempt)).await;
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    /// One attempt, as far as it has to be read to be judged.
    async fn begin(&self, attempt: &Attempt) -> Result<Response<Body>, Failed> {
        unless_silent(attempt.timeout(), self.begin_unbounded(attempt)).await
    }

    async fn begin_unbounded(&self, attempt: &Attempt) -> Result<Response<Body>, Failed> {
        let request = attempt.request();
        let proxy = self.proxies.proxy_for(request.uri());
        let uri = proxy.map(proxy_uri).transpose()?;
        let silence = self.idle().max(attempt.timeout());
        let request = convert::request(request, self.may_reuse, |settings| {
            let settings = forced(settings, TransportLimits::MAX_TIMEOUT, self.limits.connect_timeout, uri);
            ends_when_silent(settings, silence)
        })?;
        let http = self.clients.current(attempt.needs_fresh_connection());
        let way = self.way(proxy, silence);
        let (head, mut rest) = http.send_async(request).await.map_err(|error| failure(error, way))?.into_parts();
        let (head, ()) = convert::head(isahc::http::Response::from_parts(head, ()))?.into_parts();
        self.limits.check_head(head.status, &head.headers)?;
        let length = Length::of(head.status, &head.headers)?;
        let mut meter = attempt.body_meter(head.status);
        let (mut start, mut is_success, mut is_whole) = (Vec::new(), None, false);
        let mut buffer = vec![0; PIECE];
        while is_success != Some(true) && !is_whole {
            let len = rest.read(&mut buffer).await.map_err(io_failure)?;
            let piece = buffer.get(..len).unwrap_or_default();
            meter.add(len)?;
            is_success = is_success.or_else(|| attempt.begins_success(&head, piece));
            start.extend_from_slice(piece);
            is_whole = len == 0;
        }
        if is_whole {
            length.check(start.len())?;
        }
        let (idle, rest, read) = (self.idle(), (!is_whole).then_some(rest), start.len());
        let body = Body { start: start.into(), rest, buffer, length, read, meter, idle };
        Ok(Response::from_parts(head, body))
    }
}

pub(crate) async fn unless_silent<T>(
    time: Duration,
    reading: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    or(reading, async {
        Timer::after(time).await;
        Err(TransportError::timed_out(Delivery::Unknown))
    })
    .await
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
    rest: Option<AsyncBody>,
    buffer: Vec<u8>,
    length: Length,
    /// How many bytes have been read, those at the start included.
    read: usize,
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
        let buffer = &mut self.buffer;
        let read = unless_silent(self.idle, async { rest.read(buffer).await.map_err(io_failure) }).await;
        let read = read.and_then(|len| {
            self.meter.add(len)?;
            self.read = self.read.saturating_add(len);
            // No bytes are the end.
            if len == 0 { self.length.check(self.read).map(|()| len) } else { Ok(len) }
        });
        let len = read.map_err(|error| self.meter.failed(error))?;
        let piece = self.buffer.get(..len).unwrap_or_default();
        Ok((len > 0).then(|| Bytes::copy_from_slice(piece)))
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
