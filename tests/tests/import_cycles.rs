//! The modules of a crate import each other one way: no module is reached from what it imports.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    path::{Path, PathBuf},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
/// Each module with the modules that it imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The code of a file.
fn code(path: &Path) -> Result<String> {
    Ok(code_of(&fs::read_to_string(path)?))
}

/// Without comments, and without the items that are compiled for tests alone.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        if ["#[cfg(test)]", "#[cfg(all(test,"].iter().any(|start| item.starts_with(start)) {
            let indent = line.len().saturating_sub(item.len());
            // The last line of an item has the indentation of its first.
            let is_end = |line: &&str| {
                line.len().saturating_sub(line.trim_start().len()) == indent
                    && line.trim_start().starts_with(|first| first != '#')
                    && line.ends_with([';', '}', ','])
            };
            lines.by_ref().find(is_end);
        } else {
            code += line.split("//").next().unwrap_or_default();
            code.push('\n');
        }
    }
    code
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|word| !word.is_empty())
}

/// What is behind each `prefix`: a list in braces, or a word.
fn behind<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(prefix).skip(1).map(|rest| {
        let mut depth = 0_u32;
        let end = rest.find(|char: char| {
            match char {
                '{' => depth = depth.saturating_add(1),
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && !char.is_alphanumeric() && char != '_'
        });
        // Without the brace that closes the list, which is no word.
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    })
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let is_test = path.file_stem().is_some_and(|name| name == "tests");
            if path.is_dir() && !is_test {
                files.extend(sources(&path)?);
            } else if path.extension().is_some_and(|end| end == "rs") && !is_test {
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn imports(src: &Path) -> Result<Imports> {
    let root = [src.join("lib.rs"), src.join("main.rs")].into_iter().find(|root| root.is_file());
    let root = code(&root.ok_or_else(|| format!("{} has neither lib.rs nor main.rs", src.display()))?)?;
    let is_module = |line: &str| -> Option<String> {
        let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    let modules: BTreeSet<String> = root.lines().filter_map(is_module).collect();
    // What the root exports belongs to the module that it comes from.
    let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
    for export in root.split("use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        if let Some((module, names)) = export.split_once("::") {
            homes.extend(words(names).map(|name| (name, module)));
        }
    }
    let mut imports = Imports::new();
    for module in &modules {
        let own = src.join(format!("{module}.rs"));
        let mut files = sources(&src.join(module))?;
        files.extend(own.is_file().then(|| own.clone()));
        let entry = imports.entry(module.clone()).or_default();
        for file in files {
            let text = code(&file)?;
            let depth = file.strip_prefix(src)?.components().count();
            let root = "super::".repeat(depth);
            let named = ["crate::", &root].into_iter().flat_map(|root| behind(&text, root)).flat_map(words);
            let home = |name: &str| {
                if modules.contains(name) {
                    Some(name.to_owned())
                } else {
                    homes.get(name).map(|home| (*home).to_owned())
                }
            };
            entry.extend(named.filter_map(home).filter(|other| other != module && modules.contains(other)));
        }
    }
    Ok(imports)
}

/// A way from a module back to itself.
fn cycle(imports: &Imports) -> Option<Vec<String>> {
    imports.keys().find_map(|start| {
        let mut ways = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in way.last().and_then(|last| imports.get(last)).into_iter().flatten() {
                let longer = [way.clone(), vec![next.clone()]].concat();
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next.clone()) {
                    ways.push(longer);
                }
            }
        }
        None
    })
}

#[test]
fn no_module_is_reached_from_what_it_imports() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let mut crates: Vec<PathBuf> =
        fs::read_dir(root.join("crates"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    crates.extend([root.join("xtask"), root.join("tests")]);
    crates.sort();
    let mut known = 0_usize;
    for folder in crates {
        let imports = imports(&folder.join("src"))?;
        known = known.saturating_add(imports.values().map(BTreeSet::len).sum());
        assert_eq!(cycle(&imports), None, "{}", folder.strip_prefix(&root)?.display());
    }
    // Else the sources are not read as they are written.
    assert!(known > 150, "{known} imports were found");
    Ok(())
}

#[test]
fn a_cycle_is_found() {
    let imports = |list: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in list {
            imports.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        imports
    };
    assert_eq!(cycle(&imports(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    assert_eq!(cycle(&imports(&[("a", "b"), ("b", "c"), ("c", "b")])).map(|way| way.len()), Some(3));
}

#[test]
fn imports_are_found_in_lists_and_in_paths() {
    let text = "use crate::{\n    a::{B, C},\n    d,\n};\nfn f() { crate::e::g() }";
    let found: Vec<&str> = behind(text, "crate::").flat_map(words).collect();
    assert_eq!(found, ["a", "B", "C", "d", "e"]);
}

#[test]
fn what_is_compiled_for_tests_alone_imports_nothing() {
    let text = "#[cfg(test)]\nmod tests;\nuse a; // b\nimpl C {\n    #[cfg(test)]\n    #[inline]\n    fn d() {\n        e()\n    }\n    f();\n}\n";
    assert_eq!(code_of(text), "use a; \nimpl C {\n    f();\n}\n");
}
