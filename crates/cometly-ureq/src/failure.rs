//! What a failure of ureq says of the call: whether it may be sent again.

use std::{io, time::Duration};

use cometly_core::{Delivery, ProxyUrl, TransportError};
use http::StatusCode;
use ureq::{Error as Ureq, Timeout};

use crate::connect::{NotConnected, Place};

type Failed = TransportError<Ureq>;

/// A failure before there was a head, with the proxy that the agent was given, which ureq's own tunnel does not name, and the
/// time for connecting.
pub(crate) fn failure_through(error: Ureq, proxy: Option<&ProxyUrl>, connect_timeout: Duration) -> Failed {
    let refused = match &error {
        Ureq::ConnectProxyFailed(words) => proxy.zip(refusal(words)),
        _ => None,
    };
    match refused {
        Some((proxy, status)) => not_connected(NotConnected::refused(proxy, status, error)),
        None if is_late_connection(&error) => TransportError::connect_timed_out(Some(connect_timeout)),
        None => failure(error),
    }
}

/// Whether ureq's time-out for connecting was over.
fn is_late_connection(error: &Ureq) -> bool {
    let error = match error {
        Ureq::Other(other) => other.downcast_ref::<NotConnected>().map_or(error, |error| &error.source),
        error => error,
    };
    matches!(error, Ureq::Timeout(Timeout::Connect))
}

/// The status in ureq's words for a proxy that answered; `None` if it did not.
fn refusal(words: &str) -> Option<StatusCode> {
    let status = words.strip_prefix("proxy server responded ")?;
    StatusCode::from_bytes(status.get(..3)?.as_bytes()).ok()
}

pub(crate) fn failure(error: Ureq) -> Failed {
    match error {
        Ureq::Other(error) => match error.downcast::<NotConnected>() {
            Ok(error) => not_connected(*error),
            Err(error) => TransportError::failed(Delivery::Unknown, Ureq::Other(error)),
        },
        Ureq::Timeout(Timeout::Resolve | Timeout::Connect) => TransportError::connect_timed_out(None),
        Ureq::Timeout(_) => TransportError::timed_out(Delivery::Unknown),
        Ureq::LargeResponseHeader(..) => TransportError::too_large(None),
        // ureq keeps the type of this error to itself.
        Ureq::Protocol(error) if error.to_string().contains("too many headers") => TransportError::too_large(None),
        // These two show the URL, and with it the query.
        Ureq::BadUri(_) => TransportError::failed(Delivery::NotSent, Ureq::BadUri("not shown".into())),
        Ureq::RequireHttpsOnly(_) => {
            TransportError::failed(Delivery::NotSent, Ureq::RequireHttpsOnly("not shown".into()))
        }
        error => TransportError::failed(delivery(&error), error),
    }
}

/// By the place: nothing of a request is sent before there is a connection.
fn not_connected(error: NotConnected) -> Failed {
    match error.place {
        Place::Proxy(status) => proxy_refused(status, error.into_error()),
        Place::TlsSetup => TransportError::setup(error.into_error()),
        Place::LookUp | Place::Dial | Place::Tls if matches!(error.source, Ureq::Timeout(_)) => {
            TransportError::timed_out(Delivery::NotSent)
        }
        Place::Tls if is_untrusted(&error.source) => TransportError::failed(Delivery::Untrusted, error.into_error()),
        Place::LookUp | Place::Dial | Place::Tls => TransportError::failed(Delivery::NotSent, error.into_error()),
    }
}

/// Final: it would be refused again.
fn proxy_refused(status: Option<StatusCode>, error: Ureq) -> Failed {
    TransportError::proxy_refused(status, error)
}

/// Whether the handshake ended because of the server's certificate.
fn is_untrusted(error: &Ureq) -> bool {
    match error {
        // rustls' type is not ureq's to show.
        Ureq::Io(error) => error.to_string().starts_with("invalid peer certificate"),
        #[cfg(feature = "native-tls")]
        Ureq::NativeTls(error) => error.to_string().contains("certificate"),
        _ => false,
    }
}

