//! A key that a program prints.

#[cfg(unix)]
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{
    io,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use crate::{content::MAX_SIZE, problem::Problem};

/// How long the program may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often the end of the program, and of the watcher, is looked for.
const STEP: Duration = Duration::from_millis(20);

/// The groups of the programs that run now.
#[cfg(unix)]
static RUNNING: Mutex<Vec<rustix::process::Pid>> = Mutex::new(Vec::new());

/// Kills the programs of `cmd:` references that run now, with the processes that they started. It is for a process that is
/// about to end at once, as by Ctrl-C: a [`Watcher`](crate::Watcher) that is dropped, and a read that gives up, end their
/// program by themselves. A [`KeyRef::read`](crate::KeyRef::read) that waits for such a program fails with
/// [`Problem::Failed`](crate::Problem::Failed). Outside Unix this does nothing.
pub fn end_commands() {
    #[cfg(unix)]
    for group in running().drain(..) {
        // Fails only if there is nothing left to end.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(unix)]
fn running() -> MutexGuard<'static, Vec<rustix::process::Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the program, so that it is known to [`end_commands`] from its first moment.
#[cfg(unix)]
fn start(command: &mut Command) -> io::Result<Child> {
    let mut running = running();
    let child = command.spawn()?;
    running.push(rustix::process::Pid::from_child(&child));
    Ok(child)
}

/// Whether it has ended. Its number is another program's from then on.
#[cfg(unix)]
fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let mut running = running();
    let pid = rustix::process::Pid::from_child(child);
    let ended = child.try_wait();
    if !matches!(ended, Ok(None)) {
        running.retain(|group| *group != pid);
    }
    ended
}

#[cfg(not(unix))]
fn start(command: &mut Command) -> io::Result<Child> {
    command.spawn()
}

#[cfg(not(unix))]
fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    child.try_wait()
}

/// What the program prints on stdout; nothing else of it is kept. Gives up when `stop` is set.
pub(crate) fn run(program: &str, arguments: &[String], stop: &AtomicBool) -> Result<Zeroizing<Vec<u8>>, Problem> {
    run_within(TIMEOUT, program, arguments, stop)
}

fn run_within(
    timeout: Duration,
    program: &str,
    arguments: &[String],
    stop: &AtomicBool,
) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // A group of its own, so that what it starts can be ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let started = Instant::now();
    let mut child = start(&mut command).map_err(|error| Problem::Io(error.kind()))?;
    let ended = output::Output::of(&mut child).and_then(|mut output| {
        let status = wait(&mut child, &mut output, started, timeout, stop)?;
        Ok((status, output))
    });
    let (status, mut output) = match ended {
        Ok(ended) => ended,
        Err(problem) => {
            kill(&mut child);
            return Err(problem);
        }
    };
    // What it wrote last. Not to the end: a process that it left behind may hold the pipe.
    output.read(Duration::ZERO)?;
    if status.success() { Ok(output.into_bytes()) } else { Err(Problem::Failed { code: status.code() }) }
}

fn wait(
    child: &mut Child,
    output: &mut output::Output,
    started: Instant,
    timeout: Duration,
    stop: &AtomicBool,
) -> Result<ExitStatus, Problem> {
    loop {
        if let Some(status) = ended(child).map_err(|error| Problem::Io(error.kind()))? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            return Err(Problem::Stopped);
        }
        if started.elapsed() >= timeout {
            return Err(Problem::TimedOut);
        }
        output.read(STEP)?;
    }
}

