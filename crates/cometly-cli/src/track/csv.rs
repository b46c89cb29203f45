//! CSV with a header row, as one JSON object a line: the names of the header are the fields, an empty cell is no field.
//! Fields come in the order of the documentation, whatever that of the columns, so that a row always makes the same line.

use std::{
    cell::Cell,
    io::{self, Read, Write},
    rc::Rc,
};

use csv::{ByteRecord, ReaderBuilder, Terminator};
use serde_json::value::RawValue;

use crate::{
    exit::Exit,
    failure::Failure,
    input,
    track::{
        event::{self, Kind},
        lines::{self, MAX_LINES},
    },
};

/// Separators that spreadsheets write.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// What became of the rows.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    /// The line of the file in which the row of each JSON line begins.
    pub(crate) numbers: Vec<u64>,
    /// Rows that could not be read, by their line.
    pub(crate) problems: Vec<(u64, &'static str)>,
}

/// Whether text begins with a header row of events.
pub(crate) fn is_header(head: &[u8]) -> bool {
    let line = first_line(head);
    let unquoted = |cell: &[u8]| {
        cell.trim_ascii().strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\"")).map(<[u8]>::to_vec)
    };
    line.split(|byte| DELIMITERS.contains(byte))
        .any(|cell| cell.trim_ascii() == b"event_name" || unquoted(cell).as_deref() == Some(b"event_name"))
}

fn first_line(head: &[u8]) -> &[u8] {
    let text = input::without_mark(head);
    text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or(text)
}

/// Writes each row as a line. `head` are the first bytes, which tell the separator.
pub(crate) fn convert(reader: impl Read, head: &[u8], out: &mut impl Write) -> Result<Converted, Failure> {
    let line = first_line(head);
    let count = |delimiter: &u8| line.split(|byte| byte == delimiter).count();
    // The last of the most frequent ones; a comma if there is one column only.
    let delimiter = DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',');
    let allowance = Rc::new(Cell::new(0));
    let reader = Bounded { reader, allowance: Rc::clone(&allowance) };
    let mut rows = ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        // Its own reading of CRLF counts the line feed to the next row, and so the lines one too few.
        .terminator(Terminator::Any(b'\n'))
        .from_reader(reader);
    allowance.set(lines::MAX_LEN);
    let header = rows.byte_headers().map_err(|error| broken(&error, 1))?;
    let columns = columns(header)?;
    let width = header.len();
    let (mut row, mut converted) = (ByteRecord::new(), Converted::default());
    loop {
        allowance.set(lines::MAX_LEN);
        let at = rows.position().line();
        if !rows.read_byte_record(&mut row).map_err(|error| broken(&error, at))? {
            return Ok(converted);
        }
        let number = row.position().map_or(at, csv::Position::line);
        if row.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        if converted.numbers.len() >= MAX_LINES || converted.problems.len() >= MAX_LINES {
            return Err(Failure::usage(format!("it has more than {MAX_LINES} rows")).advise("split it"));
        }
        if row.len() != width {
            converted.problems.push((number, "the row has another number of cells than the header"));
            continue;
        }
        match json(&columns, &row) {
            None => converted.problems.push((number, "the row is not UTF-8")),
            Some(line) => {
                writeln!(out, "{line}").map_err(|error| Failure::local(format!("cannot keep the rows: {error}")))?;
                converted.numbers.push(number);
            }
        }
    }
}

/// The place of each field that the header names, in the order of the documentation.
fn columns(header: &ByteRecord) -> Result<Vec<(&'static str, Kind, usize)>, Failure> {
    let refused = |words: String| Failure::new(Exit::Rejected, words).at_line(1);
    let mut names = Vec::new();
    for (place, name) in header.iter().enumerate() {
        let column = place.saturating_add(1);
        let name =
            str::from_utf8(name).map_err(|_| refused(format!("the name of column {column} is not UTF-8")))?.trim();
        if name.is_empty() {
            return Err(refused(format!("column {column} has no name")));
        }
        if !event::FIELDS.iter().any(|(field, _)| *field == name) {
            return Err(refused(event::unknown(name)).advise("take the column out, or give it the name of a field"));
        }
        if names.contains(&name) {
            return Err(refused(format!("the column {name} is there twice")));
        }
        names.push(name);
    }
    if !names.contains(&"event_name") {
        return Err(refused("there is no column event_name".to_owned()));
    }
    let place = |field: &str| names.iter().position(|name| *name == field);
    Ok(event::FIELDS.iter().filter_map(|(field, kind)| Some((*field, *kind, place(field)?))).collect())
}

