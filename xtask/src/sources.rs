//! The Rust sources in a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Those of tests aside.
pub(crate) fn below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_of_tests = |file: &PathBuf| {
        let inner = file.strip_prefix(folder).unwrap_or(file);
        inner.with_extension("").components().any(|name| name.as_os_str() == "tests")
    };
    Ok(all(folder)?.into_iter().filter(|file| !is_of_tests(file)).collect())
}

pub(crate) fn all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(all(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
