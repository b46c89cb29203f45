//! What a failure of isahc says of the call: whether it may be sent again.

use std::{error::Error as _, io};

use cometly_core::{Delivery, TransportError};
use isahc::error::ErrorKind;

pub(crate) fn failure(error: isahc::Error, may_reuse: bool) -> TransportError<isahc::Error> {
    if error.is_timeout() {
        // isahc does not tell a time-out of connecting from one of the whole call.
        return TransportError::timed_out(Delivery::Unknown);
    }
    // curl's code 100, which isahc has no kind for: more than 100 kB in a line, or 300 kB in all.
    if error.source().is_some_and(|source| source.to_string().contains("grew larger than allowed")) {
        return TransportError::too_large(None);
    }
    TransportError::failed(delivery(error.kind(), may_reuse), error)
}

/// A failure while the body comes in.
pub(crate) fn io_failure(error: io::Error) -> TransportError<isahc::Error> {
    if error.kind() == io::ErrorKind::TimedOut {
        return TransportError::timed_out(Delivery::Unknown);
    }
    // Whatever the kind, the request is out by now.
    TransportError::unknown(isahc::Error::from(error))
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
            assert_eq!(failure(isahc::Error::from(kind.clone()), false).delivery(), expected, "{kind}");
            let kept = failure(isahc::Error::from(kind.clone()), true).delivery();
            assert_ne!(kept, Delivery::NotSent, "{kind}, where connections are kept");
        }
        let body = io_failure(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(body.delivery(), Delivery::Unknown, "an answer has begun: the call has arrived");
        assert!(body.to_string().starts_with("the attempt got no answer"), "{body}");
        let late = io_failure(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(late.delivery(), Delivery::Unknown);
        assert!(late.to_string().contains("time-out"), "{late}");
    }
}
