//! What the emulator was asked, and what it said.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::dates::iso;
use crate::keys::{Secrets, bearer_token, hidden, is_secret};
use crate::laravel::answer::Answer;
use crate::ring::Ring;

/// However many requests are kept, they take no more memory than this.
const MAX_BYTES: usize = 64 << 20;
/// What a request takes in memory beside its texts, and what each of its headers does, about.
const OVERHEAD: usize = 512;
const HEADER_OVERHEAD: usize = 96;
/// How much is shown of a body, a header or anything else.
const MOST: usize = 2048;
/// A secret is no longer than this.
const SLACK: usize = 1024;
/// How much is kept of the body of an answer.
const ANSWER_BYTES: usize = 4096;

/// A request that the emulator answered, with the beginning of its answer; from
/// [`Emulator::received_requests`](crate::Emulator::received_requests); of the host of the exports, from
/// [`download_requests`](crate::Emulator::download_requests) and [`leaked_keys`](crate::Emulator::leaked_keys).
///
/// The key is in [`headers`](Self::headers), but marked as sensitive: `Debug` shows `Sensitive` in its place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// The HTTP method.
    pub method: Method,
    /// The path as the client wrote it: whole, as `/public-api/v1/events`, and still percent-encoded.
    pub path: String,
    /// The query after the `?`, still percent-encoded; `None` if there is no `?`.
    pub query: Option<String>,
    /// The headers of the request; values of a name that came several times are in the order of their arrival.
    pub headers: HeaderMap,
    /// The body of the request; empty if it was larger than [`max_body`](crate::EmulatorBuilder::max_body), or, without a valid
    /// key, too large to be kept (64 KiB at most).
    pub body: Bytes,
    /// The status of the answer, also if a [`Fault`](crate::Fault) kept it from arriving; 444, as nginx logs it, if the fault
    /// broke the connection before the call was carried out.
    pub status: StatusCode,
    /// The [name](crate::Fault::name) of the fault that struck the request; `None` if none did.
    pub fault: Option<&'static str>,
    /// Whether the backend handled the call: false only if a fault kept it from that. A call that the backend itself refused
    /// counts as handled.
    pub carried_out: bool,
    /// How long it took until the last byte of the answer was written, or the connection was broken, the delay of a
    /// [`Fault`](crate::Fault) included; while the answer is still being written, how long it took to make it.
    pub took: Duration,
    /// The headers of the answer, as the backend or the fault gave them; none if the fault broke the connection before the call was
    /// carried out.
    pub answer_headers: HeaderMap,
    /// The first bytes of the answer's body, at most 4096; empty if it has none.
    pub answer_start: Bytes,
    /// How many bytes the whole body of the answer has, not counting what a fault did to it.
    pub answer_length: usize,
    /// When it came, in seconds since 1970 by the emulator's clock.
    pub(crate) at: u64,
    /// Which one it was, counted from 1.
    pub(crate) number: u64,
}

