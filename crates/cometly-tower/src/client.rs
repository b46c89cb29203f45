//! The client: its settings, and the loop that drives a call.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use cometly_core::{
    Api, AuthOutcome, Call, Next, Operation, RetryPolicy, TransportLimits, bytes::Bytes, http::Request,
};
use serde::de::DeserializeOwned;
use tower_service::Service;

use crate::{Error, Host, HttpService, ServiceError, clock::Clock, exchange::exchange};

/// A client that sends calls on the tower service `S`, with the clock and sleep of the [`Host`] `H`, the runtime that it runs
/// on. It holds no key, so one serves any number of [`Api`]s at once; clones share what clones of the service share. By default
/// a call has three attempts within 60 s; a call that fails gives an [`Error`].
#[derive(Clone)]
pub struct Client<S, H> {
    service: S,
    host: H,
    pub(crate) limits: TransportLimits,
    retry_policy: RetryPolicy,
}

impl<S, H> Client<S, H> {
    /// A client with the default settings: no time-out of its own (so the retry policy's 60 s), 30 s for an attempt, at most 32
    /// MiB of body. It sends nothing and cannot fail.
    pub fn new(service: S, host: H) -> Self {
        Self { service, host, limits: TransportLimits::default(), retry_policy: RetryPolicy::default() }
    }

    /// How long a whole call may take, all attempts and waits included; then it fails with
    /// [`CallErrorKind::Timeout`](cometly_core::CallErrorKind::Timeout). Without it, as long as the [retry
    /// policy](Self::retry_policy) says: 60 s by default, no bound for [`RetryPolicy::none`]. [`Call::timeout`] sets another for
    /// one call. A call ends before that if the next wait does not fit, as [`RetryPolicy::timeout`] says. Zero fails every call
    /// before it is sent. It does not end a streamed body that has begun, or the download of a file. A second call replaces it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = Some(timeout);
        self
    }

    /// The longest time of one attempt, from waiting for the service to the end of the body; an attempt never takes longer than
    /// what is left of the call's time. When it is over, the call is sent again if the [retry policy](Self::retry_policy) says so,
    /// else it fails with [`CallErrorKind::Timeout`](cometly_core::CallErrorKind::Timeout). By default it is 30 s, or the whole
    /// time of the call if [`timeout`](Self::timeout) or [`Call::timeout`] is set. A piece of a streamed body or of a file may take
    /// as long too, 30 s if this is not set; after that the body breaks off, and a file is resumed. More than a hundred years
    /// counts as a hundred. A second call replaces it.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.limits.attempt_timeout = Some(timeout.min(TransportLimits::MAX_TIMEOUT));
        self
    }

    /// The most bytes of body that are read from an answer; 32 MiB by default. A longer one fails the call with
    /// [`CallErrorKind::TooLarge`](cometly_core::CallErrorKind::TooLarge), and is not asked for again; of a streamed body, the read
    /// that goes beyond it fails. Any number is taken as it is. It does not bound the file of an export. A second call replaces it.
    #[must_use]
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.limits.max_body_size = bytes;
        self
    }

    /// Sets all limits at once, in place of [`timeout`](Self::timeout), [`attempt_timeout`](Self::attempt_timeout) and
    /// [`max_body_size`](Self::max_body_size). `connect_timeout` has no effect: connecting is the service's affair. By default
    /// they are those of [`TransportLimits::default`]. A second call replaces all of them.
    #[must_use]
    pub fn limits(mut self, limits: TransportLimits) -> Self {
        self.limits = limits;
        self
    }

    /// When a call is sent again: by default as [`RetryPolicy::default`] says, three attempts within 60 s; never with
    /// [`RetryPolicy::none`], for a loop of your own. [`Call::retry_policy`] sets another for one call. A second call replaces
    /// it.
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = policy;
        self
    }
}

impl<S: HttpService, H: Host> Client<S, H> {
    /// Sends a call, and again if the [retry policy](Self::retry_policy) says so, and gives what its last answer means for
    /// the call and for the API key. The future owns all that it needs, so it can be spawned.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if no whole answer came, or the call cannot be built; its
    /// [`delivery`](cometly_core::CallError::delivery) says whether the call may be sent again. An answer of the API, refusals
    /// included, is no error here but an [`AuthOutcome`].
    pub fn send(&self, call: Call) -> impl Future<Output = Result<AuthOutcome<Bytes>, Error>> + use<S, H> {
        let mut clock = self.clock();
        let operation = self.start(call, &mut clock);
        let service = self.service();
        async move { drive(service, clock, operation?).await }
    }

