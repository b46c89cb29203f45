//! Whether a call that got no answer may be sent again.

use std::fmt;

/// Whether a call that got no answer may have arrived, and so whether it may be sent again; from
/// [`CallError::delivery`](crate::CallError::delivery).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// The call did not reach the server, or was not carried out there: safe to send again, whatever the method.
    NotSent,
    /// The server's certificate was refused, before anything was sent. Trying again does not help.
    Untrusted,
    /// The call may have arrived and been carried out. Safe to send again only if it is
    /// [idempotent](crate::Call::is_idempotent).
    Unknown,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "nothing was sent, so it is safe to send it again",
            Self::Untrusted => {
                "the server's certificate was not trusted and nothing was sent; check the base URL, the clock, and for a \
                 proxy that opens TLS"
            }
            Self::Unknown => "it may have arrived; send it again only if doing it twice does no harm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_says_what_to_do_next() {
        for (delivery, words) in [
            (Delivery::NotSent, "nothing was sent, so it is safe to send it again"),
            (Delivery::Untrusted, "the server's certificate was not trusted and nothing was sent; check the base URL"),
            (Delivery::Unknown, "it may have arrived; send it again only if doing it twice does no harm"),
        ] {
            assert!(delivery.to_string().starts_with(words), "{delivery}");
        }
    }
}
