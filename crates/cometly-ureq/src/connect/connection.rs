//! A connection as ureq uses it: sets the deadline for the layers below, and lets no broken end pass for the end of a
//! body.

use std::io;

use ureq::{
    Error,
    unversioned::transport::{Buffers, NextTimeout, Transport},
};

use super::deadline::Deadline;

#[derive(Debug)]
pub(super) struct Connection {
    inner: Box<dyn Transport>,
    deadline: Deadline,
}

impl Connection {
    pub(super) fn new(inner: Box<dyn Transport>, deadline: Deadline) -> Self {
        Self { inner, deadline }
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.deadline.set(timeout);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.deadline.set(timeout);
        self.inner.await_input(timeout).map_err(broken)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// ureq takes an error of these kinds for the end of a body that tells no length: a reset, and TLS that ends without
/// `close_notify`. A body that may be half of one is none.
fn broken(error: Error) -> Error {
    match error {
        Error::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {
                Error::Io(io::Error::other(error))
            }
            _ => Error::Io(error),
        },
        error => error,
    }
}
