//! Between our `http` types and isahc's.
//!
//! isahc takes `http` 0.2 or 1, whichever a program's lock file holds, so types are rebuilt from what both agree on. The
//! answer is a fresh one: cloning the extensions of isahc's own panics.

use bytes::Bytes;
use cometly_core::{CallError, Delivery, Limits};
use futures_lite::io::Cursor;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use isahc::{
    AsyncBody,
    config::{Configurable as _, ExpectContinue, RedirectPolicy, VersionNegotiation},
    http as isahc_http,
};

use crate::{Error, builder::ProxyChoice};

pub(crate) fn request(
    request: Request<Bytes>,
    limits: Limits,
    proxy: &ProxyChoice,
) -> Result<isahc_http::Request<AsyncBody>, Error> {
    let (head, body) = request.into_parts();
    let mut builder = isahc_http::Request::builder()
        .method(head.method.as_str())
        .uri(head.uri.to_string())
        .redirect_policy(RedirectPolicy::None)
        .version_negotiation(VersionNegotiation::http11())
        .automatic_decompression(false)
        .expect_continue(ExpectContinue::disabled())
        .timeout(limits.deadline)
        .connect_timeout(limits.connect_timeout);
    builder = match proxy {
        ProxyChoice::None => builder.proxy(None),
        ProxyChoice::Named(proxy) => builder.proxy(Some(proxy.clone())),
        ProxyChoice::Environment => builder,
    };
    for (name, value) in &head.headers {
        let is_sensitive = value.is_sensitive();
        let mut value = isahc_http::HeaderValue::from_bytes(value.as_bytes()).map_err(not_sent)?;
        value.set_sensitive(is_sensitive);
        builder = builder.header(name.as_str(), value);
    }
    let is_bodiless = matches!(head.method, Method::GET | Method::DELETE);
    builder.body(sent_once(body, is_bodiless)).map_err(not_sent)
}

/// A body that libcurl cannot rewind, so that it does not send a call again by itself.
fn sent_once(body: Bytes, is_bodiless: bool) -> AsyncBody {
    if body.is_empty() {
        // A GET announces no body; a POST without one says so (RFC 9110 §8.6).
        return if is_bodiless { AsyncBody::empty() } else { AsyncBody::from_bytes_static(b"") };
    }
    let len = body.len();
    AsyncBody::from_reader_sized(Cursor::new(body), u64::try_from(len).unwrap_or(u64::MAX))
}

fn not_sent(error: impl Into<isahc_http::Error>) -> Error {
    CallError::transport(Delivery::NotSent, isahc::Error::from(error.into()))
}

pub(crate) fn head(head: &isahc_http::response::Parts) -> Result<Response<Vec<u8>>, Error> {
    let status = StatusCode::from_u16(head.status.as_u16()).ok();
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status.ok_or_else(unreadable)?;
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok();
        let value = HeaderValue::from_bytes(value.as_bytes()).ok();
        let (name, value) = name.zip(value).ok_or_else(unreadable)?;
        if response.headers_mut().try_append(name, value).is_err() {
            return Err(CallError::too_large(status));
        }
    }
    Ok(response)
}

/// A length that is not a number, or too large for one, makes an answer unusable (RFC 9112 §6.3); libcurl passes over it and
/// takes the end of the connection for the end of the body.
pub(crate) fn check_length(response: &Response<Vec<u8>>) -> Result<(), Error> {
    let len = response.body().len();
    let is_said = |value: &HeaderValue| value.to_str().ok().and_then(|value| value.trim().parse().ok()) == Some(len);
    // An answer without a body may tell how long it would have been.
    if len == 0 || response.headers().get_all(CONTENT_LENGTH).iter().all(is_said) { Ok(()) } else { Err(unreadable()) }
}

/// What is not HTTP, or not to one of the two major versions of `http`.
fn unreadable() -> Error {
    CallError::transport(Delivery::Unknown, isahc::Error::from(isahc::error::ErrorKind::ProtocolViolation))
}
