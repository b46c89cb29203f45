//! Where output goes: data on stdout, words on stderr.

use std::{
    borrow::Cow,
    fmt,
    io::{self, IsTerminal as _, Write as _},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    terminal::{argv, escape::for_terminal, json, progress::Progress, trace::Trace},
};

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The two streams, and how much is to be said.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) progress: Progress,
    pub(crate) trace: Option<Trace>,
}

impl Console {
    /// Words: nothing with `--quiet`.
    pub(crate) fn note(&self, words: impl fmt::Display) {
        if !self.quiet {
            self.warn(words);
        }
    }

    /// A note that a script may want to see: with `--json` an object, as errors are.
    pub(crate) fn remark(&self, words: impl fmt::Display) {
        if self.json {
            self.note(serde_json::json!({ "warning": words.to_string() }));
        } else {
            self.note(words);
        }
    }

    /// Messages printed even with `--quiet`.
    pub(crate) fn warn(&self, words: impl fmt::Display) {
        self.styled("", words);
    }

    /// Why the command failed, in whatever form was asked for; gives the exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> Exit {
        if failure.is_closed_pipe() {
            return failure.exit;
        }
        if self.json {
            self.warn(failure.to_json());
            return failure.exit;
        }
        self.styled(&format!("{ERROR}error:{ERROR:#} "), failure);
        failure.exit
    }

    /// Words of whatever origin, behind some of ours that may have a style.
    fn styled(&self, ours: &str, words: impl fmt::Display) {
        let words = argv::hide_keys(&words.to_string());
        let words = for_terminal(words.as_bytes());
        let words = String::from_utf8_lossy(&words);
        // A closed stderr is ignored.
        let _ = self.progress.aside(|| writeln!(anstream::stderr().lock(), "{ours}{words}"));
    }

    /// Writes each piece and a line break to stdout, and flushes: a reader sees whole lines.
    pub(crate) fn data<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Failure> {
        self.write(lines, |shown, _| shown)
    }

    /// As [`data`](Self::data), of pieces of JSON: as they are, and on a terminal indented and coloured.
    pub(crate) fn json<'a>(&self, lines: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Failure> {
        self.write(lines, |shown, is_coloured| {
            let indented = str::from_utf8(&shown).ok().and_then(|text| json::indented(text, is_coloured));
            indented.map_or(shown, |text| text.into_bytes().into())
        })
    }

    /// `lay_out` is for a terminal: it is given text that steers none, and whether colours are wanted.
    fn write<'a>(
        &self,
        lines: impl IntoIterator<Item = &'a [u8]>,
        lay_out: impl for<'b> Fn(Cow<'b, [u8]>, bool) -> Cow<'b, [u8]>,
    ) -> Result<(), Failure> {
        let written = self.progress.aside(|| {
            let mut stdout = io::stdout().lock();
            let is_terminal = stdout.is_terminal();
            let is_coloured = is_terminal && AutoStream::choice(&stdout) != ColorChoice::Never;
            let mut stdout = io::BufWriter::new(&mut stdout);
            for line in lines {
                stdout.write_all(&if is_terminal { lay_out(for_terminal(line), is_coloured) } else { line.into() })?;
                stdout.write_all(b"\n")?;
            }
            stdout.flush()
        });
        written.map_err(|error| Failure::stdout(&error))
    }

    /// Writes a value to stdout as [`json`](Self::json).
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_vec(value).map_err(|_| Failure::local("cannot write the result as JSON"))?;
        self.json([json.as_slice()])
    }
}
