//! A file that is there only once it is whole. Until then its rows are in `FILE.cometly-part`, and
//! `FILE.cometly-position` says how far they are sound and where to go on. All three are readable by you alone, unless the
//! file was there before and others may read it.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use cometly_core::Call;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::failure::Failure;

const VERSION: u32 = 1;
/// More than a position has: a cursor is the longest part of it.
const MAX_POSITION: u64 = 64 << 10;

/// The permissions of a file that are other users'.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// Where a list or an export goes on. Empty at its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Place {
    /// Where the next page of a list begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
    /// How many exports are in the file already.
    #[serde(default)]
    pub(crate) done: usize,
    /// Whether the next export may have been ordered, though its id is not known.
    #[serde(default)]
    pub(crate) may_be_ordered: bool,
    /// The export under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) export_id: Option<String>,
    /// What tells its file from a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validator: Option<String>,
}

/// What is in the file of the position.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Position {
    version: u32,
    /// The [`identity`] of what is asked for.
    request: String,
    rows: u64,
    bytes: u64,
    place: Place,
}

pub(crate) struct Part {
    target: PathBuf,
    file: BufWriter<File>,
    position: Position,
    /// Whether there is something to go on with.
    is_noted: bool,
    /// How many bytes are written, those not noted among them.
    bytes: u64,
}

