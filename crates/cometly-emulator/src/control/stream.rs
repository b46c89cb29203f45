//! What happens, as it happens: server-sent events.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Channel, channel};
use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;

use super::{admit, error, write};
use crate::answer::Answer;
use crate::backend::Backend;
use crate::sending::{self, Body};

const MAX_LISTENERS: usize = 32;
/// A listener further behind than these is told how many it missed.
const BACKLOG: usize = 256;
/// Tells a listener that we are there, and us that a listener is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where news goes out.
pub(crate) struct Live {
    news: Sender<Arc<str>>,
    places: Arc<Semaphore>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { news: broadcast::channel(BACKLOG).0, places: Arc::new(Semaphore::new(MAX_LISTENERS)) }
    }

    /// Sends out what `data` tells, if anyone listens. It is one line of JSON.
    pub(crate) fn tell(&self, event: &str, data: impl FnOnce() -> String) {
        if self.news.receiver_count() > 0 {
            // The last listener may have left just now.
            let _ = self.news.send(format!("event: {event}\ndata: {}\n\n", data()).into());
        }
    }
}

/// Answers a request for the stream.
pub(crate) fn open(backend: &Backend, parts: &Parts) -> Response<Body> {
    let whole = |answer: Answer| answer.map(sending::whole);
    if let Err(refused) = admit(backend, parts) {
        return whole(write(refused));
    }
    if parts.method != Method::GET {
        return whole(write(error(StatusCode::METHOD_NOT_ALLOWED, "GET only")));
    }
    let live = backend.live();
    let Ok(place) = Arc::clone(&live.places).try_acquire_owned() else {
        return whole(write(error(StatusCode::SERVICE_UNAVAILABLE, "32 listeners are enough")));
    };
    let (sender, channel) = Channel::new(16);
    tokio::spawn(forward(live.news.subscribe(), sender, place));
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
