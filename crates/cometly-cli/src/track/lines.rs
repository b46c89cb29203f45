//! The lines of a file, one at a time, however long they claim to be.

use std::io::{self, BufRead, Read as _};

/// The longest line; an event has a few hundred bytes.
pub(crate) const MAX_LEN: usize = 1 << 20;

/// The most events of a file. About 100 bytes of memory each; at 60 a minute, eleven days of sending.
pub(crate) const MAX_LINES: usize = 1_000_000;

/// One line without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    /// `None` for one that is too long.
    pub(crate) bytes: Option<Vec<u8>>,
}

pub(crate) struct Lines<R> {
    reader: R,
    max_len: usize,
    number: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, max_len: MAX_LEN, number: 0, offset: 0 }
    }

    /// Takes longer lines than [`MAX_LEN`].
    pub(crate) fn with_max_len(self, max_len: usize) -> Self {
        Self { max_len, ..self }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(self.max_len).unwrap_or(u64::MAX).saturating_add(1);
        let mut length = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes)?;
        if length == 0 {
            return Ok(None);
        }
        let (mut is_too_long, number, offset) = (false, self.number.saturating_add(1), self.offset);
        if bytes.pop_if(|byte| *byte == b'\n').is_none() && bytes.len() > self.max_len {
            is_too_long = true;
            length = length.saturating_add(self.reader.skip_until(b'\n')?);
        }
        self.number = number;
        self.offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(Some(Line { number, offset, bytes: (!is_too_long).then_some(bytes) }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A line without the white space of JSON around it: an event written with another line end is the same event.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| b" \t\r\n".contains(byte);
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last.saturating_add(1));
    line.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(u64, u64, Option<Vec<u8>>)> {
        // A small buffer, so that lines are longer than what is read at once.
        let lines = Lines::new(io::BufReader::with_capacity(3, text));
        lines.map(|line| line.map(|line| (line.number, line.offset, line.bytes)).unwrap()).collect()
    }

    #[test]
    fn lines_know_their_number_and_place() {
        let expected = vec![(1, 0, Some(b"one\r".to_vec())), (2, 5, Some(vec![])), (3, 6, Some(b"three".to_vec()))];
        assert_eq!(lines(b"one\r\n\nthree"), expected);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_that_never_ends_is_not_kept_and_the_next_one_is_read() {
        let mut text = vec![b'x'; MAX_LEN + 100];
        text.extend_from_slice(b"\nnext\n");
        let next = u64::try_from(MAX_LEN).unwrap() + 101;
        assert_eq!(lines(&text), [(1, 0, None), (2, next, Some(b"next".to_vec()))]);
        let longest = vec![b'x'; MAX_LEN];
        assert_eq!(lines(&longest), [(1, 0, Some(longest.clone()))]);
    }

    #[test]
    fn only_the_white_space_of_json_is_trimmed() {
        assert_eq!(trim(b" \t{ }\r\n"), b"{ }");
        assert_eq!(trim("\u{a0}{}".as_bytes()), "\u{a0}{}".as_bytes());
        assert_eq!(trim(b" \r"), b"");
    }
}
