//! What a failure of reqwest says of the call: whether it may be sent again.

use std::{error::Error as _, io, iter};

use cometly_core::{CallError, Delivery, ProxyUrl, TransportError};

use http::StatusCode;

use crate::{ClientError, Error};

/// The client cannot be made, or the call not begun.
pub(crate) fn setup(error: impl Into<ClientError>) -> Error {
    CallError::setup(error.into())
}

type Failed = TransportError<ClientError>;

/// A failure of a call that went through this proxy.
pub(crate) fn failure(error: reqwest::Error, proxy: Option<&ProxyUrl>) -> Failed {
    let error = error.without_url();
    let delivery = delivery(&error);
    // Asked first: a time-out while the body comes in is of another kind as well.
    if error.is_timeout() {
        return TransportError::timed_out(delivery);
    }
    if is_head_too_large(&error) {
        return TransportError::too_large(None);
    }
    if let Some((proxy, wants_password)) = proxy.zip(refusal(&error)) {
        let status = wants_password.then_some(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        return proxy_refused(
            status,
            ClientError::ProxyRefused { proxy: proxy.to_string(), wants_password, source: error },
        );
    }
    TransportError::failed(delivery, error.into())
}

/// Final: it would be refused again.
fn proxy_refused(status: Option<StatusCode>, error: ClientError) -> Failed {
    TransportError::proxy_refused(status, error)
}

fn delivery(error: &reqwest::Error) -> Delivery {
    if error.is_connect() {
        // rustls' type is not reqwest's to show, and native-tls has another.
        let is_untrusted = sources(error).any(|source| source.to_string().contains("certificate"));
        return if is_untrusted { Delivery::Untrusted } else { Delivery::NotSent };
    }
    if error.is_builder() { Delivery::NotSent } else { Delivery::Unknown }
}

/// Whether the proxy answered and opened no tunnel, and if so, whether it wants a password. hyper-util keeps the type of
/// this error to itself, and the status.
fn refusal(error: &reqwest::Error) -> Option<bool> {
    if !error.is_connect() {
        return None;
    }
    sources(error).find_map(|source| match source.to_string().as_str() {
        "tunnel error: proxy authorization required" => Some(true),
        "tunnel error: unsuccessful" | "tunnel error: proxy headers too long" => Some(false),
        _ => None,
    })
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
