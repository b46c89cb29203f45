//! How far a long command is, and how long it waits: on a terminal only, at the foot of stderr.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::terminal::{
    escape::for_terminal,
    telemetry::{CallName, Step},
};

/// The shortest wait that is printed where no bar counts it down.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// A bar that a command begins, and the wait that all of its calls share.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
    waiting: Arc<Mutex<Option<Waiting>>>,
    quiet: bool,
    is_shown: bool,
    verbose: bool,
}

/// Until when, and why.
struct Waiting {
    until: Instant,
    reason: String,
}

impl Progress {
    pub(crate) fn new(quiet: bool, json: bool, verbose: bool) -> Self {
        let is_shown = !quiet && !json && io::stderr().is_terminal();
        Self { bar: ProgressBar::hidden(), waiting: Arc::default(), quiet: quiet || json, is_shown, verbose }
    }

    /// A bar over `total` steps, or a count if the end is not known. `what` are the things counted.
    pub(crate) fn begin(&self, total: Option<u64>, what: &str) -> Self {
        if !self.is_shown {
            return self.clone();
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match total {
            Some(_) => "{bar:24} {pos}/{len} {prefix}{msg}{wait}",
            None if what.is_empty() => "{spinner}{msg}{wait}",
            None => "{spinner} {pos} {prefix}{rate}{msg}{wait}",
        };
        self.bar(bar, template, what)
    }

    /// A bar over the bytes of a file, whose number is given later.
    pub(crate) fn begin_bytes(&self) -> Self {
        if !self.is_shown {
            return self.clone();
        }
        let template = "{bar:24} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} to go{msg}{wait}";
        self.bar(ProgressBar::new(0), template, "")
    }

    fn bar(&self, bar: ProgressBar, template: &str, what: &str) -> Self {
        let waiting = Arc::clone(&self.waiting);
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let rate = |state: &ProgressState, w: &mut dyn fmt::Write| {
            let rate = state.per_sec();
            let _ = if rate >= 1.0 { write!(w, ", {rate:.0} a second") } else { Ok(()) };
        };
        bar.set_style(style.with_key("rate", rate).with_key(
            "wait",
            move |_: &ProgressState, w: &mut dyn fmt::Write| {
                // A bar that cannot be drawn is not worth an error.
                let _ = remaining(&waiting)
                    .map_or(Ok(()), |(wait, reason)| write!(w, ", {} s to wait: {reason}", wait.as_secs_f64().ceil()));
            },
        ));
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, ..self.clone() }
    }

    pub(crate) fn step(&self, by: u64) {
        self.bar.inc(by);
    }

    pub(crate) fn at(&self, position: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_position(position);
    }

    pub(crate) fn say(&self, words: impl fmt::Display) {
        if self.is_shown {
            // Some of it are the server's words, which must steer no terminal.
            let words = words.to_string().replace(['\n', '\t'], " ");
            self.bar.set_message(format!(", {}", String::from_utf8_lossy(&for_terminal(words.as_bytes()))));
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Takes the bar away while something else is written.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// A call waits, for its turn or before another attempt.
    fn waits(&self, wait: Duration, reason: &str) {
        let known = remaining(&self.waiting).map(|(known, _)| known);
        let is_news = known.is_none_or(|known| known.saturating_add(Duration::from_secs(1)) < wait);
        if !is_news {
            return;
        }
        *lock(&self.waiting) =
            Instant::now().checked_add(wait).map(|until| Waiting { until, reason: reason.to_owned() });
        if wait >= WORTH_A_LINE && !self.is_shown && !self.quiet && !self.verbose {
            self.tell(format_args!("{} s to wait: {reason}", wait.as_secs_f64().ceil()));
        }
    }

    /// A step of a call, from its client.
    pub(crate) fn step_of(&self, call: &CallName, step: &Step) {
        if let Step::Waits { wait, reason, .. } = step {
            self.waits(*wait, reason);
        }
        if self.verbose {
            self.tell(format_args!("{} {}: {step}", call.method, call.template));
        }
    }

    fn tell(&self, words: fmt::Arguments<'_>) {
        let _ = self.aside(|| writeln!(anstream::stderr().lock(), "{words}"));
    }
}

fn remaining(waiting: &Mutex<Option<Waiting>>) -> Option<(Duration, String)> {
    let waiting = lock(waiting);
    let waiting = waiting.as_ref()?;
    let left = waiting.until.saturating_duration_since(Instant::now());
    (!left.is_zero()).then(|| (left, waiting.reason.clone()))
}

fn lock(waiting: &Mutex<Option<Waiting>>) -> MutexGuard<'_, Option<Waiting>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_wait_does_not_hide_a_longer_one() {
        let progress = Progress::new(true, false, false);
        progress.waits(Duration::from_secs(60), "long");
        progress.waits(Duration::from_millis(100), "short");
        let (left, reason) = remaining(&progress.waiting).unwrap();
        assert!(left > Duration::from_secs(50) && reason == "long");
    }
}
