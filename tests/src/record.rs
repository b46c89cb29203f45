//! What happened in a case: which calls were made, what the client returned, and what the servers read. For the report of a case
//! that fails.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt::{self, Write as _},
    sync::Arc,
};

use cometly_emulator::Emulator;

use crate::{
    fault_server::{Seen, SeenRequest, Watched},
    transport::Sent,
};

/// How many of the last calls, and of each server's last requests, are shown.
const SHOWN: usize = 20;

/// The longest line of what a client returned.
const LINE: usize = 600;

/// What happened so far. Does not look for keys: its reader masks them.
#[derive(Default)]
pub(crate) struct Record {
    calls: RefCell<Calls>,
    servers: RefCell<Vec<Box<dyn Watched>>>,
    figures: RefCell<Vec<String>>,
}

#[derive(Default)]
struct Calls {
    count: usize,
    last: VecDeque<String>,
}

impl Record {
    /// Adds a call by its name, and what came of it.
    pub(crate) fn call(&self, name: &str, sent: &Sent) {
        self.line(format!("{name} -> {}", returned(sent)));
    }

    /// Adds a call of which the case says itself what came of it.
    pub(crate) fn line(&self, mut line: String) {
        line = line.replace('\n', " ");
        if let Some((end, _)) = line.char_indices().nth(LINE) {
            line.truncate(end);
            line.push('…');
        }
        let mut calls = self.calls.borrow_mut();
        calls.count = calls.count.saturating_add(1);
        if calls.last.len() == SHOWN {
            calls.last.pop_front();
        }
        calls.last.push_back(line);
    }

    /// Adds what was measured.
    pub(crate) fn figures(&self, line: &str) {
        self.figures.borrow_mut().push(line.to_owned());
    }

    /// Adds a server.
    pub(crate) fn watch(&self, server: Box<dyn Watched>) {
        self.servers.borrow_mut().push(server);
    }
}

/// In a line or two: an answer or its absence, and how often the call was sent.
fn returned(sent: &Sent) -> String {
    match sent {
        Ok(outcome) => match outcome.error() {
            None => format!("a success, {outcome}"),
            Some(error) => {
                format!(
                    "{:?} (status {}, attempts {}): {error}",
                    error.kind(),
                    outcome.status().as_u16(),
                    error.attempts()
                )
            }
        },
        Err(error) => format!(
            "{:?} (delivery {}, attempts {}): {error}",
            error.kind(),
            error.delivery().map_or("none".to_owned(), |delivery| format!("{delivery:?}")),
            error.attempts()
        ),
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls.borrow();
        writeln!(f, "calls of the case, and what the client returned: {}", last(calls.count, calls.last.len()))?;
        for line in &calls.last {
            writeln!(f, "    {line}")?;
        }
        for server in self.servers.borrow().iter() {
            write_seen(f, &server.seen())?;
        }
        for line in self.figures.borrow().iter() {
            writeln!(f, "measured: {line}")?;
        }
        Ok(())
    }
}

fn last(count: usize, shown: usize) -> String {
    if count > shown { format!("{count}, the last {shown} of them") } else { count.to_string() }
}

fn write_seen(f: &mut fmt::Formatter<'_>, seen: &Seen) -> fmt::Result {
    let mut counts = Vec::new();
    counts.extend(seen.arrivals.map(|count| format!("requests: {count}")));
    counts.extend(seen.connections.map(|count| format!("connections: {count}")));
    writeln!(f, "arrived at {}: {}", seen.server, counts.join(", "))?;
    let skipped = seen.requests.len().saturating_sub(SHOWN);
    if skipped > 0 {
        writeln!(f, "    … {skipped} more before these")?;
    }
    for SeenRequest { line, body_len, connection } in seen.requests.iter().skip(skipped) {
        let mut on = String::new();
        if let Some(number) = connection {
            write!(on, ", on connection {number}")?;
        }
        writeln!(f, "    {line}, a body of {body_len} bytes{on}")?;
    }
    Ok(())
}

impl Watched for Arc<Emulator> {
    fn seen(&self) -> Seen {
        let request = |received: cometly_emulator::ReceivedRequest| SeenRequest {
            line: format!("{} {} -> {}", received.method, received.path, received.status.as_u16()),
            body_len: received.body.len(),
            connection: None,
        };
        Seen {
            server: format!("the emulator at {}", self.base_url()),
            connections: None,
            arrivals: Some(self.request_count()),
            requests: self.received_requests().into_iter().map(request).collect(),
        }
    }
}
