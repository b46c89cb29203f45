//! One attempt: a request to the service, and its response read within the limits.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
};

use cometly_core::{
    Attempt, Delivery, Moment, Redirected, TransportError, TransportLimits,
    bytes::Bytes,
    http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use http_body::Body;
use http_body_util::Full;

use crate::{
    Host, HttpService, Request, ServiceError,
    clock::{Clock, before},
    error::Failure,
    pieces::Pieces,
};

/// How much of the length that a body claims is made room for before it is read.
const MAX_CLAIM: u64 = 16_384;

pub(crate) async fn exchange<S: HttpService, H: Host>(
    mut service: S,
    clock: &mut Clock<H>,
    attempt: &Attempt,
) -> Result<Response<Bytes>, Failure> {
    let end = clock.now().saturating_add(attempt.timeout());
    let mut timer = clock.clone();
    let mut deadline = pin!(timer.sleep(attempt.timeout()));
    let answer = head(&mut service, clock, end, deadline.as_mut(), as_sent(attempt), attempt.limits());
    let (head, body) = answer.await?.into_parts();
    let length = Length::of(attempt.method(), head.status, &head.headers)?;
    let claimed = body.size_hint().lower().min(MAX_CLAIM);
    let mut read = Vec::with_capacity(usize::try_from(claimed).unwrap_or_default());
    let mut pieces = Pieces::new(body, *attempt.limits(), head.status);
    while pieces.next(clock, end, deadline.as_mut(), &mut read).await? {}
    length.check(read.len())?;
    Ok(Response::from_parts(head, read.into()))
}

/// Sends a request, and waits for the head of its response. Of the service's extensions, it keeps [`Redirected`] alone.
pub(crate) async fn head<S: HttpService, H: Host>(
    service: &mut S,
    clock: &mut Clock<H>,
    end: Moment,
    mut deadline: Pin<&mut impl Future<Output = ()>>,
    request: Request,
    limits: &TransportLimits,
) -> Result<Response<S::Body>, Failure> {
    let mut late = |delivery| {
        clock.pass(end);
        TransportError::timed_out(delivery)
    };
    let ready = poll_fn(|context| service.poll_ready(context).map_err(ServiceError::new));
    match before(deadline.as_mut(), ready).await {
        None => return Err(late(Delivery::NotSent)),
        Some(ready) => ready.map_err(TransportError::not_sent)?,
    }
    let mut response = pin!(service.call(request));
    let response = poll_fn(|context| response.as_mut().poll(context).map_err(ServiceError::new));
    let response = before(deadline, response).await.ok_or_else(|| late(Delivery::Unknown))?;
    let mut response = response.map_err(|error| clock.host().failure(error))?;
    limits.check_head(response.status(), response.headers())?;
    let redirected = response.extensions_mut().remove::<Redirected>();
    *response.extensions_mut() = redirected.map_or_else(Extensions::new, |redirected| {
        let mut extensions = Extensions::new();
        extensions.insert(redirected);
        extensions
    });
    Ok(response)
}

pub(crate) fn as_sent(attempt: &Attempt) -> Request {
    let mut request = attempt.request();
    // hyper says nothing of an empty body, and a POST without one must say so (RFC 9110 §8.6).
    if request.body().is_empty() && !matches!(*request.method(), Method::GET | Method::DELETE) {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request.map(Full::new)
}

/// How long a body is by the `Content-Length` of its response. HTTP stacks look at that themselves; services in the same process
/// do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    /// There is none; or the body was unpacked, which has another; or there is no body, and the head may tell how long it would
    /// have been.
    Unknown,
}

impl Length {
    /// # Errors
    /// If the lengths differ, or one cannot be read: the response is unusable (RFC 9112 §6.3).
    pub(crate) fn of(method: &Method, status: StatusCode, headers: &HeaderMap) -> Result<Self, Failure> {
        let is_bodiless = *method == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // The chunks count, and not a length beside them (RFC 9112 §6.3).
        let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
        if is_bodiless || is_chunked || headers.contains_key(header::CONTENT_ENCODING) {
            return Ok(Self::Unknown);
        }
        let mut length = Self::Unknown;
        for value in headers.get_all(header::CONTENT_LENGTH) {
            // The same length may stand several times in one line, too (RFC 9110 §8.6).
            for text in value.to_str().unwrap_or_default().split(',') {
                length = match text.trim().parse().map(Self::Known) {
                    Ok(known) if length == Self::Unknown || length == known => known,
                    _ => return Err(failure(format!("a Content-Length of the response is {value:?}"))),
                };
            }
        }
        Ok(length)
    }

    /// # Errors
    /// If a body that ended with `len` bytes is not whole.
    pub(crate) fn check(self, len: usize) -> Result<(), Failure> {
        match self {
            Self::Known(length) if length != len => {
                Err(failure(format!("the response's body has {len} bytes, and its Content-Length is {length}")))
            }
            _ => Ok(()),
        }
    }

    /// # Errors
    /// If a body is too long by its first `len` bytes.
    pub(crate) fn check_start(self, len: usize) -> Result<(), Failure> {
        match self {
            Self::Known(length) if len > length => self.check(len),
            _ => Ok(()),
        }
    }
}

fn failure(text: String) -> Failure {
    TransportError::unknown(ServiceError::new(text))
}
