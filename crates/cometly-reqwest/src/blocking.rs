//! A client that waits for its answers instead of giving futures, on a tokio runtime of its own.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, BuildClient, Call, ClientSettings, InvalidProxy, ProxyScheme};
use http::Request;
use serde::de::DeserializeOwned;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::unconstrained,
};

mod download;
mod run;
mod stream;

pub use download::FileReader;
pub use run::Run;
pub use stream::Body;

use crate::{ClientBuilder, ClientError, Error, HttpClient, failure::setup};

/// The threads of the runtime. hyper may be kept busy by one hostile answer for each.
const THREADS: usize = 4;

/// How often a call looks at the clock by itself: those threads fire its timers.
const LOOK: Duration = Duration::from_millis(250);

/// A client that sends calls on reqwest and waits for their answers. It holds no key, so one serves any number of [`Api`]s,
/// from any number of threads; clones share the connection pool and the runtime. By default a call has three attempts within 60
/// s; a call that fails gives an [`Error`].
///
/// A call blocks its thread: within async code it belongs in `spawn_blocking`.
#[derive(Clone)]
pub struct Client {
    inner: crate::Client,
    runtime: Handle,
    /// Ends with the last client.
    _background: Arc<Background>,
}

/// A runtime that may be dropped anywhere, also within another one.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    fn new_on(inner: crate::Client) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("cometly-reqwest")
            .enable_all()
            .build()
            .map_err(|error| setup(ClientError::Runtime(error)))?;
        let handle = runtime.handle().clone();
        Ok(Self { inner, runtime: handle, _background: Arc::new(Background(Some(runtime))) })
    }

    /// A client with the default settings, what [`builder`](Client::builder) makes if no setter is called; it reads no proxy from
    /// the environment.
    ///
    /// # Errors
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) if reqwest, or the runtime, cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A builder for a client with settings of your own; each has a default. Its [`build`](cometly_core::ClientBuilder::build)
    /// fails with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup) for a proxy that cannot be used, or if reqwest, or
    /// the runtime, cannot be set up.
    pub fn builder() -> ClientBuilder<Client> {
        ClientBuilder::default()
    }

    /// Sends a call, again if the [retry policy](crate::ClientBuilder::retry_policy) says so, and blocks the thread until it
    /// ends. It gives what the last answer means for the call and for the API key.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if no whole answer came, or the call cannot be built; its
    /// [`delivery`](cometly_core::CallError::delivery) says whether the call may be sent again. An answer of the API, refusals
    /// included, is no error here but an [`AuthOutcome`].
    pub fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Error> {
        self.wait(self.inner.send(call))
    }

    /// Sends a call and reads its answer as a `T` from JSON. An answer that is not a success is an error.
    ///
    /// # Errors
    /// As [`send`](Client::send), and [`CallErrorKind::Api`](cometly_core::CallErrorKind::Api) for an answer that is not a
    /// success, also for a 2xx whose body is empty or begins neither with `{` nor `[`;
    /// [`CallErrorKind::Decode`](cometly_core::CallErrorKind::Decode) for a success whose JSON is no `T`.
    pub fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        Ok(self.send(call)?.into_result()?.decode()?)
    }

    /// Sends a request of your own, to which [`Api::authorize`] gave the key, and gives its last answer as
    /// [`send`](Client::send) does; a refusal by the API is no error but an [`AuthOutcome`]. If it may have arrived, it is sent
    /// again only if its method is idempotent (GET, PUT, DELETE; POST and PATCH are not); after a 429, or if nothing was sent,
    /// any method is. At each attempt, an `Authorization` header of a request to the API's own origin, also one of your own, is
    /// replaced by the key that is current then; a request without that header, or to another origin, is sent as it is.
    /// Attempts and time are those of the client's [retry policy](crate::ClientBuilder::retry_policy).
    ///
    /// # Errors
    /// As [`send`](Client::send): [`CallError`](cometly_core::CallError) if no whole answer came.
    pub fn send_request(&self, request: Request<Bytes>, api: &Api) -> Result<AuthOutcome<Bytes>, Error> {
        self.wait(self.inner.send_request(request, api))
    }

    /// Makes the next call use a new connection, as after a change of network. Calls under way go on. It does nothing to a
    /// reqwest client that was [built already](HttpClient).
    pub fn close_idle(&self) {
        self.inner.close_idle();
    }

    /// Polls on this thread, and not by `block_on`, which panics within another runtime. A task of the runtime would wait for
    /// its turn there, its time-outs too.
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let _entered = self.runtime.enter();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        // Within a task of another runtime, its share of polls might be used up, and would stay so.
        let mut future = pin!(unconstrained(future));
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park_timeout(LOOK),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl BuildClient for Client {
    type HttpClient = HttpClient;
    type Source = ClientError;

    const PROXIES: &'static [ProxyScheme] = crate::Client::PROXIES;
    const REUSES_CONNECTIONS: bool = crate::Client::REUSES_CONNECTIONS;

    fn build(settings: ClientSettings<HttpClient>) -> Result<Self, Error> {
        Self::new_on(crate::Client::build(settings)?)
    }

    fn invalid_proxy(error: InvalidProxy) -> ClientError {
        crate::Client::invalid_proxy(error)
    }
}

/// Shows the limits; a proxy's URL may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use std::time::Instant;

    use cometly_core::{ApiKey, CallErrorKind, Delivery, RetryPolicy};

    use super::*;

    #[test]
    fn a_call_ends_in_time_though_each_thread_of_the_runtime_is_busy() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/v1", silent.local_addr().unwrap()).parse().unwrap();
        let api = Api::builder(ApiKey::new("12|abcdefghij").unwrap()).base_url(base_url).build();
        let client = Client::builder().attempt_timeout(Duration::from_millis(100)).retry_policy(RetryPolicy::none());
        let client = client.build().unwrap();
        for _ in 0..THREADS {
            client.runtime.spawn(async { thread::sleep(Duration::from_secs(5)) });
        }
        thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        let error = client.send(api.get("events")).unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (CallErrorKind::Timeout, Some(Delivery::Unknown)));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    #[test]
    fn an_answer_wakes_its_caller() {
        let begun = Instant::now();
        Waker::from(Arc::new(Unpark(thread::current()))).wake();
        thread::park_timeout(Duration::from_secs(30));
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }

    #[test]
    fn within_a_runtime_it_waits_and_does_not_panic() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let base_url = format!("http://{closed}/v1").parse().unwrap();
        let api = Api::builder(ApiKey::new("12|abcdefghij").unwrap()).base_url(base_url).build();
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let client = Client::builder().retry_policy(cometly_core::RetryPolicy::none()).build().unwrap();
            let sent = client.send(api.get("events"));
            assert_eq!(sent.unwrap_err().delivery(), Some(Delivery::NotSent));
        });
    }
}
