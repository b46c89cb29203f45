//! Answers whose bodies are read piece by piece.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use cometly_core::{AuthOutcome, Call};
use futures_lite::future::block_on;

use super::Client;
use crate::Error;

impl Client {
    /// Sends a call and hands the body of a success on in pieces, as [`stream`](crate::Client::stream) of the async client.
    ///
    /// # Errors
    /// As [`send`](Client::send).
    pub fn stream(&self, call: Call) -> Result<AuthOutcome<Body>, Error> {
        Ok(block_on(self.client.stream(call))?.map(|body| Body { body, piece: Bytes::new() }))
    }
}

/// The body of a success, as it comes in; from [`Client::stream`]. Holds no more of it than a piece.
#[derive(Debug)]
pub struct Body {
    body: crate::Body,
    /// What came and is not read yet.
    piece: Bytes,
}

impl Body {
    /// Reads a piece; 0 bytes are the end.
    ///
    /// # Errors
    /// As [`next_chunk`](crate::Body::next_chunk) of the async client.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.piece.is_empty() {
            self.piece = block_on(self.body.next_chunk())?.unwrap_or_default();
        }
        let len = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..len).unwrap_or_default());
        Ok(len)
    }
}

/// What has come and is not read yet.
impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        if self.piece.is_empty() { self.body.as_ref() } else { &self.piece }
    }
}

/// The error is an [`Error`] within an [`io::Error`].
impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer).map_err(io::Error::other)
    }
}
