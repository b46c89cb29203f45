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
const MOST_READ: usize = 16_384;

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

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::TcpListener, thread, time::Duration};

    use cometly_core::{Api, ApiKey, CallErrorKind, RetryPolicy};

    use super::*;
    use crate::{Client, Error as CallError};

    /// A call through a proxy that answers so, in pieces, and then leaves the connection open.
    fn through(pieces: Vec<Vec<u8>>) -> CallError {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _head = stream.read(&mut [0; 4096]).unwrap();
            for piece in pieces {
                // The client leaves when it has had enough.
                let _ = stream.write_all(&piece);
                thread::sleep(Duration::from_millis(50));
            }
            let _ = stream.read(&mut [0; 4096]);
            thread::sleep(Duration::from_secs(10));
        });
        let client = Client::builder().proxy(&proxy).retry_policy(RetryPolicy::none());
        let client = client.attempt_timeout(Duration::from_secs(2)).build().unwrap();
        let api =
            Api::builder(ApiKey::new("1|canary").unwrap()).base_url("https://127.0.0.1:1".parse().unwrap()).build();
        client.send(api.get("events")).unwrap_err()
    }

    /// A head of this many bytes, without its end.
    fn head(len: usize) -> Vec<u8> {
        let mut head = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        head.resize(len, b'x');
        head
    }

    #[test]
    fn a_proxys_answer_without_an_end_is_no_http() {
        let error = through(vec![head(MOST_READ), vec![b'x'; 1000], vec![b'x'; 1000]]);
        assert!(matches!(error.kind(), CallErrorKind::Proxy(_)), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.ends_with("answered CONNECT with what is not HTTP"), "{source}");
    }

    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    #[test]
    fn the_largest_head_of_a_proxy_is_read_to_its_end() {
        // Behind the tunnel nothing speaks TLS.
        let error = through(vec![head(MOST_READ), b"\r\n\r\nno TLS".to_vec()]);
        assert_eq!(
            (error.kind(), error.delivery()),
            (CallErrorKind::Transport, Some(cometly_core::Delivery::NotSent)),
            "{error:?}"
        );
    }
}
