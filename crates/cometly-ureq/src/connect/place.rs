//! Where connecting failed.

use std::fmt;

use cometly_core::ProxyUrl;
use http::StatusCode;
use ureq::Error;

/// The places that a connection comes through, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    LookUp,
    Dial,
    /// The proxy answered `CONNECT` with this status, or with what is no answer.
    Proxy(Option<StatusCode>),
    /// TLS could not be begun, as without certificates to trust.
    TlsSetup,
    Tls,
}

impl Place {
    pub(super) fn failed(self, source: Error) -> NotConnected {
        NotConnected { place: self, proxy: None, source }
    }
}

/// No connection was made, so nothing of the request was sent. Travels through ureq as its [`Error::Other`].
#[derive(Debug)]
pub(crate) struct NotConnected {
    pub(crate) place: Place,
    /// The proxy on the way to which it happened, or that refused.
    proxy: Option<String>,
    pub(crate) source: Error,
}

impl NotConnected {
    pub(super) fn through(self, proxy: &ProxyUrl) -> Self {
        Self { proxy: Some(proxy.to_string()), ..self }
    }

    pub(crate) fn refused(proxy: &ProxyUrl, status: StatusCode, source: Error) -> Self {
        Place::Proxy(Some(status)).failed(source).through(proxy)
    }

    /// ureq's own error; with words of ours where its own do not say enough.
    pub(crate) fn into_error(self) -> Error {
        match (self.place, &self.proxy) {
            (Place::LookUp | Place::Dial | Place::Tls, None) => self.source,
            _ => Error::Other(Box::new(self)),
        }
    }
}

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, proxy) = (&self.source, self.proxy.as_deref().unwrap_or("in between"));
        match self.place {
            Place::Proxy(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED)) => {
                write!(f, "the proxy {proxy} answered 407: it wants another user or password in its URL")
            }
            Place::Proxy(Some(status)) => {
                write!(f, "the proxy {proxy} answered {}: it opens no tunnel to this host", status.as_u16())
            }
            Place::Proxy(None) => write!(f, "the proxy {proxy} answered CONNECT with what is not HTTP"),
            Place::TlsSetup => write!(
                f,
                "TLS cannot be set up: {source}; install the system's certificates (the package ca-certificates), or set \
                 SSL_CERT_FILE to a file that holds them"
            ),
            Place::LookUp | Place::Dial | Place::Tls => write!(f, "the proxy {proxy} cannot be reached: {source}"),
        }
    }
}

impl std::error::Error for NotConnected {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ureqs_own_error_is_given_where_its_words_say_enough() {
        let refused = || Error::HostNotFound;
        for place in [Place::LookUp, Place::Dial, Place::Tls] {
            assert!(matches!(place.failed(refused()).into_error(), Error::HostNotFound), "{place:?}");
            let proxy = "http://user:canary@proxy.example:3128".parse().unwrap();
            let words = place.failed(refused()).through(&proxy).into_error().to_string();
            assert!(words.contains("the proxy http://proxy.example:3128 cannot be reached: "), "{words}");
        }
        let source = std::error::Error::source(&Place::Dial.failed(refused())).map(ToString::to_string);
        assert_eq!(source, Some(refused().to_string()));
        let words = Place::TlsSetup.failed(refused()).into_error().to_string();
        assert!(words.contains("TLS cannot be set up: ") && words.contains("SSL_CERT_FILE"), "{words}");
    }
}
