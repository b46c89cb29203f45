//! The rows of CSV as RFC 4180 has it. Where a reader would guess, such as at a quotation mark that is not closed, the place is
//! named: a guess makes one row of many.

use std::io::{self, BufReader, Bytes, Read};

use crate::{exit::Exit, failure::Failure, track::lines::MAX_LEN};

/// One row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// The line of the file in which it begins, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<Vec<u8>>,
    /// What is wrong with it, if its end is known all the same.
    pub(super) problem: Option<&'static str>,
}

pub(super) struct Rows<R> {
    bytes: Bytes<BufReader<R>>,
    delimiter: u8,
    line: u64,
}

/// Where the reader is in a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its beginning, or behind blanks there.
    Start,
    /// In text without quotation marks around it.
    Plain,
    Quoted,
    /// Behind a quotation mark that closes the cell, or is the first of two that are one in the text.
    Closed,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(reader: R, delimiter: u8) -> Self {
        Self { bytes: BufReader::new(reader).bytes(), delimiter, line: 1 }
    }

    /// The next row, of at most 1 MiB.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Failure> {
        let mut row = Row { line: self.line, ..Row::default() };
        let (mut cell, mut place, mut opened, mut length) = (Vec::new(), Place::Start, self.line, 0_usize);
        let mut is_behind_cr = false;
        loop {
            let byte = self.bytes.next().transpose().map_err(|error| self.unreadable(&error))?;
            if is_behind_cr && byte != Some(b'\n') {
                return Err(refused("a carriage return alone, where lines end by LF or CRLF", self.line)
                    .advise("convert it: tr '\\r' '\\n' <FILE >NEW"));
            }
            length = length.saturating_add(1);
            if length > MAX_LEN {
                return Err(refused("a row is longer than 1 MiB; a closing quotation mark may be missing", row.line));
            }
            match (place, byte) {
                (Place::Quoted, None) => return Err(not_closed(opened)),
                (Place::Quoted, Some(b'"')) => place = Place::Closed,
                (Place::Quoted, Some(byte)) => {
                    self.line = self.line.saturating_add((byte == b'\n').into());
                    cell.push(byte);
                }
                (_, None) if length == 1 => return Ok(None),
                (_, None | Some(b'\n')) => {
                    self.line = self.line.saturating_add(1);
                    row.cells.push(cell);
                    return Ok(Some(row));
                }
                (_, Some(b'\r')) => is_behind_cr = true,
                (_, Some(byte)) if byte == self.delimiter => {
                    row.cells.push(std::mem::take(&mut cell));
                    place = Place::Start;
                }
                (Place::Closed, Some(b'"')) => {
                    place = Place::Quoted;
                    cell.push(b'"');
                }
                // The mark that closed it was another cell's own: it is not known which rows there are.
                (Place::Closed, Some(_)) if opened != self.line => return Err(not_closed(opened)),
                (Place::Closed, Some(byte)) => {
                    row.problem = Some(BESIDE);
                    place = Place::Plain;
                    cell.push(byte);
                }
                (Place::Start, Some(b'"')) => {
                    if !cell.is_empty() {
                        row.problem = Some(BESIDE);
                    }
                    (place, opened) = (Place::Quoted, self.line);
                }
                (Place::Start, Some(byte @ (b' ' | b'\t'))) => cell.push(byte),
                (Place::Start | Place::Plain, Some(byte)) => {
                    place = Place::Plain;
                    cell.push(byte);
                }
            }
        }
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        refused(format!("the CSV cannot be read: {error}"), self.line)
    }
}

const BESIDE: &str = "text beside the quotation marks of a cell: double those within it, and put nothing around them";

fn not_closed(line: u64) -> Failure {
    refused("a quotation mark is not closed, so it is not known where the next rows begin; nothing was sent", line)
        .advise("close it, or double it if it is part of a text that is in quotation marks")
}

/// Quotes nothing of the file.
fn refused(words: impl Into<String>, line: u64) -> Failure {
    Failure::new(Exit::Rejected, words).at_line(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<(u64, String)>, String> {
        let mut rows = Rows::new(text.as_bytes(), b',');
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(|failure| failure.to_string())? {
            let cells: Vec<_> = row.cells.iter().map(|cell| String::from_utf8_lossy(cell)).collect();
            let mark = if row.problem.is_some() { "!" } else { "" };
            found.push((row.line, format!("{mark}{}", cells.join("|"))));
        }
        Ok(found)
    }

    #[test]
    fn rows_are_read_as_rfc_4180_has_them() {
        for (text, expected) in [
            ("", vec![]),
            ("\n", vec![(1, "")]),
            ("a,b\r\nc,d", vec![(1, "a|b"), (2, "c|d")]),
            ("a,b\n,\n", vec![(1, "a|b"), (2, "|")]),
            ("\"a\"\"b\",\"\"\r\n", vec![(1, "a\"b|")]),
            ("\"a\r\nb\nc\",d\n\"\"\"\"\n", vec![(1, "a\r\nb\nc|d"), (4, "\"")]),
            ("5\" pipe, b ,\"x\"\"\n\"\nc\n", vec![(1, "5\" pipe| b |x\"\n"), (3, "c")]),
            ("\"a\" ,b\n \"a\",b\n\"a\"b\"c\",d\ne", vec![(1, "!a |b"), (2, "! a|b"), (3, "!ab\"c\"|d"), (4, "e")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(line, row)| (line, row.to_owned())).collect();
            assert_eq!(rows(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_leaves_the_rows_in_doubt_is_told_by_its_line_and_not_quoted() {
        for (text, words) in [
            ("a\n\"canary", "line 2: a quotation mark is not closed"),
            ("a\nb,\"canary\nc\n", "line 2: a quotation mark is not closed"),
            ("a\nb,\"canary\nc,\"d\"\n", "line 2: a quotation mark is not closed"),
            ("a\nb,\"x\ny\",\"canary\n", "line 3: a quotation mark is not closed"),
            (" \"canary", "line 1: a quotation mark is not closed"),
            ("canary\rb\r", "line 1: a carriage return alone"),
            ("a\ncanary\r", "line 2: a carriage return alone"),
            ("a\n\"canary\"\rb", "line 2: a carriage return alone"),
            ("canary\r\r\n", "line 1: a carriage return alone"),
            (&"canary".repeat(1 << 18), "line 1: a row is longer than 1 MiB"),
        ] {
            let failure = rows(text).unwrap_err();
            assert!(failure.starts_with(words) && !failure.contains("canary"), "{text:.20?}: {failure}");
        }
    }
}
