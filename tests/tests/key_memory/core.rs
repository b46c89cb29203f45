//! What is ours: the key from its text to the last answer, without an HTTP client.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use cometly_core::{Api, ApiKey, Attempt, AuthOutcome, Call, Moment, Next, Operation, RetryPolicy, TransportLimits};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use zeroize::Zeroizing;

use crate::{
    BoxError,
    stage::{
        Left::{Nothing, Something, Told},
        Scene, Stage,
    },
};

pub(crate) const SCENES: &[Scene] = &[
    Scene { name: "control: Strings", left: Something, play: strings },
    Scene { name: "control: HeaderValues made by hand", left: Something, play: headers_by_hand },
    Scene { name: "a text that is no key", left: Nothing, play: refused },
    Scene { name: "calls, requests, copies, Debug", left: Nothing, play: described },
    Scene { name: "answers that quote the key", left: Nothing, play: quoted },
    Scene { name: "rotated out, the Api lives on", left: Nothing, play: rotated },
    Scene { name: "rotated once, the Api is dropped", left: Nothing, play: rotated_and_dropped },
    Scene { name: "rotated out under calls under way", left: Nothing, play: rotated_under_calls },
    Scene { name: "rotated in and out under four threads", left: Nothing, play: rotated_under_threads },
    Scene { name: "a call by a client that wipes its buffer", left: Nothing, play: by_a_careful_client },
    Scene { name: "an answer that quotes it among escapes", left: Told, play: quoted_among_escapes },
];

/// More than one, for the next allocations may well take a freed block.
const COPIES: usize = 8;

fn strings(stage: &mut Stage) -> Result<(), BoxError> {
    let keys = [(); COPIES].map(|()| stage.recipe.key());
    stage.alive()?;
    drop(keys);
    Ok(())
}

fn headers_by_hand(stage: &mut Stage) -> Result<(), BoxError> {
    let key = Zeroizing::new(stage.recipe.key());
    let values = [(); COPIES].map(|()| HeaderValue::from_str(&key));
    drop(key);
    stage.alive()?;
    drop(values);
    Ok(())
}

fn refused(stage: &mut Stage) -> Result<(), BoxError> {
    let key = stage.recipe.key();
    let mut text = String::with_capacity(key.len().saturating_add(1));
    text.push_str(&Zeroizing::new(key));
    text.push('\n');
    stage.alive()?;
    let error = ApiKey::new(text).err().ok_or("a line break is no part of a key")?;
    let _ = format!("{error} {error:?}");
    Ok(())
}

fn described(stage: &mut Stage) -> Result<(), BoxError> {
    let key = stage.recipe.key();
    stage.alive()?;
    let key = ApiKey::new(key)?;
    let api = Api::builder(key.clone()).base_url(stage.server.parse()?).user_agent("scan/1")?.build();
    let other = Api::new(Zeroizing::new(stage.recipe.key()).parse()?);
    let call = api.post("contacts/{id}").segment(7).query("a", "b").json(&["c"]);
    let request = call.to_request()?;
    let value = request.headers().get(header::AUTHORIZATION).ok_or("a request has its key")?.clone();
    let map = HeaderMap::from_iter([(header::AUTHORIZATION, value.clone()), (header::COOKIE, value.clone())]);
    let authorized = api.authorize(Request::get(format!("{}/events", stage.server)).body(())?)?;
    let now = Moment::since_origin(Duration::from_secs(1));
    let operation: Operation<Vec<u8>, std::io::Error> =
        call.clone().start(&RetryPolicy::default(), &TransportLimits::default(), 1, now)?;
    let Next::Send(attempt) = operation.next(now) else { return Err("nothing holds it back".into()) };
    let _ = format!("{key:?} {api:?} {call:?} {request:?} {value:?} {map:?} {authorized:?} {attempt:?}");
    let _ = attempt.request();
    let copies = thread::spawn({
        let (key, call) = (key.clone(), call.clone());
        move || (key.clone(), call.clone(), call.to_request())
    });
    let copies = copies.join().map_err(|_| "the thread has ended")?;
    stage.alive()?;
    drop((key, api, other, call, request, map, authorized, attempt, copies));
    // The last owner is a header that the program kept.
    stage.alive()?;
    drop(value);
    Ok(())
}

