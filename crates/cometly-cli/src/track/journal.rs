//! What became of each event, kept beside the file, so that a run that was broken off can go on.
//!
//! The first line says which version this is and where the events go; each further one is one final answer. A record is
//! written after its answer came and before anything else is thought of it, so an event without one may have arrived, and
//! is sent again with the same key. An event that brings its own key has a record before it is sent, too, since it may say
//! something else by the next run. Records name events by key, never by place: the file may grow and be sorted.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufReader, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use cometly_core::BaseUrl;
use serde::{Deserialize, Serialize};

use crate::{
    failure::Failure,
    track::{
        event_key::{EventKey, Fingerprint},
        lines::Lines,
    },
};

const VERSION: u32 = 1;
/// The most records that are taken in: each line of the longest file, refused and sent again a few times.
const MAX_RECORDS: usize = 8_000_000;

#[derive(Deserialize, Serialize)]
struct Header<'a> {
    cometly_journal: u32,
    #[serde(borrow)]
    base_url: Cow<'a, str>,
    /// The name that `--space` gave.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    space: Option<Cow<'a, str>>,
    /// The profile whose key was used.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    profile: Option<Cow<'a, str>>,
}

/// Where events go. A key does not tell its Space, so names do, as far as they are given.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) base_url: BaseUrl,
    pub(crate) space: Option<String>,
    pub(crate) profile: Option<String>,
}

impl Target {
    fn header(&self) -> Header<'_> {
        Header {
            cometly_journal: VERSION,
            base_url: self.base_url.to_string().into(),
            space: self.space.as_deref().map(Cow::Borrowed),
            profile: self.profile.as_deref().map(Cow::Borrowed),
        }
    }

    /// What the journal with this header is about, if that is another Space for all that is known.
    fn conflict(&self, header: &Header<'_>) -> Option<(String, &'static str)> {
        const OTHER: &str = "begin another journal with --journal PATH, or go on with that one";
        match ((&header.space, &self.space), (&header.profile, &self.profile)) {
            ((Some(theirs), Some(ours)), _) if theirs == ours => None,
            ((Some(theirs), Some(ours)), _) => Some((format!("the Space {theirs}, not {ours}"), OTHER)),
            (_, (Some(theirs), Some(ours))) if theirs == ours => None,
            (_, (Some(theirs), Some(ours))) => {
                Some((format!("events sent with the key of the profile {theirs}, not {ours}"), OTHER))
            }
            ((Some(theirs), None), _) => {
                Some((format!("the Space {theirs}"), "if the key is one of that Space, say so with --space"))
            }
            _ => None,
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fate {
    /// Taken in: final.
    Accepted,
    /// Refused by the server: final, unless it is to be sent again.
    Refused,
    /// About to be sent under a key of its own, and so perhaps taken in.
    Sending,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) key: Cow<'a, str>,
    pub(crate) outcome: Fate,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Cow<'a, str>>,
    /// Of an event that brought its own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<Said>,
}

/// What was sent under a key that the event brought, and where it stood then. A key of ours is the hash of its line.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    pub(crate) line: u64,
    /// The first half of the content's fingerprint is enough to tell two contents of one key apart.
    pub(crate) content: u64,
}

/// What the journal knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) fate: Fate,
    said: Option<Said>,
}

impl Said {
    pub(crate) fn new(line: u64, content: Fingerprint) -> Self {
        let (first, _) = content.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Self { line, content: u64::from_be_bytes(*first) }
    }
}

impl Noted {
    /// Whether it is about an event with this content.
    pub(crate) fn is_about(&self, content: Option<Fingerprint>) -> bool {
        self.said.map(|said| said.content) == content.map(|content| Said::new(0, content).content)
    }

    /// What is wrong with an event of this key, if the server has taken another one under it, or may have.
    pub(crate) fn conflict(&self, content: Option<Fingerprint>) -> Option<String> {
        // A refused event may come again, corrected.
        if self.fate == Fate::Refused || self.is_about(content) {
            return None;
        }
        let other = match self.said {
            Some(said) => format!("that of line {} of an earlier run, which said something else", said.line),
            None => "the one that an earlier run made for another line".to_owned(),
        };
        if self.fate == Fate::Sending {
            return Some(format!(
                "idempotency_key is {other} and may have arrived: the server would ignore this one; put the earlier text \
                 back to send it again, or give another event another key"
            ));
        }
        Some(format!("idempotency_key is {other}: the server has taken that one, and would ignore this one"))
    }
}

pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// All up to here is whole.
    length: u64,
}

