//! The sockets: HTTP/1.1 by hyper, on one thread.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use crate::backend::Backend;
use crate::control::{self, STREAM};
use crate::faults::delivery::{self, Body, Sending};
use crate::faults::reset::{Breaker, Wire};

/// Connections beyond these wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;
/// A connection on which nothing complete arrives for so long is closed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of a body that is too large is read and thrown away, so that its sender gets to read the 413.
const MAX_DISCARDED: usize = 64 << 20;

/// What a listener is for.
#[derive(Clone, Copy)]
enum Host {
    Api,
    /// Downloads of exports.
    Files,
}

/// Serves until `stopped`, after saying in `report` whether it could begin.
pub(crate) fn run(
    listener: std::net::TcpListener,
    files: std::net::TcpListener,
    backend: Arc<Backend>,
    report: &mpsc::Sender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let begin = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        for (listener, host) in [(listener, Host::Api), (files, Host::Files)] {
            listener.set_nonblocking(true)?;
            runtime.spawn(accept(TcpListener::from_std(listener)?, host, Arc::clone(&backend)));
        }
        Ok(runtime)
    };
    match begin() {
        Ok(runtime) => {
            // Whoever waited for this may be gone, and then so is the other end of `stopped`.
            let _ = report.send(Ok(()));
            // It is dropped, not sent to. Dropping the runtime then closes every connection.
            let _ = runtime.block_on(stopped);
        }
        Err(error) => drop(report.send(Err(error))),
    }
}

async fn accept(listener: TcpListener, host: Host, backend: Arc<Backend>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let backend = Arc::clone(&backend);
                tokio::spawn(async move {
                    converse(stream, host, &backend).await;
                    drop(place);
                });
            }
            // The process is out of file descriptors, most likely: someone has to close one first.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, host: Host, backend: &Backend) {
    // Answers are small, and tests are many.
    let _ = stream.set_nodelay(true);
    let breaker = Breaker::default();
    let service = service_fn(async |request: Request<Incoming>| respond(backend, host, request, &breaker).await);
    // hyper keeps header names in lower case; title case is as near to Symfony's spelling as it gets.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Wire::new(stream, breaker.clone())), service);
    // A connection that breaks is its client's affair.
    let _ = connection.await;
}

async fn respond(
    backend: &Backend,
    host: Host,
    request: Request<Incoming>,
    breaker: &Breaker,
) -> io::Result<http::Response<Body>> {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    if matches!(host, Host::Api) && control::is_here(parts.uri.path()) {
        if parts.uri.path() == STREAM {
            return Ok(control::open(backend, &parts));
        }
        let body = timeout(PATIENCE, read(body, control::MAX_BODY)).await??;
        let answer = control::answer(backend, &parts, body.as_ref());
        return delivery::send(answer, Sending::Whole, &parts.method, breaker).await;
    }
    let method = parts.method.clone();
    let body = timeout(PATIENCE, read(body, backend.max_body)).await??;
    let (answer, sending) = match host {
        Host::Api => backend.answer(parts, body, began),
        Host::Files => (backend.answer_file(parts, body, began), Sending::Whole),
    };
    delivery::send(answer, sending, &method, breaker).await
}

/// The body, or `None` if it has more than `max` bytes.
async fn read(mut body: Incoming, max: usize) -> io::Result<Option<Bytes>> {
    let mut kept = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        let data = frame.into_data().unwrap_or_default();
        length = length.saturating_add(data.len());
        if length <= max {
            kept.extend_from_slice(&data);
        } else if length <= MAX_DISCARDED.saturating_add(max) {
            kept = BytesMut::new();
        } else {
            break;
        }
    }
    Ok((length <= max).then(|| kept.freeze()))
}
