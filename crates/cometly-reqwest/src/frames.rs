//! A large body, in frames that are given only while their call is under way.
//!
//! hyper goes on to send a body after the call was dropped or timed out, up to its end. A frame that is refused ends the
//! connection instead: of such a call, no more goes out than was buffered.

use std::{
    fmt,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The bytes of a frame.
pub(crate) const FRAME: usize = 16 * 1024;

pub(crate) struct Frames {
    left: Bytes,
    call: Weak<()>,
}

/// The call is over, and nothing more of its body is sent.
#[derive(Debug)]
pub(crate) struct Gone;

impl Frames {
    /// `body`, until the last `Arc` of this call is gone.
    pub(crate) fn new(body: Bytes, call: Weak<()>) -> Self {
        Self { left: body, call }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Gone;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Gone>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if self.call.strong_count() == 0 {
            self.left.clear();
            return Poll::Ready(Some(Err(Gone)));
        }
        let len = FRAME.min(self.left.len());
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(len)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was given up")
    }
}

impl std::error::Error for Gone {}