/// A body that is wiped, as no HTTP client's is.
type Body = Zeroizing<Vec<u8>>;

fn quote(stage: &Stage, before: &str) -> Body {
    let (key, half) = (Zeroizing::new(stage.recipe.key()), stage.recipe.half());
    let parts =
        ["{\"message\":\"", before, &key, "\",\"errors\":{\"", &half, "\":[\"not ", &key, "\",\"nor ", &half, "\"]}}"];
    let mut body = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        body.extend_from_slice(part.as_bytes());
    }
    body
}

/// The whole life of a call, each answer quoting the key.
fn answered(stage: &mut Stage, before: &str) -> Result<(), BoxError> {
    let api = stage.api()?;
    let mut now = Moment::since_origin(Duration::from_secs(1));
    let mut operation: Operation<Body, std::io::Error> =
        api.get("events").start(&RetryPolicy::default(), &TransportLimits::default(), 1, now)?;
    let mut statuses = [429_u16, 503, 422].into_iter();
    loop {
        operation = match operation.next(now) {
            Next::Wait { pause, operation } => {
                now = now.saturating_add(pause);
                operation
            }
            Next::Send(attempt) => {
                let request = attempt.request();
                let mut response = Response::new(quote(stage, before));
                *response.status_mut() = statuses.next().ok_or("it is sent three times")?.try_into()?;
                response.headers_mut().insert("retry-after", 1.into());
                drop(request);
                attempt.finish(Ok(response), now)
            }
            Next::Done(result) => {
                let outcome = result?;
                let copy = outcome.clone();
                stage.alive()?;
                let _ = format!("{outcome} {outcome:?}");
                let error = copy.into_result().err().ok_or("422 is no success")?;
                let shown = format!("{error} {error:?} {:?} {:?}", error.message(), error.field_errors());
                assert!(shown.contains("[redacted]"), "there was nothing to mask");
                return Ok(());
            }
        };
    }
}

fn quoted(stage: &mut Stage) -> Result<(), BoxError> {
    answered(stage, "Bad token ")
}

/// The JSON parser unpacks such a text into a buffer of its own.
fn quoted_among_escapes(stage: &mut Stage) -> Result<(), BoxError> {
    answered(stage, "\\\"Bad\\\" token ")
}

fn rotated(stage: &mut Stage) -> Result<(), BoxError> {
    let api = stage.api()?;
    let call = api.get("events");
    stage.alive()?;
    rotate_out(&api)?;
    stage.gone()?;
    let _ = call.to_request()?;
    Ok(())
}

/// Puts as many other keys in place as it takes for the first to be forgotten: the current one and the four before it are
/// kept, to be masked.
fn rotate_out(api: &Api) -> Result<(), BoxError> {
    for number in 0..5 {
        api.rotate(ApiKey::new(format!("7|another-{number}"))?);
    }
    Ok(())
}

/// One of the last five keys is wiped with the `Api`.
fn rotated_and_dropped(stage: &mut Stage) -> Result<(), BoxError> {
    let api = stage.api()?;
    let call = api.get("events");
    api.rotate(ApiKey::new("7|another")?);
    drop(call);
    // Still there, to be masked.
    stage.alive()?;
    drop(api);
    Ok(())
}

