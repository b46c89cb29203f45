//! Answers whose bodies are read piece by piece.

use std::{
    fmt,
    io::{self, Read},
    thread::sleep,
    time::{Duration, Instant},
};

use bytes::{Buf as _, Bytes};
use cometly_core::{Attempt, AuthOutcome, BodyMeter, Call, Delivery, Moment, Next, TransportError};
use http::{Method, Request, Response, response::Parts};
use ureq::{AsSendBody, BodyReader};

use crate::{
    Client, Error,
    agents::{forced, ureqs_proxy},
    connect::until,
    failure::{failure, failure_through},
    seed,
};

type Failed = TransportError<ureq::Error>;

const PIECE: usize = 16_384;

impl Client {
    /// Sends a call, as [`send`](Client::send), and gives the body of a success in pieces as they come in. Any other answer is read
    /// to its end before this returns.
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
    /// # use cometly_ureq::{Client, cometly_core::Api};
    /// # fn save(client: &Client, api: &Api) -> Result<(), Box<dyn std::error::Error>> {
    /// let call = api.get("events").query("start_date", "2026-11-01 00:00:00").query("end_date", "2026-11-02 00:00:00");
    /// let mut body = client.stream(call)?.into_result()?.into_body();
    /// std::io::copy(&mut body, &mut std::fs::File::create("events.json")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self, call: Call) -> Result<AuthOutcome<Body>, Error> {
        let mut operation = call.start(&self.retry_policy, &self.limits, seed(), Moment::now())?;
        loop {
            operation = match operation.next(Moment::now()) {
                Next::Wait { pause, operation } => {
                    sleep(pause);
                    operation
                }
                Next::Send(attempt) => {
                    let answer = attempt.in_scope(|| self.begin(&attempt));
                    attempt.finish(answer, Moment::now())
                }
                Next::Done(result) => return result,
            };
        }
    }

    /// One attempt, as far as it has to be read to be judged.
    fn begin(&self, attempt: &Attempt) -> Result<Response<Body>, Failed> {
        let end = Instant::now().checked_add(attempt.timeout());
        until(end, || self.begin_until(end, attempt))
    }

    fn begin_until(&self, end: Option<Instant>, attempt: &Attempt) -> Result<Response<Body>, Failed> {
        let (head, body) = attempt.request().into_parts();
        let (head, mut rest) = if body.is_empty() && matches!(head.method, Method::GET | Method::DELETE) {
            self.head(Request::from_parts(head, ()), attempt)
        } else {
            self.head(Request::from_parts(head, body.as_ref()), attempt)
        }?;
        let mut meter = attempt.body_meter(head.status);
        let (mut start, mut is_success, mut is_whole) = (Vec::new(), None, false);
        let mut buffer = vec![0; PIECE];
        while is_success != Some(true) && !is_whole {
            let len = rest.read(&mut buffer).map_err(|error| failure(error.into()))?;
            let piece = buffer.get(..len).unwrap_or_default();
            meter.add(len)?;
            is_success = is_success.or_else(|| attempt.begins_success(&head, piece));
            start.extend_from_slice(piece);
            is_whole = len == 0;
            // On an agent that its user brought, nothing else ends what comes all the time.
            if end.is_some_and(|end| Instant::now() > end) {
                return Err(TransportError::timed_out(Delivery::Unknown));
            }
        }
        let body = Body { start: start.into(), rest: (!is_whole).then_some(rest), meter, idle: self.idle() };
        Ok(Response::from_parts(head, body))
    }

    fn head<B: AsSendBody>(
        &self,
        request: Request<B>,
        attempt: &Attempt,
    ) -> Result<(Parts, BodyReader<'static>), Failed> {
        let timeout = attempt.timeout();
        let agent = self.agents.current();
        let proxy = self.agents.proxy_on_request(request.uri());
        let ureqs = proxy.map(ureqs_proxy).transpose().map_err(failure)?;
        let settings = forced!(agent.configure_request(request), self.limits, ureqs, timeout)
            .timeout_global(None)
            .timeout_recv_response(Some(timeout))
            .timeout_send_body(Some(timeout))
            .timeout_per_read(Some(timeout));
        let is_fresh = attempt.needs_fresh_connection();
        // The kept connections to that host are thrown away.
        let settings = if is_fresh { settings.max_idle_age(Duration::ZERO) } else { settings };
        let (head, body) = agent
            .run(settings.build())
            .map_err(|error| failure_through(error, proxy, self.limits.connect_timeout))?
            .into_parts();
        self.limits.check_head(head.status, &head.headers)?;
        Ok((head, body.into_with_config().limit(u64::MAX).reader()))
    }
}

/// The body of a success, read in pieces as they come in, by [`try_read`](Self::try_read) or [`Read`]; from [`Client::stream`].
/// It keeps no more of the body in memory than a piece. Reading fails with an [`Error`], then and later, if the body breaks
/// off, if it is silent for [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, or if it is
/// longer than [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default.
///
/// Its `as_ref` gives what was not read yet of the beginning of the body, which came first to see that the answer is a success (it
/// begins with `{` or `[`, after any white space); it is empty once that was read.
pub struct Body {
    start: Bytes,
    rest: Option<BodyReader<'static>>,
    meter: BodyMeter,
    idle: Duration,
}

impl Body {
    /// Blocks until bytes of the body have come, reads them into `buffer` and gives their number; 0 at the end of the body,
    /// and for an empty `buffer`.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if the body breaks off, if no piece comes within
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, or if the whole body is longer than
    /// [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default. Every later call fails too.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if !self.start.is_empty() {
            let len = self.start.len().min(buffer.len());
            self.start.copy_to_slice(buffer.get_mut(..len).unwrap_or_default());
            return Ok(len);
        }
        self.meter.check()?;
        let Some(rest) = &mut self.rest else { return Ok(0) };
        let end = Instant::now().checked_add(self.idle);
        let read = until(end, || rest.read(buffer)).map_err(|error| failure(error.into()));
        read.and_then(|len| self.meter.add(len).map(|()| len)).map_err(|error| self.meter.failed(error))
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.start
    }
}

/// Reads as [`try_read`](Self::try_read) does, within the same time-out, and fails where that fails. The [`io::Error`] has the
/// [`Error`] within, which [`io::Error::downcast`] gives back.
impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("meter", &self.meter).finish_non_exhaustive()
    }
}
