//! A port of loopback that is closed.

use std::{io, net::SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port that refuses every connection. It stays taken until this is dropped, or another server might be given it.
///
/// ```
/// use std::{io::ErrorKind, net::{TcpListener, TcpStream}};
/// use cometly_conformance::fault_server::ClosedPort;
///
/// let port = ClosedPort::bind()?;
/// assert_eq!(TcpStream::connect(port.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
/// assert_eq!(TcpListener::bind(port.address()).unwrap_err().kind(), ErrorKind::AddrInUse);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ClosedPort {
    address: SocketAddr,
    _socket: Socket,
}

impl ClosedPort {
    /// One on loopback.
    ///
    /// # Errors
    /// If no port can be had.
    pub fn bind() -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, _socket: socket })
    }

    /// Where a connection is refused.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as the base URL of an API.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/public-api/v1", self.address)
    }
}