/// Ends the program, what it started in its group, and reaps it.
fn kill(child: &mut Child) {
    // Both fail only if there is nothing left to end.
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL);
    let _ = child.kill();
    let killed = Instant::now();
    // Not for ever: one that waits for a broken disk does not end.
    while matches!(ended(child), Ok(None)) && killed.elapsed() < Duration::from_secs(1) {
        thread::sleep(STEP);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        // The second process holds the pipe as well.
        let script = format!("sleep 60 & echo $! $$ > {}; wait", file.display());
        let started = Instant::now();
        let problem = run_within(Duration::from_millis(500), "sh", &["-c".to_owned(), script], &AtomicBool::new(false));
        assert_eq!(problem.unwrap_err(), Problem::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(5));
        let pids = std::fs::read_to_string(file).unwrap();
        assert_eq!(pids.split_whitespace().count(), 2);
        for pid in pids.split_whitespace() {
            let is_running = || {
                let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                !state.is_empty() && !state.contains(") Z")
            };
            let waited = Instant::now();
            while is_running() {
                assert!(waited.elapsed() < Duration::from_secs(5), "{pid} still runs");
                thread::sleep(STEP);
            }
        }
    }

    #[test]
    fn the_end_of_the_watcher_ends_the_program() {
        let started = Instant::now();
        let problem = run("sleep", &["60".to_owned()], &AtomicBool::new(true)).unwrap_err();
        assert_eq!(problem, Problem::Stopped);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[cfg(unix)]
mod output {
    use std::{
        io::{self, Read as _},
        process::{Child, ChildStdout},
        thread,
        time::Duration,
    };

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        fs::{OFlags, fcntl_getfl, fcntl_setfl},
    };
    use zeroize::Zeroizing;

    use super::MAX_SIZE;
    use crate::problem::Problem;

    /// The pipe, read without blocking.
    pub(super) struct Output {
        pipe: ChildStdout,
        buffer: Zeroizing<Vec<u8>>,
        length: usize,
        has_ended: bool,
    }

    impl Output {
        pub(super) fn of(child: &mut Child) -> Result<Self, Problem> {
            let pipe = child.stdout.take().ok_or(Problem::Io(io::ErrorKind::BrokenPipe))?;
            fcntl_getfl(&pipe)
                .and_then(|flags| fcntl_setfl(&pipe, flags | OFlags::NONBLOCK))
                .map_err(|error| Problem::Io(error.kind()))?;
            // Never grows, so that no copy is left behind.
            Ok(Self { pipe, buffer: Zeroizing::new(vec![0; MAX_SIZE]), length: 0, has_ended: false })
        }

        /// Takes what is there, or comes within `timeout`.
        pub(super) fn read(&mut self, timeout: Duration) -> Result<(), Problem> {
            if self.has_ended {
                thread::sleep(timeout);
                return Ok(());
            }
            let timeout = Timespec::try_from(timeout).unwrap_or_default();
            // A signal may end the wait early, which does no harm.
            let _ = poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&timeout));
            while let Some(rest) = self.buffer.get_mut(self.length..).filter(|rest| !rest.is_empty()) {
                match self.pipe.read(rest) {
                    Ok(0) => {
                        self.has_ended = true;
                        return Ok(());
                    }
                    Ok(read) => self.length = self.length.saturating_add(read),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(Problem::Io(error.kind())),
                }
            }
            Err(Problem::TooLarge)
        }

        pub(super) fn into_bytes(mut self) -> Zeroizing<Vec<u8>> {
            self.buffer.truncate(self.length);
            self.buffer
        }
    }
}

#[cfg(not(unix))]
mod output {
    use std::{
        io::{self, Read as _},
        process::Child,
        sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
        thread,
        time::Duration,
    };

    use zeroize::Zeroizing;

    use super::MAX_SIZE;
    use crate::problem::Problem;

    type Bytes = Zeroizing<Vec<u8>>;

    /// The pipe, read by a thread that ends with it.
    pub(super) struct Output {
        result: Receiver<io::Result<Bytes>>,
        bytes: Option<Bytes>,
    }

    impl Output {
        pub(super) fn of(child: &mut Child) -> Result<Self, Problem> {
            let mut pipe = child.stdout.take().ok_or(Problem::Io(io::ErrorKind::BrokenPipe))?;
            let (sender, result) = sync_channel(1);
            let read = move || {
                let mut buffer = Zeroizing::new(vec![0; MAX_SIZE]);
                let mut length = 0_usize;
                while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
                    match pipe.read(rest) {
                        Ok(0) => break,
                        Ok(read) => length = length.saturating_add(read),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => {
                            let _ = sender.send(Err(error));
                            return;
                        }
                    }
                }
                buffer.truncate(length);
                let _ = sender.send(Ok(buffer));
            };
            let thread = thread::Builder::new().name("cometly-credentials".to_owned()).spawn(read);
            thread.map_err(|error| Problem::Io(error.kind()))?;
            Ok(Self { result, bytes: None })
        }

        pub(super) fn read(&mut self, timeout: Duration) -> Result<(), Problem> {
            if self.bytes.is_some() {
                thread::sleep(timeout);
                return Ok(());
            }
            // The thread needs a moment after the program's end.
            match self.result.recv_timeout(timeout.max(Duration::from_millis(100))) {
                Ok(Ok(bytes)) if bytes.len() >= MAX_SIZE => Err(Problem::TooLarge),
                Ok(Ok(bytes)) => {
                    self.bytes = Some(bytes);
                    Ok(())
                }
                Ok(Err(error)) => Err(Problem::Io(error.kind())),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
            }
        }

        pub(super) fn into_bytes(self) -> Bytes {
            self.bytes.unwrap_or_default()
        }
    }
}
