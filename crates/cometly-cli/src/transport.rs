//! The HTTP client that sends the calls: the one that was asked for, of those that this binary was built with.

use std::{
    borrow::Cow,
    env,
    error::Error,
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use cometly_core::{
    Api, ApiError, AuthOutcome, Call, CallError, Download, RetryPolicy, bytes::Bytes, http::HeaderMap,
    http::uri::Authority,
};
use cometly_reqwest::{ClientError, HttpClient, reqwest};
use zeroize::Zeroizing;

use crate::{
    arguments::{Global, TransportName},
    exit::Exit,
    failure::{self, Cause, Failure, SendError},
    input,
    terminal::{
        console::Console,
        interrupt,
        telemetry::CallName,
        trace::{Answer, Trace},
    },
};

/// Where a proxy is looked for with `--proxy-from-env`, for calls over https.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Some hundred certificates.
const MAX_CERTIFICATES: u64 = 4 << 20;
/// How much of a file is read at once.
const PIECE: usize = 64 << 10;

/// One client for the whole program; clones share its connections.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Client,
    uses_proxy: bool,
    trace: Option<Trace>,
}

#[derive(Clone)]
enum Client {
    Reqwest(cometly_reqwest::blocking::Client),
    #[cfg(feature = "ureq")]
    Ureq(cometly_ureq::Client),
    #[cfg(feature = "isahc")]
    Isahc(cometly_isahc::blocking::Client),
}

/// How patient a command is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// A person waits for the answer.
    Call,
    /// It must get through.
    Job,
}

impl Patience {
    fn policy(self, timeout: Option<Duration>) -> RetryPolicy {
        match self {
            Self::Call => match timeout {
                None => RetryPolicy::default(),
                Some(timeout) => RetryPolicy::default().timeout(timeout).max_retry_after(timeout),
            },
            Self::Job => RetryPolicy::within(timeout.unwrap_or(Duration::from_secs(60 * 60))),
        }
    }
}

enum Proxy {
    None,
    Named(Zeroizing<String>),
    Environment,
}

/// The builders of the three clients have these methods in common, but no trait.
macro_rules! configured {
    ($builder:expr, $policy:expr, $attempt_timeout:expr, $proxy:expr) => {{
        let mut builder = $builder.retry_policy($policy);
        if let Some(timeout) = $attempt_timeout {
            builder = builder.attempt_timeout(timeout);
        }
        match $proxy {
            Proxy::None => builder,
            Proxy::Named(url) => builder.proxy(url),
            Proxy::Environment => builder.proxy_from_env(),
        }
    }};
}

/// The readers of the three clients have these methods in common, but no trait.
macro_rules! fetched {
    ($client:expr, $api:expr, $download:expr, $file:expr, $tell:expr) => {{
        let (mut reader, mut buffer, mut tell) = ($client.download($api, $download), vec![0; PIECE], $tell);
        loop {
            let len = reader.try_read(&mut buffer).map_err(|error| FetchError::Call(boxed(error)))?;
            if len == 0 {
                return Ok(());
            }
            $file.write_all(buffer.get(..len).unwrap_or_default()).map_err(FetchError::File)?;
            tell(reader.download());
        }
    }};
}

/// Why a file did not come whole.
pub(crate) enum FetchError {
    Call(SendError),
    /// It could not be written.
    File(io::Error),
}

impl Transport {
    pub(crate) fn new(global: &Global, patience: Patience, console: &Console) -> Result<Self, Failure> {
        let policy = patience.policy(global.timeout);
        // One attempt may take what the call may.
        let attempt_timeout = global.attempt_timeout.or(global.timeout);
        let proxy = proxy(global)?;
        if global.ca_cert.is_some() && global.transport != TransportName::Reqwest {
            return Err(Failure::usage("--ca-cert is for --transport reqwest")
                .advise("for another one set SSL_CERT_FILE to a file with all certificates to trust"));
        }
        let client = match global.transport {
            TransportName::Reqwest => {
                let builder = cometly_reqwest::blocking::Client::builder();
                let mut builder = configured!(builder, policy, attempt_timeout, &proxy);
                if let Some(path) = &global.ca_cert {
                    builder = builder.http_client(trusting(path)?);
                }
                Client::Reqwest(builder.build().map_err(|error| not_built(error, global.ca_cert.as_deref()))?)
            }
            #[cfg(feature = "ureq")]
            TransportName::Ureq => {
                let builder = configured!(cometly_ureq::Client::builder(), policy, attempt_timeout, &proxy);
                Client::Ureq(builder.build().map_err(boxed)?)
            }
            #[cfg(feature = "isahc")]
            TransportName::Isahc => {
                let builder = configured!(cometly_isahc::Client::builder(), policy, attempt_timeout, &proxy);
                Client::Isahc(builder.build().map_err(boxed)?.into())
            }
            #[cfg(not(all(feature = "ureq", feature = "isahc")))]
            absent => {
                let name = format!("{absent:?}").to_lowercase();
                return Err(Failure::usage(format!("this cometly was built without {name}")).advise(format!(
                    "leave --transport out, or build one with it: cargo install cometly-cli --features {name}"
                )));
            }
        };
        Ok(Self { client, uses_proxy: !matches!(proxy, Proxy::None), trace: console.trace.clone() })
    }

    pub(crate) fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, Failure> {
        let request = call.to_request().ok();
        let server = request.as_ref().and_then(|request| request.uri().authority());
        self.answer(call).map_err(|error| self.failure(error, server))
    }

