//! `cargo xtask breaks`: takes out one guard of `proof/breaks.toml` at a time, and expects the test that its row names to
//! fail.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use lexopt::ValueExt as _;
use toml::{Table, Value};

use crate::{Outcome, Result, copy, say, sources, tool};

const HELP: &str = "\
cargo xtask breaks               take out each guard of proof/breaks.toml in turn, in a copy of the sources, and run its test
cargo xtask breaks TEXT          only rows whose guard or file contains TEXT
cargo xtask breaks --only TEXT   the same, and TEXT is a part of the file's name
cargo xtask breaks --rotate N    one row in N, others each day: all of them in N days
cargo xtask breaks --list        no test is run: whether each text is in its file once, and each test has a function

Builds what is tested once more, in target/breaks-built, and then takes some 15 s a row. Ends with 1 if a test passes without its guard, or a row
no longer fits the sources.
";

const TABLE: &str = "proof/breaks.toml";

/// One row: what is taken out, and who notices.
struct Row {
    guard: String,
    /// From the project's root.
    file: String,
    find: String,
    replace: String,
    noticed: Noticed,
}

enum Noticed {
    /// A test of a package's library.
    Test { package: String, name: String },
    /// A case of the suite, which one of its test programs runs.
    Case { program: String, name: String },
    /// No test can, for this reason.
    Unnoticed(String),
}

/// Which rows are run.
#[derive(Default)]
struct Choice {
    text: String,
    file: String,
    /// One row in this many.
    rotation: Option<u64>,
}

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut choice, mut only_list) = (Choice::default(), false);
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("list") => only_list = true,
            lexopt::Arg::Long("only") => choice.file = arguments.value()?.string()?,
            lexopt::Arg::Long("rotate") => choice.rotation = Some(arguments.value()?.parse()?),
            lexopt::Arg::Value(value) => choice.text = value.string()?,
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        }
    }
    let rows = rows(&fs::read_to_string(tool::root().join(TABLE))?)?;
    let day = SystemTime::UNIX_EPOCH.elapsed()?.as_secs() / (24 * 60 * 60);
    let chosen: Vec<_> = (0..).zip(&rows).filter(|(index, row)| choice.takes(*index, day, row)).collect();
    if chosen.is_empty() {
        return Err(format!("none of the {} rows of {TABLE} is chosen", rows.len()).into());
    }
    // In a copy, so that nothing here is left broken.
    let copy = if only_list { None } else { Some(copy::to("target/breaks")?) };
    let mut wrong = Vec::new();
    for (_, row) in &chosen {
        write!(io::stdout(), "{} | {} | {}", row.file, row.guard, row.noticed.shown())?;
        io::stdout().flush()?;
        let found = match &copy {
            Some(copy) => row.take_out(copy)?,
            None => row.misfit(&tool::root())?,
        };
        say(&format!("{}\n", found.as_ref().map_or(String::new(), |found| format!(" | {found}"))))?;
        wrong.extend(found.map(|found| format!("{}, {}: {found}", row.file, row.guard)));
    }
    let what = if only_list { "fit the sources" } else { "are noticed when they are gone" };
    let good = chosen.len().saturating_sub(wrong.len());
    say(&format!("\n{good} of {} guards {what}; {} rows in all.\n", chosen.len(), rows.len()))?;
    for line in &wrong {
        say(&format!("wrong: {line}\n"))?;
    }
    Ok(wrong.is_empty())
}

impl Choice {
    fn takes(&self, index: u64, day: u64, row: &Row) -> bool {
        // None of zero parts.
        let is_due = self.rotation.is_none_or(|parts| index.checked_rem(parts) == day.checked_rem(parts));
        let has_text = row.guard.contains(&self.text) || row.file.contains(&self.text);
        is_due && has_text && row.file.contains(&self.file)
    }
}

