//! The lines of a file that comes in pieces.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::DecodeError;

/// Cuts bytes that come in pieces into lines: NDJSON, one JSON value on each line. It does not decompress.
///
/// ```
/// # use cometly_core::Lines;
/// let mut lines = Lines::new();
/// let mut found = Vec::new();
/// for piece in ["{\"id\": 1}\n{\"i", "d\": 2}\r\n\n{\"id\": 3}"] {
///     lines.push(piece.as_bytes());
///     while let Some(line) = lines.next_line()? {
///         found.push(String::from_utf8_lossy(line).into_owned());
///     }
/// }
/// lines.finish();
/// while let Some(line) = lines.next_line()? {
///     found.push(String::from_utf8_lossy(line).into_owned());
/// }
/// assert_eq!(found, [r#"{"id": 1}"#, r#"{"id": 2}"#, r#"{"id": 3}"#]);
/// assert_eq!(lines.lines(), 3);
/// # Ok::<(), cometly_core::LineTooLong>(())
/// ```
///
/// It holds the piece that was pushed last and the beginning of one line, at most [`max_len`](Lines::with_max_len). Blank lines
/// are passed over. A longer line fails [`next_line`](Lines::next_line) with [`LineTooLong`], for good. [`lines`](Lines::lines)
/// and [`position`](Lines::position) say how far it is: a reader that is to go on later stores one of them.
pub struct Lines {
    /// What is not cut yet begins at `start`.
    buffer: Vec<u8>,
    start: usize,
    /// Up to here there is no line break.
    searched: usize,
    /// The end of the next line, and where the one behind it begins.
    found: Option<(usize, usize)>,
    max_len: usize,
    is_whole: bool,
    given: u64,
    position: u64,
}

/// A line is longer than [`Lines`] allows, 1 MiB by default; from [`Lines::next_line`]. No line after it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LineTooLong {
    line: u64,
    max_len: usize,
}

debug_as_display!(LineTooLong);

impl LineTooLong {
    /// The number of the line that is too long, from 1; blank lines do not count.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }
}

impl fmt::Display for LineTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {} is longer than {} bytes: this is no export, or its rows are larger than allowed",
            self.line, self.max_len
        )
    }
}

impl std::error::Error for LineTooLong {}

/// A line that is not the row that was expected, from [`Lines::next_row`]: its number, and what is wrong and where. It shows no
/// value of the line.
pub struct RowError {
    line: u64,
    error: DecodeError,
}

debug_as_display!(RowError);

impl RowError {
    /// The number of the line that could not be read, from 1; blank lines do not count, so it is no editor's line number where
    /// there are some. [`Lines::lines`] has the same number after this row.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The place of the problem in the row, such as `amount` or `items[3].amount`; the key of a map is `*`. Empty for the whole
    /// row, for a line that is not JSON, and if the place is not known.
    #[must_use]
    pub fn path(&self) -> String {
        self.error.path()
    }
}

/// Shows the line and the problem: `line 7: amount: expected a number, found a boolean`.
impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        self.error.fmt_problem(f)
    }
}

impl std::error::Error for RowError {}

impl Lines {
    /// The longest line that [`Lines::new`] allows: 1 MiB, its line break not counted. A longer one is [`LineTooLong`].
    pub const MAX_LEN: usize = 1 << 20;

