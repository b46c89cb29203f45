//! What the suite asks of a transport.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, CallError, Download, RetryPolicy, TransportLimits};
use http::Request;

/// An error of any transport.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What became of a call, whichever the transport.
pub type Sent = Result<AuthOutcome<Bytes>, CallError<Source>>;

/// The transport's own error, without its type.
#[derive(Debug)]
pub struct Source(BoxError);

impl Source {
    /// Wraps an error of a client.
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Source {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// A call whose body came in pieces.
#[derive(Debug)]
pub struct Streamed {
    /// What became of the call, as if the body had come whole. A body that has no end is an error.
    pub sent: Sent,
    /// What was read of a success, up to its end or to where it broke off.
    pub body: Bytes,
}

impl Streamed {
    /// Reads the body of a success by `next`, until it gives `None` or there are `at_most` bytes.
    pub fn read<B, E: Into<BoxError>>(
        outcome: Result<AuthOutcome<B>, CallError<E>>,
        at_most: usize,
        mut next: impl FnMut(&mut B) -> Result<Option<Bytes>, CallError<E>>,
    ) -> Self {
        let (mut read, mut broken) = (Vec::new(), None);
        let outcome = outcome.map(|outcome| {
            outcome.map(|mut body| {
                while read.len() < at_most {
                    match next(&mut body) {
                        Ok(Some(piece)) => read.extend_from_slice(&piece),
                        Ok(None) => break,
                        Err(error) => {
                            broken = Some(error);
                            break;
                        }
                    }
                }
            })
        });
        let body = Bytes::from(read);
        let sent = broken.map_or(outcome, Err).map_err(|error| error.map_source(Source::new));
        Self { sent: sent.map(|outcome| outcome.map(|()| body.clone())), body }
    }
}

/// A file that was read to its end.
#[derive(Debug)]
pub struct Downloaded {
    /// What was read.
    pub file: Vec<u8>,
    /// How it ended.
    pub end: Result<(), CallError<Source>>,
}

impl Downloaded {
    /// Reads a file by `next`, until it gives `None`.
    pub fn read<E: Into<BoxError>>(mut next: impl FnMut() -> Result<Option<Bytes>, CallError<E>>) -> Self {
        let mut file = Vec::new();
        let end = loop {
            match next() {
                Ok(Some(piece)) => file.extend_from_slice(&piece),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.map_source(Source::new)),
            }
        };
        Self { file, end }
    }
}

/// A piece of a body that is read by a function, as `read` of a blocking client; `None` at the end.
///
/// # Errors
/// As the function.
pub fn piece<E>(read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<Option<Bytes>, E> {
    let mut buffer = [0; 1_500];
    let len = read(&mut buffer)?;
    Ok((len > 0).then(|| Bytes::copy_from_slice(buffer.get(..len).unwrap_or_default())))
}

/// A transport under test: a client that sends calls. Blocking; an async one waits on an executor of its own.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a call.
    ///
    /// # Errors
    /// As the transport's own `send`.
    fn send(&self, call: Call) -> Sent;

    /// Sends a request that is already authorized.
    ///
    /// # Errors
    /// As the transport's own `send_request`.
    fn send_request(&self, request: Request<Bytes>, api: &Api) -> Sent;

    /// Begins a call and gives it up after a while, by dropping its future; `false`, without beginning it, if the
    /// transport is blocking and cannot.
    fn send_and_drop(&self, _call: Call, _after: Duration) -> bool {
        false
    }

    /// Sends a call, reads the body of its success in pieces until it has `at_most` bytes or ends, and drops it; `None` if the
    /// transport has no such call.
    fn stream(&self, _call: Call, _at_most: usize) -> Option<Streamed> {
        None
    }

    /// Reads the file of an export to its end; `None` if the transport has no such call.
    fn download(&self, _api: &Api, _download: Download) -> Option<Downloaded> {
        None
    }

    /// Closes the connections that are kept; `false` if the transport has no such call.
    fn close_idle(&self) -> bool {
        false
    }
}

/// A client under test: how it is made with the settings of a case.
pub trait ClientUnderTest: Send + Sync {
    /// Its name in the report.
    fn name(&self) -> &'static str;

    /// A client with these settings; `None` if the transport has no such choice, and its cases are ignored.
    ///
    /// # Errors
    /// If the client cannot be made.
    fn connect(&self, settings: &Settings) -> Result<Option<Box<dyn Transport>>, BoxError>;

    /// What the HTTP stack below cannot do. The cases about it then ask for less: that the call is no success, and that
    /// the error never says that it was not sent.
    fn gaps(&self) -> &'static [Gap] {
        &[]
    }
}

/// What an HTTP stack cannot do, and its driver cannot add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// It takes an informational answer (1xx) for the last one, though RFC 9110 §15.2 asks to pass over it.
    InformationalAnswers,
    /// It takes no header line as long as [`TransportLimits`] allow, or does not tell a head that is too large from a broken one.
    LargeHeads,
    /// It does not tell at which place connecting failed, so that what was not sent reads as what may have arrived.
    FailurePlaces,
    /// It takes a connection that breaks for the end of a body without a length.
    BrokenEnds,
    /// It has no way to make a new connection.
    FreshConnections,
    /// It goes on to send the body of a call that was given up.
    GivenUpUploads,
    /// It keeps no connection through a proxy.
    KeptTunnels,
}

/// How a case wants its client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The time-outs of one attempt, and the cap on its body.
    pub limits: TransportLimits,
    /// When a call is sent again: never, unless the case is about that.
    pub retry_policy: RetryPolicy,
    /// Which proxy is asked for.
    pub proxy: Proxy,
    /// Whether connections are kept; `None` for the transport's default.
    pub reuse: Option<bool>,
    /// Whether the client below is the transport's own, or brought by its user.
    pub client: HttpClient,
}

/// Which proxy a case asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// None, whatever the environment says.
    None,
    /// This one.
    Named(String),
    /// The environment's.
    Environment,
}

/// Whose HTTP client is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpClient {
    /// The one that the transport makes.
    Own,
    /// One that a user brings, with the client's own defaults: it may follow redirects, unpack, take statuses for errors.
    Users,
}

impl Default for Settings {
    fn default() -> Self {
        let mut limits = TransportLimits::default();
        // Long enough for a loaded machine; the cases that wait for a deadline set their own.
        limits.attempt_timeout = Some(Duration::from_secs(20));
        Self { limits, retry_policy: RetryPolicy::none(), proxy: Proxy::None, reuse: None, client: HttpClient::Own }
    }
}

impl Settings {
    /// With another deadline for the whole call.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.limits.timeout = Some(deadline);
        self
    }

    /// With another retry policy.
    #[must_use]
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry_policy = policy;
        self
    }

    /// With another time-out for one attempt.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.limits.attempt_timeout = Some(timeout);
        self
    }

    /// With another time-out for connecting.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// With another body cap.
    #[must_use]
    pub fn max_body_size(mut self, bytes: usize) -> Self {
        self.limits.max_body_size = bytes;
        self
    }

    /// With a proxy.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// With connections kept, or not.
    #[must_use]
    pub fn reuse(mut self, reuse: bool) -> Self {
        self.reuse = Some(reuse);
        self
    }

    /// With a client that the user brings.
    #[must_use]
    pub fn users_client(mut self) -> Self {
        self.client = HttpClient::Users;
        self
    }
}
