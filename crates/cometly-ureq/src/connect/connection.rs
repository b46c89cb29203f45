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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use ureq::unversioned::transport::LazyBuffers;

    use super::*;
    use crate::connect::socket::Socket;

    #[test]
    fn a_connection_is_encrypted_if_its_transport_is_and_open_until_its_peer_says_something() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let deadline = Deadline::new(NextTimeout::default());
        let socket = Socket::new(stream, LazyBuffers::new(1024, 1024), deadline.clone());
        let mut connection = Connection::new(socket.boxed(), deadline);
        assert!(!connection.is_tls() && connection.is_open());
        let shown = format!("{connection:?}");
        assert!(shown.contains("Socket { peer: Some(127.0.0.1:"), "{shown}");
        io::Write::write_all(&mut peer, b"unasked").unwrap();
        let is_told = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !connection.is_open()
        });
        assert!(is_told, "bytes that were not asked for are in the socket");
    }

    #[test]
    fn no_broken_end_passes_for_the_end_of_a_body() {
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset] {
            let Error::Io(error) = broken(Error::Io(kind.into())) else { panic!("{kind} became another error") };
            assert_eq!(error.kind(), io::ErrorKind::Other, "{kind}");
        }
        let kept = broken(Error::Io(io::ErrorKind::TimedOut.into()));
        assert!(matches!(&kept, Error::Io(error) if error.kind() == io::ErrorKind::TimedOut), "{kept:?}");
        assert!(matches!(broken(Error::HostNotFound), Error::HostNotFound));
    }
}
