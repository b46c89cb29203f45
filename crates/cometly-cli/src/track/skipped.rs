//! The lines that `--skip-invalid` leaves out, each with what is wrong with it: a file that each run writes anew.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    track::{
        event::Problem,
        lines::MAX_LEN,
        temporary::{nameless, temporary},
    },
};

/// A line with escapes, and its problems.
const MAX_HEAD: u64 = 8 << 20;
const _: () = assert!(MAX_LEN < 1 << 21);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SkippedLine<'a> {
    line: u64,
    problems: Vec<Cow<'a, str>>,
    /// As it came; null if it could not be read as a line.
    text: Option<Cow<'a, str>>,
}

/// Collects the lines in a file without a name, so that a killed run leaves none.
pub(crate) struct Skipped {
    path: PathBuf,
    file: BufWriter<File>,
    count: u64,
    /// The first failure to write.
    failed: Option<io::Error>,
}

impl Skipped {
    /// Begins to collect. A file at `path` that is none of these is refused.
    pub(crate) fn begin(path: &Path) -> Result<Self, Failure> {
        let is_there = path.symlink_metadata().is_ok();
        if is_there && !is_ours(path) {
            return Err(Failure::local(format!(
                "{} is not a file of skipped lines of cometly's, and is not replaced",
                path.display()
            ))
            .advise("name another place with --skipped PATH"));
        }
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let file = nameless().map_err(|error| failed(&path, &error))?;
        Ok(Self { path, file: BufWriter::new(file), count: 0, failed: None })
    }

    pub(crate) fn add(&mut self, line: u64, problems: &[Problem], text: Option<&[u8]>) {
        let problems = problems.iter().map(|problem| Cow::from(problem.words.as_str())).collect();
        let written = serde_json::to_writer(
            &mut self.file,
            &SkippedLine { line, problems, text: text.map(String::from_utf8_lossy) },
        )
        .map_err(io::Error::from)
        .and_then(|()| self.file.write_all(b"\n"));
        self.count = self.count.saturating_add(1);
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    /// Puts the file in its place, and says where; takes away an earlier one if there is no line.
    pub(crate) fn finish(mut self) -> Result<Option<PathBuf>, Failure> {
        if let Some(error) = self.failed.take() {
            return Err(failed(&self.path, &error));
        }
        if self.count == 0 {
            // If it cannot be removed it is out of date, which does no harm.
            let _ = fs::remove_file(&self.path);
            return Ok(None);
        }
        let path = self.path;
        let mut file = self.file.into_inner().map_err(|error| failed(&path, error.error()))?;
        replace(&path, &mut file).map_err(|error| failed(&path, &error))?;
        Ok(Some(path))
    }
}

/// Writes a whole file or none; what a killed run left of one is written over.
fn replace(path: &Path, lines: &mut File) -> io::Result<()> {
    let temporary = temporary(path);
    if begins_as_ours(&temporary) {
        fs::remove_file(&temporary)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    lines.rewind()?;
    io::copy(lines, &mut file).and_then(|_| fs::rename(&temporary, path)).inspect_err(|_| {
        // Failing that, the next run removes it.
        let _ = fs::remove_file(&temporary);
    })
}

/// Whether a file with a temporary name of ours is the beginning of one of ours; an empty one is.
fn begins_as_ours(path: &Path) -> bool {
    const START: &[u8] = b"{\"line\":";
    let mut start = Vec::new();
    let read = path
        .symlink_metadata()
        .is_ok_and(|found| found.is_file())
        .then(|| File::open(path)?.take(8).read_to_end(&mut start));
    matches!(read, Some(Ok(_))) && START.starts_with(&start)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::file("write the skipped lines to", path, error).advise("name another place with --skipped PATH")
}

/// Whether the first line is one of these. An empty file is none.
fn is_ours(path: &Path) -> bool {
    let first = || -> io::Result<Vec<u8>> {
        if !path.metadata()?.is_file() {
            return Ok(Vec::new());
        }
        let file = File::open(path)?;
        let mut line = Vec::new();
        BufReader::new(file.take(MAX_HEAD)).read_until(b'\n', &mut line)?;
        Ok(line)
    };
    first().is_ok_and(|line| serde_json::from_slice::<SkippedLine<'_>>(&line).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(words: &str) -> Problem {
        Problem { column: 1, words: words.to_owned() }
    }

    #[test]
    fn a_file_of_ours_is_written_anew_and_taken_away_and_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.cometly-skipped");
        for number in [3, 4] {
            // What a killed run left.
            fs::write(folder.path().join("x.cometly-skipped.cometly-new"), "{\"line\":1,\"pro").unwrap();
            let mut skipped = Skipped::begin(&path).unwrap();
            skipped.add(number, &[problem("a \"b\""), problem("c")], Some(b"{\"\\ \xff"));
            skipped.add(9, &[problem("long")], None);
            assert_eq!(skipped.finish().unwrap().as_deref(), Some(&*path.canonicalize().unwrap()));
            let expected = format!(
                "{{\"line\":{number},\"problems\":[\"a \\\"b\\\"\",\"c\"],\"text\":\"{{\\\"\\\\ \u{fffd}\"}}\n{{\"line\":9,\"problems\":[\"long\"],\"text\":null}}\n"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
        assert_eq!(Skipped::begin(&path).unwrap().finish().unwrap(), None);
        assert!(!path.exists() && fs::read_dir(folder.path()).unwrap().count() == 0);
        for text in ["", "mine\n", "{\"line\":1,\"idempotency_key\":\"k\",\"reason\":\"\",\"event\":{}}\n"] {
            fs::write(&path, text).unwrap();
            assert!(Skipped::begin(&path).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
