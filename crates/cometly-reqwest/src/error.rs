//! Why there is no answer, or no client.

use std::{error::Error, fmt, io, sync::Arc};

use cometly_core::InvalidProxy;

/// Why a call on reqwest got no answer, or why a client was not made: the source of a [`CallError`](cometly_core::CallError).
/// That is of the kind [`Proxy`](cometly_core::CallErrorKind::Proxy) for `ProxyRefused`,
/// [`Transport`](cometly_core::CallErrorKind::Transport) for `Reqwest` of a call, and else
/// [`Setup`](cometly_core::CallErrorKind::Setup). [`reqwest`](Self::reqwest) gives reqwest's own error, if there is one.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// reqwest failed, with this error of its own.
    Reqwest(reqwest::Error),
    /// The proxy given to the builder cannot be read, or this client cannot use it.
    Proxy(InvalidProxy),
    /// The builder was given a proxy together with a reqwest client that is built already, which cannot be made to use it.
    ProxyOnBuiltClient,
    /// The proxy opened no tunnel to the host of the call.
    ProxyRefused {
        /// The URL of the proxy, without its user and password; `None` if it is the proxy of a reqwest client that was built
        /// already.
        proxy: Option<String>,
        /// Whether the proxy answered 407, so that it wants another user or password; false for any other refusal.
        wants_password: bool,
        /// The error of reqwest.
        source: reqwest::Error,
    },
    /// TLS cannot be set up, mostly because the system has no certificates to trust, and the call is to an `https` URL.
    Tls(Arc<reqwest::Error>),
    /// The feature `rustls-no-provider` is on, and no crypto provider was installed before the client was built.
    NoCryptoProvider,
    /// The call was made outside a tokio runtime.
    NoRuntime,
    /// The runtime of the blocking client cannot be started.
    Runtime(io::Error),
}

impl ClientError {
    /// The error of reqwest; `None` if the failure is not reqwest's, but is about the proxy's URL, the crypto provider or the
    /// tokio runtime.
    #[must_use]
    pub fn reqwest(&self) -> Option<&reqwest::Error> {
        match self {
            Self::Reqwest(error) | Self::ProxyRefused { source: error, .. } => Some(error),
            Self::Tls(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reqwest(error) => error.fmt(f),
            Self::Proxy(error) => error.fmt(f),
            Self::ProxyOnBuiltClient => f.write_str(
                "a reqwest client that is built already cannot be made to use this proxy; bring it by \
                 HttpClient::from_builder, or set the proxy on the reqwest client alone",
            ),
            Self::ProxyRefused { proxy, wants_password, .. } => {
                let proxy = proxy.as_deref().unwrap_or("of the reqwest client");
                match wants_password {
                    true => write!(f, "the proxy {proxy} answered 407: it wants another user or password in its URL"),
                    false => write!(f, "the proxy {proxy} opens no tunnel to this host"),
                }
            }
            Self::Tls(_) => f.write_str(
                "TLS cannot be set up; install the system's certificates (the package ca-certificates), or set \
                 SSL_CERT_FILE to a file that holds them",
            ),
            Self::NoCryptoProvider => f.write_str(
                "rustls has no crypto provider; install one before the client is built \
                 (rustls::crypto::CryptoProvider::install_default), or turn on this crate's feature rustls",
            ),
            Self::NoRuntime => {
                f.write_str("there is no tokio runtime here; call from within one, as #[tokio::main] makes it")
            }
            Self::Runtime(error) => write!(f, "the runtime of the blocking client cannot be started: {error}"),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its words are shown above.
            Self::Reqwest(error) => error.source(),
            Self::ProxyRefused { source, .. } => Some(source),
            Self::Tls(error) => Some(&**error),
            _ => None,
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Reqwest(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reqwests() -> reqwest::Error {
        let request = http::Request::builder().uri("/only/a/path").body("").unwrap();
        reqwest::Request::try_from(request).unwrap_err()
    }

    #[test]
    fn each_error_says_what_to_do_and_gives_reqwests_own_once() {
        let refused = |proxy: Option<&str>, wants_password| ClientError::ProxyRefused {
            proxy: proxy.map(str::to_owned),
            wants_password,
            source: reqwests(),
        };
        let words = reqwests().to_string();
        for (error, expected, has_source, is_reqwests) in [
            (ClientError::Reqwest(reqwests()), words.as_str(), true, true),
            (ClientError::ProxyOnBuiltClient, "bring it by HttpClient::from_builder", false, false),
            (refused(Some("http://a:1"), true), "the proxy http://a:1 answered 407: it wants another user", true, true),
            (refused(None, false), "the proxy of the reqwest client opens no tunnel to this host", true, true),
            (ClientError::Tls(Arc::new(reqwests())), "set SSL_CERT_FILE to a file that holds them", true, true),
            (ClientError::NoCryptoProvider, "turn on this crate's feature rustls", false, false),
            (ClientError::NoRuntime, "there is no tokio runtime here", false, false),
            (ClientError::Runtime(io::Error::other("no thread")), "cannot be started: no thread", false, false),
        ] {
            let shown = error.to_string();
            assert!(shown.contains(expected), "{shown}");
            assert_eq!((error.source().is_some(), error.reqwest().is_some()), (has_source, is_reqwests), "{shown}");
        }
        let invalid = "socks://a:1".parse::<cometly_core::ProxyUrl>().unwrap_err();
        assert_eq!(ClientError::Proxy(invalid.clone()).to_string(), invalid.to_string());
        // The words are reqwest's own, so the source is the error below it.
        let inner = ClientError::Reqwest(reqwests()).source().map(ToString::to_string);
        assert_eq!(inner, reqwests().source().map(ToString::to_string));
    }
}
