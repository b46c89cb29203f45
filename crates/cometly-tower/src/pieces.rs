//! A response's body, read piece by piece, whatever it does.

use std::{future::poll_fn, pin::Pin};

use cometly_core::{Delivery, Moment, TransportError, TransportLimits, bytes::Buf, http::StatusCode};
use http_body::{Body, Frame};

use crate::{
    BoxError, Host, ServiceError,
    clock::{Clock, before, yield_now},
    error::Failure,
};

/// After this many pieces of a body, others have their turn: a body of endless empty pieces never waits by itself.
const PIECES_PER_TURN: u8 = 32;

pub(crate) struct Pieces<B> {
    body: Pin<Box<B>>,
    limits: TransportLimits,
    status: StatusCode,
    /// How many were asked for since others had their turn.
    asked: u8,
}

impl<B: Body<Error: Into<BoxError>>> Pieces<B> {
    pub(crate) fn new(body: B, limits: TransportLimits, status: StatusCode) -> Self {
        Self { body: Box::pin(body), limits, status, asked: 0 }
    }

    /// Adds the next piece to what was `read`; `false` at the end of the body. A future that is dropped loses nothing.
    ///
    /// # Errors
    /// If the body fails, `read` becomes larger than a body may be, or the deadline passes.
    pub(crate) async fn next<H: Host>(
        &mut self,
        clock: &mut Clock<H>,
        end: Moment,
        mut deadline: Pin<&mut impl Future<Output = ()>>,
        read: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        let before_it = read.len();
        loop {
            // A body that always has another piece gives the deadline no turn.
            let has_turn = if self.asked < PIECES_PER_TURN {
                clock.now() < end
            } else {
                self.asked = 0;
                before(deadline.as_mut(), yield_now()).await.is_some()
            };
            self.asked = self.asked.saturating_add(1);
            let piece = poll_fn(|context| {
                let frame = self.body.as_mut().poll_frame(context);
                frame.map(|frame| frame.map(|frame| take(frame, &self.limits, self.status, read)))
            });
            match if has_turn { before(deadline.as_mut(), piece).await } else { None } {
                Some(None) => return Ok(false),
                Some(Some(Ok(()))) if read.len() == before_it => {}
                Some(Some(taken)) => return taken.map(|()| true),
                None => {
                    clock.pass(end);
                    return Err(TransportError::timed_out(Delivery::Unknown));
                }
            }
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
