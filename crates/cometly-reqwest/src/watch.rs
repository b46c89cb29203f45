//! What can be watched of a call. With the feature `tracing`: a span for the call, an event for each try and each wait;
//! method, path template, status and delivery, never a header, a query or a body.

use std::time::Duration;

use bytes::Bytes;
use cometly_core::Attempt;
use http::Response;

use crate::Error;

pub(crate) struct Watch {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

#[cfg(feature = "tracing")]
impl Watch {
    pub(crate) fn begin(attempt: &Attempt) -> Self {
        let path = attempt.path_template().unwrap_or_default();
        Self { span: tracing::info_span!("cometly call", method = %attempt.method(), path) }
    }

    /// A try has ended.
    pub(crate) fn tried(&self, attempt: &Attempt, tried: &Result<Response<Bytes>, Error>) {
        let number = attempt.number();
        match tried {
            Ok(response) => {
                tracing::debug!(parent: &self.span, tries = number, status = response.status().as_u16(), "answered");
            }
            Err(error) => {
                tracing::debug!(parent: &self.span, tries = number, delivery = ?error.delivery(), "{error}");
            }
        }
    }

    /// A wait begins: before another try, or for the pacer.
    pub(crate) fn waits(&self, attempt: &Attempt, wait: Duration) {
        let reason = attempt.reason().map_or_else(|| "its turn has not come".to_owned(), |reason| reason.to_string());
        tracing::debug!(parent: &self.span, tries = attempt.number(), ?wait, reason, "waiting");
    }
}

#[cfg(not(feature = "tracing"))]
#[expect(clippy::unused_self, reason = "as with the feature")]
impl Watch {
    pub(crate) fn begin(_: &Attempt) -> Self {
        Self {}
    }

    pub(crate) fn tried(&self, _: &Attempt, _: &Result<Response<Bytes>, Error>) {}

    pub(crate) fn waits(&self, _: &Attempt, _: Duration) {}
}
