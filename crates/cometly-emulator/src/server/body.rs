//! Bodies, those that come and those that go.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use crate::faults::delivery::Body;
use crate::server::limits::DISCARDED;

/// A body that came.
#[derive(Debug)]
pub(crate) enum Came {
    /// All of it, or of a body that is not kept, nothing.
    Whole(Bytes),
    TooLarge,
}

/// Reads a body of at most `max` bytes, of which those are kept if it has no more than `kept` of them.
pub(crate) async fn read(mut body: Incoming, max: usize, kept: usize) -> io::Result<Came> {
    let kept = kept.min(max);
    let expected = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut content = BytesMut::with_capacity(if expected <= kept { expected } else { 0 });
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        let data = frame.into_data().unwrap_or_default();
        length = length.saturating_add(data.len());
        if length <= kept {
            content.extend_from_slice(&data);
        } else if length <= DISCARDED.saturating_add(max) {
            content = BytesMut::new();
        } else {
            break;
        }
    }
    Ok(if length <= max { Came::Whole(content.freeze()) } else { Came::TooLarge })
}

/// How much of a body is sent at a time.
const PIECE: usize = 16 << 10;

/// A body that is sent piece by piece; `done` is dropped with it, when it was sent or its connection ended.
pub(crate) struct Watched<T> {
    body: Body,
    rest: Bytes,
    _done: T,
}

impl<T> Watched<T> {
    pub(crate) fn new(body: Body, done: T) -> Self {
        Self { body, rest: Bytes::new(), _done: done }
    }
}

impl<T: Unpin> hyper::body::Body for Watched<T> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                other => return other,
            }
        }
        let piece = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), u64::try_from(self.rest.len()).unwrap_or_default());
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(rest));
        }
        whole
    }
}