impl Journal {
    /// Opens or begins a journal, and locks it until it is dropped or the process ends, however that comes about. Another file
    /// is left as it is, its mode too.
    pub(crate) fn open(path: &Path, target: &Target) -> Result<(Self, HashMap<EventKey, Noted>), Failure> {
        let failed = |error: io::Error| Failure::file("open the journal", path, &error);
        let shown = path.display();
        let elsewhere = |failure: Failure| failure.advise("name another place with --journal PATH");
        // To open a pipe or a device is to do something to it.
        let mut is_new = false;
        let file = match path.metadata() {
            Ok(found) if !found.is_file() => return Err(foreign(&path.display().to_string())),
            Ok(_) => OpenOptions::new().read(true).append(true).open(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
                return Err(elsewhere(Failure::local(format!(
                    "the journal {shown} is a symlink to where there is no file, and is not followed"
                ))));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                is_new = true;
                private().open(path)
            }
            Err(error) => Err(error),
        };
        let file = file.map_err(|error| elsewhere(failed(error)))?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(foreign(&path.display().to_string()));
        }
        match fs4::FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                return Err(Failure::local(format!("another process works with the journal {}", path.display()))
                    .advise("wait until it has ended, or name another journal for another file with --journal PATH"));
            }
            Err(fs4::TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut journal = Self { path: path.to_owned(), file, length: 0 };
        let mut fates = HashMap::new();
        if journal.file.metadata().map_err(failed)?.len() == 0 && !is_new && !journal.has_our_name() {
            return Err(Failure::local(format!(
                "{shown} is an empty file, and not known to be a journal of cometly's"
            ))
            .advise("remove it, or name another place with --journal PATH"));
        }
        if journal.read_header(target)? {
            journal.each(|record| {
                let noted = Noted { fate: record.outcome, said: record.said };
                fates.insert(EventKey::from(record.key.as_ref()), noted);
            })?;
        }
        // It is ours. One that was made by hand, or copied, may be readable by others.
        #[cfg(unix)]
        journal.file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(failed)?;
        // Whatever was half written when the last run was broken off.
        journal.file.set_len(journal.length).map_err(|error| journal.failed("repair", &error))?;
        if journal.length == 0 {
            journal.append(&target.header())?;
        }
        Ok((journal, fates))
    }

    /// Whether no other program would give the file its name: a run that was killed before it wrote the header leaves it empty.
    fn has_our_name(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "cometly-journal")
    }

    /// Whether there is one; half a one is taken for none.
    fn read_header(&mut self, target: &Target) -> Result<bool, Failure> {
        let path = self.path.display().to_string();
        let Some(line) = self.lines()?.next() else { return Ok(false) };
        let line = line.map_err(|error| self.failed("read", &error))?;
        let bytes = line.bytes.unwrap_or_default();
        let ends = line.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).saturating_add(1);
        let is_whole = self.file.metadata().is_ok_and(|metadata| metadata.len() >= ends);
        if !is_whole {
            let whole = serde_json::to_vec(&target.header()).unwrap_or_default();
            // A file that is not a journal is not overwritten.
            return if whole.starts_with(&bytes) { Ok(false) } else { Err(foreign(&path)) };
        }
        match serde_json::from_slice::<Header<'_>>(&bytes) {
            Ok(header) if header.cometly_journal != VERSION => {
                return Err(Failure::local(format!("the journal {path} is of another version of cometly"))
                    .advise("go on with the version that began it, or begin another with --journal PATH"));
            }
            Ok(header) if header.base_url != target.base_url.to_string() => {
                return Err(Failure::usage(format!(
                    "the journal {path} is about events sent to {}, not to {}",
                    header.base_url, target.base_url
                ))
                .advise("go on with the profile of that address, or begin another journal with --journal PATH"));
            }
            Ok(header) => {
                if let Some((what, todo)) = target.conflict(&header) {
                    return Err(Failure::usage(format!("the journal {path} is about {what}")).advise(todo));
                }
            }
            Err(_) => return Err(foreign(&path)),
        }
        self.length = ends;
        Ok(true)
    }

    /// All records after the header, in their order: the last one of a key holds. One that is torn at the end is passed over.
    pub(crate) fn each(&mut self, mut take: impl FnMut(Record<'_>)) -> Result<(), Failure> {
        let size = self.file.metadata().map_err(|error| self.failed("read", &error))?.len();
        let (mut count, mut torn, mut length) = (0_usize, None, self.length);
        for line in self.lines()?.skip(1) {
            let line = line.map_err(|error| self.failed("read", &error))?;
            if let Some(number) = torn {
                return Err(Failure::local(format!("the journal {} is damaged in line {number}", self.path.display()))
                    .advise("remove that line, and its event is sent again with the same key"));
            }
            let bytes = line.bytes.unwrap_or_default();
            let ends = line.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).saturating_add(1);
            match serde_json::from_slice(&bytes) {
                Ok(record) if ends <= size => {
                    take(record);
                    length = ends;
                }
                _ => torn = Some(line.number),
            }
            count = count.saturating_add(1);
            if count > MAX_RECORDS {
                return Err(Failure::local(format!(
                    "the journal {} has more than {MAX_RECORDS} records",
                    self.path.display()
                ))
                .advise("split the file, and begin another journal for each part"));
            }
        }
        self.length = length;
        Ok(())
    }

    fn lines(&self) -> Result<Lines<BufReader<&File>>, Failure> {
        (&self.file).rewind().map_err(|error| self.failed("read", &error))?;
        Ok(Lines::new(BufReader::new(&self.file)))
    }

    /// Writes a line at the end: a record, or the header of a new journal.
    pub(crate) fn append(&mut self, record: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(record).map_err(|error| self.failed("write", &error.into()))?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // Half a record may stand there now. Failing that, the next run drops it.
            let _ = self.file.set_len(self.length);
            return Err(self.failed("write", &error).advise(
                "make room and run the same command again: what was not noted is sent again with the same key",
            ));
        }
        self.length = self.length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes sure that all of it is on the disk.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| self.failed("write", &error))
    }

    fn failed(&self, doing: &str, error: &io::Error) -> Failure {
        Failure::file(&format!("{doing} the journal"), &self.path, error)
    }
}

