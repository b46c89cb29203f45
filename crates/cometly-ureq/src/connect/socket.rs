//! A TCP connection, each of whose reads and writes ends at the deadline: also the second half of a write that was taken
//! in part, for which ureq's own socket begins the whole time-out anew.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Weak},
    time,
};

use ureq::{
    Error,
    unversioned::transport::{Buffers, LazyBuffers, NextTimeout, ShutdownHandle, Transport, time::Duration},
};

use super::deadline::Deadline;

pub(super) struct Socket {
    /// Shared with its shutdown handle.
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    deadline: Deadline,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, buffers: LazyBuffers, deadline: Deadline) -> Self {
        Self { stream: Arc::new(stream), buffers, deadline }
    }

    /// By which [`ureq::Agent::shutdown`] ends it.
    pub(super) fn shutdown_handle(&self) -> Weak<dyn ShutdownHandle> {
        let weak: Weak<TcpStream> = Arc::downgrade(&self.stream);
        weak
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.deadline.passed(),
            _ => error.into(),
        }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let mut at = 0;
        while at < amount {
            self.stream.set_write_timeout(exact(self.deadline.left()?))?;
            let output = self.buffers.output().get(at..amount).unwrap_or_default();
            match (&*self.stream).write(output) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => {
                    self.deadline.count_written(written);
                    at = at.saturating_add(written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        loop {
            self.stream.set_read_timeout(exact(self.deadline.left_to_read()?))?;
            match (&*self.stream).read(self.buffers.input_append_buf()) {
                Ok(read) => {
                    self.buffers.input_appended(read);
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    /// Whether nothing came unasked: neither bytes nor an end.
    fn is_open(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let is_silent = matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        is_silent && self.stream.set_nonblocking(false).is_ok()
    }
}

fn exact(timeout: NextTimeout) -> Option<time::Duration> {
    match timeout.after {
        Duration::Exact(left) => Some(left),
        Duration::NotHappening => None,
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("peer", &self.stream.peer_addr().ok()).finish_non_exhaustive()
    }
}
