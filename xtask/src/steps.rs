//! Commands that each prove something, and a summary of them. Most keep one core busy, or wait, so two can be run at a time;
//! two that build in the same folder wait for each other.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
    thread,
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

    /// The name of the file with its output: its own name in letters, digits and hyphens.
    fn log_name(&self) -> String {
        let plain = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
        format!("{}.log", self.name.chars().map(plain).collect::<String>())
    }

    /// Its output goes into `log`.
    fn play(&self, mut log: File) -> Result<Verdict> {
        if self.is_for_nightly && tool::nightly_cargo().is_none() {
            return Ok(Verdict::NoNightly);
        }
        if let Some(Err(missing)) = self.tool.map(tool::pinned) {
            writeln!(log, "{missing}")?;
            return Ok(Verdict::Failed);
        }
        let mut command = tool::cargo();
        command.args(self.arguments).envs(self.environment.iter().copied());
        let is_well = tool::run(command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log))?;
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

/// Plays them all, `at_once` at a time, whatever becomes of each. Prints what each said when it has ended, and at the end what
/// became of them.
pub(crate) fn play<'a>(steps: impl IntoIterator<Item = &'a Step>, at_once: usize) -> Outcome {
    let folder = tool::root().join("target/steps");
    fs::create_dir_all(&folder)?;
    let steps: Vec<_> = (1..).zip(steps).collect();
    let next = Mutex::new(steps.iter());
    let work = || {
        let mut ended = Vec::new();
        loop {
            let step = next.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, step)) = step else { return Ok(ended) };
            ended.push(Ended::of(*number, step, &folder.join(step.log_name()))?);
        }
    };
    let ended = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| "a step could not be played")?)
            .collect::<Result<Vec<_>>>()
    });
    let mut ended: Vec<_> = ended?.into_iter().flatten().collect();
    ended.sort_by_key(|ended| ended.number);
    let summary: Vec<_> = ended.iter().map(ToString::to_string).collect();
    let failed: Vec<_> =
        ended.iter().filter(|ended| ended.verdict == Verdict::Failed).map(|ended| ended.step.name).collect();
    say(&format!("\n{}\n", summary.join("\n")))?;
    say(&match failed.as_slice() {
        [] => "\nAll is well.\n".to_owned(),
        failed => format!("\nFailed: {}.\n", failed.join(", ")),
    })?;
    Ok(failed.is_empty())
}

/// A step that was played.
struct Ended<'a> {
    number: u32,
    step: &'a Step,
    verdict: Verdict,
    seconds: u64,
}

impl<'a> Ended<'a> {
    fn of(number: u32, step: &'a Step, log: &Path) -> Result<Self> {
        say(&format!("... {}: {step}\n", step.name))?;
        let begun = Instant::now();
        let verdict = step.play(File::create(log)?)?;
        let ended = Self { number, step, verdict, seconds: begun.elapsed().as_secs() };
        let said = fs::read(log)?;
        // Whole, so that another step's does not come between.
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "\n=== {}: {step}", step.name)?;
        stdout.write_all(&said)?;
        writeln!(stdout, "=== {}: {verdict}, {} s", step.name, ended.seconds)?;
        Ok(ended)
    }
}

impl fmt::Display for Ended<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, verdict, seconds, .. } = self;
        write!(formatter, "{verdict:<20}{seconds:>6} s  {}: {step}", step.name)
    }
}