/// The rows of the table, in its order. An unknown or a missing key is an error that names the row.
fn rows(text: &str) -> Result<Vec<Row>> {
    let table: Table = text.parse().map_err(|error| format!("{TABLE}: {error}"))?;
    let rows = table.get("break").and_then(Value::as_array).ok_or_else(|| format!("{TABLE} has no [[break]]"))?;
    let read = |(number, row): (usize, &Value)| {
        let guard = row.get("guard").and_then(Value::as_str).unwrap_or("without a guard");
        Row::read(row).map_err(|error| format!("{TABLE}, row {number} ({guard}): {error}").into())
    };
    (1..).zip(rows).map(read).collect()
}

impl Row {
    fn read(row: &Value) -> Result<Self, String> {
        const KEYS: [&str; 7] = ["guard", "file", "find", "replace", "test", "case", "unnoticed"];
        let table = row.as_table().ok_or("it is not a table")?;
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("`{unknown}` is not one of {}", KEYS.join(", ")));
        }
        let optional = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{key}` is not a text")),
        };
        let text = |key: &str| optional(key)?.ok_or_else(|| format!("`{key}` is missing"));
        let pair = |key: &str, text: &str| {
            let (place, name) = text.split_once(": ").ok_or_else(|| format!("`{key}` is not `PLACE: NAME`"))?;
            Ok::<_, String>((place.to_owned(), name.to_owned()))
        };
        let noticed = match (optional("test")?, optional("case")?, optional("unnoticed")?) {
            (Some(unit), None, None) => {
                let (package, name) = pair("test", &unit)?;
                Noticed::Test { package, name }
            }
            (None, Some(case), None) => {
                let (program, name) = pair("case", &case)?;
                Noticed::Case { program, name }
            }
            (None, None, Some(reason)) => Noticed::Unnoticed(reason),
            _ => return Err("it needs one of `test`, `case` and `unnoticed`".to_owned()),
        };
        let row = Self {
            guard: text("guard")?,
            file: text("file")?,
            find: text("find")?,
            replace: text("replace")?,
            noticed,
        };
        if row.find.is_empty() || row.find == row.replace {
            return Err("`find` is empty, or `replace` is the same".to_owned());
        }
        Ok(row)
    }

    /// Why the row does not fit the sources, if it does not.
    fn misfit(&self, root: &Path) -> Result<Option<String>> {
        let Ok(text) = fs::read_to_string(root.join(&self.file)) else {
            return Ok(Some("there is no such file: it may have moved".to_owned()));
        };
        match text.matches(&self.find).count() {
            1 => {}
            0 => return Ok(Some("`find` is not in the file: it may have changed or moved".to_owned())),
            times => return Ok(Some(format!("`find` is in the file {times} times: take more of its line"))),
        }
        let (places, name) = match &self.noticed {
            Noticed::Test { package, name } => match package.split_once('/') {
                Some((package, program)) => (
                    vec![format!("crates/{package}/tests/{program}"), format!("crates/{package}/tests/{program}.rs")],
                    name,
                ),
                None => (vec![format!("crates/{package}/src")], name),
            },
            Noticed::Case { program, name } if program != "key_memory" && program != "environment" => {
                (vec!["tests/src/cases".to_owned(), format!("tests/tests/{program}.rs")], name)
            }
            // Its cases have no functions of their own.
            Noticed::Case { .. } | Noticed::Unnoticed(_) => return Ok(None),
        };
        let function = format!("fn {}(", name.rsplit("::").next().unwrap_or_default());
        for place in places.iter().map(|place| root.join(place)) {
            let files = if place.is_dir() { sources::all(&place)? } else { vec![place] };
            for file in files.into_iter().filter(|file| file.exists()) {
                if fs::read_to_string(&file)
                    .map_err(|error| format!("{}: {error}", file.display()))?
                    .contains(&function)
                {
                    return Ok(None);
                }
            }
        }
        Ok(Some(format!("there is no `{function}…)` in {}", places.join(" or "))))
    }

    /// Takes the guard out of the copy, runs its test and puts the guard back. Says what is wrong, if the test passes.
    fn take_out(&self, copy: &Path) -> Result<Option<String>> {
        if let Some(misfit) = self.misfit(&tool::root())? {
            return Ok(Some(misfit));
        }
        let Some((mut test, name)) = self.noticed.command(copy) else { return Ok(None) };
        let file: PathBuf = copy.join(&self.file);
        let whole = fs::read_to_string(&file)?;
        fs::write(&file, whole.replace(&self.find, &self.replace))?;
        let played = test.output();
        fs::write(&file, whole)?;
        let played = played?;
        let said = [played.stdout, played.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let failed = |line: &str| {
            let line = line.strip_prefix("test ").and_then(|line| line.split_once(" ... "));
            line.is_some_and(|(test, verdict)| test.trim() == name && verdict.trim() == "FAILED")
        };
        Ok(match () {
            () if said.lines().any(failed) => None,
            () if said.contains("could not compile") => {
                let why = said.lines().find(|line| line.starts_with("error")).unwrap_or_default();
                Some(format!("does not compile without it: {why}"))
            }
            () if said.contains(" 0 passed; 0 failed;") && played.status.success() => {
                Some("UNNOTICED: no test has that name".to_owned())
            }
            () if played.status.success() => Some("UNNOTICED: the test passes without it".to_owned()),
            () => Some(format!("the test did not run: {}", said.lines().last().unwrap_or_default())),
        })
    }
}

impl Noticed {
    fn shown(&self) -> String {
        match self {
            Self::Test { package: place, name } | Self::Case { program: place, name } => format!("{place}: {name}"),
            Self::Unnoticed(reason) => format!("no test can notice: {reason}"),
        }
    }

    /// What runs the test in the copy, and the test's whole name.
    fn command(&self, copy: &Path) -> Option<(Command, &str)> {
        let (target, name): (&[&str], _) = match self {
            Self::Test { package, name } => match package.split_once('/') {
                Some((package, program)) => (&["--package", package, "--test", program], name),
                None if has_library(package) => (&["--package", package, "--lib"], name),
                None => (&["--package", package, "--bins"], name),
            },
            Self::Case { program, name } => (&["--package", "cometly-conformance", "--test", program], name),
            Self::Unnoticed(_) => return None,
        };
        let mut test = tool::cargo();
        // What the copy depends on was built there already, or is built there but once.
        // A folder of its own: cargo takes a package of the copy for the same package here, and would link what is broken.
        test.current_dir(copy)
            .env("CARGO_TARGET_DIR", tool::root().join("target/breaks-built"))
            .arg("test")
            .args(target);
        test.args(["--", "--exact", name]);
        Some((test, name))
    }
}

fn has_library(package: &str) -> bool {
    tool::root().join("crates").join(package).join("src/lib.rs").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "[[break]]\nguard = 'g'\nfile = 'f'\nfind = 'a'\nreplace = ''\n";

    fn error(text: &str) -> String {
        rows(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_row_that_is_not_whole_is_named() {
        assert_eq!(error(ROW), "proof/breaks.toml, row 1 (g): it needs one of `test`, `case` and `unnoticed`");
        for (line, expected) in [
            ("test = 'x'", "`test` is not `PLACE: NAME`"),
            ("case = 'a: b'\nunnoticed = 'c'", "it needs one of"),
            ("tests = 'a: b'", "`tests` is not one of guard, file,"),
            ("test = 1", "`test` is not a text"),
        ] {
            let error = error(&format!("{ROW}{line}"));
            assert!(error.contains(expected), "{error}");
        }
        assert!(error(&ROW.replace("file = 'f'\n", "unnoticed = 'x'\n")).contains("`file` is missing"));
        assert!(error(&format!("{ROW}unnoticed = 'x'").replace("'a'", "''")).contains("`find` is empty"));
        assert_eq!(rows(&format!("{ROW}test = 'p: a::b'")).unwrap().len(), 1);
    }

    #[test]
    fn a_rotation_takes_each_row_once_in_its_days() {
        let row = rows(&format!("{ROW}unnoticed = 'x'")).unwrap().remove(0);
        let choice = Choice { rotation: Some(3), ..Choice::default() };
        for index in 0..7 {
            let days = (20_000..20_003).filter(|day| choice.takes(index, *day, &row));
            assert_eq!(days.count(), 1, "{index}");
        }
        assert!(!Choice { file: "elsewhere".to_owned(), ..Choice::default() }.takes(0, 0, &row));
    }
}
