//! The file of events, which is read twice: once to check it, once to send it.

use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{
    failure::Failure,
    track::{
        event_key::fingerprint,
        plan::{Plan, Planned},
    },
};

/// What stdin may hold.
const MAX_SPOOL: u64 = 4 << 30;

pub(crate) struct Source {
    file: File,
    /// The name for words.
    name: PathBuf,
    /// Whether it can be read again by the next run.
    pub(crate) is_file: bool,
}

impl Source {
    /// Opens a file; stdin (`-`) and pipes are copied first, to a file without a name that only this user can read.
    pub(crate) fn open(input: &Path) -> Result<Self, Failure> {
        if input.as_os_str() == "-" {
            return Self::spool(io::stdin().lock(), PathBuf::from("stdin"));
        }
        let failed = |error: io::Error| Failure::file("read", input, &error);
        let file = File::open(input).map_err(failed)?;
        let kind = file.metadata().map_err(failed)?.file_type();
        if kind.is_file() {
            return Ok(Self { file, name: input.to_owned(), is_file: true });
        }
        if kind.is_dir() {
            return Err(Failure::usage(format!("{} is a folder: expected a file", input.display())));
        }
        Self::spool(file, input.to_owned())
    }

    fn spool(reader: impl io::Read, name: PathBuf) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            Failure::local(format!("cannot keep {} in a temporary file: {error}", name.display()))
                .advise("make room, or set TMPDIR to a folder that has it; nothing was sent")
        };
        let mut file = nameless().map_err(failed)?;
        let copied = io::copy(&mut reader.take(MAX_SPOOL.saturating_add(1)), &mut file).map_err(failed)?;
        if copied > MAX_SPOOL {
            return Err(Failure::usage(format!("{} has more than 4 GiB", name.display())).advise("split it"));
        }
        Ok(Self { file, name, is_file: false })
    }

    pub(crate) fn plan(&self, batch: &str) -> Result<Plan, Failure> {
        let failed = |error: io::Error| Failure::file("read", &self.name, &error);
        (&self.file).rewind().map_err(failed)?;
        Plan::read(BufReader::new(&self.file), batch).map_err(failed)
    }

    /// The text of an event, as it was checked.
    pub(crate) fn text(&self, planned: &Planned) -> Result<String, Failure> {
        let mut text = vec![0; planned.length];
        let read = (&self.file).seek(SeekFrom::Start(planned.offset)).and_then(|_| (&self.file).read_exact(&mut text));
        match (read, String::from_utf8(text)) {
            (Ok(()), Ok(text)) if fingerprint(text.as_bytes()) == planned.fingerprint => Ok(text),
            _ => Err(Failure::local(format!(
                "line {} of {} changed while it was sent",
                planned.number,
                self.name.display()
            ))
            .advise("run the same command again; what was sent is not sent again")),
        }
    }
}

/// A file that is gone when it is closed, made with mode 0600: `tempfile()` would leave the mode to the umask.
#[cfg(unix)]
fn nameless() -> io::Result<File> {
    Ok(tempfile::NamedTempFile::new()?.into_file())
}

#[cfg(not(unix))]
fn nameless() -> io::Result<File> {
    tempfile::tempfile()
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    const LINE: &str = r#"{"event_name":"purchase","email":"a@example.com"}"#;

    #[test]
    fn a_file_may_grow_meanwhile_but_not_change() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{LINE}").unwrap();
        let source = Source::open(file.path()).unwrap();
        let plan = source.plan("").unwrap();
        writeln!(file, "{LINE}").unwrap();
        assert_eq!(source.text(&plan.events[0]).unwrap(), LINE);
        for changed in [LINE.replace("a@", "b@"), String::new()] {
            fs::write(file.path(), changed).unwrap();
            assert!(source.text(&plan.events[0]).unwrap_err().to_string().contains("line 1"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn stdin_is_kept_where_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let source = Source::spool(LINE.as_bytes(), "stdin".into()).unwrap();
        assert_eq!(source.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let plan = source.plan("").unwrap();
        assert_eq!(source.text(&plan.events[0]).unwrap(), LINE);
    }
}
