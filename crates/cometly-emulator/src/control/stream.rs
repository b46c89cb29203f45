//! What happens, as it happens: server-sent events.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Channel, channel};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::timeout;

use super::{admit, error, write};
use crate::backend::Backend;
use crate::faults::delivery::{self, Body};
use crate::laravel::answer::Answer;

/// Tells a listener that we are there, and us that a listener is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Answers a request for the stream.
pub(crate) fn open(backend: &Backend, parts: &Parts) -> Response<Body> {
    let whole = |answer: Answer| answer.map(delivery::whole);
    if let Err(refused) = admit(backend, parts) {
        return whole(write(refused));
    }
    if parts.method != Method::GET {
        return whole(write(error(StatusCode::METHOD_NOT_ALLOWED, "GET only")));
    }
    let Some((news, place)) = backend.live().listen() else {
        return whole(write(error(StatusCode::SERVICE_UNAVAILABLE, "32 listeners are enough")));
    };
    let (sender, channel) = Channel::new(16);
    tokio::spawn(forward(news, sender, place));
    let mut answer = write((StatusCode::OK, "", Bytes::new())).map(|_| channel.boxed());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer
}

async fn forward(
    mut news: Receiver<Arc<str>>,
    mut listener: channel::Sender<Bytes, io::Error>,
    _place: OwnedSemaphorePermit,
) {
    let mut next = Bytes::from_static(b"retry: 1000\nevent: state\ndata: {}\n\n");
    while listener.send_data(next).await.is_ok() {
        next = match timeout(HEARTBEAT, news.recv()).await {
            Ok(Ok(event)) => Bytes::copy_from_slice(event.as_bytes()),
            Ok(Err(RecvError::Lagged(missed))) => format!("event: missed\ndata: {missed}\n\n").into(),
            Ok(Err(RecvError::Closed)) => return,
            Err(_) => Bytes::from_static(b": still here\n\n"),
        };
    }
}