/// Attempts that left with the old key are its last users; what came of their calls, and the `Api`, live on.
fn rotated_under_calls(stage: &mut Stage) -> Result<(), BoxError> {
    let api = stage.api()?;
    let now = Moment::since_origin(Duration::from_secs(1));
    let mut under_way = Vec::new();
    for _ in 0..COPIES {
        let operation: Operation<Body, std::io::Error> =
            api.get("events").start(&RetryPolicy::default(), &TransportLimits::default(), 1, now)?;
        let Next::Send(attempt) = operation.next(now) else { return Err("nothing holds it back".into()) };
        under_way.push((attempt.request(), attempt));
    }
    rotate_out(&api)?;
    stage.alive()?;
    let mut outcomes = Vec::new();
    for (number, (request, attempt)) in under_way.into_iter().enumerate() {
        drop(request);
        // A refused key is sent again as the new one; a 422 ends the call.
        let is_refused = number % 2 == 0;
        let operation: Operation<Body, std::io::Error> =
            attempt.finish(Ok(quoting(stage, if is_refused { 401 } else { 422 })?), now);
        outcomes.push(match operation.next(now) {
            Next::Done(outcome) if !is_refused => outcome?.into_result().err().ok_or("422 is no success")?.to_string(),
            Next::Send(attempt) if is_refused => {
                let operation: Operation<Body, std::io::Error> =
                    attempt.finish(Ok(Response::new(Zeroizing::new(b"{}".to_vec()))), now);
                let Next::Done(outcome) = operation.next(now) else { return Err("200 ends a call".into()) };
                outcome?.to_string()
            }
            other => return Err(format!("neither the end nor the new key: {other:?}").into()),
        });
    }
    assert!(outcomes.iter().any(|outcome| outcome.contains("[redacted]")), "there was nothing to mask");
    stage.gone()?;
    drop((api, outcomes));
    Ok(())
}

fn quoting(stage: &Stage, status: u16) -> Result<Response<Body>, BoxError> {
    let mut response = Response::new(quote(stage, "Bad token "));
    *response.status_mut() = status.try_into()?;
    Ok(response)
}

/// The key comes and goes while calls are made without a pause.
fn rotated_under_threads(stage: &mut Stage) -> Result<(), BoxError> {
    let api = stage.api()?;
    let call = || -> Result<(), BoxError> {
        for _ in 0..20 {
            send(api.get("events"))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        stage.alive()?;
        while callers.iter().any(|caller| !caller.is_finished()) {
            rotate_out(&api)?;
            api.rotate(ApiKey::new(stage.recipe.key())?);
        }
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| "a thread has panicked")?)
    })?;
    rotate_out(&api)?;
    stage.gone()?;
    drop(api);
    Ok(())
}

/// Shows that what the clients leave is theirs.
fn by_a_careful_client(stage: &mut Stage) -> Result<(), BoxError> {
    let api = stage.api()?;
    send(api.get("events"))?;
    stage.alive()?;
    Ok(())
}

/// One call, by a client that wipes its buffer.
fn send(call: Call) -> Result<(), BoxError> {
    let now = Moment::since_origin(Duration::from_secs(1));
    let mut operation: Operation<Vec<u8>, std::io::Error> =
        call.start(&RetryPolicy::none(), &TransportLimits::default(), 1, now)?;
    loop {
        operation = match operation.next(now) {
            // Once more, if the key was another one meanwhile.
            Next::Send(attempt) => {
                let response = exchange(&attempt)?;
                attempt.finish(Ok(response), now)
            }
            Next::Done(Ok(AuthOutcome::Unauthenticated(_))) => return Ok(()),
            other => return Err(format!("the server does not know this key: {other:?}").into()),
        };
    }
}

fn exchange(attempt: &Attempt) -> Result<Response<Vec<u8>>, BoxError> {
    let request = attempt.request();
    let mut socket = TcpStream::connect(request.uri().authority().ok_or("it has one")?.as_str())?;
    // Longer than any head with a key of these lengths.
    let mut head = Zeroizing::new(Vec::with_capacity(4096));
    write!(head, "GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", request.uri().path())?;
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    assert!(head.capacity() == 4096, "a buffer that grows leaves a copy behind");
    socket.write_all(&head)?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer has a head")?;
    let status = head.split(' ').nth(1).ok_or("a head has a status")?;
    Ok(Response::builder().status(status).body(body.into())?)
}
