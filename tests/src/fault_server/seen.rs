//! What a server of a case saw, for the report of a case that fails: no header and no body, since a key may be in them.

use super::Received;

/// What a server saw so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Which server.
    pub(crate) server: String,
    /// How many connections were made; `None` if they are not counted.
    pub(crate) connections: Option<usize>,
    /// How many requests were read; `None` if none is read as such.
    pub(crate) arrivals: Option<u64>,
    /// Those that were kept.
    pub(crate) requests: Vec<SeenRequest>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequest {
    /// Method and path, without the query.
    pub(crate) line: String,
    pub(crate) body_len: usize,
    /// The number of the connection, from 0, if connections are counted.
    pub(crate) connection: Option<usize>,
}

/// A server whose record outlives it.
pub(crate) trait Watched {
    /// What it saw so far.
    fn seen(&self) -> Seen;
}

impl SeenRequest {
    pub(super) fn of(received: &Received) -> Self {
        let line = received.request_line();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        Self { line: format!("{method} {path}"), body_len: received.body_len, connection: Some(received.connection) }
    }
}
