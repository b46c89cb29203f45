//! What this process holds: memory, file descriptors, threads.

use std::{
    fs, io,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// One look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// In KiB.
    rss: u64,
    fds: u64,
    threads: u64,
}

impl Sample {
    pub(crate) fn take() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let rss = line("VmRSS:").and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Ok(Self { rss: rss.unwrap_or_default(), fds: count("/proc/self/fd")?, threads: count("/proc/self/task")? })
    }

    /// Whether no file and no thread is there that was not there at that time.
    pub(crate) fn is_back_to(&self, start: &Self) -> bool {
        self.fds <= start.fds && self.threads <= start.threads
    }

    fn mean(samples: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> u64| {
            let count = u64::try_from(samples.len()).unwrap_or(u64::MAX);
            samples.iter().map(of).sum::<u64>().checked_div(count).unwrap_or_default()
        };
        Self { rss: mean(|sample| sample.rss), fds: mean(|sample| sample.fds), threads: mean(|sample| sample.threads) }
    }

    pub(crate) fn to_json(self) -> Value {
        json!({ "rss": self.rss, "fds": self.fds, "threads": self.threads })
    }
}

fn count(folder: &str) -> io::Result<u64> {
    Ok(u64::try_from(fs::read_dir(folder)?.count()).unwrap_or(u64::MAX))
}

/// Looks twice a second for so long, on a thread of its own.
pub(crate) struct Gauge {
    thread: JoinHandle<Vec<Sample>>,
}

impl Gauge {
    pub(crate) fn start(time: Duration) -> Self {
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            // Room for hours, so that it does not grow while memory is measured.
            let mut samples = Vec::with_capacity(1 << 15);
            while begun.elapsed() < time {
                thread::sleep(Duration::from_millis(500));
                samples.extend(Sample::take());
            }
            samples
        });
        Self { thread }
    }

    /// The means of the first third and of the last one, the first tenth of all being warm-up.
    pub(crate) fn thirds(self) -> Option<(Sample, Sample)> {
        let samples = self.thread.join().ok()?;
        let warm = samples.get(samples.len().div_ceil(10)..)?;
        let third = warm.len().checked_div(3)?;
        Some((Sample::mean(warm.get(..third)?), Sample::mean(warm.get(warm.len().checked_sub(third)?..)?)))
    }
}