/// A row as JSON; `None` if it is not UTF-8.
fn json(columns: &[(&'static str, Kind, usize)], row: &ByteRecord) -> Option<String> {
    let mut line = String::from("{");
    for (name, kind, place) in columns {
        let cell = str::from_utf8(row.get(*place).unwrap_or_default()).ok()?;
        let is_last = place.saturating_add(1) == row.len();
        let cell = if is_last { cell.strip_suffix('\r').unwrap_or(cell) } else { cell };
        if cell.trim().is_empty() {
            continue;
        }
        if line.len() > 1 {
            line.push(',');
        }
        line.extend(["\"", name, "\":", &value(*kind, cell)?]);
    }
    line.push('}');
    Some(line)
}

/// A cell as its field expects it, where it can be read so; else as a text, for the check to refuse.
fn value(kind: Kind, cell: &str) -> Option<String> {
    let trimmed = cell.trim();
    let is_number = trimmed.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && serde_json::from_str::<&RawValue>(trimmed).is_ok();
    let is_whole = trimmed.bytes().all(|byte| byte.is_ascii_digit());
    let plain = match kind {
        Kind::Number if is_number => trimmed,
        Kind::Time if is_number && is_whole => trimmed,
        Kind::Flag => match trimmed.to_ascii_lowercase().as_str() {
            "true" | "1" => "true",
            "false" | "0" => "false",
            _ => return serde_json::to_string(cell).ok(),
        },
        _ => return serde_json::to_string(cell).ok(),
    };
    Some(plain.to_owned())
}

/// What the reader says, but for what it quotes.
fn broken(error: &csv::Error, line: u64) -> Failure {
    let words = match error.kind() {
        csv::ErrorKind::Io(error) => format!("the CSV cannot be read: {error}"),
        _ => "this is not CSV".to_owned(),
    };
    Failure::new(Exit::Rejected, words).at_line(line)
}

/// Gives no more than the allowance before it is renewed: a quotation mark that is never closed would make the rest of the
/// file one cell.
struct Bounded<R> {
    reader: R,
    allowance: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.allowance.get() == 0 {
            return Err(io::Error::other("a row is longer than 1 MiB; a closing quotation mark may be missing"));
        }
        let read = self.reader.read(buffer)?;
        self.allowance.set(self.allowance.get().saturating_sub(read));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> (String, Converted) {
        let mut out = Vec::new();
        let converted = convert(text.as_bytes(), text.as_bytes(), &mut out).unwrap();
        (String::from_utf8(out).unwrap(), converted)
    }

    fn failure(text: &str) -> String {
        convert(text.as_bytes(), text.as_bytes(), &mut Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn a_row_is_an_event_with_the_types_of_its_fields() {
        let text = "\u{feff}amount,event_name,email,order_id,is_upsell,event_time,full_name\r\n\
                    12.50,purchase,a@example.com,007,TRUE,1767225600,\"Ada \"\"A\"\", \nL\"\r\n\
                    ,lead_generated,b@example.com,,0,2026-11-24T10:00:00Z,\r\n\
                    ,,,,,,\r\n\
                    \"1,5\",purchase,c@example.com,,maybe,,é\n";
        let (lines, converted) = converted(text);
        let expected = [
            r#"{"event_name":"purchase","email":"a@example.com","full_name":"Ada \"A\", \nL","event_time":1767225600,"amount":12.50,"order_id":"007","is_upsell":true}"#,
            r#"{"event_name":"lead_generated","email":"b@example.com","event_time":"2026-11-24T10:00:00Z","is_upsell":false}"#,
            r#"{"event_name":"purchase","email":"c@example.com","full_name":"é","amount":"1,5","is_upsell":"maybe"}"#,
        ];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
        assert_eq!(converted.numbers, [2, 4, 6]);
        assert!(converted.problems.is_empty());
    }

    #[test]
    fn separators_are_told_by_the_header_and_columns_may_change_places() {
        let expected = "{\"event_name\":\"purchase\",\"email\":\"a@example.com\"}\n";
        for text in [
            "event_name,email\npurchase,a@example.com\n",
            "email;event_name\na@example.com;purchase\n",
            "\"event_name\"\t\"email\"\npurchase\ta@example.com",
        ] {
            assert!(is_header(text.as_bytes()));
            assert_eq!(converted(text).0, expected);
        }
        assert!(!is_header(b"{\"event_name\":\"purchase\"}") && !is_header(b"") && !is_header(b"a,b"));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_line_and_not_quoted() {
        for (text, words) in [
            ("event_name,amont\n", "line 1: the API has no field amont: was amount meant?"),
            ("event_name,event_name\n", "line 1: the column event_name is there twice"),
            ("event_name,\n", "line 1: column 2 has no name"),
            ("email\n", "line 1: there is no column event_name"),
            (&format!("event_name\n\"{}", "canary".repeat(1 << 18)), "closing quotation mark"),
        ] {
            let failure = failure(text);
            assert!(failure.contains(words) && !failure.contains("canary"), "{failure}");
        }
        let (lines, found) =
            converted("event_name,email\npurchase\npurchase,a@example.com,x\npurchase,b@example.com\n");
        assert_eq!((lines.lines().count(), found.numbers), (1, vec![4]));
        assert_eq!(found.problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3]);
        let mut out = Vec::new();
        let latin: &[u8] = b"event_name,full_name\npurchase,Andr\xe9\n";
        assert_eq!(convert(latin, latin, &mut out).unwrap().problems, [(2, "the row is not UTF-8")]);
    }
}