/// What tells these rows from others: the calls without the key, and the form.
pub(crate) fn identity(calls: &[Call], form: &str) -> Result<String, Failure> {
    let mut hash = Sha256::new();
    for call in calls {
        let request = call.to_request().map_err(|error| Failure::usage(error.to_string()))?;
        hash.update(format!("{} {}\n", request.method(), request.uri()));
        hash.update(request.body());
        hash.update("\n");
    }
    hash.update(form);
    let mut text = String::new();
    for byte in hash.finalize() {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

impl Part {
    /// Begins `path`, or with `resume` goes on with what an earlier run left. Holds a lock on it.
    pub(crate) fn open(path: &Path, request: &str, resume: bool) -> Result<Self, Failure> {
        if path.extension().is_some_and(|extension| extension == "gz") {
            return Err(Failure::usage("the rows are written unpacked: expected a name for --output without .gz"));
        }
        // A symlink is followed now, since the file is replaced by a rename; not one that another user put there.
        if path.symlink_metadata().is_ok_and(|found| found.is_symlink() && !is_own(&found)) {
            return Err(Failure::usage(format!(
                "{} is a symlink of another user, and is not followed",
                path.display()
            ))
            .advise("name a file in a folder of your own with --output"));
        }
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if target.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Failure::usage(format!("{} is no file, and is not replaced", path.display()))
                .advise("name a file with --output, or leave it out for stdout"));
        }
        let part_path = beside(&target, "part");
        let was_there = part_path.symlink_metadata().is_ok();
        let file = open(&part_path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                return Err(Failure::local(format!("another process writes {}", part_path.display()))
                    .advise("wait until it has ended, or name another file with --output"));
            }
            Err(fs4::TryLockError::Error(error)) => return Err(Failure::file("lock", &part_path, &error)),
        }
        let earlier = if was_there { read_position(&beside(&target, "position"))? } else { None };
        let is_noted = earlier.is_some();
        let new =
            || Position { version: VERSION, request: request.to_owned(), rows: 0, bytes: 0, place: Place::default() };
        let to_delete = format!("delete {} to begin anew", part_path.display());
        let position = match earlier {
            None => new(),
            Some(_) if !resume => {
                return Err(Failure::local(format!("{} is what an earlier run left", part_path.display()))
                    .advise(format!("add --resume to go on with it, or {to_delete}")));
            }
            Some(earlier) if earlier.request != request => {
                return Err(Failure::local(format!(
                    "{} was begun with another request: other dates, filters, columns or another form",
                    part_path.display()
                ))
                .advise(format!("run the command as it was, or {to_delete}")));
            }
            Some(earlier) => earlier,
        };
        let failed = |error: io::Error| Failure::file("write", &part_path, &error);
        if file.metadata().map_err(failed)?.len() < position.bytes {
            return Err(Failure::local(format!("{} is shorter than it was", part_path.display())).advise(to_delete));
        }
        file.set_len(position.bytes).map_err(failed)?;
        let mut file = BufWriter::new(file);
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let bytes = position.bytes;
        Ok(Self { target, file, position, is_noted, bytes })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.position.place
    }

    pub(crate) fn rows(&self) -> u64 {
        self.position.rows
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.position.bytes
    }

    /// The packed file of an export, which is unpacked once it is whole.
    pub(crate) fn download(&self) -> Result<(File, PathBuf), Failure> {
        let path = beside(&self.target, "download");
        Ok((open(&path)?, path))
    }

    pub(crate) fn remove_download(&self) {
        // What is left over is not read again.
        let _ = fs::remove_file(beside(&self.target, "download"));
    }

    pub(crate) fn write<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) -> Result<(), Failure> {
        for line in lines {
            let written = self.file.write_all(line).and_then(|()| self.file.write_all(b"\n"));
            written.map_err(|error| self.failed(&error))?;
            self.bytes = self.bytes.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX)).saturating_add(1);
        }
        Ok(())
    }

    /// Notes that all so far is sound: after it has reached the disk.
    pub(crate) fn note(&mut self, place: Place, rows: u64) -> Result<(), Failure> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        synced.map_err(|error| self.failed(&error))?;
        (self.position.bytes, self.position.rows, self.position.place) = (self.bytes, rows, place);
        write_whole(&self.target, &self.position)?;
        self.is_noted = true;
        Ok(())
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> Result<PathBuf, Failure> {
        let file = self.file.get_ref().try_clone();
        let finished = self.file.flush().and(file).and_then(|file| {
            file.sync_all()?;
            // Another user may have made it before, open to all.
            if let Some(old) = self.target.metadata().ok().filter(is_own) {
                file.set_permissions(old.permissions())?;
            }
            fs::rename(beside(&self.target, "part"), &self.target)
        });
        finished.map_err(|error| self.failed(&error))?;
        self.remove_download();
        // A position without its part is not read.
        for what in ["position", "position.new"] {
            let _ = fs::remove_file(beside(&self.target, what));
        }
        Ok(self.target)
    }

    /// Says how to go on; removes what cannot be resumed.
    pub(crate) fn keep(self, failure: Failure) -> Failure {
        let part = beside(&self.target, "part");
        let is_empty = self.position.bytes == 0 && self.position.place == Place::default();
        if !self.is_noted || is_empty {
            // What cannot be removed is in no way of a later run with --resume.
            for what in ["part", "position", "download"] {
                let _ = fs::remove_file(beside(&self.target, what));
            }
            return failure;
        }
        if failure.has_advice() {
            return failure.remark(&format!("{} rows are kept in {}", self.position.rows, part.display()));
        }
        failure.advise(format!(
            "{} rows are kept in {}: run the same command with --resume to go on",
            self.position.rows,
            part.display()
        ))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::file("write", &beside(&self.target, "part"), error)
    }
}

fn beside(target: &Path, what: &str) -> PathBuf {
    let mut path = OsString::from(target);
    path.push(format!(".cometly-{what}"));
    path.into()
}

