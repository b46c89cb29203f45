//! One attempt of a call.

use std::{io::Read as _, time::Duration};

use bytes::Bytes;
use cometly_core::{Attempt, TransportError, TransportLimits};
use http::{Method, Request, Response};
use ureq::AsSendBody;

use crate::{
    Client,
    agents::{forced, ureqs_proxy},
    failure::{failure, failure_through},
};

/// How much of the length that an answer claims is made room for before it is read.
const MAX_CLAIM: usize = 16_384;

type Failed = TransportError<ureq::Error>;

impl Client {
    /// One attempt.
    pub(crate) fn exchange(&self, attempt: &Attempt) -> Result<Response<Bytes>, Failed> {
        let (request, timeout, fresh) = (attempt.request(), attempt.timeout(), attempt.needs_fresh_connection());
        let (head, body) = request.into_parts();
        // ureq announces the length of any body, and a GET must have none at all.
        if body.is_empty() && matches!(head.method, Method::GET | Method::DELETE) {
            self.exchange_with(Request::from_parts(head, ()), timeout, fresh)
        } else {
            self.exchange_with(Request::from_parts(head, body.as_ref()), timeout, fresh)
        }
    }

    fn exchange_with<B: AsSendBody>(
        &self,
        request: Request<B>,
        timeout: Duration,
        fresh: bool,
    ) -> Result<Response<Bytes>, Failed> {
        let agent = self.agents.current();
        let proxy = self.agents.proxy_on_request(request.uri());
        let request = if self.agents.is_own() && timeout == TransportLimits::DEFAULT_ATTEMPT_TIMEOUT && !fresh {
            request
        } else {
            let ureqs = proxy.map(ureqs_proxy).transpose().map_err(failure)?;
            let settings = forced!(agent.configure_request(request), self.limits, ureqs, timeout);
            // The kept connections to that host are thrown away.
            if fresh { settings.max_idle_age(Duration::ZERO).build() } else { settings.build() }
        };
        let (head, body) = agent
            .run(request)
            .map_err(|error| failure_through(error, proxy, self.limits.connect_timeout))?
            .into_parts();
        self.limits.check_head(head.status, &head.headers)?;
        let limit = u64::try_from(self.limits.max_body_size).unwrap_or(u64::MAX);
        let claimed = usize::try_from(body.content_length().unwrap_or_default()).unwrap_or(MAX_CLAIM);
        let mut read = Vec::with_capacity(claimed.min(MAX_CLAIM));
        match body.into_with_config().limit(limit).reader().read_to_end(&mut read).map_err(ureq::Error::from) {
            Err(ureq::Error::BodyExceedsLimit(_)) => Err(TransportError::too_large(Some(head.status))),
            read => read.map_err(failure),
        }?;
        let mut response = Response::new(Bytes::from(read));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }
}
