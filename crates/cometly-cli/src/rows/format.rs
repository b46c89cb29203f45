//! The forms of rows: a table, JSON, NDJSON, CSV. Values stay as they came, digit by digit.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use serde_json::value::RawValue;

use crate::{arguments::Format, exit::Exit, failure::Failure, rows::table::Table};

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// The most names of left out fields that are reported.
const MAX_LEFT_OUT: usize = 20;

pub(crate) struct Writer {
    format: Format,
    columns: Vec<String>,
    table: Table,
    /// Whether the lines before the first row are written.
    has_begun: bool,
    rows: u64,
    /// Fields that are in no column.
    left_out: BTreeSet<String>,
    /// Whether texts in CSV are kept from being a formula, and how many were not.
    escapes_formulas: bool,
    formulas: u64,
}

impl Writer {
    pub(crate) fn new(format: Format, columns: Vec<String>) -> Self {
        let (table, left_out) = (Table::default(), BTreeSet::new());
        Self { format, columns, table, has_begun: false, rows: 0, left_out, escapes_formulas: false, formulas: 0 }
    }

    /// Puts an apostrophe before texts in CSV that a spreadsheet would run.
    pub(crate) fn escaping_formulas(self, escapes_formulas: bool) -> Self {
        Self { escapes_formulas, ..self }
    }

    /// How many texts a spreadsheet would run.
    pub(crate) fn formulas(&self) -> u64 {
        self.formulas
    }

    /// Goes on behind what was written before.
    pub(crate) fn go_on(&mut self, rows: u64, bytes: u64) {
        (self.rows, self.has_begun) = (rows, bytes > 0);
    }

    /// What two runs must have in common to write one file.
    pub(crate) fn describe(&self) -> String {
        let escaped = if self.escapes_formulas { " escaped" } else { "" };
        format!("{:?} {}{escaped}", self.format, self.columns.join(","))
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether each line is a JSON value.
    pub(crate) fn is_json_lines(&self) -> bool {
        self.format == Format::Ndjson
    }

    pub(crate) fn left_out(&self) -> String {
        self.left_out.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The lines of some rows, without their line breaks.
    pub(crate) fn lines(&mut self, rows: &[&RawValue]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut lines = Vec::with_capacity(rows.len().saturating_add(1));
        match self.format {
            Format::Ndjson => lines.extend(rows.iter().map(|row| one_line(row.get()).into_owned().into_bytes())),
            Format::Json => {
                if !self.has_begun {
                    lines.push(b"[".to_vec());
                }
                let separators = if self.rows == 0 { " " } else { "," };
                for (separator, row) in [separators].into_iter().chain(std::iter::repeat(",")).zip(rows) {
                    lines.push([separator, &one_line(row.get())].concat().into_bytes());
                }
            }
            Format::Csv | Format::Table => {
                let cells = rows.iter().map(|row| self.cells(row)).collect::<Result<Vec<_>, _>>()?;
                let header = (!self.has_begun).then(|| self.columns.clone());
                let all: Vec<_> = header.into_iter().chain(cells).collect();
                if self.format == Format::Csv {
                    for cells in &all {
                        lines.push(csv_line(cells)?);
                    }
                } else {
                    lines.extend(self.table.lines(&all));
                }
            }
        }
        self.has_begun = true;
        self.rows = self.rows.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        Ok(lines)
    }

    /// The lines behind the last row.
    pub(crate) fn last_lines(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        // With those before the first row, if there was none.
        let mut lines = if self.has_begun { Vec::new() } else { self.lines(&[])? };
        if self.format == Format::Json {
            lines.push(b"]".to_vec());
        }
        Ok(lines)
    }

    fn cells(&mut self, row: &RawValue) -> Result<Vec<String>, Failure> {
        let fields: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_str(row.get()).map_err(|_| {
            Failure::new(Exit::Unexpected, "a row is no JSON object, which a table and CSV need")
                .advise("--format ndjson writes what came")
        })?;
        for name in fields.keys().filter(|name| !self.columns.iter().any(|column| column == *name)) {
            if self.left_out.len() < MAX_LEFT_OUT {
                self.left_out.insert(name.chars().take(40).collect());
            }
        }
        let mut cells = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let raw = fields.get(column.as_str());
            let mut cell = raw.map(|raw| cell(raw)).unwrap_or_default();
            let is_text = raw.is_some_and(|raw| raw.get().starts_with('"'));
            if self.format == Format::Csv && is_text && cell.starts_with(FORMULA) {
                if self.escapes_formulas {
                    cell.insert(0, '\'');
                } else if !is_number(&cell) {
                    self.formulas = self.formulas.saturating_add(1);
                }
            }
            cells.push(cell);
        }
        Ok(cells)
    }
}

/// A phone number, say: a spreadsheet reads another value, and runs nothing.
fn is_number(cell: &str) -> bool {
    cell.starts_with(['+', '-']) && cell.chars().all(|char| char.is_ascii_digit() || " +-.()".contains(char))
}

/// A value as a cell: a text as it reads, nothing for null, anything else as its JSON.
fn cell(raw: &RawValue) -> String {
    match raw.get() {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
        json => one_line(json).into_owned(),
    }
}

fn csv_line(cells: &[String]) -> Result<Vec<u8>, Failure> {
    let failed = || Failure::local("a row cannot be written as CSV");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).map_err(|_| failed())?;
    let mut line = writer.into_inner().map_err(|_| failed())?;
    line.pop_if(|last| *last == b'\n');
    Ok(line)
}

