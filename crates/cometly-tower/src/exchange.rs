//! One attempt: a request to the service, and its response read within the limits.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
};

use cometly_core::{
    Attempt, Delivery, Moment, Redirected, TransportError, TransportLimits,
    bytes::{Buf, Bytes},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};
use http_body::{Body, Frame};
use http_body_util::Full;

use crate::{
    BoxError, Host, HttpService, Request, ServiceError,
    clock::{Clock, before, yield_now},
};

type Failure = TransportError<ServiceError>;

/// How much of the length that a body claims is made room for before it is read.
const MAX_CLAIM: u64 = 16_384;

/// After this many pieces of a body, others have their turn: a body of endless empty pieces never waits by itself.
const PIECES_PER_TURN: u8 = 32;

pub(crate) async fn exchange<S: HttpService, H: Host>(
    mut service: S,
    clock: &mut Clock<H>,
    attempt: &Attempt,
) -> Result<Response<Bytes>, Failure> {
    let end = clock.now().saturating_add(attempt.timeout());
    let mut timer = clock.clone();
    let deadline = pin!(timer.sleep(attempt.timeout()));
    let answer = answer(&mut service, clock, end, deadline, attempt).await;
    answer.unwrap_or_else(|Late(delivery)| {
        clock.pass(end);
        Err(TransportError::timed_out(delivery))
    })
}

/// The deadline has passed.
struct Late(Delivery);

async fn answer<S: HttpService, H: Host>(
    service: &mut S,
    clock: &mut Clock<H>,
    end: Moment,
    mut deadline: Pin<&mut impl Future<Output = ()>>,
    attempt: &Attempt,
) -> Result<Result<Response<Bytes>, Failure>, Late> {
    let ready = poll_fn(|context| service.poll_ready(context).map_err(ServiceError::new));
    if let Err(error) = before(deadline.as_mut(), ready).await.ok_or(Late(Delivery::NotSent))? {
        return Ok(Err(TransportError::not_sent(error)));
    }
    let mut response = pin!(service.call(as_sent(attempt)));
    let response = poll_fn(|context| response.as_mut().poll(context).map_err(ServiceError::new));
    let (head, body) = match before(deadline.as_mut(), response).await.ok_or(Late(Delivery::Unknown))? {
        Ok(response) => response.into_parts(),
        Err(error) => return Ok(Err(clock.host().failure(error))),
    };
    if let Err(too_large) = attempt.limits().check_head(head.status, &head.headers) {
        return Ok(Err(too_large));
    }
    let body = match read(body, clock, end, deadline, attempt, head.status).await? {
        Ok(body) => body,
        Err(failure) => return Ok(Err(failure)),
    };
    if let Some(claimed) = wrong_length(attempt.method(), head.status, &head.headers, body.len()) {
        let text = format!("the response's body has {} bytes, and its Content-Length is {claimed:?}", body.len());
        return Ok(Err(TransportError::unknown(ServiceError::new(text))));
    }
    let mut response = Response::new(Bytes::from(body));
    (*response.status_mut(), *response.headers_mut()) = (head.status, head.headers);
    if head.extensions.get::<Redirected>().is_some() {
        response.extensions_mut().insert(Redirected);
    }
    Ok(Ok(response))
}

fn as_sent(attempt: &Attempt) -> Request {
    let mut request = attempt.request();
    // hyper says nothing of an empty body, and a POST without one must say so (RFC 9110 §8.6).
    if request.body().is_empty() && !matches!(*request.method(), Method::GET | Method::DELETE) {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request.map(Full::new)
}

async fn read<B: Body<Error: Into<BoxError>>, H: Host>(
    body: B,
    clock: &mut Clock<H>,
    end: Moment,
    mut deadline: Pin<&mut impl Future<Output = ()>>,
    attempt: &Attempt,
    status: StatusCode,
) -> Result<Result<Vec<u8>, Failure>, Late> {
    const LATE: Late = Late(Delivery::Unknown);
    let mut body = pin!(body);
    let claimed = body.size_hint().lower().min(MAX_CLAIM);
    let mut read = Vec::with_capacity(usize::try_from(claimed).unwrap_or_default());
    let mut pieces = 0_u8;
    loop {
        let next = poll_fn(|context| {
            let frame = body.as_mut().poll_frame(context);
            frame.map(|frame| frame.map(|frame| take(frame, attempt.limits(), status, &mut read)))
        });
        match before(deadline.as_mut(), next).await.ok_or(LATE)? {
            None => return Ok(Ok(read)),
            Some(Err(failure)) => return Ok(Err(failure)),
            Some(Ok(())) => {}
        }
        // A body that always has another piece gives the deadline no turn.
        if clock.now() >= end {
            return Err(LATE);
        }
        pieces = pieces.wrapping_add(1);
        if pieces % PIECES_PER_TURN == 0 {
            before(deadline.as_mut(), yield_now()).await.ok_or(LATE)?;
        }
    }
}

/// Adds a piece to what was read. What is no data is a trailer, and dropped.
fn take<D: Buf, E: Into<BoxError>>(
    frame: Result<Frame<D>, E>,
    limits: &TransportLimits,
    status: StatusCode,
    read: &mut Vec<u8>,
) -> Result<(), Failure> {
    let frame = frame.map_err(|error| TransportError::unknown(ServiceError::new(error)))?;
    let Ok(mut data) = frame.into_data() else { return Ok(()) };
    while !data.chunk().is_empty() {
        limits.extend_body(status, read, data.chunk())?;
        data.advance(data.chunk().len());
    }
    Ok(())
}

/// The `Content-Length` of a response whose body is not as long. HTTP stacks look at that themselves; services in the same
/// process do not. What was unpacked has another length.
fn wrong_length<'a>(
    method: &Method,
    status: StatusCode,
    headers: &'a HeaderMap,
    len: usize,
) -> Option<&'a HeaderValue> {
    let is_bodiless = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if is_bodiless || headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let is_wrong = |value: &&HeaderValue| value.to_str().ok().and_then(|text| text.parse().ok()) != Some(len);
    headers.get_all(header::CONTENT_LENGTH).iter().find(is_wrong)
}
