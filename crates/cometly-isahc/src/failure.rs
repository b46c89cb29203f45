//! What a failure of isahc says of the call: whether it may be sent again.

use std::{
    error::Error as _,
    fmt, io,
    time::{Duration, Instant},
};

use cometly_core::{Delivery, ProxyUrl, TransportError};
use isahc::error::ErrorKind;

/// How a call went out.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) proxy: Option<&'a ProxyUrl>,
    /// Whether it may have gone out on a connection that was kept.
    pub(crate) may_reuse: bool,
    pub(crate) began: Instant,
    pub(crate) connect_timeout: Duration,
    /// After which libcurl gives up, connected or not.
    pub(crate) timeout: Duration,
}

impl Way<'_> {
    /// Whether a time-out can only be that of connecting: isahc does not say which it is, but any other comes later. On a
    /// connection that was kept the request may have gone out before.
    fn is_late_connection(&self) -> bool {
        /// libcurl counts in milliseconds, perhaps on another clock.
        const SLACK: Duration = Duration::from_millis(20);

        let took = self.began.elapsed();
        let most = took.saturating_add(SLACK.max(self.timeout.checked_div(100).unwrap_or_default()));
        !self.may_reuse && took.saturating_add(SLACK) >= self.connect_timeout && most < self.timeout
    }
}

type Failed = TransportError<isahc::Error>;

pub(crate) fn failure(error: isahc::Error, way: Way<'_>) -> Failed {
    if error.is_timeout() && way.is_late_connection() {
        return TransportError::connect_timed_out(Some(way.connect_timeout));
    }
    if error.is_timeout() {
        return TransportError::timed_out(Delivery::Unknown);
    }
    // curl's code 100, which isahc has no kind for: more than 100 kB in a line, or 300 kB in all.
    if error.source().is_some_and(|source| source.to_string().contains("grew larger than allowed")) {
        return TransportError::too_large(None);
    }
    if let Some(proxy) = way.proxy.filter(|_| !way.may_reuse && is_socks_failure(&error)) {
        return proxy_refused(explained(Explained::Proxy(proxy.to_string()), error));
    }
    match (delivery(error.kind(), way.may_reuse), error.kind(), way.proxy) {
        (delivery, ErrorKind::ConnectionFailed, _) if is_out_of_descriptors() => {
            TransportError::failed(delivery, explained(Explained::Descriptors, error))
        }
        // libcurl's words for a proxy that refuses are those for a port that is closed, and isahc does not give the status.
        (Delivery::NotSent, ErrorKind::ConnectionFailed, Some(proxy)) => {
            proxy_refused(explained(Explained::Proxy(proxy.to_string()), error))
        }
        // No certificate store, or one that cannot be read; libcurl looks for it before it connects.
        (Delivery::NotSent, ErrorKind::InvalidTlsConfiguration, _) => {
            TransportError::setup(explained(Explained::Certificates, error))
        }
        (delivery, ..) => TransportError::failed(delivery, error),
    }
}

/// curl's code 97, which isahc has no kind for: a SOCKS proxy refused, or cannot reach the host.
fn is_socks_failure(error: &isahc::Error) -> bool {
    error.source().is_some_and(|source| source.to_string().contains("proxy handshake error"))
}

/// Final: it would be refused again.
fn proxy_refused(error: isahc::Error) -> Failed {
    TransportError::proxy_refused(None, error)
}

/// libcurl, as isahc builds it, waits by `select`, which knows no descriptor above 1,023. A few of those that are next show
/// whether that is so; the first may have become free just now.
fn is_out_of_descriptors() -> bool {
    #[cfg(unix)]
    let is_out = {
        use std::{net::UdpSocket, os::fd::AsRawFd as _};
        const FEW: usize = 32;
        let next: Vec<_> = (0..FEW).map_while(|_| UdpSocket::bind(("127.0.0.1", 0)).ok()).collect();
        next.iter().any(|socket| socket.as_raw_fd() > 1_023)
    };
    #[cfg(not(unix))]
    let is_out = false;
    is_out
}

/// Why libcurl could not connect, where its own words do not say enough.
#[derive(Debug)]
struct Explanation {
    words: Explained,
    source: isahc::Error,
}

#[derive(Debug)]
enum Explained {
    Certificates,
    Descriptors,
    Proxy(String),
}

fn explained(words: Explained, source: isahc::Error) -> isahc::Error {
    // The kind that isahc makes a failed connection of.
    isahc::Error::from(io::Error::new(io::ErrorKind::ConnectionRefused, Explanation { words, source }))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Explained::Descriptors => f.write_str(
                "this process has more than 1,023 files open, and libcurl can use no file descriptor above that; open \
                 fewer, or use another client",
            ),
            Explained::Certificates => f.write_str(
                "TLS cannot be set up; install the system's certificates (the package ca-certificates), or set \
                 SSL_CERT_FILE to a file that holds them",
            ),
            Explained::Proxy(proxy) => {
                write!(
                    f,
                    "the proxy {proxy} cannot be reached or opens no tunnel; see to the user and password in its URL"
                )
            }
        }
    }
}

