//! The answer as it comes in, within the limits.

use bytes::Bytes;
use cometly_core::{Redirected, TransportError, TransportLimits};
use http::{HeaderMap, Response, StatusCode};
use reqwest::Url;

type Error = TransportError<reqwest::Error>;

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

    pub(crate) fn take_headers(&mut self, headers: HeaderMap) -> Result<(), Error> {
        self.limits.check_head(self.response.status(), &headers)?;
        *self.response.headers_mut() = headers;
        Ok(())
    }

    /// Adds what was read to the body; `own` keeps it as it is.
    pub(crate) fn extend_body(&mut self, read: &[u8], own: impl FnOnce() -> Bytes) -> Result<(), Error> {
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
