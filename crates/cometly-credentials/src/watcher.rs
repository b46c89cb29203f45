//! A thread that reads a key again and again, and gives each new one to an `Api`.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use cometly_core::{Api, ApiKey};

use crate::{KeyError, KeyRef, key_ref::Place};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// A command is not asked more often than this.
const MIN_ASK_INTERVAL: Duration = Duration::from_secs(60);

/// A thread that watches a [`KeyRef`] and [rotates](Api::rotate) an [`Api`] to each new key there. A file is read each second, or
/// as [`interval`](WatcherBuilder::interval) says, a command when its key was refused or is [nearly
/// over](WatcherBuilder::expires_after), at most once a minute, and a variable never; each read is bounded as [`KeyRef::read`]
/// says. Only [`start`](Self::start) can fail, if the operating system gives no thread. The thread ends when the watcher is
/// dropped, and dropping waits for it.
///
/// Whatever goes wrong, the `Api` keeps the key that it has; [`status`](Self::status) says what it was.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if cfg!(not(unix)) { return Ok(()) }
/// use std::{fs, time::Duration};
/// use cometly_core::Api;
/// use cometly_credentials::{KeyRef, Watcher};
///
/// # let folder = tempfile::tempdir()?;
/// # let put = |key: &str| {
/// #     let new = tempfile::NamedTempFile::new_in(&folder)?; // readable by this user alone
/// #     fs::write(&new, key)?;
/// #     new.persist(folder.path().join("cometly")).map(drop).map_err(|error| error.error)
/// # };
/// # put("12|first\n")?;
/// let reference: KeyRef = format!("file:{}/cometly", folder.path().display()).parse()?;
/// let api = Api::new(reference.read()?);
/// let watcher = Watcher::builder(reference).interval(Duration::from_millis(20)).start(&api)?;
///
/// put("13|second\n")?; // writes beside the file, and renames it into place
/// while api.key_generation() == 0 {
///     std::thread::sleep(Duration::from_millis(10));
/// }
/// # while watcher.status().changes() == 0 {}
/// let request = api.get("companies").to_request()?;
/// assert_eq!(request.headers()["authorization"], "Bearer 13|second");
/// assert!(watcher.status().last_error().is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "the watcher ends when it is dropped"]
pub struct Watcher {
    reference: KeyRef,
    status: Arc<Mutex<WatchStatus>>,
    stop: Arc<AtomicBool>,
    /// Dropped to wake the thread.
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts a thread that watches `reference` and [rotates](Api::rotate) `api` to each new key there, until the watcher is
    /// dropped; the key of `api` should just have been read from it. It has the default settings: a file is read each second,
    /// and a command is run again when the API refused its key, at most once a minute. A variable is never read again.
    ///
    /// # Errors
    /// That of the operating system, if it gives no thread.
    pub fn start(reference: KeyRef, api: &Api) -> io::Result<Self> {
        Self::builder(reference).start(api)
    }

    /// A builder for a watcher of `reference` with settings of your own; each has a default. Nothing is watched before
    /// [`WatcherBuilder::start`].
    pub fn builder(reference: KeyRef) -> WatcherBuilder {
        WatcherBuilder { reference, interval: DEFAULT_INTERVAL, ask_interval: MIN_ASK_INTERVAL, expires_after: None }
    }

    /// The reference that is watched. The arguments of a command may be secret: [`KeyRef::text`] has them, `Display` leaves them
    /// out.
    #[must_use]
    pub fn reference(&self) -> &KeyRef {
        &self.reference
    }

    /// What the watcher has seen so far (reads, changes of the key and the latest error), as a copy.
    #[must_use]
    pub fn status(&self) -> WatchStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // It has no panic of its own to tell.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("reference", &self.reference)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// The settings of a [`Watcher`]; from [`Watcher::builder`]. Each has a default, and a setter that is called twice replaces the
/// value. [`start`](Self::start) fails with an [`io::Error`] if the operating system gives no thread.
#[derive(Clone, Debug)]
#[must_use]
pub struct WatcherBuilder {
    reference: KeyRef,
    interval: Duration,
    ask_interval: Duration,
    expires_after: Option<Duration>,
}

impl WatcherBuilder {
    /// How often a file is read, and how often it is looked whether a command is to be run again: each second by default, and
    /// at least 10 ms. A command is run again only if the API refused its key or nine tenths of
    /// [`expires_after`](Self::expires_after) are over, and at most once a minute. A variable is never read again. A second
    /// call replaces it.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(MIN_INTERVAL);
        self
    }

