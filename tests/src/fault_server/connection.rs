//! One connection: read a request, do what the script says, and again.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Act, Log, Received, Script, lock};

/// The most bytes of a head that are read, and of a body that are kept.
const KEPT: usize = 64 * 1024;

trait Wire: Read + Write + Send {
    /// Says that nothing more comes, where there are words for it.
    fn say_goodbye(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire for TcpStream {}

impl Wire for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn say_goodbye(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

pub(super) fn serve(
    tcp: TcpStream,
    id: usize,
    script: &Script,
    tls: Option<Arc<rustls::ServerConfig>>,
    log: &Log,
) -> io::Result<()> {
    let socket = tcp.try_clone()?;
    let mut wire: Box<dyn Wire> = match tls {
        None => Box::new(tcp),
        Some(config) => Box::new(shake_hands(tcp, config, log)?),
    };
    let mut unread = Vec::new();
    while !log.is_over() {
        let Some(head) = read_head(&mut *wire, &mut unread)? else { return Ok(()) };
        let mut received = Received { head, connection: id, ..Received::default() };
        let number = log.begun.fetch_add(1, Ordering::SeqCst);
        let answer = script.answer(number, &received);
        if answer.reads_body {
            read_body(&mut *wire, &mut unread, &mut received)?;
        }
        lock(&log.requests).push(received);
        log.arrivals.fetch_add(1, Ordering::SeqCst);
        for act in &answer.acts {
            match act {
                Act::Write(bytes) => wire.write_all(bytes).and_then(|()| wire.flush())?,
                Act::Pause(duration) => log.pause(*duration),
                Act::Repeat { bytes, every, times } => {
                    for _ in 0..*times {
                        wire.write_all(bytes).and_then(|()| wire.flush())?;
                        log.pause(*every);
                    }
                }
                Act::Hold(at_most) => return hold(&mut *wire, &socket, *at_most),
                Act::Close | Act::Cut => {
                    if matches!(act, Act::Close) {
                        wire.say_goodbye()?;
                    }
                    // What the client still writes is read, or the kernel would make a reset of the close.
                    socket.shutdown(Shutdown::Write)?;
                    return hold(&mut *wire, &socket, Duration::from_secs(2));
                }
                Act::Reset => {
                    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
                    log.close(id);
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn shake_hands(
    mut tcp: TcpStream,
    config: Arc<rustls::ServerConfig>,
    log: &Log,
) -> io::Result<rustls::StreamOwned<rustls::ServerConnection, TcpStream>> {
    let mut tls = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
    let shaken = loop {
        if !tls.is_handshaking() {
            break Ok(());
        }
        if let Err(error) = tls.complete_io(&mut tcp) {
            break Err(error);
        }
    };
    let protocol = tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    lock(&log.alpn).push(protocol);
    if let Err(error) = shaken {
        log.failed_handshakes.fetch_add(1, Ordering::SeqCst);
        return Err(error);
    }
    Ok(rustls::StreamOwned::new(tls, tcp))
}

/// Reads until the client leaves, or for so long.
fn hold(wire: &mut dyn Wire, socket: &TcpStream, at_most: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(at_most))?;
    let mut sink = [0; 4096];
    while wire.read(&mut sink)? > 0 {}
    Ok(())
}

/// Up to the empty line; `None` if the client leaves before.
fn read_head(wire: &mut dyn Wire, unread: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = unread.split_off(end.saturating_add(4));
            return Ok(Some(std::mem::replace(unread, rest)));
        }
        if unread.len() > KEPT || fill(wire, unread)? == 0 {
            return Ok(None);
        }
    }
}

fn read_body(wire: &mut dyn Wire, unread: &mut Vec<u8>, received: &mut Received) -> io::Result<()> {
    if received.header("transfer-encoding").iter().any(|value| value.eq_ignore_ascii_case("chunked")) {
        // The only chunks that a transport of ours sends are none.
        const NONE: &[u8] = b"0\r\n\r\n";
        while unread.len() < NONE.len() {
            if fill(wire, unread)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return match unread.strip_prefix(NONE).map(<[u8]>::to_vec) {
            Some(rest) => {
                *unread = rest;
                Ok(())
            }
            None => Err(io::Error::other("chunks with something in them")),
        };
    }
    let len = received.header("content-length").first().and_then(|value| value.parse().ok()).unwrap_or_default();
    while received.body_len < len {
        if unread.is_empty() && fill(wire, unread)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = unread.len().min(len.saturating_sub(received.body_len));
        let rest = unread.split_off(taken);
        received.body_len = received.body_len.saturating_add(taken);
        let room = KEPT.saturating_sub(received.body.len());
        received.body.extend(unread.iter().take(room));
        *unread = rest;
    }
    Ok(())
}

fn fill(wire: &mut dyn Wire, unread: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let read = wire.read(&mut buffer)?;
    unread.extend(buffer.iter().take(read));
    Ok(read)
}