    /// As [`send`](Self::send), with the error as the core has it.
    pub(crate) fn answer(&self, call: Call) -> Result<AuthOutcome<Bytes>, SendError> {
        let traced = self.trace.as_ref().map(|trace| (trace, call.clone()));
        let sent = match &self.client {
            Client::Reqwest(client) => client.send(call).map_err(boxed),
            #[cfg(feature = "ureq")]
            Client::Ureq(client) => client.send(call).map_err(boxed),
            #[cfg(feature = "isahc")]
            Client::Isahc(client) => client.send(call).map_err(boxed),
        };
        if let Some((trace, call)) = traced {
            self::trace(trace, &call, sent.as_ref());
        }
        sent
    }

    /// The error of a call to `server`, with remarks if there was no way to it: where it is, and that a proxy may be missing.
    pub(crate) fn failure(&self, error: SendError, server: Option<&Authority>) -> Failure {
        let is_unreachable = failure::is_unreachable(&error);
        let failure = Failure::from(error);
        let failure = match server.filter(|_| is_unreachable && !self.uses_proxy) {
            Some(server) => failure.remark(&format!("no connection to {server}")),
            None => failure,
        };
        match unused_proxy().filter(|_| is_unreachable && !self.uses_proxy) {
            Some(variable) => failure
                .remark(&format!("{variable} names a proxy, which was not used: give --proxy-from-env to use it")),
            None => failure,
        }
    }

    /// Fetches the rest of an export's file to the end of `file`. Calls `tell` after each piece.
    pub(crate) fn fetch(
        &self,
        api: &Api,
        download: Download,
        file: &mut File,
        tell: impl FnMut(&Download),
    ) -> Result<(), FetchError> {
        match &self.client {
            Client::Reqwest(client) => fetched!(client, api, download, file, tell),
            #[cfg(feature = "ureq")]
            Client::Ureq(client) => fetched!(client, api, download, file, tell),
            #[cfg(feature = "isahc")]
            Client::Isahc(client) => fetched!(client, api, download, file, tell),
        }
    }
}

fn trace(trace: &Trace, call: &Call, sent: Result<&AuthOutcome<Bytes>, &SendError>) {
    let name = CallName { method: call.method().to_string(), template: call.path_template().to_owned() };
    let (request, no_headers) = (call.to_request().ok(), HeaderMap::new());
    let answer = sent.ok().map(|outcome| Answer {
        status: outcome.status().as_u16(),
        headers: match outcome {
            AuthOutcome::Success(reply) => reply.headers(),
            _ => outcome.error().map_or(&no_headers, ApiError::headers),
        },
        body: match outcome {
            AuthOutcome::Success(reply) => Cow::Borrowed(reply.body().as_ref()),
            _ => outcome.error().map(|error| error.body_text().into_owned().into_bytes()).unwrap_or_default().into(),
        },
    });
    trace.call(name, request.as_ref(), answer.as_ref(), sent.err().map(|error| Exit::from(error).name()));
}

/// What the command line says about proxies. A password is read from the terminal, never from the command line.
fn proxy(global: &Global) -> Result<Proxy, Failure> {
    let Some(url) = &global.proxy else {
        return Ok(if global.proxy_from_env { Proxy::Environment } else { Proxy::None });
    };
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(Failure::usage("--proxy has no scheme: expected a URL as http://proxy.example:3128"));
    };
    let (userinfo, host) = match rest.split_once('/').map_or(rest, |(authority, _)| authority).rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    let Some(user) = userinfo else { return Ok(Proxy::Named(Zeroizing::new(url.clone()))) };
    if user.contains(':') {
        return Err(Failure::usage(
            "the password of a proxy does not belong on the command line, where every user of this machine and the shell's history see it",
        )
        .advise("leave it out (http://USER@HOST:PORT) and type it when asked, or put the URL into HTTPS_PROXY and give --proxy-from-env"));
    }
    let password = interrupt::ask(&format!("Password of {user} at the proxy (not shown): "))
        .map_err(|failure| failure.advise("put the proxy's URL into HTTPS_PROXY and give --proxy-from-env"))?;
    Ok(Proxy::Named(Zeroizing::new(format!("{scheme}://{user}:{}@{host}", *encode(&password)))))
}

/// Percent-encoded, but for unreserved characters.
fn encode(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    encoded
}

/// A variable that names a proxy.
fn unused_proxy() -> Option<&'static str> {
    PROXY_VARIABLES.into_iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The certificates of a file, to be trusted beside the system's.
fn trusting(path: &Path) -> Result<HttpClient, Failure> {
    let mut file = input::open(path)?;
    let pem = input::read(&mut file, path, MAX_CERTIFICATES)?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(Failure::local(format!("there is no certificate in {}", path.display()))
            .advise("expected PEM form, as -----BEGIN CERTIFICATE-----"));
    }
    Ok(HttpClient::from_builder(move || reqwest::Client::builder().tls_certs_merge(certificates.clone())))
}

/// A client that reqwest cannot build, mostly because of the certificates of a file.
fn not_built(error: CallError<ClientError>, ca_cert: Option<&Path>) -> Failure {
    let source = error.source().and_then(|source| source.downcast_ref()).and_then(ClientError::reqwest);
    match ca_cert.zip(source) {
        Some((path, source)) => unusable(path, source),
        None => boxed(error).into(),
    }
}

fn unusable(path: &Path, error: &(dyn Error + 'static)) -> Failure {
    Failure::local(format!("--ca-cert {} cannot be used: {}", path.display(), failure::innermost(error)))
        .advise("expected certificates in PEM form, as -----BEGIN CERTIFICATE-----")
}

fn boxed<E: Error + Send + Sync + 'static>(error: CallError<E>) -> SendError {
    error.map_source(|error| Cause(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_encoded_for_the_url() {
        assert_eq!(*encode("a-Z_9.~"), "a-Z_9.~");
        assert_eq!(*encode("p@ss:/é%"), "p%40ss%3A%2F%C3%A9%25");
    }
}