    /// How long a key that a command prints is valid, counted from when it was read; by default without end. The command is run
    /// again when nine tenths of it are over, but at most once a minute. It has no effect on files and variables. A second call
    /// replaces it.
    pub fn expires_after(mut self, lifetime: Duration) -> Self {
        self.expires_after = Some(lifetime);
        self
    }

    /// Starts a thread that watches the reference and [rotates](Api::rotate) `api` to each new key there, until the [`Watcher`]
    /// is dropped. Give it an `api` whose key was just read from the reference: a command is not run at the start, and the time
    /// of [`expires_after`](Self::expires_after) begins now. A variable is never read again.
    ///
    /// # Errors
    /// That of the operating system, if it gives no thread.
    pub fn start(self, api: &Api) -> io::Result<Watcher> {
        let (wake, woken) = channel();
        let (status, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let reference = self.reference.clone();
        let watch = Watch {
            api: api.clone(),
            settings: self,
            status: Arc::clone(&status),
            stop: Arc::clone(&stop),
            last: None,
            asked: None,
            read: Instant::now(),
        };
        let thread = thread::Builder::new().name("cometly-credentials".to_owned()).spawn(move || watch.run(&woken))?;
        Ok(Watcher { reference, status, stop, wake: Some(wake), thread: Some(thread) })
    }
}

/// What a [`Watcher`] has seen until [`Watcher::status`] was called: how often it read and replaced the key, and the latest
/// error. It is a copy, which does not change.
#[derive(Clone, Debug, Default)]
pub struct WatchStatus {
    changes: u64,
    reads: u64,
    last_error: Option<KeyError>,
}

impl WatchStatus {
    /// How often the watcher replaced the key of the [`Api`] by another one. What the program rotates itself does not count. Always
    /// 0 for a variable.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How often the watcher read the file or ran the command, with and without success; always 0 for a variable.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Why the latest read found no key; `None` if it found one, or before the first read, and always for a variable.
    #[must_use]
    pub fn last_error(&self) -> Option<&KeyError> {
        self.last_error.as_ref()
    }
}

/// The thread's.
struct Watch {
    api: Api,
    settings: WatcherBuilder,
    status: Arc<Mutex<WatchStatus>>,
    stop: Arc<AtomicBool>,
    /// The last key that was read.
    last: Option<ApiKey>,
    /// When the command was asked, by this thread.
    asked: Option<Instant>,
    /// When the key in use was read.
    read: Instant,
}

impl Watch {
    fn run(mut self, woken: &Receiver<()>) {
        loop {
            if self.is_due() {
                self.look();
            }
            match woken.recv_timeout(self.settings.interval) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn is_due(&self) -> bool {
        match self.settings.reference.place {
            Place::Environment(_) => false,
            Place::File(_) => true,
            Place::Command { .. } => {
                let is_refused = self.api.refused_generation() == Some(self.api.key_generation());
                let lifetime = self.settings.expires_after.and_then(|whole| whole.checked_div(10)?.checked_mul(9));
                let is_old = lifetime.is_some_and(|lifetime| self.read.elapsed() >= lifetime);
                let may_ask = self.asked.is_none_or(|asked| asked.elapsed() >= self.settings.ask_interval);
                (is_refused || is_old) && may_ask
            }
        }
    }

    fn look(&mut self) {
        self.asked = Some(Instant::now());
        let read = self.settings.reference.read_unless(self.last.as_ref(), &self.stop);
        let mut changes = 0;
        let last_error = match read {
            Ok(key) => {
                self.read = Instant::now();
                // A key that the program itself put in place stays until another one is read.
                if self.last.as_ref().is_none_or(|last| last.expose_secret() != key.expose_secret()) {
                    let before = self.api.key_generation();
                    self.api.rotate(key.clone());
                    changes = u64::from(self.api.key_generation() != before);
                    self.last = Some(key);
                }
                None
            }
            Err(error) => Some(error),
        };
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.reads = status.reads.saturating_add(1);
        status.changes = status.changes.saturating_add(changes);
        status.last_error = last_error;
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use cometly_core::{
        Moment, Next, RetryPolicy, TransportLimits,
        bytes::Bytes,
        http::{Response, StatusCode},
    };

    use super::*;

    /// An answer of 401 to the key in use.
    fn refuse(api: &Api) {
        let now = Moment::now();
        let operation = api.get("companies").start(&RetryPolicy::default(), &TransportLimits::default(), 1, now);
        let Next::<Bytes, io::Error>::Send(attempt) = operation.unwrap().next(now) else { panic!("it is not sent") };
        let mut answer = Response::new(Bytes::from_static(br#"{"message":"Unauthenticated."}"#));
        *answer.status_mut() = StatusCode::UNAUTHORIZED;
        let _ = attempt.finish::<Bytes, io::Error>(Ok(answer), now);
    }

    fn wait_for(mut is_so: impl FnMut() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < Duration::from_secs(20), "it does not come");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A command that prints another key each time, and how often it ran.
    fn counting(folder: &std::path::Path) -> (KeyRef, impl Fn() -> usize) {
        let file = folder.join("runs");
        let script = format!("echo >> {0}; echo key-$(wc -l < {0} | tr -d ' ')", file.display());
        let reference = format!("cmd:sh -c \"{script}\"").parse().unwrap();
        (reference, move || fs::read_to_string(&file).map_or(0, |runs| runs.lines().count()))
    }

    #[test]
    fn a_command_is_asked_again_when_its_key_was_refused_and_not_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let (reference, runs) = counting(folder.path());
        let api = Api::new(reference.read().unwrap());
        let mut builder = Watcher::builder(reference).interval(MIN_INTERVAL);
        assert_eq!(builder.ask_interval, Duration::from_secs(60));
        builder.ask_interval = Duration::from_millis(700);
        let watcher = builder.start(&api).unwrap();
        thread::sleep(Duration::from_millis(100));
        assert_eq!(runs(), 1, "a key that is not refused is left alone");
        let began = Instant::now();
        refuse(&api);
        wait_for(|| watcher.status().changes() == 1);
        assert_eq!(api.get("a").to_request().unwrap().headers()["authorization"], "Bearer key-2");
        refuse(&api);
        wait_for(|| watcher.status().changes() == 2);
        assert!(began.elapsed() >= Duration::from_millis(700), "asked again after {:?}", began.elapsed());
        assert_eq!((runs(), api.key_generation()), (3, 2));
    }

    #[test]
    fn a_command_is_asked_again_before_its_key_expires() {
        let folder = tempfile::tempdir().unwrap();
        let (reference, runs) = counting(folder.path());
        let api = Api::new(reference.read().unwrap());
        let mut builder = Watcher::builder(reference).interval(MIN_INTERVAL).expires_after(Duration::from_secs(1));
        builder.ask_interval = Duration::ZERO;
        let began = Instant::now();
        let watcher = builder.start(&api).unwrap();
        wait_for(|| watcher.status().changes() == 1);
        assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
        assert_eq!(runs(), 2);
    }

    #[test]
    fn a_key_that_the_program_put_in_place_stays_until_another_one_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let put = |key: &str| {
            let new = tempfile::NamedTempFile::new_in(&folder).unwrap();
            fs::write(&new, key).unwrap();
            new.persist(folder.path().join("key")).unwrap();
        };
        put("first");
        let reference: KeyRef = format!("file:{}", folder.path().join("key").display()).parse().unwrap();
        let api = Api::new(reference.read().unwrap());
        let watcher = Watcher::builder(reference).interval(MIN_INTERVAL).start(&api).unwrap();
        wait_for(|| watcher.status().reads() > 1);
        api.rotate(ApiKey::new("by-hand").unwrap());
        let reads = watcher.status().reads();
        wait_for(|| watcher.status().reads() > reads + 3);
        assert_eq!((watcher.status().changes(), api.key_generation()), (0, 1));
        put("second");
        wait_for(|| watcher.status().changes() == 1);
        assert_eq!(api.get("a").to_request().unwrap().headers()["authorization"], "Bearer second");
    }

    #[test]
    fn a_watcher_ends_with_its_handle_even_while_its_command_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let flag = folder.path().join("asked");
        let reference: KeyRef = format!("cmd:sh -c 'echo > {}; exec sleep 60'", flag.display()).parse().unwrap();
        let api = Api::new(ApiKey::new("k").unwrap());
        let watcher = Watcher::builder(reference).interval(MIN_INTERVAL).start(&api).unwrap();
        refuse(&api);
        wait_for(|| flag.exists());
        let began = Instant::now();
        drop(watcher);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
