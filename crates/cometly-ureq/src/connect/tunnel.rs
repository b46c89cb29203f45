//! A tunnel through a proxy (`CONNECT`, RFC 9110 §9.3.6). ureq's own gives an answer that comes byte by byte a time-out for
//! each byte, gives up at twenty header lines, and has no type for a refusal.

use std::io::{self, Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use cometly_core::ProxyUrl;
use http::StatusCode;
use ureq::{
    Error,
    unversioned::transport::{Buffers, ConnectionDetails, NextTimeout, Transport, TransportAdapter},
};

use super::place::{NotConnected, Place};

/// The most bytes of the proxy's answer that are read.
const MOST_READ: usize = 16 * 1024;

/// What a transport to the proxy becomes once the tunnel is open: one to the target, which TLS has yet to be added to.
#[derive(Debug)]
pub(super) struct Tunnel(Box<dyn Transport>);

pub(super) fn tunnel(
    to_proxy: Box<dyn Transport>,
    details: &ConnectionDetails<'_>,
    proxy: &ProxyUrl,
) -> Result<Tunnel, NotConnected> {
    let failed = |error: Error| Place::Dial.failed(error).through(proxy);
    let host = details.uri.host().ok_or_else(|| failed(Error::HostNotFound))?;
    let port = details.uri.port_u16().unwrap_or(443);
    let mut writer = TransportAdapter::new(to_proxy, details.current_time.clone());
    writer.set_timeout(details.timeout);
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some((user, password)) = proxy.credentials() {
        head.push_str("Proxy-Authorization: Basic ");
        BASE64_STANDARD.encode_string(format!("{user}:{password}"), &mut head);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    writer.write_all(head.as_bytes()).map_err(|error| failed(error.into()))?;
    let mut transport = writer.into_inner();
    let status = read_status(&mut *transport, details.timeout).map_err(failed)?;
    match status {
        Some(status) if status.is_success() => Ok(Tunnel(transport)),
        refused => Err(Place::Proxy(refused).failed(Error::ConnectionFailed).through(proxy)),
    }
}

/// The status of the proxy's last answer; `None` if that is not HTTP.
fn read_status(transport: &mut dyn Transport, timeout: NextTimeout) -> Result<Option<StatusCode>, Error> {
    loop {
        let is_more = transport.maybe_await_input(timeout)?;
        let buffers = transport.buffers();
        let input = buffers.input();
        let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
            if input.len() > MOST_READ {
                return Ok(None);
            }
            if !is_more {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection unasked").into());
            }
            // Nothing of it is used, so more is waited for.
            buffers.input_consume(0);
            continue;
        };
        let status = status(input);
        buffers.input_consume(end.saturating_add(4));
        // RFC 9110 §15.2: what is only informational is passed over.
        if !status.is_some_and(|status| status.is_informational()) {
            return Ok(status);
        }
    }
}

fn status(head: &[u8]) -> Option<StatusCode> {
    let rest = head.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    StatusCode::from_bytes(rest.get(..3)?).ok()
}

impl Transport for Tunnel {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }
}
