//! What a case is run with: one client under test, one canary key, and the bookkeeping that every case gets.

use std::{
    cell::{Cell, RefCell},
    env,
    io::{self, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use cometly_core::{Api, ApiError, ApiErrorKind, ApiKey, AuthOutcome, Call, CallError, Delivery, KeyStatus, RateLimit};
use cometly_emulator::{Emulator, EmulatorBuilder};
use http::Request;

use crate::{
    BoxError, ClientUnderTest, Gap, Sent, Settings, Source, Transport,
    canary::{Canary, Leak},
    fault_server::{ConnectProxy, FaultServer, RawServer, Script, ServerCertificate},
    record::Record,
};

/// What a case is run with. Every call that goes through it is counted and looked at for the canary key.
pub struct Scenario<'a> {
    subject: &'a dyn ClientUnderTest,
    canary: Canary,
    /// Tries of which the transport did not say that they never left.
    sent: Cell<usize>,
    leaks: RefCell<Vec<String>>,
    record: Record,
}

/// How a case ends.
pub type CaseResult = Result<Arrivals, BoxError>;

/// How many calls arrived, as the servers of a case counted them. The suite compares it with how many were sent.
#[derive(Debug)]
pub struct Arrivals(Option<usize>);

impl Arrivals {
    /// The servers saw this many.
    #[must_use]
    pub fn of(server: &FaultServer) -> Self {
        Self(Some(server.arrivals()))
    }

    /// The servers saw this many.
    #[must_use]
    pub fn counted(count: usize) -> Self {
        Self(Some(count))
    }

    /// The rule does not fit, and the case has compared them itself.
    #[must_use]
    pub fn checked_by_the_case() -> Self {
        Self(None)
    }
}

impl<'a> Scenario<'a> {
    pub(crate) fn new(subject: &'a dyn ClientUnderTest) -> Self {
        Self {
            subject,
            canary: Canary::new(),
            sent: Cell::new(0),
            leaks: RefCell::default(),
            record: Record::default(),
        }
    }

    /// The key text of this case.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.canary.secret()
    }

    /// The name of the client.
    #[must_use]
    pub fn client_name(&self) -> &'static str {
        self.subject.name()
    }

    /// Whether the client says that the stack below cannot do this.
    #[must_use]
    pub fn has_gap(&self, gap: Gap) -> bool {
        self.subject.gaps().contains(&gap)
    }

    /// A fault server on loopback.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn serve(&self, script: Script) -> io::Result<FaultServer> {
        let server = FaultServer::start(script)?;
        self.record.watch(server.watched());
        Ok(server)
    }

    /// A fault server on loopback that speaks TLS.
    ///
    /// # Errors
    /// If it cannot be started, or the certificate cannot be used.
    pub fn serve_tls(&self, certificate: &ServerCertificate, script: Script) -> io::Result<FaultServer> {
        let server = FaultServer::start_tls(certificate, script)?;
        self.record.watch(server.watched());
        Ok(server)
    }

    /// A server that does with each connection what a function says.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn serve_raw(
        &self,
        serve: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<RawServer> {
        let server = RawServer::start(serve)?;
        self.record.watch(server.watched());
        Ok(server)
    }

    /// A proxy that opens tunnels, or answers `refusal` to all.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn serve_proxy(&self, refusal: Option<&'static str>) -> io::Result<ConnectProxy> {
        let proxy = refusal.map_or_else(ConnectProxy::start, ConnectProxy::refusing)?;
        self.record.watch(proxy.watched());
        Ok(proxy)
    }

    /// The emulator; it runs until the case is over.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn emulate(&self, builder: EmulatorBuilder) -> io::Result<Arc<Emulator>> {
        let emulator = Arc::new(builder.start()?);
        self.record.watch(Box::new(Arc::clone(&emulator)));
        Ok(emulator)
    }

    /// The API at `base_url`, opened by this case's key.
    ///
    /// # Errors
    /// If the key or the URL is not valid.
    pub fn api(&self, base_url: &str) -> Result<Api, BoxError> {
        let key = ApiKey::new(self.canary.secret())?;
        Ok(Api::builder(key).base_url(base_url.parse()?).build())
    }

    /// A client with these settings; an error that ends the case, as ignored, if it has no such
    /// choice.
    ///
    /// # Errors
    /// If the client cannot be made.
    pub fn connect(&self, settings: &Settings) -> Result<Box<dyn Transport>, BoxError> {
        let transport = self.subject.connect(settings)?.ok_or(NotSupported)?;
        self.look("the client's Debug", &format!("{transport:?} {transport:#?}"));
        Ok(transport)
    }

    /// A client with the settings that most cases use.
    ///
    /// # Errors
    /// If the client cannot be made.
    pub fn client(&self) -> Result<Box<dyn Transport>, BoxError> {
        self.connect(&Settings::default())
    }

    /// Sends a call, counts it, and looks at all that can be printed of what came back.
    ///
    /// # Errors
    /// As the transport, and never for another reason.
    pub fn send(&self, transport: &dyn Transport, call: Call) -> Sent {
        self.look("the call's Debug", &format!("{call:?} {:?}", call.api()));
        if let Ok(request) = call.to_request() {
            // A canary that is not in the cage proves nothing by not being seen outside.
            let holds_key =
                request.headers().get("authorization").is_some_and(|value| self.is_canary(value.as_bytes()));
            if !holds_key {
                self.leaks.borrow_mut().push("no request: the canary is not in it".into());
            }
            self.look("the request's Debug", &format!("{:?}", request.map(drop)));
        }
        let name = format!("{} {}", call.method(), call.path_template());
        self.noted_as(&name, transport.send(call))
    }

    /// Sends a call whose body is read in pieces, as [`send`](Self::send) does for others; an error that ends the case, as
    /// ignored, if the transport has no such call.
    ///
    /// # Errors
    /// If the transport has no such call.
    pub fn stream(&self, transport: &dyn Transport, call: Call, at_most: usize) -> Result<(Sent, Bytes), BoxError> {
        let name = format!("{} {}, its body in pieces", call.method(), call.path_template());
        let streamed = transport.stream(call, at_most).ok_or(NotSupported)?;
        Ok((self.noted_as(&name, streamed.sent), streamed.body))
    }

    /// Sends a request that the case authorized itself, or not.
    ///
    /// # Errors
    /// As the transport.
    pub fn send_request(&self, transport: &dyn Transport, request: Request<Bytes>, api: &Api) -> Sent {
        let name = format!("{} {}, a request that is authorized by the case", request.method(), request.uri().path());
        self.noted_as(&name, transport.send_request(request, api))
    }

    /// Notes a result that came from elsewhere, as from another thread.
    ///
    /// # Errors
    /// What it was given.
    pub fn noted(&self, sent: Sent) -> Sent {
        self.noted_as("a call", sent)
    }

    fn noted_as(&self, name: &str, sent: Sent) -> Sent {
        self.record.call(name, &sent);
        match &sent {
            Ok(outcome) => self.look_at_outcome(outcome),
            Err(error) => self.note(self.canary.check_error(error)),
        }
        let tries = match &sent {
            Ok(outcome) => attempts(outcome),
            Err(error) if matches!(error.delivery(), Some(Delivery::NotSent | Delivery::Untrusted)) => 0,
            Err(error) => error.attempts(),
        };
        let tries = usize::try_from(tries).unwrap_or(usize::MAX);
        self.sent.set(self.sent.get().saturating_add(tries));
        sent
    }

    /// Counts a call that was begun and given up.
    pub fn count_given_up(&self) {
        self.record.line("a call -> given up by the case".to_owned());
        self.sent.set(self.sent.get().saturating_add(1));
    }

    /// Says what was measured: with the report of a case that fails, and at once if the suite was started with `--nocapture`.
    pub fn figures(&self, line: &str) {
        self.record.figures(line);
        if env::args().any(|argument| argument == "--nocapture") {
            // A closed stdout is no fault of the case.
            let _ = writeln!(io::stdout(), "{}: {line}", self.client_name());
        }
    }

    fn look_at_outcome(&self, outcome: &AuthOutcome<Bytes>) {
        // Cloned as a user would: the response below must bear it.
        let copy = outcome.clone();
        self.look("the outcome", &format!("{copy} {copy:?} {copy:#?}"));
        if let Err(error) = copy.into_result() {
            self.note(self.canary.check_error(&error));
        }
    }

    fn look(&self, label: &str, text: &str) {
        self.note(self.canary.check_absent(label, text));
    }

    fn note(&self, looked: Result<(), Leak>) {
        self.leaks.borrow_mut().extend(looked.err().map(|leak| leak.to_string()));
    }

    fn is_canary(&self, header: &[u8]) -> bool {
        header.strip_prefix(b"Bearer ").is_some_and(|key| key == self.canary.secret().as_bytes())
    }

    /// What happened so far.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Looks for the case's key.
    pub(crate) fn check_absent(&self, place: &str, text: &str) -> Result<(), Leak> {
        self.canary.check_absent(place, text)
    }

    /// What every case has to pass beside its own checks.
    pub(crate) fn close(&self, arrivals: &Arrivals) -> Result<(), BoxError> {
        let leaks = [self.leaks.borrow().as_slice(), &self.canary.leaks()].concat();
        if !leaks.is_empty() {
            return Err(format!("the key was shown: {}", leaks.join("; ")).into());
        }
        match arrivals.0 {
            Some(arrived) if arrived != self.sent.get() => {
                let sent = self.sent.get();
                Err(format!(
                    "the client reports {sent} attempts that left, and {arrived} requests arrived: each attempt is sent \
                     once, and one that is reported as not sent does not arrive"
                )
                .into())
            }
            _ => Ok(()),
        }
    }
}

