//! One attempt of a call, and the answer as it comes in, within the limits.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use cometly_core::{Attempt, Delivery, Redirected, TransportError, TransportLimits};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header::CONTENT_LENGTH};
use reqwest::{Body, Url};
use tokio::runtime::Handle;

use crate::{
    Client, ClientError,
    clock::timeout,
    failure::failure,
    frames::{FRAME, Frames},
};

type Failed = TransportError<ClientError>;

impl Client {
    /// One attempt, after one that `failed` then.
    pub(crate) async fn exchange(&self, attempt: &Attempt, failed: Option<Instant>) -> Result<Response<Bytes>, Failed> {
        if Handle::try_current().is_err() {
            return Err(TransportError::setup(ClientError::NoRuntime));
        }
        let exchange = timeout(attempt.timeout(), self.exchange_unbounded(attempt, failed)).await;
        exchange.unwrap_or_else(|| Err(TransportError::timed_out(Delivery::Unknown)))
    }

    async fn exchange_unbounded(&self, attempt: &Attempt, failed: Option<Instant>) -> Result<Response<Bytes>, Failed> {
        // Held as long as this future is.
        let call = Arc::new(());
        let request = self.to_reqwest(attempt, &call)?;
        let asked = request.url().clone();
        let way = self.clients.way_to(attempt.uri());
        let failure = |error| failure(error, way);
        let http = self.clients.get(&asked, failed.filter(|_| attempt.needs_fresh_connection()))?;
        let mut response = http.execute(request).await.map_err(failure)?;
        let mut exchange = Exchange::new(self.limits, &asked, response.url(), response.status());
        exchange.take_headers(std::mem::take(response.headers_mut()))?;
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            exchange.extend_body(&chunk, || chunk.clone())?;
        }
        drop(call);
        Ok(exchange.into_response())
    }

    /// The request of an attempt, without a time-out; a large body is sent only as long as `call` is held.
    pub(crate) fn to_reqwest(&self, attempt: &Attempt, call: &Arc<()>) -> Result<reqwest::Request, Failed> {
        let (head, body) = attempt.request().into_parts();
        let asked = self.last_url.url(&head.uri)?;
        // hyper says nothing of an empty body, and a POST without one must say so (RFC 9110 §8.6).
        let is_empty_post = body.is_empty() && !matches!(head.method, Method::GET | Method::DELETE);
        let mut request = reqwest::Request::new(head.method, asked);
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        if is_empty_post {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        *request.body_mut() = Some(match body.len() {
            0..=FRAME => body.into(),
            _ => Body::wrap(Frames::new(body, Arc::downgrade(call))),
        });
        Ok(request)
    }
}

/// A fresh response that is filled as far as the limits let it.
pub(crate) struct Exchange {
    limits: TransportLimits,
    response: Response<Vec<u8>>,
    /// A body that came in one piece; it is not copied.
    piece: Bytes,
}

impl Exchange {
    /// An answer to a request for `asked` that came from `answered`: a client that follows redirects shows it there.
    pub(crate) fn new(limits: TransportLimits, asked: &Url, answered: &Url, status: StatusCode) -> Self {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = status;
        if asked != answered {
            response.extensions_mut().insert(Redirected);
        }
        Self { limits, response, piece: Bytes::new() }
    }

    pub(crate) fn take_headers(&mut self, headers: HeaderMap) -> Result<(), Failed> {
        self.limits.check_head(self.response.status(), &headers)?;
        *self.response.headers_mut() = headers;
        Ok(())
    }

    /// Adds what was read to the body; `own` keeps it as it is.
    pub(crate) fn extend_body(&mut self, read: &[u8], own: impl FnOnce() -> Bytes) -> Result<(), Failed> {
        let (status, body) = (self.response.status(), self.response.body_mut());
        let len = body.len().max(self.piece.len());
        if read.len() > self.limits.max_body_size.saturating_sub(len) {
            return Err(TransportError::too_large(Some(status)));
        }
        if len == 0 {
            self.piece = own();
        } else {
            body.extend_from_slice(&std::mem::take(&mut self.piece));
            body.extend_from_slice(read);
        }
        Ok(())
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let piece = self.piece;
        self.response.map(|body| if body.is_empty() { piece } else { body.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_the_same_in_however_many_pieces_it_came_and_no_larger_than_allowed() {
        let url = Url::parse("https://app.cometly.com/").unwrap();
        let body = |pieces: &[&'static [u8]]| {
            let mut limits = TransportLimits::default();
            limits.max_body_size = 5;
            let mut exchange = Exchange::new(limits, &url, &url, StatusCode::OK);
            for piece in pieces {
                exchange.extend_body(piece, || Bytes::from_static(piece)).ok()?;
            }
            Some(exchange.into_response().into_body())
        };
        for pieces in [&[&b"abcde"[..]][..], &[b"a", b"bcde"], &[b"a", b"b", b"c", b"de"], &[b"", b"abcd", b"", b"e"]] {
            assert_eq!(body(pieces).as_deref(), Some(&b"abcde"[..]), "{pieces:?}");
        }
        assert_eq!(body(&[]).as_deref(), Some(&b""[..]));
        for pieces in [&[&b"abcdef"[..]][..], &[b"abcde", b"f"], &[b"a", b"bcdef"], &[b"a", b"b", b"cdef"]] {
            assert_eq!(body(pieces), None, "{pieces:?}");
        }
    }
}