fn foreign(path: &str) -> Failure {
    Failure::local(format!("{path} is no journal of cometly's")).advise("name another place with --journal PATH")
}

/// A new file, read and appended to by its owner alone: the server's words may quote an event.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn base_url() -> Target {
        Target { base_url: BaseUrl::default(), space: None, profile: None }
    }

    fn record(key: &str) -> Record<'_> {
        Record { key: key.into(), outcome: Fate::Accepted, reason: None, said: None }
    }

    fn path() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.cometly-journal");
        (folder, path)
    }

    #[test]
    fn what_was_noted_is_known_again_and_the_last_word_holds() {
        let (_folder, path) = path();
        let (mut journal, fates) = Journal::open(&path, &base_url()).unwrap();
        assert!(fates.is_empty());
        let refused = Record { outcome: Fate::Refused, reason: Some("no \"\n".into()), ..record("a") };
        for record in [refused, record("cl1-00112233445566778899aabbccddeeff"), record("a")] {
            journal.append(&record).unwrap();
        }
        journal.sync().unwrap();
        drop(journal);
        let (mut journal, fates) = Journal::open(&path, &base_url()).unwrap();
        assert_eq!(fates.len(), 2);
        assert!(fates.values().all(|noted| noted.fate == Fate::Accepted));
        let mut reasons = Vec::new();
        journal.each(|record| reasons.extend(record.reason.map(Cow::into_owned))).unwrap();
        assert_eq!(reasons, ["no \"\n"]);
    }

    #[test]
    fn wherever_it_is_torn_the_whole_records_are_kept_and_it_can_be_gone_on_with() {
        let (_folder, path) = path();
        let (mut journal, _) = Journal::open(&path, &base_url()).unwrap();
        for key in ["a", "b", "c"] {
            journal.append(&record(key)).unwrap();
        }
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let line_ends = whole[..length].split(|byte| *byte == b'\n').count() - 1;
            let (mut journal, fates) = Journal::open(&path, &base_url()).unwrap();
            assert_eq!(fates.len(), line_ends.saturating_sub(1), "cut to {length}");
            journal.append(&record("d")).unwrap();
            drop(journal);
            let (_, fates) = Journal::open(&path, &base_url()).unwrap();
            assert!(fates.contains_key(&EventKey::from("d")), "cut to {length}");
        }
    }

    #[test]
    fn garbage_at_the_end_is_dropped_and_in_the_middle_is_an_error() {
        let (_folder, path) = path();
        drop(Journal::open(&path, &base_url()).unwrap());
        let header = fs::read(&path).unwrap();
        let good = b"{\"key\":\"a\",\"outcome\":\"accepted\"}\n";
        fs::write(&path, [&header[..], good, &[0; 100]].concat()).unwrap();
        assert_eq!(Journal::open(&path, &base_url()).unwrap().1.len(), 1);
        fs::write(&path, [&header[..], b"oops\n", good].concat()).unwrap();
        assert!(Journal::open(&path, &base_url()).err().unwrap().to_string().contains("damaged in line 2"));
    }

    #[cfg(unix)]
    #[test]
    fn another_file_is_not_touched() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, path) = path();
        for text in [
            "{\"event_name\":\"purchase\"}\n",
            "words",
            "{\"cometly_journal\":1}\n",
            "{\"cometly_journal\":2,\"base_url\":\"\"}\n",
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(Journal::open(&path, &base_url()).is_err());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        }
        let (link, nowhere) = (folder.path().join("link"), folder.path().join("nowhere"));
        std::os::unix::fs::symlink(&nowhere, &link).unwrap();
        let words = Journal::open(&link, &base_url()).err().unwrap().to_string();
        assert!(words.contains("is a symlink to where there is no file") && !nowhere.exists(), "{words}");
        let empty = folder.path().join("empty.txt");
        fs::write(&empty, "").unwrap();
        for mode in [0o644, 0o600] {
            fs::set_permissions(&empty, fs::Permissions::from_mode(mode)).unwrap();
            let words = Journal::open(&empty, &base_url()).err().unwrap().to_string();
            assert!(words.contains("an empty file"), "{words}");
            assert_eq!(fs::metadata(&empty).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::metadata(&empty).unwrap().len(), 0);
        }
        // One that a run of ours could not begin.
        fs::write(&path, "").unwrap();
        assert!(Journal::open(&path, &base_url()).is_ok());
    }

    #[test]
    fn a_key_that_an_event_brought_says_one_thing() {
        let (_folder, path) = path();
        let (mut journal, _) = Journal::open(&path, &base_url()).unwrap();
        let (one, other) = ([1; 16], [2; 16]);
        journal.append(&Record { said: Some(Said::new(7, one)), ..record("given") }).unwrap();
        journal.append(&record("made")).unwrap();
        let refused = Record { outcome: Fate::Refused, ..record("refused") };
        journal.append(&Record { said: Some(Said::new(8, one)), ..refused }).unwrap();
        drop(journal);
        let (_, noted) = Journal::open(&path, &base_url()).unwrap();
        let conflict = |key: &str, content| noted[&EventKey::from(key)].conflict(content);
        assert_eq!(conflict("given", Some(one)), None);
        assert!(conflict("given", Some(other)).unwrap().contains("line 7 of an earlier run"));
        assert!(conflict("given", None).is_some() && conflict("made", Some(one)).is_some());
        assert_eq!(conflict("made", None), None);
        assert_eq!(conflict("refused", Some(other)), None);
        let (mut journal, _) = Journal::open(&path, &base_url()).unwrap();
        let sending = Record { outcome: Fate::Sending, ..record("refused") };
        journal.append(&Record { said: Some(Said::new(9, one)), ..sending }).unwrap();
        drop(journal);
        let (_, noted) = Journal::open(&path, &base_url()).unwrap();
        let conflict = |content| noted[&EventKey::from("refused")].conflict(content);
        assert_eq!(conflict(Some(one)), None);
        assert!(conflict(Some(other)).unwrap().contains("line 9 of an earlier run, which said something else and may"));
    }

    #[test]
    fn a_journal_is_for_one_base_url_and_one_process() {
        let (_folder, path) = path();
        let first = Journal::open(&path, &base_url()).unwrap();
        assert!(Journal::open(&path, &base_url()).err().unwrap().to_string().contains("another process"));
        drop(first);
        let other = Target { base_url: "http://127.0.0.1:1/".parse().unwrap(), ..base_url() };
        assert!(Journal::open(&path, &other).err().unwrap().to_string().contains("about events sent to"));
    }

    #[test]
    fn a_journal_is_about_one_space_as_far_as_names_tell() {
        let named = |space: Option<&str>, profile: Option<&str>| Target {
            space: space.map(str::to_owned),
            profile: profile.map(str::to_owned),
            ..base_url()
        };
        for (begun, used, words) in [
            ((None, None), (None, None), ""),
            ((None, None), (Some("a"), Some("p")), ""),
            ((None, Some("p")), (None, None), ""),
            ((None, Some("p")), (Some("a"), Some("p")), ""),
            ((None, Some("p")), (None, Some("q")), "the profile p, not q"),
            ((None, Some("p")), (Some("a"), Some("q")), "the profile p, not q"),
            ((Some("a"), Some("p")), (Some("a"), Some("q")), ""),
            ((Some("a"), Some("p")), (Some("b"), Some("p")), "the Space a, not b"),
            ((Some("a"), Some("p")), (None, Some("p")), ""),
            ((Some("a"), Some("p")), (None, Some("q")), "the profile p, not q"),
            ((Some("a"), None), (None, None), "the Space a; if the key is one of that Space, say so with --space"),
        ] {
            let (_folder, path) = path();
            drop(Journal::open(&path, &named(begun.0, begun.1)).unwrap());
            let failure = Journal::open(&path, &named(used.0, used.1)).err().map(|failure| failure.to_string());
            let failure = failure.unwrap_or_default();
            assert!(failure.contains(words) && failure.is_empty() == words.is_empty(), "{words}: {failure}");
        }
    }
}
