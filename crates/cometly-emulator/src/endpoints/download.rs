//! The host from which exports are downloaded: another origin, which wants no key and tells when it was shown one.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::endpoints::exports;
use crate::keys::{KeyRing, is_secret};
use crate::laravel::answer::Answer;
use crate::store::records::Records;
use crate::store::seeds::Seeds;

/// Answers in the words of an object store, which are XML. A request that signs in twice, by its URL and by a header, is
/// refused there.
pub(crate) fn answer(parts: &Parts, leaks: bool, records: &Records, seeds: Seeds, now: u64) -> Answer {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "Only GET and HEAD are allowed here.");
    }
    if leaks {
        let message = "Only one way to sign in is allowed: the URL is signed, and a key came as well.";
        return refusal(StatusCode::BAD_REQUEST, "InvalidArgument", message);
    }
    let Some(export) = records.exports.iter().find(|export| export.path() == parts.uri.path()) else {
        return refusal(StatusCode::NOT_FOUND, "NoSuchKey", "There is no such file.");
    };
    let query = parts.uri.query().unwrap_or_default();
    let expires = query.split('&').find_map(|pair| pair.strip_prefix("Expires=")?.parse::<u64>().ok());
    match expires {
        Some(expires) if parts.uri.path_and_query().is_some_and(|url| url.as_str() == export.file(expires)) => {
            if now >= expires {
                return refusal(StatusCode::FORBIDDEN, "AccessDenied", "The URL has expired.");
            }
        }
        _ => return refusal(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", "The URL was not signed like this."),
    }
    let mut file = GzEncoder::new(Vec::new(), Compression::fast());
    for row in exports::rows(export, records, seeds) {
        // Writing to memory does not fail.
        drop(writeln!(file, "{row}"));
    }
    let mut answer = Response::new(Bytes::from(file.finish().unwrap_or_default()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    answer
}

/// Whether a request brought a key along: in a header that is there for that, or any key of ours anywhere.
pub(crate) fn leaks(parts: &Parts, keys: &KeyRing) -> bool {
    if parts.headers.keys().any(is_secret) {
        return true;
    }
    let url = parts.uri.to_string().replace("%7C", "|").replace("%7c", "|");
    let headers = parts.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes()));
    headers.chain([url.into()]).any(|text| keys.occurs_in(&text))
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut answer = Response::new(Bytes::from(xml));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}
