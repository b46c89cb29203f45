//! Commands that are run one after another, each proving something, and a summary of them.

use std::{
    fmt::{self, Write as _},
    time::Instant,
};

use crate::{Outcome, Result, say, tool};

/// One command, and what it proves.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// Of cargo, in the project's folder.
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// A program of `proof/tools.txt` that it runs.
    tool: Option<&'static str>,
    /// Whether it is left out where there is no nightly compiler.
    is_for_nightly: bool,
}

impl Step {
    pub(crate) const fn new(name: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { name, arguments, environment: &[], tool: None, is_for_nightly: false }
    }

    pub(crate) const fn environment(self, environment: &'static [(&'static str, &'static str)]) -> Self {
        Self { environment, ..self }
    }

    pub(crate) const fn with(self, tool: &'static str) -> Self {
        Self { tool: Some(tool), ..self }
    }

    pub(crate) const fn on_nightly(self) -> Self {
        Self { is_for_nightly: true, ..self }
    }

    fn play(&self) -> Result<Verdict> {
        if self.is_for_nightly && tool::nightly_cargo().is_none() {
            return Ok(Verdict::NoNightly);
        }
        if let Some(Err(missing)) = self.tool.map(tool::pinned) {
            say(&format!("{missing}\n"))?;
            return Ok(Verdict::Failed);
        }
        let is_well = tool::run(tool::cargo().args(self.arguments).envs(self.environment.iter().copied()))?;
        Ok(if is_well { Verdict::Well } else { Verdict::Failed })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.environment {
            write!(formatter, "{name}='{value}' ")?;
        }
        write!(formatter, "cargo {}", self.arguments.join(" "))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    Failed,
    NoNightly,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Well => "ok",
            Self::Failed => "FAILED",
            Self::NoNightly => "skipped: no nightly",
        })
    }
}

/// Plays them all, whatever becomes of each, and says at the end what became of them.
pub(crate) fn play<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Outcome {
    let (mut summary, mut failed) = (String::new(), Vec::new());
    for step in steps {
        say(&format!("\n=== {}: {step}\n", step.name))?;
        let begun = Instant::now();
        let verdict = step.play()?;
        let seconds = begun.elapsed().as_secs();
        say(&format!("=== {}: {verdict}, {seconds} s\n", step.name))?;
        writeln!(summary, "{verdict:<20}{seconds:>6} s  {}: {step}", step.name)?;
        if verdict == Verdict::Failed {
            failed.push(step.name);
        }
    }
    say(&format!("\n{summary}"))?;
    say(&match failed.as_slice() {
        [] => "\nAll is well.\n".to_owned(),
        failed => format!("\nFailed: {}.\n", failed.join(", ")),
    })?;
    Ok(failed.is_empty())
}
