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
pub(crate) const FRAME: usize = 16_384;

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

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Waker};

    use super::*;

    /// The length of the next frame; `None` behind the last one.
    fn next(frames: &mut Frames) -> Option<Result<usize, String>> {
        let polled = Pin::new(frames).poll_frame(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(frame) = polled else { panic!("there is nothing to wait for") };
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap().len()).map_err(|error| error.to_string()))
    }

    #[test]
    fn a_body_is_given_in_frames_as_long_as_its_call_is_under_way() {
        let call = Arc::new(());
        let frames = || Frames::new(Bytes::from(vec![b'x'; FRAME + 1]), Arc::downgrade(&call));
        let mut whole = frames();
        assert_eq!((whole.size_hint().exact(), whole.is_end_stream()), (Some(16_385), false));
        assert_eq!((next(&mut whole), whole.size_hint().exact()), (Some(Ok(FRAME)), Some(1)));
        assert_eq!((next(&mut whole), whole.is_end_stream()), (Some(Ok(1)), true));
        assert_eq!(next(&mut whole), None);

        let mut given_up = frames();
        assert_eq!(next(&mut given_up), Some(Ok(FRAME)));
        drop(call);
        assert_eq!(next(&mut given_up), Some(Err("the call was given up".to_owned())));
        assert_eq!(next(&mut given_up), None);
    }
}
