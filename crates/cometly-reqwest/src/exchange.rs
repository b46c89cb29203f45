//! The answer as it comes in, within the limits.

use bytes::Bytes;
use cometly_core::{Limits, Redirected};
use http::{HeaderMap, Response, StatusCode};
use reqwest::Url;

use crate::Error;

/// A fresh response that is filled as far as the limits let it.
pub(crate) struct Exchange {
    limits: Limits,
    response: Response<Vec<u8>>,
}

impl Exchange {
    /// An answer to a request for `asked` that came from `answered`: a client that follows redirects shows it there.
    pub(crate) fn new(limits: Limits, asked: &Url, answered: &Url, status: StatusCode) -> Self {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = status;
        if asked != answered {
            response.extensions_mut().insert(Redirected);
        }
        Self { limits, response }
    }

    pub(crate) fn take_headers(&mut self, headers: HeaderMap) -> Result<(), Error> {
        self.limits.check_head(self.response.status(), &headers)?;
        *self.response.headers_mut() = headers;
        Ok(())
    }

    pub(crate) fn extend_body(&mut self, read: &[u8]) -> Result<(), Error> {
        let status = self.response.status();
        self.limits.extend_body(status, self.response.body_mut(), read)
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        self.response.map(Bytes::from)
    }
}
