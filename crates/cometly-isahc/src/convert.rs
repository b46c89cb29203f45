//! Between our `http` types and isahc's.
//!
//! isahc takes `http` 0.2 or 1, whichever a program's lock file holds: with 1 its types are ours, with 0.2 they are rebuilt
//! from what both agree on. The answer has no extensions of isahc's: cloning those panics.

use std::{any::Any, time::Duration};

use bytes::Bytes;
use cometly_core::{ProxyUrl, TransportError};
use futures_lite::io::Cursor;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use isahc::{
    AsyncBody,
    config::{Configurable, ExpectContinue, RedirectPolicy, VersionNegotiation},
    http as isahc_http,
};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

type Error = TransportError<isahc::Error>;

/// What is forced, on a client or on a request.
pub(crate) fn forced<C: Configurable>(
    config: C,
    timeout: Duration,
    connect_timeout: Duration,
    proxy: Option<isahc_http::Uri>,
) -> C {
    config
        .redirect_policy(RedirectPolicy::None)
        .version_negotiation(VersionNegotiation::http11())
        .automatic_decompression(false)
        .timeout(at_least_one(timeout))
        .connect_timeout(at_least_one(connect_timeout))
        .proxy(proxy)
        // Without a list of its own, libcurl reads NO_PROXY of the environment for any proxy.
        .proxy_blacklist(None::<String>)
}

/// Ends a transfer that has no deadline, once less than a byte a second has come for longer than `time`. The clock of the
/// caller ends sooner; but of a body that was dropped, libcurl itself learns only with its next byte, or by this.
pub(crate) fn ends_when_silent<C: Configurable>(config: C, time: Duration) -> C {
    // libcurl counts whole seconds, as milliseconds in a `long`.
    const MOST: Duration = Duration::from_secs(2_000_000);
    config.low_speed_timeout(1, time.min(MOST).saturating_add(Duration::from_secs(1)))
}

/// A proxy's URL, as libcurl reads it.
pub(crate) fn proxy_uri(proxy: &ProxyUrl) -> Result<isahc_http::Uri, Error> {
    let (place, credentials) = (proxy.to_string(), proxy.credentials());
    let (scheme, address) = place.split_once("://").unwrap_or(("http", &place));
    let uri = match credentials {
        Some((user, password)) => {
            let encoded = |text| percent_encode(text, NON_ALPHANUMERIC);
            format!("{scheme}://{}:{}@{address}", encoded(user.as_bytes()), encoded(password.as_bytes()))
        }
        None => place,
    };
    uri.parse().map_err(|error: isahc_http::uri::InvalidUri| not_sent(error))
}

/// The request for isahc, with settings of its own as `configure` makes them.
pub(crate) fn request(
    request: Request<Bytes>,
    may_reuse: bool,
    configure: impl FnOnce(isahc_http::request::Builder) -> isahc_http::request::Builder,
) -> Result<isahc_http::Request<AsyncBody>, Error> {
    let (head, body) = request.into_parts();
    let is_bodiless = matches!(head.method, Method::GET | Method::DELETE);
    let mut settings = configure(isahc_http::Request::builder());
    // Saying so costs a header of libcurl's, which it never sends where there is no body.
    if !is_bodiless || !body.is_empty() {
        settings = settings.expect_continue(ExpectContinue::disabled());
    }
    let (settings, ()) = settings.body(()).map_err(not_sent)?.into_parts();
    let mut request = same_or(Request::from_parts(head, ()), isahc_request)?;
    *request.extensions_mut() = settings.extensions;
    Ok(request.map(|()| sent_once(body, is_bodiless, may_reuse)))
}

/// `value` itself where both types are the same one, which they are if isahc has our major version of `http`.
fn same_or<A: 'static, B: 'static>(value: A, convert: impl FnOnce(A) -> Result<B, Error>) -> Result<B, Error> {
    let mut same: Option<B> = None;
    match (&mut same as &mut dyn Any).downcast_mut::<Option<A>>() {
        Some(slot) => *slot = Some(value),
        None => return convert(value),
    }
    same.ok_or_else(unreadable)
}

