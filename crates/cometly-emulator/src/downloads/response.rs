//! What the host of the exports answers, in the words of an object store, which are XML.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::dates::http_date;
use crate::downloads::file::File;
use crate::downloads::range::{Part, part};
use crate::keys::{KeyRing, is_secret};
use crate::laravel::answer::Answer;
use crate::store::exports::{Export, Exports};

/// The export whose file is asked for, if its URL is good. A request that signs in twice, by its URL and by a header, is
/// refused.
pub(crate) fn export(parts: &Parts, leaks: bool, exports: &Exports, now: u64) -> Result<Export, Box<Answer>> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let message = "Only GET and HEAD are allowed here.";
        return Err(Box::new(refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)));
    }
    if leaks {
        let message = "Only one way to sign in is allowed: the URL is signed, and a key came as well.";
        return Err(Box::new(refusal(StatusCode::BAD_REQUEST, "InvalidArgument", message)));
    }
    let Some(export) = exports.iter().find(|export| export.path() == parts.uri.path()) else {
        return Err(Box::new(refusal(StatusCode::NOT_FOUND, "NoSuchKey", "There is no such file.")));
    };
    let query = parts.uri.query().unwrap_or_default();
    let expires = query.split('&').find_map(|pair| pair.strip_prefix("Expires=")?.parse::<u64>().ok());
    match expires {
        Some(expires) if parts.uri.path_and_query().is_some_and(|url| url.as_str() == export.file(expires)) => {
            if now >= expires { Err(Box::new(expired())) } else { Ok(export.clone()) }
        }
        _ => {
            let message = "The URL was not signed like this.";
            Err(Box::new(refusal(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)))
        }
    }
}

pub(crate) fn expired() -> Answer {
    refusal(StatusCode::FORBIDDEN, "AccessDenied", "The URL has expired.")
}

/// The file, or the part of it that is asked for. `modified` is in seconds since 1970.
pub(crate) fn file(parts: &Parts, file: &File, modified: u64, ignores_range: bool) -> Answer {
    let (tag, modified) = (format!("\"{}\"", file.tag), http_date(modified));
    let length = file.content.len();
    // A range is for GET alone.
    let whole = ignores_range || parts.method != Method::GET;
    let part = if whole { Part::Whole } else { part(&parts.headers, length, &tag, &modified) };
    let mut answer = match part {
        Part::Whole => Response::new(file.content.clone()),
        Part::Bytes(range) => {
            let (first, last) = (range.start, range.end.saturating_sub(1));
            let mut answer = Response::new(file.content.slice(range));
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut answer, CONTENT_RANGE, &format!("bytes {first}-{last}/{length}"));
            answer
        }
        Part::Nothing => {
            let message = "The requested range is not satisfiable.";
            let mut answer = refusal(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message);
            set(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
            return answer;
        }
    };
    set(&mut answer, CONTENT_TYPE, "application/gzip");
    set(&mut answer, ACCEPT_RANGES, "bytes");
    set(&mut answer, ETAG, &tag);
    set(&mut answer, LAST_MODIFIED, &modified);
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
    set(&mut answer, CONTENT_TYPE, "application/xml");
    answer
}

fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    answer.headers_mut().extend(HeaderValue::from_str(value).map(|value| (name, value)));
}
