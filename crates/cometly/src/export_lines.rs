//! The file of an export, unpacked and cut into lines.

use std::{
    fmt,
    io::{self, BufRead, ErrorKind, Read},
};

use bytes::{Buf as _, Bytes};
use cometly_core::{LineTooLong, Lines, RowError};
use flate2::bufread::MultiGzDecoder;
use serde::de::DeserializeOwned;

/// The rows of an export's file, which is gzipped NDJSON, read while the pieces of the file come in.
///
/// ```
/// # use cometly::{ExportLines, events::Event};
/// # use std::io::Write as _;
/// # let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
/// # gzip.write_all(b"{\"id\": 7}\n{\"id\": 8}\n")?;
/// # let file = gzip.finish()?;
/// # let pieces = file.chunks(9).map(<[u8]>::to_vec);
/// let mut lines = ExportLines::new();
/// for piece in pieces {
///     lines.push(piece);
///     while let Some(event) = lines.next_row::<Event>()? {
///         println!("{:?}", event?.id); // a row that cannot be read costs no other row
///     }
/// }
/// lines.finish();
/// while let Some(event) = lines.next_row::<Event>()? {
///     println!("{:?}", event?.id);
/// }
/// assert_eq!((lines.lines(), lines.is_whole()), (2, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Whatever a piece decompresses to, memory holds the piece, 64 KiB and the beginning of one line. [`push`](ExportLines::push)
/// cannot fail; [`next_row`](ExportLines::next_row) and [`next_line`](ExportLines::next_line) fail with [`ExportFileError`],
/// then and later, for a file that is not gzip, is damaged or ends early, and for a line longer than 1 MiB or
/// [`with_max_len`](ExportLines::with_max_len).
///
/// A program that is to go on later stores [`lines`](ExportLines::lines). It then gives the same file from its first byte to a
/// new reader that is set to [`skip`](ExportLines::skip) that number, since a gzip cannot be entered in its middle.
pub struct ExportLines {
    gzip: MultiGzDecoder<Pieces>,
    lines: Lines,
    unpacked: Vec<u8>,
    skip: u64,
    /// Whether the file was unpacked to its end, with its checksum.
    is_whole: bool,
    /// The first two bytes, by which a gzip is known.
    magic: Vec<u8>,
    broken: Option<ExportFileError>,
}

/// Why the file of an export cannot be read further; from [`ExportLines::next_row`] and [`ExportLines::next_line`], each later
/// call of which fails in the same way. The rows before the error are sound.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFileError {
    /// The file is not gzip: it does not begin with the two bytes of a gzip.
    NotGzip,
    /// The file is gzip and damaged: its compressed data, a checksum or a length is wrong.
    Damaged,
    /// The gzip is not complete when [`finish`](ExportLines::finish) is called, or the file is empty: the download is not
    /// whole.
    EndsEarly,
    /// The file holds a line that is longer than allowed: 1 MiB, or what [`with_max_len`](ExportLines::with_max_len) says.
    LineTooLong(LineTooLong),
}

/// The pieces that came and are not unpacked yet.
struct Pieces {
    piece: Bytes,
    /// How many bytes of them were unpacked.
    taken: u64,
    is_last: bool,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = self.fill_buf()?.read(to)?;
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // The decoder keeps its place until there is more.
        if self.piece.is_empty() && !self.is_last { Err(ErrorKind::WouldBlock.into()) } else { Ok(&self.piece) }
    }

    fn consume(&mut self, len: usize) {
        self.taken = self.taken.saturating_add(len.try_into().unwrap_or(u64::MAX));
        self.piece.advance(len.min(self.piece.len()));
    }
}

