//! The API called from a WASI component, over `wasi:http`. The key comes from the environment: `COMETLY_API_KEY`.

use std::{
    hash::{BuildHasher as _, RandomState},
    thread::sleep,
    time::{Duration, Instant},
};

use cometly_core::{
    Api, Attempt, AuthOutcome, Call, CallError, Delivery, Moment, Next, RetryPolicy, TransportError, TransportLimits,
    bytes::Bytes, http,
};
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    http::{
        outgoing_handler::handle,
        types::{ErrorCode, Fields, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme},
    },
    io::{
        poll::{Pollable, poll},
        streams::{InputStream, StreamError},
    },
};

/// The most that a stream takes or gives at once.
const PIECE: usize = 4_096;

type Failed = TransportError<std::io::Error>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", send(Api::from_env()?.get("companies"))?);
    Ok(())
}

fn send(call: Call) -> Result<AuthOutcome<Bytes>, CallError<std::io::Error>> {
    let (limits, seed) = (TransportLimits::default(), RandomState::new().hash_one(()));
    let mut operation = call.start(&RetryPolicy::default(), &limits, seed, Moment::now())?;
    loop {
        operation = match operation.next(Moment::now()) {
            Next::Wait { pause, operation } => {
                sleep(pause);
                operation
            }
            Next::Send(attempt) => {
                let answer = exchange(&attempt);
                attempt.finish(answer, Moment::now())
            }
            Next::Done(result) => return result,
        };
    }
}

/// One attempt. `wasi:http` follows no redirect and repeats no request.
fn exchange(attempt: &Attempt) -> Result<http::Response<Bytes>, Failed> {
    let deadline = Deadline(Instant::now(), attempt.timeout());
    let (head, body) = attempt.request().into_parts();
    let list: Vec<_> = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    let request = OutgoingRequest::new(Fields::from_list(&list).map_err(|error| not_sent(&error))?);
    let is_set = request.set_method(&method(&head.method)).is_ok()
        && request.set_scheme(Some(&scheme(&head.uri))).is_ok()
        && request.set_authority(head.uri.authority().map(http::uri::Authority::as_str)).is_ok()
        && request.set_path_with_query(head.uri.path_and_query().map(http::uri::PathAndQuery::as_str)).is_ok();
    if !is_set {
        return Err(not_sent(&"the host does not take this request"));
    }
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(u64::try_from(attempt.limits().connect_timeout.as_nanos()).ok());
    let outgoing = request.body().map_err(|()| not_sent(&"the request has no body to write"))?;
    let answer = handle(request, Some(options)).map_err(|error| failed(&error))?;
    write(outgoing, &body, &deadline)?;
    deadline.wait(&answer.subscribe())?;
    let response = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(error))) => return Err(failed(&error)),
        _ => return Err(unknown(&"the host gave no answer")),
    };
    let mut head = http::Response::builder().status(response.status());
    for (name, value) in response.headers().entries() {
        head = head.header(name, value);
    }
    let head = head.body(()).map_err(|error| unknown(&error))?;
    attempt.limits().check_head(head.status(), head.headers())?;
    let incoming = response.consume().map_err(|()| unknown(&"the answer has no body to read"))?;
    let stream = incoming.stream().map_err(|()| unknown(&"the answer has no body to read"))?;
    let mut body = Vec::new();
    while let Some(piece) = read(&stream, &deadline)? {
        attempt.limits().extend_body(head.status(), &mut body, &piece)?;
    }
    Ok(head.map(|()| body.into()))
}

fn write(outgoing: OutgoingBody, body: &[u8], deadline: &Deadline) -> Result<(), Failed> {
    let stream = outgoing.write().map_err(|()| unknown(&"the request has no body to write"))?;
    let mut rest = body;
    while !rest.is_empty() {
        deadline.wait(&stream.subscribe())?;
        let room = usize::try_from(stream.check_write().map_err(|error| unknown(&error))?).unwrap_or(PIECE);
        let (piece, behind) = rest.split_at(rest.len().min(room));
        stream.write(piece).map_err(|error| unknown(&error))?;
        rest = behind;
    }
    stream.flush().map_err(|error| unknown(&error))?;
    deadline.wait(&stream.subscribe())?;
    // The body cannot be finished while its stream is there.
    drop(stream);
    OutgoingBody::finish(outgoing, None).map_err(|error| failed(&error))
}

/// The next piece of a body; `None` at its end.
fn read(stream: &InputStream, deadline: &Deadline) -> Result<Option<Vec<u8>>, Failed> {
    deadline.wait(&stream.subscribe())?;
    match stream.read(PIECE as u64) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(error) => Err(unknown(&error)),
    }
}

/// When the attempt began, and how long it may take.
struct Deadline(Instant, Duration);

impl Deadline {
    /// Waits for `event`, and no longer than until the deadline.
    fn wait(&self, event: &Pollable) -> Result<(), Failed> {
        let left = self.1.saturating_sub(self.0.elapsed());
        let end = subscribe_duration(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX));
        // Both may have come; what came in time counts.
        if poll(&[event, &end]).contains(&0) { Ok(()) } else { Err(TransportError::timed_out(Delivery::Unknown)) }
    }
}

fn method(method: &http::Method) -> Method {
    match method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(uri: &http::Uri) -> Scheme {
    if uri.scheme() == Some(&http::uri::Scheme::HTTPS) { Scheme::Https } else { Scheme::Http }
}

/// What the host says before it has a connection means that nothing was sent.
fn failed(error: &ErrorCode) -> Failed {
    match error {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::TlsCertificateError => not_sent(error),
        _ => unknown(error),
    }
}

fn not_sent(error: &impl std::fmt::Debug) -> Failed {
    TransportError::not_sent(std::io::Error::other(format!("{error:?}")))
}

fn unknown(error: &impl std::fmt::Debug) -> Failed {
    TransportError::unknown(std::io::Error::other(format!("{error:?}")))
}