/// How a request ended.
pub(crate) struct End<'a> {
    pub(crate) answer: &'a Answer,
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

    /// Counts a request and says what there is to remember of it. Everything is copied: what came shares its memory with all
    /// that was read from the socket with it.
    pub(crate) fn note(&mut self, parts: &Parts, body: &Bytes, end: &End<'_>) -> ReceivedRequest {
        self.count = self.count.saturating_add(1);
        ReceivedRequest {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: copied(&parts.headers),
            body: Bytes::copy_from_slice(body),
            status: end.answer.status(),
            fault: end.fault,
            carried_out: end.carried_out,
            took: end.began.elapsed(),
            answer_headers: copied(end.answer.headers()),
            answer_start: Bytes::copy_from_slice(end.answer.body().get(..ANSWER_BYTES).unwrap_or(end.answer.body())),
            answer_length: end.answer.body().len(),
            at: end.at,
            number: self.count,
        }
    }

    pub(crate) fn keep(&mut self, request: ReceivedRequest) {
        let bytes = request.bytes();
        self.latest.push(request, bytes);
    }

    /// Counts a request that was noted elsewhere, and keeps it.
    pub(crate) fn count_and_keep(&mut self, request: ReceivedRequest) {
        self.count = self.count.saturating_add(1);
        self.keep(request);
    }

    /// Notes how long a request took in the end.
    pub(crate) fn took(&mut self, number: u64, took: Duration) {
        if let Some(request) = self.latest.iter_mut().rev().find(|request| request.number == number) {
            request.took = took;
        }
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

impl ReceivedRequest {
    /// About how many bytes it takes in memory.
    fn bytes(&self) -> usize {
        let texts =
            [self.path.len(), self.query.as_ref().map_or(0, String::len), self.body.len(), self.answer_start.len()];
        let headers = self.headers.iter().chain(&self.answer_headers);
        let headers = headers
            .map(|(name, value)| name.as_str().len().saturating_add(value.len()).saturating_add(HEADER_OVERHEAD));
        texts.into_iter().chain(headers).fold(OVERHEAD, usize::saturating_add)
    }

    /// The request and its answer as the page shows them.
    pub(crate) fn shown(&self, secrets: &Secrets) -> Value {
        let token = bearer_token(&self.headers).unwrap_or_default();
        let mask = |text: &str| secrets.mask(text, token, MOST);
        // The longest character has four bytes, and a secret may end behind the last one that is shown.
        let text = |body: &Bytes| {
            let start = body.get(..MOST.saturating_mul(4).saturating_add(SLACK)).unwrap_or(body);
            mask(&String::from_utf8_lossy(start))
        };
        json!({
            "number": self.number,
            "time": iso(self.at),
            "method": mask(self.method.as_str()),
            "path": mask(&self.path),
            "query": self.query.as_deref().map(mask),
            "status": self.status.as_u16(),
            "fault": self.fault,
            "carried_out": self.carried_out,
            "milliseconds": millis(self.took),
            "headers": headers(&self.headers, &mask),
            "body": text(&self.body),
            "body_bytes": self.body.len(),
            "answer_headers": headers(&self.answer_headers, &mask),
            "answer_body": text(&self.answer_start),
            "answer_bytes": self.answer_length,
        })
    }
}

pub(crate) fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The same headers in memory of their own, those with secrets marked as such.
fn copied(headers: &HeaderMap) -> HeaderMap {
    let mut copied = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        // A name that the standard does not know shares its memory, too.
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, value) {
            value.set_sensitive(is_secret(&name));
            copied.append(name, value);
        }
    }
    copied
}

fn headers(headers: &HeaderMap, mask: &dyn Fn(&str) -> String) -> Value {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn add(record: &mut Record, body: &Bytes) {
        let end = End { answer: &Answer::default(), fault: None, carried_out: true, began: Instant::now(), at: 0 };
        let request = record.note(&parts("/events?cursor=x"), body, &end);
        record.keep(request);
    }

    fn parts(path: &str) -> Parts {
        let request = http::Request::get(path).header("authorization", "Bearer 1|canary").header("x-seen", "yes");
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn debug_hides_the_key_and_the_headers_have_it() {
        let mut record = Record::new(1);
        add(&mut record, &Bytes::new());
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
            add(&mut record, &Bytes::from(vec![0; 8 << 20]));
        }
        assert_eq!(record.latest().len(), 7);
    }

    #[test]
    fn what_is_kept_shares_no_memory_with_what_came_and_is_counted_with_its_overhead() {
        let mut record = Record::new(1_000_000);
        let read = Bytes::from(vec![b'x'; 1 << 20]);
        add(&mut record, &read.slice(..3));
        assert!(read.is_unique(), "the whole buffer is held for three bytes of it");
        for _ in 0..120_000 {
            add(&mut record, &Bytes::new());
        }
        // About 750 bytes each, though the texts have 60.
        assert!((60_000..110_000).contains(&record.latest.iter().len()), "{}", record.latest.iter().len());
    }
}