const UNPACKED: usize = 64 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl ExportLines {
    /// A reader of lines of at most [`Lines::MAX_LEN`] each, 1 MiB, unpacked and without the line break. A longer line is an
    /// error of [`next_row`](Self::next_row), [`ExportFileError::LineTooLong`], and the file cannot be read on.
    #[must_use]
    pub fn new() -> Self {
        Self::with_max_len(Lines::MAX_LEN)
    }

    /// A reader of lines of at most `max_len` bytes each, unpacked and without the line break; [`new`](Self::new) takes
    /// [`Lines::MAX_LEN`], 1 MiB. A longer line is [`ExportFileError::LineTooLong`], and the file cannot be read on.
    #[must_use]
    pub fn with_max_len(max_len: usize) -> Self {
        Self {
            gzip: MultiGzDecoder::new(Pieces { piece: Bytes::new(), taken: 0, is_last: false }),
            lines: Lines::with_max_len(max_len),
            unpacked: vec![0; UNPACKED],
            skip: 0,
            is_whole: false,
            magic: Vec::new(),
            broken: None,
        }
    }

    /// Leaves out the first `lines` lines of the file, which were read before; by default none. Blank lines do not count. A
    /// file with fewer lines gives none, and no error. A second call replaces the number.
    #[must_use]
    pub fn skip(mut self, lines: u64) -> Self {
        self.skip = lines;
        self
    }

    /// Adds a piece of the file, still compressed, which may begin and end anywhere. Take all rows with
    /// [`next_row`](Self::next_row) or [`next_line`](Self::next_line) before the next piece: what is not taken is kept in
    /// memory. It cannot fail: a file that is damaged is an error of the next row. After the last piece call
    /// [`finish`](Self::finish).
    pub fn push(&mut self, piece: impl Into<Bytes>) {
        let (piece, pieces) = (piece.into(), self.gzip.get_mut());
        self.magic.extend(piece.iter().take(GZIP.len().saturating_sub(self.magic.len())));
        pieces.piece = if pieces.piece.is_empty() { piece } else { [&pieces.piece[..], &piece[..]].concat().into() };
    }

    /// Says that there is no further piece; a second call changes nothing. If the gzip is not complete then, the next row is
    /// [`ExportFileError::EndsEarly`].
    pub fn finish(&mut self) {
        self.gzip.get_mut().is_last = true;
    }

    /// How many lines were given so far, those that [`skip`](Self::skip) left out included; blank lines do not count.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines.lines()
    }

    /// Whether the file was unpacked to its end, and each checksum in it was right. False until then, and after an error.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The next line, without its line break and the white space around it; blank lines are passed over. `None` means: give
    /// another piece with [`push`](Self::push); or, after [`finish`](Self::finish), that all lines were given.
    ///
    /// # Errors
    /// [`ExportFileError`] if the file is not gzip, is damaged or ends early, or if a line is longer than allowed, 1 MiB by
    /// default; every later call fails in the same way.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, ExportFileError> {
        self.unpack()?;
        self.lines.next_line().map_err(ExportFileError::LineTooLong)
    }

    /// The next line, read as a `T`. `None` means: give another piece with [`push`](Self::push); or, after
    /// [`finish`](Self::finish), that all lines were given. A line that is no `T` is an inner error, a [`RowError`], and the
    /// only row that is lost: the next call gives the row after it.
    ///
    /// # Errors
    /// [`ExportFileError`] if the file is not gzip, is damaged or ends early, or if a line is longer than allowed, 1 MiB by
    /// default; every later call fails in the same way.
    pub fn next_row<T: DeserializeOwned>(&mut self) -> Result<Option<Result<T, RowError>>, ExportFileError> {
        self.unpack()?;
        self.lines.next_row().map_err(ExportFileError::LineTooLong)
    }

    /// Unpacks until there is a line to take, or a piece is needed.
    fn unpack(&mut self) -> Result<(), ExportFileError> {
        loop {
            while self.lines.has_line().map_err(ExportFileError::LineTooLong)? {
                if self.lines.lines() >= self.skip {
                    return Ok(());
                }
                self.lines.next_line().map_err(ExportFileError::LineTooLong)?;
            }
            if let Some(error) = self.broken {
                return Err(error);
            }
            if self.is_whole {
                return Ok(());
            }
            match self.gzip.read(&mut self.unpacked) {
                Ok(0) => {
                    // A file without a byte is no gzip, though it reads as an end.
                    if self.gzip.get_ref().taken == 0 {
                        return Err(self.break_off(ExportFileError::EndsEarly));
                    }
                    self.is_whole = true;
                    self.lines.finish();
                }
                Ok(len) => self.lines.push(self.unpacked.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    return Err(self.break_off(match error.kind() {
                        _ if !GZIP.starts_with(&self.magic) => ExportFileError::NotGzip,
                        ErrorKind::UnexpectedEof => ExportFileError::EndsEarly,
                        _ => ExportFileError::Damaged,
                    }));
                }
            }
        }
    }

    fn break_off(&mut self, error: ExportFileError) -> ExportFileError {
        *self.broken.get_or_insert(error)
    }
}