/// JSON without its line breaks, which are outside of texts only.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [&str; 2] = [
        r#"{"id":1.50,"name":"a, \"b\"","tags":[1,
2],"new":7}"#,
        r#"{"id":2,"name":null}"#,
    ];

    /// The rows, each as a page of its own.
    fn written(format: Format, rows: &[&str]) -> String {
        let columns = ["id", "name", "tags"].map(str::to_owned).to_vec();
        let mut writer = Writer::new(format, columns);
        let mut lines = Vec::new();
        for row in rows {
            let row: Box<RawValue> = serde_json::from_str(row).unwrap();
            lines.extend(writer.lines(&[&row]).unwrap());
        }
        lines.extend(writer.last_lines().unwrap());
        String::from_utf8(lines.join(&b'\n')).unwrap()
    }

    #[test]
    fn each_form_says_the_same() {
        assert_eq!(
            written(Format::Ndjson, &ROWS),
            "{\"id\":1.50,\"name\":\"a, \\\"b\\\"\",\"tags\":[1, 2],\"new\":7}\n{\"id\":2,\"name\":null}"
        );
        assert_eq!(written(Format::Csv, &ROWS), "id,name,tags\n1.50,\"a, \"\"b\"\"\",\"[1, 2]\"\n2,,");
        let json = written(Format::Json, &ROWS);
        let read: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert!(read.len() == 2 && json.contains("1.50") && json.lines().count() == 4, "{json}");
        assert_eq!(written(Format::Table, &ROWS).lines().next(), Some("id    name    tags"));
    }

    #[test]
    fn texts_that_a_spreadsheet_would_run_are_counted_or_escaped() {
        let row = r#"{"id":-1.5,"name":"=HYPERLINK(\"x\")","tags":"+49 30 (1)"}"#;
        let other = r#"{"id":"-x","name":"@SUM","tags":"\tx"}"#;
        let columns = ["id", "name", "tags"].map(str::to_owned).to_vec();
        let lines = |escapes: bool, format: Format| {
            let mut writer = Writer::new(format, columns.clone()).escaping_formulas(escapes);
            let rows: Vec<Box<RawValue>> = [row, other].map(|row| serde_json::from_str(row).unwrap()).to_vec();
            let lines = writer.lines(&rows.iter().map(|row| &**row).collect::<Vec<_>>()).unwrap();
            (String::from_utf8(lines.join(&b'\n')).unwrap(), writer.formulas())
        };
        let plain = "id,name,tags\n-1.5,\"=HYPERLINK(\"\"x\"\")\",+49 30 (1)\n-x,@SUM,\tx";
        assert_eq!(lines(false, Format::Csv), (plain.to_owned(), 4));
        let escaped = "id,name,tags\n-1.5,\"'=HYPERLINK(\"\"x\"\")\",'+49 30 (1)\n'-x,'@SUM,'\tx";
        assert_eq!(lines(true, Format::Csv), (escaped.to_owned(), 0));
        assert_eq!(lines(true, Format::Ndjson), ([row, other].join("\n"), 0));
    }

    #[test]
    fn no_rows_are_a_header_an_empty_list_or_nothing() {
        assert_eq!(written(Format::Csv, &[]), "id,name,tags");
        assert_eq!(written(Format::Json, &[]), "[\n]");
        assert_eq!(written(Format::Ndjson, &[]), "");
    }

    #[test]
    fn what_goes_on_has_no_second_beginning_and_tells_what_it_leaves_out() {
        let row: Box<RawValue> = serde_json::from_str(ROWS[0]).unwrap();
        for (format, first) in [(Format::Csv, "1.50,"), (Format::Json, ",{")] {
            let mut writer = Writer::new(format, vec!["id".to_owned(), "x".to_owned()]);
            writer.go_on(3, 100);
            let lines = writer.lines(&[&row]).unwrap();
            assert!(lines[0].starts_with(first.as_bytes()) && writer.rows() == 4, "{format:?}");
            let left_out = if format == Format::Csv { "name, new, tags" } else { "" };
            assert_eq!(writer.left_out(), left_out);
        }
    }

    #[test]
    fn a_row_that_is_no_object_is_told() {
        let row: Box<RawValue> = serde_json::from_str("7").unwrap();
        let failure = Writer::new(Format::Csv, vec!["id".to_owned()]).lines(&[&row]).unwrap_err();
        assert_eq!(failure.exit, Exit::Unexpected);
    }
}
