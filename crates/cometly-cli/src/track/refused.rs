//! The file of refused lines, with the server's reasons: written anew by each run, and only over one of this journal.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    failure::Failure,
    track::{
        event_key::EventKey,
        journal::Noted,
        lines::{self, Lines, trim},
        plan::Plan,
        temporary::temporary,
    },
};

/// An event, its key and the server's reason.
const MAX_LEN: usize = lines::MAX_LEN.saturating_mul(2);

/// What a file of refused lines holds, one on a line.
#[derive(Deserialize, Serialize)]
pub(crate) struct RefusedLine<'a> {
    pub(crate) line: u64,
    pub(crate) idempotency_key: &'a str,
    pub(crate) reason: &'a str,
    #[serde(borrow)]
    pub(crate) event: &'a RawValue,
}

/// As read: a text may have escapes in it.
#[derive(Deserialize)]
struct Known {
    #[expect(dead_code, reason = "there to be asked for")]
    line: u64,
    idempotency_key: String,
    #[expect(dead_code, reason = "there to be asked for")]
    reason: String,
    #[expect(dead_code, reason = "there to be asked for")]
    event: serde::de::IgnoredAny,
}

pub(crate) struct RefusedFile<'a> {
    path: &'a Path,
    noted: &'a HashMap<EventKey, Noted>,
    planned: HashSet<&'a EventKey>,
}

impl<'a> RefusedFile<'a> {
    /// Removes what a killed run left of a temporary file.
    pub(crate) fn new(path: &'a Path, noted: &'a HashMap<EventKey, Noted>, plan: &'a Plan) -> Self {
        let file = Self { path, noted, planned: plan.events.iter().map(|planned| &planned.key).collect() };
        let temporary = file.temporary();
        if temporary.symlink_metadata().is_ok_and(|found| found.is_file()) && file.is_ours(&temporary, true) {
            // Failing that, the next run tries.
            let _ = fs::remove_file(temporary);
        }
        file
    }

    /// Says that a file is in the way that is not of this journal.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.path.symlink_metadata().is_err() || self.is_ours(self.path, false) {
            return Ok(());
        }
        Err(Failure::local(format!(
            "{} is not a file of refused lines of this journal, and is not replaced",
            self.path.display()
        ))
        .advise("name another place with --refused PATH"))
    }

    /// Writes a whole file or none.
    pub(crate) fn write(&self, write: impl FnOnce(&mut BufWriter<File>) -> Result<(), Failure>) -> Result<(), Failure> {
        self.check()?;
        let failed = |error: io::Error| self.failed(&error);
        let temporary = self.temporary();
        let mut file = BufWriter::new(private(&temporary).map_err(failed)?);
        let written = write(&mut file)
            .and_then(|()| file.flush().map_err(failed))
            .and_then(|()| fs::rename(&temporary, self.target()).map_err(failed));
        if written.is_err() {
            // Failing that, the next run removes it.
            let _ = fs::remove_file(temporary);
        }
        written
    }

    /// Takes away what an earlier run wrote.
    pub(crate) fn remove(&self) {
        if self.path.is_file() && self.is_ours(self.path, false) {
            // If it cannot be removed it is out of date, which does no harm.
            let _ = fs::remove_file(self.target());
        }
    }

    pub(crate) fn failed(&self, error: &io::Error) -> Failure {
        Failure::file("write the refused lines to", self.path, error).advise("name another place with --refused PATH")
    }

    /// A symlink to a file of ours is followed.
    fn target(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.to_owned())
    }

    fn temporary(&self) -> PathBuf {
        temporary(&self.target())
    }

    /// Whether there is a line, and each one is a refused one whose key the journal or the file of events knows. A temporary
    /// file, which has a name of ours, may be empty, or torn in its last line.
    fn is_ours(&self, path: &Path, is_temporary: bool) -> bool {
        if !path.metadata().is_ok_and(|found| found.is_file()) {
            return false;
        }
        let Ok(file) = File::open(path) else { return false };
        let is_known = |line: &[u8]| {
            serde_json::from_slice::<Known>(line).is_ok_and(|known| {
                let key = EventKey::from(known.idempotency_key.as_str());
                self.noted.contains_key(&key) || self.planned.contains(&key)
            })
        };
        let mut lines = Lines::new(BufReader::new(file)).with_max_len(MAX_LEN).peekable();
        let mut has_line = is_temporary;
        while let Some(line) = lines.next() {
            let Ok(Some(bytes)) = line.map(|line| line.bytes) else { return false };
            let is_last = lines.peek().is_none();
            let text = trim(&bytes);
            if !(text.is_empty() || is_known(text) || (is_temporary && is_last && text.starts_with(b"{\"line\":"))) {
                return false;
            }
            has_line |= !text.is_empty();
        }
        has_line
    }
}

/// A new file for its owner alone.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
