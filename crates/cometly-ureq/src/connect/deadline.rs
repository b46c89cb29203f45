//! The end of what is going on at a connection, shared by all of its layers. ureq gives a time-out to each read and write;
//! a layer that makes several of one (TLS records, partial writes, an answer that comes byte by byte) would begin it anew.

use std::{
    cell::Cell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use ureq::{
    Error, Timeout,
    unversioned::transport::{NextTimeout, time::Duration},
};

#[derive(Clone, Debug)]
pub(super) struct Deadline(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// None, if there is no end.
    at: Option<Instant>,
    reason: Timeout,
    /// How long a single read from the socket may take, whatever the end.
    per_read: Option<Duration>,
    /// How many bytes were written to the socket.
    written: u64,
}

thread_local! {
    /// The end of what this thread reads at the moment.
    static END: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `read`, in which each connection of ours ends at this moment. ureq has a time-out for each read from the socket, and
/// none for a piece of a body: a server that sends what is no body (digits of a chunk's size, trailers) would hold the
/// thread for ever.
pub(crate) fn until<T>(end: Option<Instant>, read: impl FnOnce() -> T) -> T {
    /// Also if ureq panics.
    struct Reset;

    impl Drop for Reset {
        fn drop(&mut self) {
            END.set(None);
        }
    }

    END.set(end);
    let _reset = Reset;
    read()
}

impl Deadline {
    pub(super) fn new(timeout: NextTimeout) -> Self {
        Self(Arc::new(Mutex::new(State {
            at: end(timeout),
            reason: timeout.reason,
            per_read: timeout.per_read,
            written: 0,
        })))
    }

    /// Sets it for the next read or write of a request.
    pub(super) fn set(&self, timeout: NextTimeout) {
        let mut state = self.lock();
        (state.at, state.reason, state.per_read) = (end(timeout), timeout.reason, timeout.per_read);
    }

    /// What is left of it.
    ///
    /// # Errors
    /// ureq's time-out if that is nothing.
    pub(super) fn left(&self) -> Result<NextTimeout, Error> {
        let (at, reason) = {
            let state = self.lock();
            (state.at, state.reason)
        };
        let after = match at.into_iter().chain(END.get()).min().map(|at| at.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return Err(Error::Timeout(reason)),
            Some(left) => Duration::Exact(left),
            None => Duration::NotHappening,
        };
        Ok(NextTimeout { after, reason, ..NextTimeout::default() })
    }

    /// What is left of it for a single read from the socket.
    ///
    /// # Errors
    /// As [`left`](Deadline::left).
    pub(super) fn left_to_read(&self) -> Result<NextTimeout, Error> {
        let left = self.left()?;
        let after = self.lock().per_read.map_or(left.after, |most| most.min(left.after));
        Ok(NextTimeout { after, ..left })
    }

    /// ureq's error for it.
    pub(super) fn passed(&self) -> Error {
        Error::Timeout(self.lock().reason)
    }

    pub(super) fn count_written(&self, bytes: usize) {
        let mut state = self.lock();
        state.written = state.written.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(super) fn written(&self) -> u64 {
        self.lock().written
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(timeout: NextTimeout) -> Option<Instant> {
    match timeout.after {
        Duration::Exact(after) => Instant::now().checked_add(after),
        Duration::NotHappening => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{panic, time};

    use super::*;

    fn left(deadline: &Deadline) -> Result<Duration, Error> {
        deadline.left().map(|left| left.after)
    }

    const SECOND: time::Duration = time::Duration::from_secs(1);

    #[test]
    fn the_end_of_a_read_holds_as_long_as_the_read_alone() {
        let endless = Deadline::new(NextTimeout { reason: Timeout::RecvBody, ..NextTimeout::default() });
        let now = Instant::now();
        until(Some(now), || assert!(matches!(left(&endless), Err(Error::Timeout(Timeout::RecvBody)))));
        assert_eq!(endless.left().unwrap().reason, Timeout::RecvBody);
        assert_eq!(left(&endless).unwrap(), Duration::NotHappening);
        panic::catch_unwind(|| until(Some(now), || panic!("as ureq might"))).unwrap_err();
        assert_eq!(left(&endless).unwrap(), Duration::NotHappening);
    }

    #[test]
    fn the_nearest_end_counts() {
        let minute = NextTimeout { after: Duration::Exact(SECOND * 60), ..NextTimeout::default() };
        let deadline = Deadline::new(minute);
        let within = |most: time::Duration| {
            let Duration::Exact(left) = left(&deadline).unwrap() else { panic!("it has an end") };
            assert!(left <= most && left + SECOND * 10 > most, "{left:?} of {most:?}");
        };
        within(SECOND * 60);
        until(Instant::now().checked_add(SECOND * 30), || within(SECOND * 30));
        until(Instant::now().checked_add(SECOND * 90), || within(SECOND * 60));

        // A read from the socket has a time of its own, which makes no end later.
        let per_read = |seconds| {
            deadline.set(NextTimeout { per_read: Some(Duration::Exact(SECOND * seconds)), ..minute });
            let Duration::Exact(left) = deadline.left_to_read().unwrap().after else { panic!("it has an end") };
            left
        };
        assert_eq!(per_read(5), SECOND * 5);
        assert!(per_read(90) <= SECOND * 60);
    }

    #[test]
    fn each_byte_that_was_written_counts() {
        let deadline = Deadline::new(NextTimeout::default());
        deadline.count_written(3);
        deadline.clone().count_written(4);
        assert_eq!(deadline.written(), 7);
    }
}