impl Default for ExportLines {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how many lines were given, and no line.
impl fmt::Debug for ExportLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportLines")
            .field("lines", &self.lines)
            .field("is_whole", &self.is_whole)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ExportFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotGzip => "the file is not gzip: expected the file of an export, as it was downloaded",
            Self::Damaged => "the file is damaged: its checksum or its length is wrong; download it again",
            Self::EndsEarly => "the file ends early: the download is not whole; go on with it, or download it again",
            Self::LineTooLong(error) => return error.fmt(f),
        })
    }
}

/// As `Display`: `main` prints the `Debug` of the error that it returns.
impl fmt::Debug for ExportFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ExportFileError {}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[derive(serde::Deserialize)]
    struct Row {
        id: crate::Id,
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// The lines, and how it ended.
    fn read(mut lines: ExportLines, pieces: &[&[u8]]) -> (Vec<String>, Result<bool, ExportFileError>) {
        let mut found = Vec::new();
        let mut drain = |lines: &mut ExportLines| {
            while let Some(line) = lines.next_line()? {
                found.push(String::from_utf8(line.to_vec()).unwrap());
            }
            Ok(lines.is_whole())
        };
        for piece in pieces {
            lines.push(piece.to_vec());
            if let Err(error) = drain(&mut lines) {
                assert_eq!(drain(&mut lines), Err(error), "and again the same");
                return (found, Err(error));
            }
        }
        lines.finish();
        let end = drain(&mut lines);
        (found, end)
    }

    #[test]
    fn lines_are_the_same_however_the_file_comes_in() {
        let text: Vec<String> = (0..5000).map(|id| format!("{{\"id\":{id}}}")).collect();
        let file = packed(text.join("\n").as_bytes());
        for size in [1, 7, 1000, file.len()] {
            let pieces: Vec<&[u8]> = file.chunks(size).collect();
            let (lines, end) = read(ExportLines::new(), &pieces);
            assert!(lines == text && end == Ok(true), "{size}: {end:?}");
        }
        // Two files, one behind the other, are one.
        let two = [packed(b"1\n"), packed(b"2\n")].concat();
        assert_eq!(read(ExportLines::new(), &[&two]), (vec!["1".into(), "2".into()], Ok(true)));
        assert_eq!(read(ExportLines::new().skip(4999), &[&file]).0, text[4999..]);
        assert_eq!(read(ExportLines::new(), &[&packed(b"")]), (vec![], Ok(true)));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_and_never_taken_for_its_end() {
        let file = packed(b"1\n2\n3\n");
        let cut = &file[..file.len() - 1];
        let mut damaged = file.clone();
        let at = damaged.len() - 8;
        damaged[at] ^= 1;
        for (file, lines, error) in [
            (&b"{\"id\":1}\n"[..], 0, ExportFileError::NotGzip),
            (b"<html>", 0, ExportFileError::NotGzip),
            (b"", 0, ExportFileError::EndsEarly),
            (&file[..5], 0, ExportFileError::EndsEarly),
            (cut, 3, ExportFileError::EndsEarly),
            (&damaged, 3, ExportFileError::Damaged),
        ] {
            let (found, end) = read(ExportLines::new(), &[file]);
            assert_eq!((found.len(), end), (lines, Err(error)), "{file:?}");
        }
    }

    #[test]
    fn a_line_of_a_gigabyte_takes_no_gigabyte() {
        // 8 MB that pack to 8 KB, a thousand to one; it is not unpacked beyond the longest line.
        let file = packed(&vec![b'x'; 8 << 20]);
        assert!(file.len() < 10_000);
        let mut lines = ExportLines::new();
        lines.push(file);
        assert!(matches!(lines.next_line(), Err(ExportFileError::LineTooLong(_))));
        assert!(lines.gzip.get_ref().taken < 3000, "{} bytes", lines.gzip.get_ref().taken);
    }

    #[test]
    fn rows_are_typed_and_a_broken_one_costs_no_other() {
        let mut lines = ExportLines::new();
        lines.push(packed(b"{\"id\":1}\n{\"id\":[]}\n{\"id\":\"3\"}"));
        lines.finish();
        let mut rows = Vec::new();
        while let Some(row) = lines.next_row::<Row>().unwrap() {
            rows.push(row.map(|row| row.id.to_string()).map_err(|error| error.to_string()));
        }
        let broken = "line 2: id: expected an id: a whole number or a string, found an array";
        assert_eq!(rows, [Ok("1".to_owned()), Err(broken.to_owned()), Ok("3".to_owned())]);
    }
}
