//! Answers on their way: whole, or as a fault wants them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Channel, Full, channel};
use tokio::time::{sleep, timeout};

use crate::faults::fault::{Kind, LONGEST};
use crate::laravel::answer::Answer;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How much of a slow download comes at a time.
const PIECE: usize = 1024;
const MOST_BYTES: usize = 1 << 30;

/// How an answer gets to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Whole,
    Late(Duration),
    /// This number of bytes at a time, with a pause before each.
    Pieces(usize, Duration),
    /// After this number of bytes, if there are more; otherwise in the middle.
    Cut(Option<u64>),
    Endless,
    Reset,
    Never,
}

impl Sending {
    /// While this fault is on.
    pub(crate) fn under(fault: &Kind) -> Self {
        match *fault {
            Kind::Slow { pause } => Self::Late(pause),
            Kind::Trickle { pause } => Self::Pieces(1, pause),
            Kind::SlowDownload { pause } => Self::Pieces(PIECE, pause),
            Kind::CutBody => Self::Cut(None),
            Kind::CutDownload { bytes } => Self::Cut(bytes),
            Kind::Endless => Self::Endless,
            Kind::Reset => Self::Reset,
            Kind::Silence => Self::Never,
            _ => Self::Whole,
        }
    }
}

/// Has a connection reset instead of being closed.
#[derive(Clone, Default)]
pub(crate) struct Breaker(Arc<AtomicBool>);

impl Breaker {
    pub(crate) fn reset(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Turns an answer into what hyper sends. An error closes the connection without an answer.
pub(crate) async fn send(
    answer: Answer,
    sending: Sending,
    method: &Method,
    breaker: &Breaker,
) -> io::Result<Response<Body>> {
    match sending {
        Sending::Whole => Ok(answer.map(whole)),
        Sending::Late(pause) => {
            sleep(pause).await;
            Ok(answer.map(whole))
        }
        Sending::Reset => {
            breaker.reset();
            Err(io::Error::other("reset by a fault"))
        }
        Sending::Never => {
            sleep(LONGEST).await;
            Err(io::Error::other("nothing said for long enough"))
        }
        // Without a body there is nothing to spoil.
        Sending::Pieces(..) | Sending::Cut(_) | Sending::Endless if method == Method::HEAD => Ok(answer.map(whole)),
        Sending::Pieces(size, pause) => Ok(spoil(answer, 0, move |sender, body| in_pieces(sender, body, size, pause))),
        Sending::Cut(bytes) => Ok(spoil(answer, 1, move |sender, body| cut(sender, body, bytes))),
        Sending::Endless => {
            let mut answer = answer;
            answer.headers_mut().remove(CONTENT_LENGTH);
            let (parts, body) = answer.into_parts();
            let (sender, channel) = Channel::new(1);
            tokio::spawn(timeout(LONGEST, endless(sender, body)));
            Ok(Response::from_parts(parts, channel.boxed_unsync()))
        }
    }
}

pub(crate) fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// Announces the whole body, of at least `least` bytes, and leaves the sending to `task`.
fn spoil<F, T>(answer: Answer, least: usize, task: F) -> Response<Body>
where
    F: FnOnce(channel::Sender<Bytes, io::Error>, Bytes) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let (mut parts, body) = answer.into_parts();
    parts.headers.insert(CONTENT_LENGTH, body.len().max(least).into());
    let (sender, channel) = Channel::new(1);
    tokio::spawn(timeout(LONGEST, task(sender, body)));
    Response::from_parts(parts, channel.boxed_unsync())
}

async fn in_pieces(mut sender: channel::Sender<Bytes, io::Error>, mut body: Bytes, size: usize, pause: Duration) {
    while !body.is_empty() {
        sleep(pause).await;
        if sender.send_data(body.split_to(size.min(body.len()))).await.is_err() {
            return;
        }
    }
}

async fn cut(mut sender: channel::Sender<Bytes, io::Error>, mut body: Bytes, after: Option<u64>) {
    let after = after.and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| *bytes < body.len());
    body.truncate(after.unwrap_or(body.len() / 2));
    // If the client is gone, there is nothing left to cut.
    let _ = sender.send_data(body).await;
    // What was written so far is to arrive before the end does.
    sleep(Duration::from_millis(10)).await;
    sender.abort(io::Error::other("cut by a fault"));
}

/// The answer without its last byte, and then white space, so that no parser can call it complete.
async fn endless(mut sender: channel::Sender<Bytes, io::Error>, mut body: Bytes) {
    body.truncate(body.len().saturating_sub(1));
    let mut sent = 0_usize;
    let blanks = Bytes::from_static(&[b' '; 8 * 1024]);
    let mut next = body;
    while sent < MOST_BYTES && sender.send_data(next.clone()).await.is_ok() {
        sent = sent.saturating_add(next.len());
        next = blanks.clone();
        sleep(Duration::from_millis(10)).await;
    }
}
