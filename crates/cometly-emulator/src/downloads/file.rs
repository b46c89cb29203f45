//! The files of exports: gzipped lines of JSON.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::Weak;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::backend::Backend;
use crate::endpoints::exports;
use crate::ring::Ring;
use crate::store::exports::Export;

/// How many lines are made while the state is locked.
const LINES: usize = 500;
/// The latest files are kept.
const MAX_FILES: usize = 16;
const MAX_BYTES: usize = 64 << 20;

#[derive(Clone)]
pub(crate) struct File {
    pub(crate) content: Bytes,
    /// Tells files of different content apart; without quotation marks.
    pub(crate) tag: String,
}

impl File {
    pub(crate) fn new(content: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Self { tag: format!("{:016x}-{:x}", hasher.finish(), content.len()), content }
    }
}

/// Makes the file of an export; `None` if the emulator ends first.
pub(crate) fn make(backend: &Weak<Backend>, export: &Export) -> Option<File> {
    let mut file = GzEncoder::new(Vec::new(), Compression::fast());
    let mut last = None;
    loop {
        let backend = backend.upgrade()?;
        let state = backend.state();
        let rows = exports::rows(export, &state.records, backend.seeds(), last, LINES);
        drop(state);
        for (_, row) in &rows {
            // Writing to memory does not fail.
            drop(writeln!(file, "{row}"));
        }
        match rows.last() {
            Some((id, _)) => last = Some(*id),
            None => return Some(File::new(file.finish().unwrap_or_default().into())),
        }
    }
}

/// The latest files, by the path of their export.
pub(crate) struct Files(Ring<(String, File)>);

impl Files {
    pub(crate) fn new() -> Self {
        Self(Ring::new(MAX_FILES, MAX_BYTES))
    }

    pub(crate) fn get(&self, path: &str) -> Option<File> {
        self.0.iter().rev().find(|(of, _)| of == path).map(|(_, file)| file.clone())
    }

    pub(crate) fn keep(&mut self, path: &str, file: &File) {
        self.0.push((path.to_owned(), file.clone()), file.content.len());
    }
}
