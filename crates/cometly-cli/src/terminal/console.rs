//! Where output goes: data on stdout, words on stderr.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    io::{self, IsTerminal as _, Write as _},
};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    terminal::{argv, json, progress::Progress, trace::Trace},
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

/// JSON with what steers a terminal written as `\u…`, which says the same.
fn for_terminal(json: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(json);
    let steers = |char: char| {
        (char.is_control() && !matches!(char, '\n' | '\t'))
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if let (Cow::Borrowed(text), false) = (&text, text.contains(steers)) {
        return text.as_bytes().into();
    }
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if steers(char) {
            // Writing to a String does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(char));
        } else {
            shown.push(char);
        }
    }
    shown.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_as_json_writes_it() {
        let hostile = "{\"name\":\"\u{9b}31mé\u{202e}\"}\n\t\u{1b}";
        let shown = for_terminal(hostile.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), "{\"name\":\"\\u009b31mé\\u202e\"}\n\t\\u001b");
        assert!(matches!(for_terminal(b"{\"plain\": 1}"), Cow::Borrowed(_)));
        assert_eq!(String::from_utf8_lossy(&for_terminal(b"\xff\x1b]0;x\x07")), "\u{fffd}\\u001b]0;x\\u0007");
    }
}
