//! What the server does when a request has come.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;

/// One thing that the server does on a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Act {
    /// Writes these bytes.
    Write(Bytes),
    /// Does nothing for a while.
    Pause(Duration),
    /// Writes these bytes again and again.
    Repeat {
        /// What is written.
        bytes: Bytes,
        /// The time between two writes.
        every: Duration,
        /// How often at most.
        times: usize,
    },
    /// Waits for the client to leave, at most so long.
    Hold(Duration),
    /// Ends the connection in an orderly way (FIN, and before it a TLS `close_notify`).
    Close,
    /// Ends the connection without a TLS `close_notify`, as a cut line does (FIN alone).
    Cut,
    /// Breaks the connection (RST).
    Reset,
}

/// What the server does for one request; without an end of its own, it then reads the next one on that connection.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) acts: Vec<Act>,
    pub(super) reads_body: bool,
}

impl Answer {
    /// These acts, in order.
    #[must_use]
    pub fn new(acts: Vec<Act>) -> Self {
        Self { acts, reads_body: true }
    }

    /// These bytes as they stand.
    #[must_use]
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new(vec![Act::Write(bytes.into())])
    }

    /// A whole answer with these headers, a `Content-Length` and this body.
    #[must_use]
    pub fn whole(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("HTTP/1.1 {status} Scripted\r\n");
        for (name, value) in headers {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        // A status that has no body must not announce one.
        if status >= 200 && !matches!(status, 204 | 304) {
            let _ = write!(text, "Content-Length: {}\r\n", body.len());
        }
        let _ = write!(text, "\r\n{body}");
        Self::raw(text)
    }

    /// A whole JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        Self::whole(status, &[("Content-Type", "application/json")], body)
    }

    /// A whole page.
    #[must_use]
    pub fn html(status: u16, body: &str) -> Self {
        Self::whole(status, &[("Content-Type", "text/html; charset=UTF-8")], body)
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::whole(status, &[("Location", location)], "")
    }

    /// No answer, until the client leaves.
    #[must_use]
    pub fn silence() -> Self {
        Self::new(vec![Act::Hold(Duration::from_secs(30))])
    }

    /// No answer, but the end of the connection.
    #[must_use]
    pub fn close() -> Self {
        Self::new(vec![Act::Close])
    }

    /// No answer, but a broken connection.
    #[must_use]
    pub fn reset() -> Self {
        Self::new(vec![Act::Reset])
    }

    /// All of it a while later.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.acts.insert(0, Act::Pause(pause));
        self
    }

    /// And then this.
    #[must_use]
    pub fn then(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// And then the end of the connection.
    #[must_use]
    pub fn then_close(self) -> Self {
        self.then(Act::Close)
    }

    /// Done as soon as the head is read; the body is left in the socket.
    #[must_use]
    pub fn before_body(mut self) -> Self {
        self.reads_body = false;
        self
    }
}
