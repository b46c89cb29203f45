//! The API called from a Cloudflare Worker. The key is a secret of the Worker: `wrangler secret put COMETLY_API_KEY`.

use std::{pin::pin, time::Duration};

use cometly_core::{
    Api, ApiKey, Attempt, AuthOutcome, Call, CallError, Delivery, Moment, Next, RetryPolicy, TransportError,
    TransportLimits, bytes::Bytes, http,
};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use worker::{
    AbortController, Context, Date, Delay, Env, Error, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Response, Result, event,
    js_sys::{Math, Uint8Array},
};

type Failed = TransportError<Error>;

#[event(fetch)]
async fn fetch(_: Request, env: Env, _: Context) -> Result<Response> {
    let key = ApiKey::new(env.secret("COMETLY_API_KEY")?.to_string()).map_err(|error| error.to_string())?;
    match send(Api::new(key).get("companies")).await {
        Ok(AuthOutcome::Success(reply)) => Response::from_bytes(reply.into_body().into()),
        Ok(refusal) => Response::error(refusal.to_string(), 502),
        Err(error) => Response::error(error.to_string(), 502),
    }
}

async fn send(call: Call) -> Result<AuthOutcome<Bytes>, CallError<Error>> {
    let limits = TransportLimits::default();
    let mut operation = call.start(&RetryPolicy::default(), &limits, Math::random().to_bits(), now())?;
    loop {
        operation = match operation.next(now()) {
            Next::Wait { pause, operation } => {
                Delay::from(pause).await;
                operation
            }
            Next::Send(attempt) => {
                let answer = exchange(&attempt).await;
                attempt.finish(answer, now())
            }
            Next::Done(result) => return result,
        };
    }
}

/// A Worker's clock moves on with each answer and each wait only, not while the program computes.
fn now() -> Moment {
    Moment::since_origin(Duration::from_millis(Date::now().as_millis()))
}

/// One attempt, which ends in time: what is under way is aborted.
async fn exchange(attempt: &Attempt) -> Result<http::Response<Bytes>, Failed> {
    let abort = AbortController::default();
    let signal = abort.signal();
    let (answer, end) = (pin!(answer(attempt, &signal)), pin!(Delay::from(attempt.timeout())));
    match select(answer, end).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            abort.abort();
            Err(TransportError::timed_out(Delivery::Unknown))
        }
    }
}

async fn answer(attempt: &Attempt, signal: &worker::AbortSignal) -> Result<http::Response<Bytes>, Failed> {
    let request = request(attempt.request()).map_err(TransportError::not_sent)?;
    // `fetch` does not say how far it came.
    let mut response = Fetch::Request(request).send_with_signal(signal).await.map_err(TransportError::unknown)?;
    let head = head(&response)?;
    attempt.limits().check_head(head.status(), head.headers())?;
    let mut body = Vec::new();
    let mut chunks = response.stream().map_err(TransportError::unknown)?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(TransportError::unknown)?;
        attempt.limits().extend_body(head.status(), &mut body, &chunk)?;
    }
    Ok(head.map(|()| body.into()))
}

fn request(request: http::Request<Bytes>) -> Result<Request> {
    let headers = Headers::new();
    for (name, value) in request.headers() {
        headers.append(name.as_str(), value.to_str().map_err(|error| error.to_string())?)?;
    }
    let mut settings = RequestInit::new();
    // `fetch` follows redirects by itself otherwise, and takes the key along.
    settings.with_redirect(RequestRedirect::Manual);
    settings.with_method(Method::from(request.method().to_string())).with_headers(headers);
    if !request.body().is_empty() {
        settings.with_body(Some(Uint8Array::from(request.body().as_ref()).into()));
    }
    Request::new_with_init(&request.uri().to_string(), &settings)
}

fn head(response: &Response) -> Result<http::Response<()>, Failed> {
    let mut head = http::Response::builder().status(response.status_code());
    for (name, value) in response.headers() {
        head = head.header(name, value);
    }
    head.body(()).map_err(|error| TransportError::unknown(error.to_string().into()))
}
