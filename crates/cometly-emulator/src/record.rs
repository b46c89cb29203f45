//! What the emulator was asked, and what it said.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use crate::dates::iso;
use crate::keys::{KeyRing, bearer_token, hidden, is_secret};
use crate::ring::Ring;

/// However many requests are kept, their headers and bodies take no more than this.
const MAX_BYTES: usize = 64 << 20;

/// How much is shown of a body, a header or anything else.
const MOST: usize = 2048;

/// A request that the emulator answered.
///
/// The key is in [`headers`](Self::headers), but marked as sensitive: `Debug` shows `Sensitive` in its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The method.
    pub method: Method,
    /// The path as it was written, still percent-encoded.
    pub path: String,
    /// What follows the `?`, still percent-encoded.
    pub query: Option<String>,
    /// The headers, in the order of their arrival where one is repeated.
    pub headers: HeaderMap,
    /// The body; empty if it was too large to be accepted.
    pub body: Bytes,
    /// What it was answered with, or would have been, had a [`Fault`](crate::Fault) not broken the connection; 444, as nginx
    /// logs it, if the call was not even carried out.
    pub status: StatusCode,
    /// The [name](crate::Fault::name) of the fault that struck it, if one did.
    pub fault: Option<&'static str>,
    /// False if a fault kept the backend from carrying it out. What the backend itself refused, it was free to carry out.
    pub carried_out: bool,
    /// How long the emulator took until it had an answer.
    pub took: Duration,
    /// When it came, in seconds since 1970 by the emulator's clock.
    pub(crate) at: u64,
    /// Which one it was, counted from 1.
    pub(crate) number: u64,
}

/// How a request ended.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) status: StatusCode,
    pub(crate) fault: Option<&'static str>,
    pub(crate) carried_out: bool,
    pub(crate) began: Instant,
    pub(crate) at: u64,
}

/// The latest requests, and the count of all.
pub(crate) struct Record {
    latest: Ring<ReceivedRequest>,
    count: u64,
}

impl Record {
    pub(crate) fn new(max_requests: usize) -> Self {
        Self { latest: Ring::new(max_requests, MAX_BYTES), count: 0 }
    }

    /// Counts a request and remembers it.
    pub(crate) fn add(&mut self, parts: Parts, body: Bytes, end: End) {
        let request = self.note(parts, body, end);
        self.keep(request);
    }

    /// Counts a request and says what there is to remember of it.
    pub(crate) fn note(&mut self, parts: Parts, body: Bytes, end: End) -> ReceivedRequest {
        let End { status, fault, carried_out, began, at } = end;
        let Parts { method, uri, mut headers, .. } = parts;
        for (name, value) in &mut headers {
            if is_secret(name) {
                value.set_sensitive(true);
            }
        }
        let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
        let took = began.elapsed();
        self.count = self.count.saturating_add(1);
        let number = self.count;
        ReceivedRequest { method, path, query, headers, body, status, fault, carried_out, took, at, number }
    }

    pub(crate) fn keep(&mut self, request: ReceivedRequest) {
        let header_bytes = request.headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
        let bytes = header_bytes.fold(request.body.len(), usize::saturating_add);
        self.latest.push(request, bytes);
    }

    pub(crate) fn latest(&self) -> Vec<ReceivedRequest> {
        self.latest.iter().cloned().collect()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &ReceivedRequest> {
        self.latest.iter()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// A call as the page shows it.
pub(crate) fn call(call: &ReceivedRequest, keys: &KeyRing) -> Value {
    let token = bearer_token(&call.headers).unwrap_or_default();
    // A key that is cut in two would not be found, so nothing is cut before it is masked.
    let mask = |text: &str| keys.mask(&mask(text, token)).chars().take(MOST).collect::<String>();
    json!({
        "number": call.number,
        "time": iso(call.at),
        "method": mask(call.method.as_str()),
        "path": mask(&call.path),
        "query": call.query.as_deref().map(mask),
        "status": call.status.as_u16(),
        "fault": call.fault,
        "carried_out": call.carried_out,
        "milliseconds": u64::try_from(call.took.as_millis()).ok(),
        "headers": headers(&call.headers, &mask),
        "body": mask(&String::from_utf8_lossy(&call.body)),
        "body_bytes": call.body.len(),
    })
}

fn headers(headers: &HeaderMap, mask: &dyn Fn(&str) -> String) -> Value {
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let shown = match text.split_once(' ') {
            _ if !is_secret(name) => mask(&text),
            Some((scheme, key)) if *name == AUTHORIZATION => format!("{} {}", mask(scheme), hidden(key)),
            _ => hidden(&text),
        };
        json!([name.as_str(), shown])
    };
    headers.iter().map(line).collect()
}

fn mask(text: &str, token: &str) -> String {
    if token.len() < 4 { text.to_owned() } else { text.replace(token, &hidden(token)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> End {
        End { status: StatusCode::OK, fault: None, carried_out: true, began: Instant::now(), at: 0 }
    }

    fn parts(path: &str) -> Parts {
        let request = http::Request::get(path).header("authorization", "Bearer 1|canary").header("x-seen", "yes");
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn debug_hides_the_key_and_the_headers_have_it() {
        let mut record = Record::new(1);
        record.add(parts("/events?cursor=x"), Bytes::new(), end());
        let request = record.latest().remove(0);
        assert_eq!(request.headers["authorization"], "Bearer 1|canary");
        let shown = format!("{request:?}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("\"authorization\": Sensitive"), "{shown}");
        assert!(shown.contains("\"x-seen\": \"yes\""), "{shown}");
    }

    #[test]
    fn large_bodies_do_not_pile_up() {
        let mut record = Record::new(1000);
        for _ in 0..20 {
            record.add(parts("/"), Bytes::from(vec![0; 8 << 20]), end());
        }
        assert_eq!(record.latest().len(), 7);
    }
}
