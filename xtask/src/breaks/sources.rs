//! A copy of the project in which guards can be taken out.

use std::{fs, path::PathBuf, process::Output};

use crate::{Result, copy, tool};

use super::{Break, Noticed, own_stacks};

/// Whether the guard is there to be taken out.
pub(crate) fn stands_once(one: &Break) -> Result<bool> {
    Ok(fs::read_to_string(tool::root().join(one.file))?.matches(one.find).count() == 1)
}

pub(crate) struct Sources {
    root: PathBuf,
}

impl Sources {
    /// All that git tracks or does not ignore, as it stands now.
    pub(crate) fn copied() -> Result<Self> {
        Ok(Self { root: copy::to("target/breaks")? })
    }

    /// Takes a guard out, runs the test that should notice, and puts it back.
    pub(crate) fn play(&self, one: &Break, noticed: Noticed) -> Result<&'static str> {
        let file = self.root.join(one.file);
        let whole = fs::read_to_string(&file)?;
        if whole.matches(one.find).count() != 1 {
            return Ok("the text to be taken out does not stand there once");
        }
        fs::write(&file, whole.replace(one.find, one.replace))?;
        let played = self.test(noticed);
        fs::write(&file, whole)?;
        let (output, name) = played?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let failed = |line: &str| {
            line.strip_prefix("test ")
                .and_then(|line| line.split_once(" ... "))
                .is_some_and(|(test, verdict)| test.trim() == name && verdict.trim() == "FAILED")
        };
        Ok(match () {
            () if text.lines().any(failed) => "red",
            () if text.contains("could not compile") => "does not compile without it",
            () if output.status.success() => "UNNOTICED",
            () => "the test could not be run",
        })
    }

    fn test(&self, noticed: Noticed) -> Result<(Output, String)> {
        let mut command = tool::cargo();
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", self.root.join("target")).arg("test");
        let name = match noticed {
            Noticed::Test(package, test) => {
                command.args(["--package", package, "--lib", "--", "--exact", test]);
                test.to_owned()
            }
            Noticed::Case(flavour, case) => {
                let name = format!("{flavour}::{case}");
                let program = match flavour {
                    "key_memory" => flavour,
                    own if own_stacks::FLAVOURS.contains(&own) => "own_stacks",
                    _ => "conformance",
                };
                command.args(["--package", "cometly-conformance", "--test", program, "--", "--exact", &name]);
                name
            }
            Noticed::Nobody(_) => return Err("a guard that nobody watches is not taken out".into()),
        };
        Ok((command.output()?, name))
    }
}
