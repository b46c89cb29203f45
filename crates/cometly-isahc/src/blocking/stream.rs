//! Answers whose bodies are read piece by piece.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use cometly_core::{AuthOutcome, Call};
use futures_lite::future::block_on;

use super::Client;
use crate::Error;

impl Client {
    /// Sends a call and gives the body of a success in pieces as they come in; any other answer is read to its end before this
    /// returns. Each piece may take [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, and
    /// the body may be as large as [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default. If the body
    /// breaks off, the call is not sent again.
    ///
    /// # Errors
    /// As [`send`](Client::send), up to the beginning of the body: [`CallError`](cometly_core::CallError) if no answer came, or
    /// the call cannot be built. A body that breaks off later is an error of reading it.
    pub fn stream(&self, call: Call) -> Result<AuthOutcome<Body>, Error> {
        Ok(block_on(self.client.stream(call))?.map(|body| Body { body, piece: Bytes::new() }))
    }
}

/// The body of a success, read in pieces as they come in, by [`try_read`](Self::try_read) or [`Read`]; from [`Client::stream`].
/// It keeps no more of the body in memory than a piece. Reading fails with an [`Error`], then and later, if the body breaks
/// off, if it is silent for [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, or if it is
/// longer than [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default.
///
/// Its `as_ref` gives the bytes that have come in and were not read yet.
#[derive(Debug)]
pub struct Body {
    body: crate::Body,
    /// What came and is not read yet.
    piece: Bytes,
}

impl Body {
    /// Blocks until bytes of the body have come, reads them into `buffer` and gives their number; 0 at the end of the body,
    /// and for an empty `buffer`.
    ///
    /// # Errors
    /// [`CallError`](cometly_core::CallError) if the body breaks off, if no piece comes within
    /// [`attempt_timeout`](crate::ClientBuilder::attempt_timeout), 30 s if that is not set, or if the whole body is longer than
    /// [`max_body_size`](crate::ClientBuilder::max_body_size), 32 MiB by default. Every later call fails too.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.piece.is_empty() {
            self.piece = block_on(self.body.next_chunk())?.unwrap_or_default();
        }
        let len = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..len).unwrap_or_default());
        Ok(len)
    }
}

/// The bytes that have come in and were not read yet.
impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        if self.piece.is_empty() { self.body.as_ref() } else { &self.piece }
    }
}

/// Reads as [`try_read`](Self::try_read) does, within the same time-out, and fails where that fails. The [`io::Error`] has the
/// [`Error`] within, which [`io::Error::downcast`] gives back.
impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}
