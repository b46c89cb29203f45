//! The file of events, which is read twice: once to check it, once to send it.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{
    arguments::InputFormat,
    failure::Failure,
    input::{self, Content},
    track::{
        csv::{self, Converted},
        event_key::fingerprint,
        plan::{Plan, Planned},
        skipped::Skipped,
        temporary::nameless,
    },
};

/// The longest header row.
const MAX_HEAD: u64 = 64 * 1024;
/// What stdin or a packed file may hold.
const MAX_SPOOL: u64 = 4 << 30;

pub(crate) struct Source {
    file: File,
    /// The name for words.
    name: PathBuf,
    /// Whether it can be read again by the next run.
    pub(crate) is_file: bool,
    converted: Option<Converted>,
}

impl Source {
    /// Opens a file. What cannot be read twice, or is not yet a JSON object a line, is first copied as such to a file without a
    /// name that only this user can read: stdin (`-`) and pipes, gzip, CSV.
    pub(crate) fn open(input: &Path, format: InputFormat) -> Result<Self, Failure> {
        let name = if input.as_os_str() == "-" { PathBuf::from("stdin") } else { input.to_owned() };
        let failed = |error: io::Error| Failure::file("read", &name, &error);
        let (mut file, mut is_file) = (None, false);
        if input.as_os_str() != "-" {
            let opened = input::open(input)?;
            let kind = opened.metadata().map_err(failed)?.file_type();
            if kind.is_dir() {
                return Err(Failure::usage(format!("{} is a folder: expected a file", input.display())));
            }
            is_file = kind.is_file();
            file = Some(if is_file { opened } else { spool(opened, &name)? });
        }
        let file = match file {
            Some(file) => file,
            None => spool(io::stdin().lock(), &name)?,
        };
        Self::prepare(file, name, is_file, format)
    }

    /// Unpacks and converts what is not yet a JSON object a line.
    fn prepare(mut file: File, name: PathBuf, is_file: bool, format: InputFormat) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file("read", &name, &error);
        if input::content(&head(&file).map_err(failed)?, &name)? == Content::Gzip {
            file = spool(input::unpacked(BufReader::new(file)), &name)?;
            if input::content(&head(&file).map_err(failed)?, &name)? == Content::Gzip {
                return Err(
                    Failure::usage(format!("{} is compressed twice", name.display())).advise("unpack it: gunzip")
                );
            }
        }
        let head = head(&file).map_err(failed)?;
        let converted = match format {
            InputFormat::Auto if csv::is_header(&head) => true,
            InputFormat::Auto
                if input::without_mark(&head).trim_ascii_start().first().is_some_and(|first| *first != b'{') =>
            {
                return Err(Failure::usage(format!(
                    "{} begins neither with a JSON object nor with a CSV header that has event_name",
                    name.display()
                ))
                .advise("correct its first line, or say what it is: --input-format ndjson or csv"));
            }
            InputFormat::Auto | InputFormat::Ndjson => false,
            InputFormat::Csv => true,
        };
        if !converted {
            return Ok(Self { file, name, is_file, converted: None });
        }
        let mut lines = BufWriter::new(nameless().map_err(failed)?);
        let converted = csv::convert(file, &head, &mut lines)?;
        let file = lines.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(Self { file, name, is_file, converted: Some(converted) })
    }

    pub(crate) fn plan(&self, batch: &str, skipped: Option<&mut Skipped>) -> Result<Plan, Failure> {
        let failed = |error: io::Error| Failure::file("read", &self.name, &error);
        (&self.file).rewind().map_err(failed)?;
        Plan::read(BufReader::new(&self.file), batch, self.converted.as_ref(), skipped).map_err(failed)
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

/// The beginning of a file, which is then read from there again.
fn head(mut file: &File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.rewind()?;
    file.take(MAX_HEAD).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head)
}

fn spool(reader: impl io::Read, name: &Path) -> Result<File, Failure> {
    let failed = |error: io::Error| {
        Failure::local(format!("cannot keep {} in a temporary file: {error}", name.display()))
            .advise("make room, or set TMPDIR to a folder that has it; nothing was sent")
    };
    let mut file = nameless().map_err(failed)?;
    let copied = io::copy(&mut reader.take(MAX_SPOOL.saturating_add(1)), &mut file).map_err(failed)?;
    if copied > MAX_SPOOL {
        return Err(Failure::usage(format!("{} has more than 4 GiB", name.display())).advise("split it"));
    }
    Ok(file)
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
        let source = Source::open(file.path(), InputFormat::Auto).unwrap();
        let plan = source.plan("", None).unwrap();
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
        let file = spool(LINE.as_bytes(), Path::new("stdin")).unwrap();
        let source = Source::prepare(file, "stdin".into(), false, InputFormat::Auto).unwrap();
        assert_eq!(source.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let plan = source.plan("", None).unwrap();
        assert_eq!(source.text(&plan.events[0]).unwrap(), LINE);
    }
}