/// Of a failure behind a connection of ours; or anywhere on an agent that the user brought, whose connections say no place.
fn delivery(error: &Ureq) -> Delivery {
    if is_untrusted(error) {
        return Delivery::Untrusted;
    }
    match error {
        Ureq::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Delivery::NotSent,
            _ if error.to_string().contains("failed to lookup address") => Delivery::NotSent,
            _ => Delivery::Unknown,
        },
        #[cfg(feature = "native-tls")]
        Ureq::NativeTls(_) => Delivery::NotSent,
        Ureq::HostNotFound
        | Ureq::ConnectionFailed
        | Ureq::ConnectProxyFailed(_)
        | Ureq::InvalidProxyUrl
        | Ureq::Tls(_)
        | Ureq::TlsRequired => Delivery::NotSent,
        _ => Delivery::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_surely_not_sent_is_told_from_what_may_have_arrived() {
        let io = |kind, text: &'static str| Ureq::Io(io::Error::new(kind, text));
        for (error, expected) in [
            (Ureq::HostNotFound, Delivery::NotSent),
            (Ureq::ConnectionFailed, Delivery::NotSent),
            (Ureq::Timeout(Timeout::Connect), Delivery::NotSent),
            (Ureq::Timeout(Timeout::Resolve), Delivery::NotSent),
            (Ureq::Timeout(Timeout::Global), Delivery::Unknown),
            (Ureq::Timeout(Timeout::RecvBody), Delivery::Unknown),
            (io(io::ErrorKind::ConnectionRefused, "x"), Delivery::NotSent),
            (io(io::ErrorKind::ConnectionReset, "x"), Delivery::Unknown),
            (io(io::ErrorKind::UnexpectedEof, "x"), Delivery::Unknown),
            (io(io::ErrorKind::InvalidData, "invalid peer certificate: Expired"), Delivery::Untrusted),
            (io(io::ErrorKind::InvalidData, "received corrupt message"), Delivery::Unknown),
            (io(io::ErrorKind::Other, "failed to lookup address information: x"), Delivery::NotSent),
            (io(io::ErrorKind::AddrNotAvailable, "x"), Delivery::NotSent),
        ] {
            let shown = error.to_string();
            assert_eq!(failure(error).delivery(), expected, "{shown}");
        }
    }

    #[test]
    fn a_proxy_that_answered_has_refused_and_one_that_did_not_is_a_broken_line() {
        let proxy = "http://user:canary@proxy.example:3128".parse().unwrap();
        let failed =
            |words: &str| failure_through(Ureq::ConnectProxyFailed(words.into()), Some(&proxy), Duration::ZERO);
        let refused = failed("proxy server responded 407/407");
        assert!(format!("{refused:?}").contains("ProxyRefused(Some(407))"), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("canary"), "{refused:?}");
        for words in ["proxy server did not respond", "proxy server responded", "proxy server responded é/é"] {
            let broken = failed(words);
            assert_eq!(broken.delivery(), Delivery::NotSent, "{broken:?}");
            assert!(!format!("{broken:?}").contains("ProxyRefused"), "{broken:?}");
        }
    }

    #[test]
    fn what_is_not_http_is_not_taken_for_too_large() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = io::Read::read(&mut stream, &mut [0; 4096]);
            io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nno header\r\n\r\n").unwrap();
        });
        let error = failure(ureq::get(url).config().proxy(None).build().call().unwrap_err());
        assert_eq!(error.delivery(), Delivery::Unknown, "{error:?}");
        assert!(error.to_string().starts_with("the attempt got no answer"), "{error}");
    }

    #[cfg(feature = "native-tls")]
    #[test]
    fn a_handshake_of_the_systems_tls_that_is_cut_was_not_sent() {
        use ureq::tls::{TlsConfig, TlsProvider};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = io::Read::read(&mut stream, &mut [0; 4096]);
        });
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).build();
        let error = ureq::get(url).config().proxy(None).tls_config(tls).build().call().unwrap_err();
        assert!(matches!(error, Ureq::NativeTls(_)), "{error:?}");
        assert_eq!(failure(error).delivery(), Delivery::NotSent);
    }

    #[test]
    fn a_url_in_an_error_is_not_shown() {
        for error in [Ureq::BadUri("http://a/?canary".into()), Ureq::RequireHttpsOnly("http://a/?canary".into())] {
            assert!(!format!("{:?}", failure(error)).contains("canary"));
        }
    }
}