    /// Begins, for lines of at most [`MAX_LEN`](Lines::MAX_LEN), 1 MiB. Nothing is read before the first [`push`](Lines::push).
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_len(Self::MAX_LEN)
    }

    /// Begins, for lines of at most `max_len` bytes, line breaks not counted. A longer line is [`LineTooLong`].
    #[must_use]
    pub fn with_max_len(max_len: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, found: None, max_len, is_whole: false, given: 0, position: 0 }
    }

    /// Adds a piece of the decompressed file, of any length; it may begin and end within a line. Take all its lines with
    /// [`next_line`](Lines::next_line) before the next piece: lines that were not taken are kept in memory. It cannot fail: a
    /// line of more than [`MAX_LEN`](Lines::MAX_LEN) (1 MiB) or [`with_max_len`](Lines::with_max_len) is an error of
    /// `next_line`. After the last piece, call [`finish`](Lines::finish).
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.searched = self.searched.saturating_sub(self.start);
        self.found =
            self.found.map(|(end, behind)| (end.saturating_sub(self.start), behind.saturating_sub(self.start)));
        self.start = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// Says that there is no further piece; a second call changes nothing. The last line is then given even if it has no line
    /// break.
    pub fn finish(&mut self) {
        self.is_whole = true;
    }

    /// Whether [`next_line`](Lines::next_line) has a line to give; false if it needs another piece or, after
    /// [`finish`](Lines::finish), if all lines were given.
    ///
    /// # Errors
    /// [`LineTooLong`] if the line is longer than allowed, 1 MiB by default; every later call fails in the same way.
    pub fn has_line(&mut self) -> Result<bool, LineTooLong> {
        while self.found.is_none() {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let searched = self.searched.saturating_sub(self.start);
            let unsearched = rest.get(searched..).unwrap_or_default();
            let line_break = unsearched.iter().position(|byte| *byte == b'\n').map(|at| at.saturating_add(searched));
            let len = line_break.unwrap_or(rest.len());
            // The line break of some systems has a carriage return.
            let is_returned = len.checked_sub(1).and_then(|last| rest.get(last)) == Some(&b'\r');
            if len.saturating_sub(usize::from(is_returned)) > self.max_len {
                return Err(LineTooLong { line: self.given.saturating_add(1), max_len: self.max_len });
            }
            let end = self.start.saturating_add(len);
            let behind = match line_break {
                Some(_) => end.saturating_add(1),
                None if self.is_whole && len > 0 => end,
                None => {
                    self.searched = end;
                    return Ok(false);
                }
            };
            let is_blank = self.buffer.get(self.start..end).unwrap_or_default().trim_ascii().is_empty();
            if is_blank {
                self.go_to(behind);
            } else {
                self.found = Some((end, behind));
            }
        }
        Ok(true)
    }

    fn go_to(&mut self, behind: usize) {
        let len = behind.saturating_sub(self.start);
        self.position = self.position.saturating_add(len.try_into().unwrap_or(u64::MAX));
        (self.start, self.searched, self.found) = (behind, behind, None);
    }

    /// The next line, without its line break and the white space around it; blank lines are passed over. `None` means: give
    /// another piece with [`push`](Lines::push); or, after [`finish`](Lines::finish), that all lines were given. The last line
    /// needs no line break once `finish` was called.
    ///
    /// # Errors
    /// [`LineTooLong`] if the line is longer than allowed, 1 MiB by default; every later call fails in the same way.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineTooLong> {
        self.has_line()?;
        let Some((end, behind)) = self.found else { return Ok(None) };
        let start = self.start;
        self.go_to(behind);
        self.given = self.given.saturating_add(1);
        Ok(Some(self.buffer.get(start..end).unwrap_or_default().trim_ascii()))
    }

    /// The next line, read as a `T`. `None` means: give another piece with [`push`](Lines::push); or, after
    /// [`finish`](Lines::finish), that all lines were given. A line that is no `T` is an inner error and the only row that is
    /// lost: the next call gives the row after it.
    ///
    /// # Errors
    /// [`LineTooLong`] if the line is longer than allowed, 1 MiB by default; every later call fails in the same way.
    pub fn next_row<T: DeserializeOwned>(&mut self) -> Result<Option<Result<T, RowError>>, LineTooLong> {
        let number = self.given.saturating_add(1);
        let Some(line) = self.next_line()? else { return Ok(None) };
        let row = serde_json::from_slice(line);
        Ok(Some(row.map_err(|error| RowError { line: number, error: DecodeError::of_line::<T>(&error, line) })))
    }

    /// How many lines were given, blank ones not counted.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.given
    }

    /// How many of the bytes that were [pushed](Lines::push) lie before the next line: the sum of all lines that were given
    /// or passed over, with their line breaks.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how many lines were given, and no line.
impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("lines", &self.given)
            .field("position", &self.position)
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&[u8]], max_len: usize) -> (Vec<Vec<u8>>, u64, bool) {
        let mut lines = Lines::with_max_len(max_len);
        let mut found = Vec::new();
        let mut drain = |lines: &mut Lines| loop {
            match lines.next_line() {
                Ok(Some(line)) => found.push(line.to_vec()),
                Ok(None) => return true,
                Err(_) => return false,
            }
        };
        let mut is_fine = true;
        for piece in pieces {
            lines.push(piece);
            is_fine &= drain(&mut lines);
        }
        lines.finish();
        is_fine &= drain(&mut lines);
        (found, lines.position(), is_fine)
    }

    #[test]
    fn a_line_that_is_too_long_ends_all_and_holds_no_more_than_is_allowed() {
        assert_eq!(cut(&[b"123\n1234\n5"], 3), (vec![b"123".to_vec()], 4, false));
        assert_eq!(cut(&[b"12", b"34", b"\n5"], 3), (vec![], 0, false));
        assert_eq!(cut(&[b"12", b"3\n"], 3), (vec![b"123".to_vec()], 4, true));
        assert_eq!(cut(&[b"123\r", b"\n45"], 3), (vec![b"123".to_vec(), b"45".to_vec()], 7, true));
        assert_eq!(cut(&[b"1234\r\n"], 3), (vec![], 0, false));
        let mut lines = Lines::with_max_len(8);
        lines.push(&[b'x'; 9]);
        let error = lines.next_line().unwrap_err();
        assert_eq!((error.line(), lines.next_line()), (1, Err(error)));
        let mut lines = Lines::with_max_len(3);
        lines.push(b"123\n\n1234");
        lines.next_line().unwrap();
        let error = lines.next_line().unwrap_err();
        let words = "line 2 is longer than 3 bytes: this is no export, or its rows are larger than allowed";
        assert_eq!((error.line(), error.to_string().as_str()), (2, words));
    }

    #[test]
    fn whether_there_is_a_line_is_known_before_it_is_taken() {
        let mut lines = Lines::default();
        assert_eq!(lines.has_line(), Ok(false));
        lines.push(b"\na\nb");
        assert_eq!((lines.has_line(), lines.has_line()), (Ok(true), Ok(true)), "it is still there");
        assert_eq!(lines.next_line().unwrap(), Some(&b"a"[..]));
        assert_eq!(lines.has_line(), Ok(false), "the rest of `b` may come yet");
        lines.finish();
        assert_eq!(lines.has_line(), Ok(true));
        assert_eq!(format!("{lines:?}"), "Lines { lines: 1, position: 3, max_len: 1048576, .. }");
    }

    #[test]
    fn the_place_is_behind_the_last_line_that_was_given() {
        let mut lines = Lines::new();
        lines.push(b"a\n\n  \nbb\nccc");
        assert_eq!(lines.next_line().unwrap(), Some(&b"a"[..]));
        assert_eq!((lines.lines(), lines.position()), (1, 2));
        assert_eq!(lines.next_line().unwrap(), Some(&b"bb"[..]));
        assert_eq!((lines.lines(), lines.position()), (2, 9));
        assert_eq!(lines.next_line().unwrap(), None);
        assert_eq!(lines.position(), 9);
    }

    #[test]
    fn a_row_that_cannot_be_read_says_where_and_costs_no_other_row() {
        let mut lines = Lines::new();
        lines.push(b"[1]\n[2, true]\n[7\n[3]\n");
        let read = |lines: &mut Lines| lines.next_row::<Vec<u32>>().unwrap().unwrap();
        assert_eq!(read(&mut lines).unwrap(), [1]);
        let error = read(&mut lines).unwrap_err();
        assert_eq!((error.line(), error.path().as_str()), (2, "[1]"));
        assert_eq!(error.to_string(), "line 2: [1]: expected a whole number (u32), found a boolean");
        assert_eq!(read(&mut lines).unwrap_err().to_string(), "line 3: the JSON ends too early at column 2");
        assert_eq!(read(&mut lines).unwrap(), [3]);
        assert!(lines.next_row::<Vec<u32>>().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_file_comes_in(text in "[ab\n\r ]{0,40}", cuts in proptest::collection::vec(0_usize..40, 0..5)) {
            let mut pieces = vec![];
            let (mut rest, mut cuts) = (text.as_bytes(), cuts);
            cuts.sort_unstable();
            let mut at = 0;
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.saturating_sub(at).min(rest.len()));
                pieces.push(piece);
                (rest, at) = (behind, cut);
            }
            pieces.push(rest);
            let expected: Vec<Vec<u8>> = text.split('\n').map(|line| line.as_bytes().trim_ascii().to_vec()).filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(cut(&pieces, 64), (expected, text.len() as u64, true));
        }
    }
}
