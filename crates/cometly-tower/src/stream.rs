//! Answers whose bodies are read piece by piece.

use std::{fmt, pin::pin, time::Duration};

use cometly_core::{
    Attempt, AuthOutcome, BodyMeter, Call, Next, Operation, TransportLimits, bytes::Bytes, http::Response,
};

use crate::{
    BoxError, Client, Error, Host, HttpService, ServiceError,
    clock::Clock,
    error::Failure,
    exchange::{Length, as_sent, head},
    pieces::Pieces,
};

impl<S: HttpService, H: Host> Client<S, H> {
    /// Sends a call, as [`send`](Client::send), and gives the body of a success in pieces as they come in. Any other answer is read
    /// to its end before this resolves.
    ///
    /// The time-outs of [`send`](Client::send) hold until the body begins; from then on each piece may take
    /// [`attempt_timeout`](Client::attempt_timeout), 30 s if that is not set. A body may be as large as
    /// [`max_body_size`](Client::max_body_size), 32 MiB by default. If the body breaks off, the call is not sent again.
    ///
    /// # Errors
    /// As [`send`](Client::send), up to the beginning of the body: [`CallError`](cometly_core::CallError) if no answer came, or
    /// the call cannot be built. A body that breaks off later is an error of reading it.
    ///
    /// ```
    /// # use cometly_tower::{Client, Error, Host, HttpService, cometly_core::Api};
    /// # async fn count<S: HttpService, H: Host>(client: &Client<S, H>, api: &Api) -> Result<usize, Error> {
    /// let mut body = client.stream(api.get("companies")).await?.into_result()?.into_body();
    /// let mut len = 0;
    /// while let Some(piece) = body.next_chunk().await? {
    ///     len += piece.len();
    /// }
    /// # Ok(len)
    /// # }
    /// ```
    pub fn stream(
        &self,
        call: Call,
    ) -> impl Future<Output = Result<AuthOutcome<StreamedBody<S::Body, H>>, Error>> + use<S, H> {
        let (mut clock, idle) = (self.clock(), self.idle());
        let operation = self.start(call, &mut clock);
        let service = self.service();
        async move {
            let mut operation: Operation<_, ServiceError> = operation?;
            loop {
                operation = match operation.next(clock.now()) {
                    Next::Wait { pause, operation } => {
                        clock.sleep(pause).await;
                        operation
                    }
                    Next::Send(attempt) => {
                        let answer = attempt.instrument(begin(service.clone(), &mut clock, &attempt, idle)).await;
                        attempt.finish(answer, clock.now())
                    }
                    Next::Done(result) => return result,
                };
            }
        }
    }

    /// How long a piece may take.
    pub(crate) fn idle(&self) -> Duration {
        self.limits.attempt_timeout.unwrap_or(TransportLimits::DEFAULT_ATTEMPT_TIMEOUT)
    }
}

/// One attempt, as far as it has to be read to be judged.
async fn begin<S: HttpService, H: Host>(
    mut service: S,
    clock: &mut Clock<H>,
    attempt: &Attempt,
    idle: Duration,
) -> Result<Response<StreamedBody<S::Body, H>>, Failure> {
    let end = clock.now().saturating_add(attempt.timeout());
    let mut timer = clock.clone();
    let mut deadline = pin!(timer.sleep(attempt.timeout()));
    let answer = head(&mut service, clock, end, deadline.as_mut(), as_sent(attempt), attempt.limits());
    let (head, body) = answer.await?.into_parts();
    let length = Length::of(attempt.method(), head.status, &head.headers)?;
    let mut meter = attempt.body_meter(head.status);
    let mut rest = Pieces::new(body, *attempt.limits(), head.status);
    let (mut start, mut is_success, mut is_whole) = (Vec::new(), None, false);
    while is_success != Some(true) && !is_whole {
        let before = start.len();
        is_whole = !rest.next(clock, end, deadline.as_mut(), &mut start).await?;
        let piece = start.get(before..).unwrap_or_default();
        meter.add(piece.len())?;
        is_success = is_success.or_else(|| attempt.begins_success(&head, piece));
    }
    if is_whole { length.check(start.len()) } else { length.check_start(start.len()) }?;
    let (rest, read) = ((!is_whole).then_some(rest), start.len());
    let body = StreamedBody { start: start.into(), rest, length, read, meter, clock: clock.clone(), idle };
    Ok(Response::from_parts(head, body))
}

/// The body of a success, read in pieces as they come in, by [`next_chunk`](Self::next_chunk); from [`Client::stream`]. It
/// keeps no more of the body in memory than a piece. Reading fails with an [`Error`], then and later, if the body breaks off or
/// is longer than its `Content-Length`, if it is silent for [`attempt_timeout`](Client::attempt_timeout), 30 s if that is not
/// set, or if it is longer than [`max_body_size`](Client::max_body_size), 32 MiB by default.
///
/// Its `as_ref` gives the beginning of the body, which was read to see that the answer is a success (it begins with `{` or `[`,
/// after any white space); it is empty once [`next_chunk`](Self::next_chunk) has given that.
pub struct StreamedBody<B, H> {
    start: Bytes,
    rest: Option<Pieces<B>>,
    length: Length,
    /// How many bytes have been read, those at the start included.
    read: usize,
    meter: BodyMeter,
    clock: Clock<H>,
    idle: Duration,
}

impl<B: http_body::Body<Error: Into<BoxError>>, H: Host> StreamedBody<B, H> {
    /// The next piece of the body; `None` at its end. The future can be dropped: nothing is lost.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if the body breaks off or is longer than its `Content-Length`, if no piece comes
    /// within [`attempt_timeout`](Client::attempt_timeout), 30 s if that is not set, or if the whole body is longer than
    /// [`max_body_size`](Client::max_body_size), 32 MiB by default. Every later call fails too.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if !self.start.is_empty() {
            return Ok(Some(std::mem::take(&mut self.start)));
        }
        self.meter.check()?;
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let end = self.clock.now().saturating_add(self.idle);
        let mut timer = self.clock.clone();
        let deadline = pin!(timer.sleep(self.idle));
        let mut piece = Vec::new();
        let has_more = rest.next(&mut self.clock, end, deadline, &mut piece).await;
        let has_more = has_more.and_then(|has_more| {
            self.meter.add(piece.len())?;
            self.read = self.read.saturating_add(piece.len());
            if has_more { self.length.check_start(self.read) } else { self.length.check(self.read) }?;
            Ok(has_more)
        });
        let has_more = has_more.map_err(|error| self.meter.failed(error))?;
        if !has_more {
            self.rest = None;
        }
        Ok(has_more.then(|| piece.into()))
    }
}

impl<B, H> AsRef<[u8]> for StreamedBody<B, H> {
    fn as_ref(&self) -> &[u8] {
        &self.start
    }
}

impl<B, H> fmt::Debug for StreamedBody<B, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedBody").field("meter", &self.meter).finish_non_exhaustive()
    }
}