/// How often a call was sent until it was answered.
#[must_use]
pub(crate) fn attempts(outcome: &AuthOutcome<Bytes>) -> u32 {
    match outcome {
        AuthOutcome::Success(reply) => reply.attempts(),
        other => other.error().map_or(0, ApiError::attempts),
    }
}

/// Which failure an answer is; `None` for a success.
#[must_use]
pub(crate) fn kind(outcome: &AuthOutcome<Bytes>) -> Option<ApiErrorKind> {
    outcome.error().map(ApiError::kind)
}

/// The answer is a success.
#[track_caller]
pub(crate) fn assert_success(outcome: &AuthOutcome<Bytes>) {
    assert!(outcome.error().is_none(), "the call succeeds: {outcome}");
}

/// The error says this of the delivery.
#[track_caller]
pub(crate) fn assert_delivery(error: &CallError<Source>, delivery: Delivery) {
    assert_eq!(error.delivery(), Some(delivery), "what the error says of the delivery: {error:?}");
}

/// What an answer says of the key.
#[must_use]
pub(crate) fn key_status(outcome: &AuthOutcome<Bytes>) -> KeyStatus {
    outcome.error().map_or(KeyStatus::Accepted, ApiError::key_status)
}

/// The rate limit that an answer tells.
#[must_use]
pub(crate) fn rate_limit(outcome: &AuthOutcome<Bytes>) -> RateLimit {
    match outcome {
        AuthOutcome::Success(reply) => reply.rate_limit(),
        other => other.error().map(ApiError::rate_limit).unwrap_or_default(),
    }
}

/// The client under test has no such choice.
#[derive(Debug)]
pub(crate) struct NotSupported;

impl std::fmt::Display for NotSupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the transport has no such choice")
    }
}

impl std::error::Error for NotSupported {}

/// Waits until `done`, at most 5 s: for what a server sees a moment after its client.
#[must_use]
pub fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    (0..500).any(|_| {
        done() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }
    })
}