fn isahc_request(request: Request<()>) -> Result<isahc_http::Request<()>, Error> {
    let mut builder = isahc_http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        // Shared, not copied: a copy of the key would not be wiped.
        let shared = Bytes::from_owner(value.clone());
        let mut shared = isahc_http::HeaderValue::from_maybe_shared(shared).map_err(not_sent)?;
        shared.set_sensitive(value.is_sensitive());
        builder = builder.header(name.as_str(), shared);
    }
    builder.body(()).map_err(not_sent)
}

/// libcurl counts whole milliseconds, and takes none for no bound at all.
fn at_least_one(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}

/// A body that libcurl cannot rewind, so that it does not send a call again by itself.
fn sent_once(body: Bytes, is_bodiless: bool, may_reuse: bool) -> AsyncBody {
    if body.is_empty() {
        // A GET announces no body; a POST without one says so (RFC 9110 §8.6). Where it could be repeated, it says so in
        // chunks, for libcurl can rewind a body of which it knows that it is empty.
        return match (is_bodiless, may_reuse) {
            (true, _) => AsyncBody::empty(),
            (false, false) => AsyncBody::from_bytes_static(b""),
            (false, true) => AsyncBody::from_reader(futures_lite::io::empty()),
        };
    }
    let len = body.len();
    AsyncBody::from_reader_sized(Cursor::new(body), u64::try_from(len).unwrap_or(u64::MAX))
}

fn not_sent(error: impl Into<isahc_http::Error>) -> Error {
    TransportError::not_sent(isahc::Error::from(error.into()))
}

/// The head of an answer, without what isahc has put with it.
pub(crate) fn head(head: isahc_http::Response<()>) -> Result<Response<()>, Error> {
    let mut response = same_or(head, our_response)?;
    *response.extensions_mut() = Extensions::new();
    Ok(response)
}

fn our_response(head: isahc_http::Response<()>) -> Result<Response<()>, Error> {
    let status = StatusCode::from_u16(head.status().as_u16()).ok();
    let mut response = Response::new(());
    *response.status_mut() = status.ok_or_else(unreadable)?;
    for (name, value) in head.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok();
        let value = HeaderValue::from_bytes(value.as_bytes()).ok();
        let (name, value) = name.zip(value).ok_or_else(unreadable)?;
        if response.headers_mut().try_append(name, value).is_err() {
            return Err(TransportError::too_large(status));
        }
    }
    Ok(response)
}

/// How long a body is by its head.
///
/// libcurl passes over a length that is not a number, or too large for one, and takes the end of the connection for the end
/// of the body. It also takes a head that was torn for a whole one: then there is no body, whatever the head tells of. Only
/// a length of 0 shows an empty body to be whole, for isahc does not say whether the chunks had an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// The status has no body; the head may tell how long it would have been.
    Bodiless,
    Known(usize),
    Unknown,
}

impl Length {
    /// # Errors
    /// If the lengths differ, or one cannot be read: the answer is unusable (RFC 9112 §6.3).
    pub(crate) fn of(status: StatusCode, headers: &HeaderMap) -> Result<Self, Error> {
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || status.is_informational() {
            return Ok(Self::Bodiless);
        }
        // The chunks count, and not a length beside them (RFC 9112 §6.3).
        if headers.contains_key(TRANSFER_ENCODING) {
            return Ok(Self::Unknown);
        }
        let mut length = Self::Unknown;
        for value in headers.get_all(CONTENT_LENGTH) {
            // The same length may stand several times in one line, too (RFC 9110 §8.6).
            for text in value.to_str().map_err(|_| unreadable())?.split(',') {
                let known = text.trim().parse().map_err(|_| unreadable())?;
                if !matches!(length, Self::Unknown) && length != Self::Known(known) {
                    return Err(unreadable());
                }
                length = Self::Known(known);
            }
        }
        Ok(length)
    }

    /// # Errors
    /// If a body that ended with `len` bytes is not whole.
    pub(crate) fn check(self, len: usize) -> Result<(), Error> {
        let is_whole = match self {
            Self::Bodiless => true,
            Self::Known(known) => known == len,
            Self::Unknown => len > 0,
        };
        if is_whole { Ok(()) } else { Err(unreadable()) }
    }
}

