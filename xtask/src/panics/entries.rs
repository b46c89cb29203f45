//! The public entry points of the core, and which of them the probe forgot.

use std::{fs, io, path::Path};

use crate::{Result, sources};

/// `Type::function` and `Type`, of all that the core exports and the probe does not name.
pub(super) fn forgotten(core: &Path, probe: &Path) -> Result<Vec<String>> {
    let read = |folder: &Path| sources::below(folder)?.iter().map(fs::read_to_string).collect::<io::Result<Vec<_>>>();
    let probe: String = read(probe)?.iter().map(|source| without_generics(source)).collect();
    let mut names = Vec::new();
    for source in read(core)? {
        names.extend(functions(&source));
    }
    names.extend(exports(&fs::read_to_string(core.join("lib.rs"))?));
    if names.is_empty() {
        return Err("the core has no public entry point, it seems".into());
    }
    let is_named = |name: &String| {
        let ends = |rest: &str| !rest.starts_with(|char: char| char.is_alphanumeric() || char == '_');
        let begins = |before: &str| !before.ends_with(|char: char| char.is_alphanumeric() || char == '_');
        probe.match_indices(name.as_str()).any(|(at, _)| {
            let after = at.saturating_add(name.len());
            probe.get(after..).is_some_and(ends) && probe.get(..at).is_some_and(begins)
        })
    };
    names.retain(|name| !is_named(name));
    Ok(names)
}

/// The functions of a source's own types, its tests aside.
fn functions(source: &str) -> Vec<String> {
    let (mut names, mut of) = (Vec::new(), None);
    for line in source.lines().take_while(|line| *line != "#[cfg(test)]") {
        if let Some(rest) = line.strip_prefix("impl") {
            of = (!line.contains(" for ")).then(|| {
                // `<B: AsRef<[u8]>> Answer<B> {`
                let plain = without_generics(rest);
                plain.split_whitespace().next().unwrap_or_default().to_owned()
            });
        } else if line == "}" {
            of = None;
        }
        let Some(rest) = line.trim_start().strip_prefix("pub ") else { continue };
        let Some(rest) = rest.strip_prefix("const ").unwrap_or(rest).strip_prefix("fn ") else { continue };
        let name = rest.split(['(', '<']).next().unwrap_or_default();
        names.push(of.as_ref().map_or_else(|| name.to_owned(), |of| format!("{of}::{name}")));
    }
    names
}

/// The types that `lib.rs` exports, in one line or in many; constants are all capitals.
fn exports(lib: &str) -> Vec<String> {
    let exports = lib.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next()?.split_once("::"));
    let names = exports.flat_map(|(_, names)| names.trim_matches(['{', '}']).split(',').map(str::trim));
    names.filter(|name| name.contains(char::is_lowercase)).map(str::to_owned).collect()
}

/// The text without what is in angle brackets, and without the colons before them.
fn without_generics(text: &str) -> String {
    let (mut plain, mut depth) = (String::with_capacity(text.len()), 0_u32);
    let mut before = ' ';
    for char in text.chars() {
        match char {
            '<' => {
                if depth == 0 && plain.ends_with("::") {
                    plain.truncate(plain.len().saturating_sub(2));
                }
                depth = depth.saturating_add(1);
            }
            '>' if before != '-' && before != '=' => depth = depth.saturating_sub(1),
            char if depth == 0 => plain.push(char),
            _ => {}
        }
        before = char;
    }
    plain
}
