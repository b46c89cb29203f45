//! CSV with a header row, as one JSON object a line: the names of the header are the fields, an empty cell is no field.
//! Fields come in the order of the documentation, whatever that of the columns, so that a row always makes the same line.

mod rows;

use std::io::{Read, Write};

use serde_json::value::RawValue;

use crate::{
    exit::Exit,
    failure::Failure,
    input::{self, BYTE_ORDER_MARK},
    track::{
        csv::rows::Rows,
        event::{self, Kind},
        lines::MAX_LINES,
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
pub(crate) fn convert(mut reader: impl Read, head: &[u8], out: &mut impl Write) -> Result<Converted, Failure> {
    let line = first_line(head);
    let count = |delimiter: &u8| line.split(|byte| byte == delimiter).count();
    // The last of the most frequent ones; a comma if there is one column only.
    let delimiter = DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',');
    if head.starts_with(BYTE_ORDER_MARK) {
        let unreadable = |error| Failure::local(format!("the CSV cannot be read: {error}"));
        reader.read_exact(&mut [0; BYTE_ORDER_MARK.len()]).map_err(unreadable)?;
    }
    let mut rows = Rows::new(reader, delimiter);
    let header = rows.next()?.unwrap_or_default();
    if let Some(problem) = header.problem {
        return Err(Failure::new(Exit::Rejected, problem).at_line(1));
    }
    let columns = columns(&header.cells)?;
    let mut converted = Converted::default();
    while let Some(row) = rows.next()? {
        if row.cells.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        if converted.numbers.len() >= MAX_LINES || converted.problems.len() >= MAX_LINES {
            return Err(Failure::usage(format!("it has more than {MAX_LINES} rows")).advise("split it"));
        }
        let has_all = row.cells.len() == header.cells.len();
        let line = match row.problem {
            Some(problem) => Err(problem),
            None if !has_all => Err("the row has another number of cells than the header"),
            None => json(&columns, &row.cells).ok_or("the row is not UTF-8"),
        };
        match line {
            Err(problem) => converted.problems.push((row.line, problem)),
            Ok(line) => {
                writeln!(out, "{line}").map_err(|error| Failure::local(format!("cannot keep the rows: {error}")))?;
                converted.numbers.push(row.line);
            }
        }
    }
    Ok(converted)
}

/// The place of each field that the header names, in the order of the documentation.
fn columns(header: &[Vec<u8>]) -> Result<Vec<(&'static str, Kind, usize)>, Failure> {
    let refused = |words: String| Failure::new(Exit::Rejected, words).at_line(1);
    let mut names = Vec::new();
    for (place, name) in header.iter().enumerate() {
        let column = place.saturating_add(1);
        let name =
            str::from_utf8(name).map_err(|_| refused(format!("the name of column {column} is not UTF-8")))?.trim();
        if name.is_empty() {
            return Err(refused(format!("column {column} has no name")));
        }
        // A quotation mark that is out of place may have put rows into it, which are not shown.
        if name.contains(char::is_control) {
            return Err(refused(format!("the name of column {column} has a line break or a control character in it")));
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
fn json(columns: &[(&'static str, Kind, usize)], row: &[Vec<u8>]) -> Option<String> {
    let mut line = String::from("{");
    for (name, kind, place) in columns {
        let cell = str::from_utf8(row.get(*place)?).ok()?;
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
            ("event_name,canary@example.com\n", "line 1: the API has no field *"),
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