/// What is not HTTP, or not to one of the two major versions of `http`.
fn unreadable() -> Error {
    TransportError::unknown(isahc::Error::from(isahc::error::ErrorKind::ProtocolViolation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cometly_core::{Api, ApiKey};

    fn check(response: &Response<Bytes>) -> Result<(), Error> {
        Length::of(response.status(), response.headers())?.check(response.body().len())
    }

    #[test]
    fn the_key_stays_sensitive_and_single_on_its_way_to_isahc() {
        let api = Api::new(ApiKey::new("12|canary").unwrap());
        let ours = || api.get("events").to_request().unwrap();
        let moved = request(ours(), false, |settings| settings).unwrap().map(drop);
        let rebuilt = isahc_request(ours().map(drop)).unwrap();
        assert_eq!(moved.uri(), rebuilt.uri());
        let given = api.get("events").to_request().unwrap().headers()["authorization"].as_bytes().as_ptr();
        for converted in [moved, rebuilt] {
            let values: Vec<_> = converted.headers().get_all("authorization").iter().collect();
            assert_eq!(values, ["Bearer 12|canary"]);
            assert!(values[0].is_sensitive());
            assert_eq!(values[0].as_bytes().as_ptr(), given, "a copy of the key is not wiped");
            assert!(!format!("{converted:?}").contains("canary"));
        }
    }

    #[test]
    fn every_header_of_an_answer_comes_back_in_order_and_nothing_else() {
        for convert in [head, our_response] {
            let answer = isahc_http::Response::builder().status(429).header("a", "1").header("b", "2").header("a", "3");
            let converted = convert(answer.extension(1).body(()).unwrap()).unwrap();
            assert_eq!(converted.status(), 429);
            assert_eq!(converted.headers().get_all("a").iter().collect::<Vec<_>>(), ["1", "3"]);
            assert_eq!(converted.headers()["b"], "2");
            assert!(converted.extensions().is_empty());
        }
    }

    #[test]
    fn no_time_at_all_is_not_taken_for_no_bound() {
        let (millis, second) = (Duration::from_millis(1), Duration::from_secs(1));
        assert_eq!([Duration::ZERO, millis, second].map(at_least_one), [millis, millis, second]);
    }

    #[test]
    fn an_answer_without_length_and_body_may_be_a_torn_head() {
        let mut response = Response::new(Bytes::new());
        assert!(check(&response).is_err());
        for bodiless in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::EARLY_HINTS] {
            *response.status_mut() = bodiless;
            assert!(check(&response).is_ok(), "{bodiless}");
        }
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert!(check(&response).is_err());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        assert!(check(&response).is_err());
        response.headers_mut().remove(TRANSFER_ENCODING);
        for (length, is_whole) in [("30", false), ("0", true)] {
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static(length));
            assert_eq!(check(&response).is_ok(), is_whole, "{length}");
        }
    }

    #[test]
    fn a_length_must_be_the_bodys() {
        for (lengths, is_fine) in [
            (&[][..], true),
            (&["2"], true),
            (&["2", "2"], true),
            (&["2, 2"], true),
            (&["2,2", "2"], true),
            (&["2, 3"], false),
            (&["2,"], false),
            (&["3", "2"], false),
            (&["3"], false),
            (&["99999999999999999999"], false),
        ] {
            let mut response = Response::new(Bytes::from_static(b"{}"));
            for length in lengths {
                response.headers_mut().append(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            assert_eq!(check(&response).is_ok(), is_fine, "{lengths:?}");
        }
    }

    #[test]
    fn a_proxy_is_handed_on_with_its_password_encoded() {
        for (text, expected) in [
            ("proxy.example:3128", "http://proxy.example:3128/"),
            ("socks5h://us%2Fer:p%40ss@[::1]", "socks5h://us%2Fer:p%40ss@[::1]:1080/"),
        ] {
            assert_eq!(proxy_uri(&text.parse().unwrap()).unwrap().to_string(), expected);
        }
    }
}