    /// Sends a call and reads its answer as a `T` from JSON. An answer that is not a success is an error.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`CallErrorKind::Api`](cometly_core::CallErrorKind::Api) for an answer that is not a
    /// success, also for a 2xx whose body is empty or begins neither with `{` nor `[`;
    /// [`CallErrorKind::Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is no `T`.
    pub async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call).await?.into_result()?.decode()?)
    }

    /// Sends a request of your own, to which [`Api::authorize`] gave the key, and gives its last answer as [`send`](Self::send)
    /// does; a refusal by the API is no error but an [`AuthOutcome`]. If it may have arrived, it is sent again only if its
    /// method is idempotent (GET, PUT, DELETE; POST and PATCH are not); after a 429, or if nothing was sent, any method is. At
    /// each attempt, an `Authorization` header of a request to the API's own origin, also one of your own, is replaced by the
    /// key that is current then; a request without that header, or to another origin, is sent as it is. Attempts and time are
    /// those of the client's [retry policy](Self::retry_policy).
    ///
    /// # Errors
    /// As [`send`](Self::send): [`CallError`](cometly_core::CallError) if no whole answer came.
    pub fn send_request(
        &self,
        request: Request<Bytes>,
        api: &Api,
    ) -> impl Future<Output = Result<AuthOutcome<Bytes>, Error>> + use<S, H> {
        let mut clock = self.clock();
        let (seed, now) = (self.host.seed(), clock.now());
        let operation = Operation::from_request(request, api, &self.retry_policy, &self.limits, seed, now);
        drive(self.service.clone(), clock, operation)
    }

    pub(crate) fn start<B>(&self, call: Call, clock: &mut Clock<H>) -> Result<Operation<B, ServiceError>, Error> {
        call.start(&self.retry_policy, &self.limits, self.host.seed(), clock.now())
    }

    pub(crate) fn service(&self) -> S {
        self.service.clone()
    }

    pub(crate) fn clock(&self) -> Clock<H> {
        Clock::new(self.host.clone())
    }
}

async fn drive<S: HttpService, H: Host>(
    service: S,
    mut clock: Clock<H>,
    mut operation: Operation<Bytes, ServiceError>,
) -> Result<AuthOutcome<Bytes>, Error> {
    loop {
        operation = match operation.next(clock.now()) {
            Next::Wait { pause, operation } => {
                clock.sleep(pause).await;
                operation
            }
            Next::Send(attempt) => {
                let answer = attempt.instrument(exchange(service.clone(), &mut clock, &attempt)).await;
                attempt.finish(answer, clock.now())
            }
            Next::Done(result) => return result,
        };
    }
}

/// The client as a service of calls, to be put below layers or into a stack: [`Client::send`]. It is always ready: each attempt
/// waits for the service below within its own time-out.
impl<S, H> Service<Call> for Client<S, H>
where
    S: HttpService<Future: Send, Body: Send> + Send + 'static,
    H: Host<Sleep: Send> + Send + 'static,
{
    type Response = AuthOutcome<Bytes>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<AuthOutcome<Bytes>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        Box::pin(self.send(call))
    }
}

/// Shows the limits; what the service would show of itself is not known.
impl<S, H> fmt::Debug for Client<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The futures are `Send` where service, body and sleep are.
const _: () = {
    const fn is_send<T: Send>(_: &T) {}

    #[expect(dead_code, reason = "it is enough that it compiles")]
    fn futures_are_send<S, H>(client: &Client<S, H>, call: Call, request: Request<Bytes>, api: &Api)
    where
        S: HttpService<Future: Send, Body: Send> + Send + Sync,
        H: Host<Sleep: Send> + Send + Sync,
    {
        is_send(&client.send(call.clone()));
        is_send(&client.stream(call.clone()));
        is_send(&client.json::<()>(call));
        is_send(&client.send_request(request, api));
    }
};
