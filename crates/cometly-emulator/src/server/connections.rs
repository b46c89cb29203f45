//! HTTP/1.1 by hyper, on one thread.

use std::io;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::backend::{Backend, Outcome};
use crate::control::Control;
use crate::downloads::Downloads;
use crate::faults::delivery::{self, Body, Breaker};
use crate::path::is_control;
use crate::server::body::{Came, Watched, read};
use crate::server::budget::{Budget, Share};
use crate::server::limits;
use crate::server::table::{Pulse, Table};
use crate::server::wire::Wire;

/// What a listener is for.
#[derive(Clone, Copy)]
enum Host {
    Api,
    /// Downloads of exports.
    Files,
}

/// All that answers.
pub(crate) struct Server {
    pub(crate) backend: Arc<Backend>,
    pub(crate) downloads: Arc<Downloads>,
    pub(crate) control: Control,
    /// How many bytes a body may have.
    pub(crate) max_body: usize,
    table: Table,
    bodies: Budget,
    bodies_of_strangers: Budget,
    answers: Budget,
}

impl Server {
    pub(crate) fn new(backend: Arc<Backend>, downloads: Arc<Downloads>, control: Control, max_body: usize) -> Self {
        Self {
            backend,
            downloads,
            control,
            max_body,
            table: Table::new(limits::CONNECTIONS),
            bodies: Budget::new(limits::BODIES.max(max_body)),
            bodies_of_strangers: Budget::new(limits::BODIES_OF_STRANGERS),
            answers: Budget::new(limits::ANSWERS),
        }
    }
}

/// Serves until `stopped`, after saying in `report` whether it could begin.
pub(crate) fn run(
    listener: std::net::TcpListener,
    files: std::net::TcpListener,
    server: Server,
    report: &mpsc::Sender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let server = Arc::new(server);
    let begin = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        for (listener, host) in [(listener, Host::Api), (files, Host::Files)] {
            listener.set_nonblocking(true)?;
            runtime.spawn(accept(TcpListener::from_std(listener)?, host, Arc::clone(&server)));
        }
        Ok(runtime)
    };
    match begin() {
        Ok(runtime) => {
            // The receiver may be gone; then the sender of `stopped` is gone too.
            let _ = report.send(Ok(()));
            // It is dropped, not sent to. Shutting the runtime down then closes every connection.
            let _ = runtime.block_on(stopped);
        }
        Err(error) => drop(report.send(Err(error))),
    }
}

async fn accept(listener: TcpListener, host: Host, server: Arc<Server>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The process is out of file descriptors, most likely: a quiet connection gives its own up.
            server.table.make_room(Duration::from_secs(1));
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Answers are small, and tests are many.
        let _ = stream.set_nodelay(true);
        let (place, closed) = server.table.enter();
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let breaker = Breaker::default();
            let wire = Wire::new(stream, breaker.clone(), place.pulse.clone(), limits::WRITE);
            tokio::select! {
                () = converse(wire, host, &server, &breaker, &place.pulse) => {}
                _ = closed => {}
            }
            drop(place);
        });
    }
}

async fn converse(wire: Wire, host: Host, server: &Arc<Server>, breaker: &Breaker, pulse: &Pulse) {
    let service = service_fn(async |request: Request<Incoming>| respond(server, host, request, breaker, pulse).await);
    // hyper keeps header names in lower case; title case is as near to Symfony's spelling as it gets.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(wire), service);
    // A connection that breaks is its client's affair.
    let _ = connection.await;
}

async fn respond(
    server: &Arc<Server>,
    host: Host,
    request: Request<Incoming>,
    breaker: &Breaker,
    pulse: &Pulse,
) -> io::Result<Response<Body>> {
    let began = Instant::now();
    if matches!(host, Host::Api) && is_control(request.uri().path()) {
        let answer = timeout(limits::BODY, server.control.answer(request)).await?;
        return Ok(answer.map(|body| body.map_err(io::Error::other).boxed_unsync()));
    }
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let has_key = matches!(host, Host::Api) && server.backend.knows_key_of(&parts);
    let (body, share) = timeout(limits::BODY, receive(server, has_key, body)).await??;
    let answering = has_key.then(|| pulse.answering());
    let Outcome { answer, sending, number } = match host {
        Host::Api => server.backend.answer(parts, body, began).await,
        Host::Files => server.downloads.answer(parts, body, began).await,
    };
    drop(share);
    let sent = Sent { server: Arc::clone(server), host, number, began };
    // A file is shared by all who download it, and small answers are bounded by the number of connections.
    let is_large = matches!(host, Host::Api) && answer.body().len() > limits::SMALL_ANSWER;
    let share = if is_large { room_for(server, answer.body().len()).await } else { None };
    let answer = delivery::send(answer, sending, &method, breaker).await?;
    Ok(answer.map(|body| Watched::new(body, (sent, share, answering)).boxed_unsync()))
}

/// The body, unless it is too large. It is kept if its sender has a key, or if it is small.
async fn receive(server: &Server, has_key: bool, body: Incoming) -> io::Result<(Option<Bytes>, Option<Share>)> {
    use hyper::body::Body as _;
    let max = server.max_body;
    if body.is_end_stream() {
        return Ok((Some(Bytes::new()), None));
    }
    let length = body.size_hint().upper().and_then(|length| usize::try_from(length).ok()).unwrap_or(max).min(max);
    let (share, kept) = if has_key {
        (server.bodies.take(length).await, max)
    } else {
        let share = server.bodies_of_strangers.try_take(length.min(limits::BODY_OF_A_STRANGER));
        let kept = if share.is_some() { limits::BODY_OF_A_STRANGER } else { 0 };
        (share, kept)
    };
    Ok(match read(body, max, kept).await? {
        Came::Whole(body) => (Some(body), share),
        Came::TooLarge => (None, None),
    })
}

/// Waits until `bytes` of an answer fit into the budget, and closes connections whose clients read nothing for it.
async fn room_for(server: &Server, bytes: usize) -> Option<Share> {
    loop {
        match timeout(Duration::from_millis(100), server.answers.take(bytes)).await {
            Ok(share) => return share,
            Err(_) => server.table.close_the_stuck(Duration::from_secs(1)),
        }
    }
}

/// Says so when it is dropped: the answer was sent, or will not be.
struct Sent {
    server: Arc<Server>,
    host: Host,
    number: u64,
    began: Instant,
}

impl Drop for Sent {
    fn drop(&mut self) {
        if matches!(self.host, Host::Api) {
            self.server.backend.sent(self.number, self.began.elapsed());
        }
    }
}