impl std::error::Error for Explanation {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A failure while the body comes in.
pub(crate) fn io_failure(error: io::Error) -> Failed {
    if error.kind() == io::ErrorKind::TimedOut {
        return TransportError::timed_out(Delivery::Unknown);
    }
    // Whatever the kind, the request is out by now.
    TransportError::failed(Delivery::Unknown, isahc::Error::from(error))
}

fn delivery(kind: &ErrorKind, may_reuse: bool) -> Delivery {
    match kind {
        // What libcurl says of a new connection, it may say after a kept one died with the request on it.
        ErrorKind::ConnectionFailed | ErrorKind::NameResolution if may_reuse => Delivery::Unknown,
        ErrorKind::BadServerCertificate => Delivery::Untrusted,
        ErrorKind::ConnectionFailed
        | ErrorKind::NameResolution
        | ErrorKind::ClientInitialization
        | ErrorKind::InvalidRequest
        | ErrorKind::BadClientCertificate
        | ErrorKind::InvalidTlsConfiguration => Delivery::NotSent,
        _ => Delivery::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn way(proxy: Option<&ProxyUrl>, may_reuse: bool) -> Way<'_> {
        let (connect_timeout, timeout) = (Duration::from_secs(10), Duration::from_secs(30));
        Way { proxy, may_reuse, began: Instant::now(), connect_timeout, timeout }
    }

    #[test]
    fn a_time_out_before_that_of_the_attempt_is_that_of_connecting_unless_a_connection_may_be_a_kept_one() {
        for (seconds, may_reuse, connect_timeout, is_connect) in [
            (10, false, 10, true),
            (29, false, 10, true),
            (30, false, 29, false),
            (30, false, 10, false),
            (10, true, 10, false),
            (9, false, 10, false),
            (30, false, 40, false),
        ] {
            let began = Instant::now().checked_sub(SECOND * seconds).unwrap();
            let way = Way { began, connect_timeout: SECOND * connect_timeout, ..way(None, may_reuse) };
            let error = failure(ErrorKind::Timeout.into(), way);
            let expected = if is_connect { Delivery::NotSent } else { Delivery::Unknown };
            assert_eq!(error.delivery(), expected, "{seconds} s of {connect_timeout} s, {may_reuse}");
        }
    }

    #[test]
    fn what_was_surely_not_sent_is_told_from_what_may_have_arrived() {
        for (kind, expected) in [
            (ErrorKind::ConnectionFailed, Delivery::NotSent),
            (ErrorKind::NameResolution, Delivery::NotSent),
            (ErrorKind::BadServerCertificate, Delivery::Untrusted),
            (ErrorKind::Timeout, Delivery::Unknown),
            (ErrorKind::Io, Delivery::Unknown),
            (ErrorKind::ProtocolViolation, Delivery::Unknown),
        ] {
            assert_eq!(failure(isahc::Error::from(kind.clone()), way(None, false)).delivery(), expected, "{kind}");
            let kept = failure(isahc::Error::from(kind.clone()), way(None, true)).delivery();
            assert_ne!(kept, Delivery::NotSent, "{kind}, where connections are kept");
        }
        let body = io_failure(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(body.delivery(), Delivery::Unknown, "an answer has begun: the call has arrived");
        assert!(body.to_string().starts_with("the attempt got no answer"), "{body}");
        let late = io_failure(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(late.delivery(), Delivery::Unknown);
        assert!(late.to_string().contains("time-out"), "{late}");
    }

    #[test]
    fn a_proxy_has_refused_only_where_connecting_failed() {
        let proxy = "http://user:canary@proxy.example:3128".parse().unwrap();
        let way = way(Some(&proxy), false);
        let refused = failure(ErrorKind::ConnectionFailed.into(), way);
        assert!(format!("{refused:?}").contains("ProxyRefused(None)"), "{refused:?}");
        assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
        for kind in [ErrorKind::Io, ErrorKind::ProtocolViolation, ErrorKind::NameResolution] {
            let broken = failure(kind.into(), way);
            assert!(!format!("{broken:?}").contains("ProxyRefused"), "{broken:?}");
        }
    }

    #[test]
    fn an_explanation_has_libcurls_error_as_its_source() {
        assert!(!is_out_of_descriptors());
        let explanation = Explanation { words: Explained::Descriptors, source: ErrorKind::ConnectionFailed.into() };
        let source = explanation.source().map(ToString::to_string);
        assert_eq!(source, Some(ErrorKind::ConnectionFailed.to_string()));
    }
}