/// Opens a file of ours, or makes it; never through a symlink, nor what is no file, nor what another user can read.
fn open(path: &Path) -> Result<File, Failure> {
    let opened = match path.symlink_metadata() {
        Ok(found) => {
            check(path, &found)?;
            OpenOptions::new().read(true).write(true).open(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => private().open(path),
        Err(error) => Err(error),
    };
    opened.map_err(|error| Failure::file("write", path, &error))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn check(path: &Path, found: &fs::Metadata) -> Result<(), Failure> {
    if !found.is_file() {
        return Err(Failure::local(format!("{} is no file", path.display())).advise("delete it"));
    }
    if !is_private(found) {
        return Err(Failure::local(format!("{} belongs to another user, or others can read it", path.display()))
            .advise("delete it, or name a file in a folder of your own with --output"));
    }
    Ok(())
}

/// Whether it is this user's, and no other one's to read or write.
#[cfg(unix)]
fn is_private(found: &fs::Metadata) -> bool {
    is_own(found) && std::os::unix::fs::MetadataExt::mode(found) & OTHERS == 0
}

#[cfg(unix)]
fn is_own(found: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) == rustix::process::geteuid().as_raw()
}

/// Other platforms have lists of who may do what, which a new file takes from its folder.
#[cfg(not(unix))]
fn is_private(_: &fs::Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn is_own(_: &fs::Metadata) -> bool {
    true
}

fn read_position(path: &Path) -> Result<Option<Position>, Failure> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", path, &error)),
        Ok(found) => check(path, &found)?,
    }
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    let mut json = Vec::new();
    file.take(MAX_POSITION).read_to_end(&mut json).map_err(|error| Failure::file("read", path, &error))?;
    let position: Option<Position> = serde_json::from_slice(&json).ok();
    let known = position.filter(|position| position.version == VERSION);
    known.map(Some).ok_or_else(|| {
        Failure::local(format!("{} is no position that this cometly knows", path.display()))
            .advise("delete it to begin anew")
    })
}

/// A reader sees the old file or the new one. What a killed run left of a new one is overwritten.
fn write_whole(target: &Path, position: &Position) -> Result<(), Failure> {
    let (new, path) = (beside(target, "position.new"), beside(target, "position"));
    let file = open(&new)?;
    let written = serde_json::to_vec(position).map_err(io::Error::from).and_then(|json| {
        file.set_len(0)?;
        (&file).write_all(&json)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    });
    written.map_err(|error| Failure::file("write", &path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(part: &mut Part, lines: &[&str]) {
        part.write(lines.iter().map(|line| line.as_bytes())).unwrap();
    }

    fn at(cursor: &str) -> Place {
        Place { cursor: Some(cursor.to_owned()), ..Place::default() }
    }

    #[test]
    fn what_was_noted_is_gone_on_with_and_the_rest_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.ndjson");
        let mut part = Part::open(&path, "r", false).unwrap();
        lines(&mut part, &["1", "2"]);
        part.note(at("b"), 2).unwrap();
        lines(&mut part, &["3"]);
        drop(part);
        let words = |opened: Result<Part, Failure>| opened.map(drop).unwrap_err().to_string();
        assert!(words(Part::open(&path, "r", false)).contains("--resume"));
        assert!(words(Part::open(&path, "other", true)).contains("another request"));
        let mut part = Part::open(&path, "r", true).unwrap();
        assert_eq!((part.place(), part.rows(), part.bytes()), (&at("b"), 2, 4));
        assert!(words(Part::open(&path, "r", true)).contains("another process"));
        lines(&mut part, &["4"]);
        assert!(!path.exists());
        part.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n4\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_has_nothing_to_go_on_with_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let mut part = Part::open(&path, "r", true).unwrap();
        lines(&mut part, &["header"]);
        assert_eq!(part.keep(Failure::local("x")).to_string(), "x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_in_the_way_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        for (name, text, words) in [("part", "1\n", "shorter"), ("position", "canary", "no position")] {
            let mut part = Part::open(&path, "r", false).unwrap();
            lines(&mut part, &["1", "2"]);
            part.note(at("b"), 2).unwrap();
            drop(part);
            // Keeps its mode.
            fs::write(beside(&path, name), text).unwrap();
            let failure = Part::open(&path, "r", true).map(drop).unwrap_err().to_string();
            assert!(failure.contains(words) && !failure.contains("canary"), "{failure}");
            for name in ["part", "position"] {
                fs::remove_file(beside(&path, name)).unwrap();
            }
        }
        assert!(Part::open(folder.path(), "r", false).map(drop).unwrap_err().to_string().contains("is no file"));
        assert!(Part::open(&folder.path().join("a.ndjson.gz"), "r", false).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let part = beside(&path, "part");
            std::os::unix::fs::symlink(folder.path().join("victim"), &part).unwrap();
            assert!(Part::open(&path, "r", false).map(drop).unwrap_err().to_string().contains("is no file"));
            fs::remove_file(&part).unwrap();
            // As another user may have made it, to read along.
            fs::write(&part, "").unwrap();
            fs::set_permissions(&part, fs::Permissions::from_mode(0o666)).unwrap();
            assert!(Part::open(&path, "r", false).map(drop).unwrap_err().to_string().contains("others can read it"));
        }
    }
}
