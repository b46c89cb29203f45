//! What a failure of reqwest says of the call: whether it may be sent again.

use std::{error::Error as _, io, iter};

use cometly_core::{Delivery, TransportError};

pub(crate) fn failure(error: reqwest::Error) -> TransportError<reqwest::Error> {
    let error = error.without_url();
    let delivery = delivery(&error);
    // Asked first: a time-out while the body comes in is of another kind as well.
    if error.is_timeout() {
        return TransportError::timed_out(delivery);
    }
    if is_head_too_large(&error) {
        return TransportError::too_large(None);
    }
    TransportError::failed(delivery, error)
}

fn delivery(error: &reqwest::Error) -> Delivery {
    if error.is_connect() {
        // rustls' type is not reqwest's to show, and native-tls has another.
        let is_untrusted = sources(error).any(|source| source.to_string().contains("certificate"));
        return if is_untrusted { Delivery::Untrusted } else { Delivery::NotSent };
    }
    if error.is_builder() { Delivery::NotSent } else { Delivery::Unknown }
}

fn is_head_too_large(error: &reqwest::Error) -> bool {
    // hyper tells it by type to servers only.
    sources(error).any(|source| source.to_string() == "message head is too large")
}

type Source<'a> = &'a (dyn std::error::Error + 'static);

fn sources(error: &reqwest::Error) -> impl Iterator<Item = Source<'_>> {
    iter::successors(error.source(), |error| next_source(*error))
}

fn next_source(error: Source<'_>) -> Option<Source<'_>> {
    // `source` of an io::Error passes over the error that it wraps.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
