//! What the server read.

use std::fmt;

/// One request, as it stood on the wire.
#[derive(Clone, Default)]
pub struct Received {
    /// The head, with its empty line.
    pub head: Vec<u8>,
    /// The body, without chunk framing; at most 64 KiB are kept.
    pub body: Vec<u8>,
    /// How long the body was.
    pub body_len: usize,
    /// The number of the connection, from 0.
    pub connection: usize,
}

impl Received {
    /// The first line: `GET /path HTTP/1.1`.
    #[must_use]
    pub fn request_line(&self) -> String {
        self.lines().next().unwrap_or_default()
    }

    /// The values of every header of this name, as they stand behind the colon and its space.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        let named = |line: String| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        self.lines().skip(1).filter_map(named).collect()
    }

    /// The names of all headers, in lower case.
    #[must_use]
    pub fn header_names(&self) -> Vec<String> {
        let name = |line: String| line.split_once(':').map(|(name, _)| name.to_ascii_lowercase());
        self.lines().skip(1).filter_map(name).collect()
    }

    /// How often this text occurs in what was recorded.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        let all = [self.head.as_slice(), &self.body].concat();
        all.windows(text.len().max(1)).filter(|window| *window == text.as_bytes()).count()
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        let lines = self.head.split(|byte| *byte == b'\n');
        lines.map(|line| String::from_utf8_lossy(line.trim_ascii_end()).into_owned())
    }
}

/// Shows the request line; the head holds a key.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("request_line", &self.request_line())
            .field("body_len", &self.body_len)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
