//! Rows of lists and exports on their way out: in the form that was asked for, to stdout or into a file that is there only
//! once it is whole.

mod format;
mod part;
mod table;

use cometly_core::Call;
use serde_json::{json, value::RawValue};

pub(crate) use self::part::{Part, Place};
use crate::{
    arguments::{Format, OutputArguments},
    failure::Failure,
    rows::format::Writer,
    terminal::console::Console,
};

/// Where rows go.
pub(crate) struct Output {
    writer: Writer,
    part: Option<Part>,
}

impl Output {
    /// One JSON value a line, to stdout.
    pub(crate) fn stdout() -> Self {
        Self::in_form(Format::Ndjson, Vec::new())
    }

    /// In a form, to stdout.
    pub(crate) fn in_form(format: Format, columns: Vec<String>) -> Self {
        Self { writer: Writer::new(format, columns), part: None }
    }

    /// What the command line says, with `columns` for a table or CSV. `calls` are what the rows are asked for with: a file of
    /// other rows is not continued.
    pub(crate) fn open(
        arguments: &OutputArguments,
        columns: Vec<String>,
        calls: &[Call],
        console: &Console,
    ) -> Result<Self, Failure> {
        let format = arguments.format(console.json).ok_or_else(|| {
            Failure::usage("the name of --output does not tell its format: expected one that ends with .csv, .json, .ndjson or .jsonl")
                .advise("or name the format with --format; for a spreadsheet, csv")
        })?;
        if arguments.escape_formulas && format != Format::Csv {
            return Err(Failure::usage("--escape-formulas is for CSV: give --format csv"));
        }
        let mut writer = Writer::new(format, columns).escaping_formulas(arguments.escape_formulas);
        let Some(path) = arguments.file() else { return Ok(Self { writer, part: None }) };
        if format == Format::Table {
            return Err(Failure::usage("a table is for people to read: expected json, ndjson or csv for --output"));
        }
        let part = Part::open(path, &part::identity(calls, &writer.describe())?, arguments.resume)?;
        writer.go_on(part.rows(), part.bytes());
        Ok(Self { writer, part: Some(part) })
    }

    /// Where an earlier run stopped.
    pub(crate) fn place(&self) -> Place {
        self.part.as_ref().map(|part| part.place().clone()).unwrap_or_default()
    }

    pub(crate) fn part(&self) -> Option<&Part> {
        self.part.as_ref()
    }

    pub(crate) fn write(&mut self, rows: &[&RawValue], console: &Console) -> Result<(), Failure> {
        let lines = self.writer.lines(rows)?;
        self.send(&lines, console)
    }

    /// Notes, for a file, where to go on: all rows so far are in it.
    pub(crate) fn note(&mut self, place: Place) -> Result<(), Failure> {
        let rows = self.writer.rows();
        self.part.as_mut().map_or(Ok(()), |part| part.note(place, rows))
    }

    /// The rows are whole.
    pub(crate) fn finish(mut self, console: &Console) -> Result<(), Failure> {
        let lines = self.writer.last_lines()?;
        self.send(&lines, console)?;
        if let Some(part) = self.part {
            let rows = self.writer.rows();
            let path = part.finish()?;
            if console.json {
                console.json_line(&json!({"rows": rows, "file": path.to_string_lossy()}))?;
            } else {
                console.note(format_args!("{rows} rows are in {}", path.display()));
            }
        }
        let formulas = self.writer.formulas();
        if formulas > 0 && !console.json {
            console.note(format_args!(
                "a spreadsheet would run {formulas} of the texts as formulas; --escape-formulas puts ' before them"
            ));
        }
        let left_out = self.writer.left_out();
        if !left_out.is_empty() && !console.json {
            console.note(format_args!("not in these columns: {left_out}; --format ndjson has everything"));
        }
        Ok(())
    }

    /// Says what became of the rows so far.
    pub(crate) fn keep(self, failure: Failure) -> Failure {
        match self.part {
            Some(part) => part.keep(failure),
            None => failure,
        }
    }

    fn send(&mut self, lines: &[Vec<u8>], console: &Console) -> Result<(), Failure> {
        let pieces = lines.iter().map(Vec::as_slice);
        match &mut self.part {
            Some(part) => part.write(pieces),
            None if self.writer.is_json_lines() => console.json(pieces),
            None => console.data(pieces),
        }
    }
}
