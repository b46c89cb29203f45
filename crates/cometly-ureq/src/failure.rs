//! What a failure of ureq says of the call: whether it may be sent again.

use std::io;

use cometly_core::{Delivery, TransportError};
use ureq::{Error as Ureq, Timeout};

pub(crate) fn failure(error: Ureq) -> TransportError<Ureq> {
    match error {
        Ureq::Timeout(Timeout::Resolve | Timeout::Connect) => TransportError::timed_out(Delivery::NotSent),
        Ureq::Timeout(_) => TransportError::timed_out(Delivery::Unknown),
        Ureq::LargeResponseHeader(..) => TransportError::too_large(None),
        // ureq keeps the type of this error to itself.
        Ureq::Protocol(error) if error.to_string().contains("too many headers") => TransportError::too_large(None),
        // These two show the URL, and with it the query.
        Ureq::BadUri(_) => TransportError::not_sent(Ureq::BadUri("not shown".into())),
        Ureq::RequireHttpsOnly(_) => TransportError::not_sent(Ureq::RequireHttpsOnly("not shown".into())),
        error => TransportError::failed(delivery(&error), error),
    }
}

fn delivery(error: &Ureq) -> Delivery {
    match error {
        Ureq::Io(error) => io_delivery(error),
        #[cfg(feature = "native-tls")]
        Ureq::NativeTls(error) => {
            if error.to_string().contains("certificate") {
                Delivery::Untrusted
            } else {
                Delivery::NotSent
            }
        }
        Ureq::HostNotFound
        | Ureq::ConnectionFailed
        | Ureq::ConnectProxyFailed(_)
        | Ureq::InvalidProxyUrl
        | Ureq::Tls(_)
        | Ureq::TlsRequired => Delivery::NotSent,
        _ => Delivery::Unknown,
    }
}

fn io_delivery(error: &io::Error) -> Delivery {
    let text = || error.to_string();
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::AddrNotAvailable => Delivery::NotSent,
        // rustls checks the certificate before it lets anything of the request through. Its type is not ureq's to show,
        // and native-tls has another.
        _ if text().contains("invalid peer certificate") => Delivery::Untrusted,
        _ if text().contains("failed to lookup address") => Delivery::NotSent,
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

    #[test]
    fn a_url_in_an_error_is_not_shown() {
        for error in [Ureq::BadUri("http://a/?canary".into()), Ureq::RequireHttpsOnly("http://a/?canary".into())] {
            assert!(!format!("{:?}", failure(error)).contains("canary"));
        }
    }
}
