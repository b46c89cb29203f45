//! Sources and pages use plain words: `proof/plain_english.txt` lists those that make a reader stop, and what to write instead.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

const LIST: &str = "proof/plain_english.txt";

/// What is read: prose, sources with their comments and messages, and recorded output.
const EXTENSIONS: [&str; 6] = ["rs", "md", "toml", "html", "js", "trycmd"];

/// Never read: what is built, what git keeps, and what others wrote.
const SKIPPED: [&str; 4] = ["target", ".git", "node_modules", "corpus"];

/// The files of the project, by their path below its root.
fn files(root: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let (mut folders, mut files) = (vec![root.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
            if path.is_symlink() || SKIPPED.iter().any(|skipped| name == *skipped) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| EXTENSIONS.iter().any(|extension| end == *extension)) {
                files.push((path.strip_prefix(root)?.display().to_string(), fs::read_to_string(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether the text has the word, which letters, digits and underscores do not touch. Both are in lower case.
fn has_word(text: &str, word: &str) -> bool {
    let touches = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, from) = text.split_at(at);
        let after = from.strip_prefix(word).unwrap_or_default();
        !before.ends_with(touches) && !after.starts_with(touches)
    })
}

#[test]
fn sources_and_pages_use_plain_words() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let list = fs::read_to_string(root.join(LIST))?;
    let (mut words, mut allowed, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        match parts.as_slice() {
            [first, word, reason] if first.starts_with("allow ") && !reason.is_empty() => {
                allowed.push((first.trim_start_matches("allow "), *word));
            }
            [first, reason] if first.starts_with("later ") && !reason.is_empty() => {
                later.push(first.trim_start_matches("later "));
            }
            [word, instead] if !instead.is_empty() => words.push((*word, *instead)),
            _ => return Err(format!("{LIST}: expected `word | write instead`: {line}").into()),
        }
    }
    let files = files(&root)?;
    assert!(words.len() > 10 && files.len() > 100, "the list and the project were read");
    let (mut found, mut used) = (Vec::new(), Vec::new());
    for (file, text) in files.iter().filter(|(file, _)| !later.iter().any(|path| file.starts_with(path))) {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.to_lowercase();
            for (word, instead) in words.iter().filter(|(word, _)| has_word(&line, word)) {
                if allowed.contains(&(file.as_str(), *word)) {
                    used.push((file.as_str(), *word));
                } else {
                    found.push(format!("{file}:{number}: `{word}`: write {instead}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let unused: Vec<_> = allowed.iter().filter(|entry| !used.contains(entry)).collect();
    assert!(unused.is_empty(), "{LIST} allows what is not there: {unused:?}");
    Ok(())
}

#[test]
fn a_word_is_found_whole_and_not_as_part_of_another() {
    for text in ["stop here", "a full stop", "`stop`", "to stop, if"] {
        assert!(has_word(text, "stop"), "{text}");
    }
    for text in ["stops", "nonstop", "full_stop", "", "sto p"] {
        assert!(!has_word(text, "stop"), "{text}");
    }
}
