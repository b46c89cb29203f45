//! The connections that are open, and which one has to go if there are too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

#[derive(Clone)]
pub(crate) struct Table(Arc<Shared>);

struct Shared {
    began: Instant,
    most: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    count: u64,
    connections: HashMap<u64, Connection>,
}

struct Connection {
    pulse: Pulse,
    close: oneshot::Sender<()>,
}

/// When a connection last brought or took bytes.
#[derive(Clone)]
pub(crate) struct Pulse {
    began: Instant,
    millis: Arc<AtomicU64>,
    /// Whether a write is pending: the client does not read.
    stuck: Arc<AtomicBool>,
    /// Whether a call with a key is being answered: the client has nothing to send until then.
    answering: Arc<AtomicBool>,
}

/// A call with a key that is being answered, until this is dropped.
pub(crate) struct Answering(Pulse);

/// A place in the table, free again when it is dropped.
pub(crate) struct Place {
    table: Table,
    number: u64,
    pub(crate) pulse: Pulse,
}

impl Table {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { began: Instant::now(), most, open: Mutex::default() }))
    }

    /// Takes a place. If there is none, the connection that has been quiet for longest is closed for it, one that waits for
    /// the answer to a call with a key after all others. The receiver hears when this one has to go.
    pub(crate) fn enter(&self) -> (Place, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        let pulse =
            Pulse { began: self.0.began, millis: Arc::default(), stuck: Arc::default(), answering: Arc::default() };
        pulse.beat();
        let mut open = self.open();
        open.count = open.count.saturating_add(1);
        let number = open.count;
        if open.connections.len() >= self.0.most {
            open.close_the_quietest();
        }
        open.connections.insert(number, Connection { pulse: pulse.clone(), close });
        drop(open);
        (Place { table: self.clone(), number, pulse }, closed)
    }

    /// Closes the connection that has been quiet for longest, if that is longer than `quiet`.
    pub(crate) fn make_room(&self, quiet: Duration) {
        let mut open = self.open();
        let now = self.0.began.elapsed();
        if open.quietest().is_some_and(|(_, last)| now.saturating_sub(last) > quiet) {
            open.close_the_quietest();
        }
    }

    /// Closes all connections with a write that has been pending for longer than `quiet`.
    pub(crate) fn close_the_stuck(&self, quiet: Duration) {
        let now = self.0.began.elapsed();
        let mut open = self.open();
        let is_stuck = |pulse: &Pulse| pulse.is_stuck() && now.saturating_sub(pulse.last()) > quiet;
        for (_, connection) in open.connections.extract_if(|_, connection| is_stuck(&connection.pulse)) {
            // It may have ended by itself.
            let _ = connection.close.send(());
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn quietest(&self) -> Option<(u64, Duration)> {
        let pulses = self.connections.iter().map(|(number, connection)| (*number, &connection.pulse));
        let first = pulses.min_by_key(|(number, pulse)| (pulse.is_answering(), pulse.last(), *number));
        first.map(|(number, pulse)| (number, pulse.last()))
    }

    fn close_the_quietest(&mut self) {
        if let Some((number, _)) = self.quietest()
            && let Some(connection) = self.connections.remove(&number)
        {
            // It may have ended by itself.
            let _ = connection.close.send(());
        }
    }
}

impl Pulse {
    pub(crate) fn beat(&self) {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Relaxed);
    }

    /// A call with a key came whole, and is answered until this is dropped.
    pub(crate) fn answering(&self) -> Answering {
        self.answering.store(true, Ordering::Relaxed);
        Answering(self.clone())
    }

    fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed)
    }

    fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    fn last(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.store(false, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.open().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quietest_connection_makes_room() {
        let table = Table::new(2);
        let (first, mut first_closed) = table.enter();
        std::thread::sleep(Duration::from_millis(5));
        let (_second, mut second_closed) = table.enter();
        std::thread::sleep(Duration::from_millis(5));
        first.pulse.beat();
        let (third, mut third_closed) = table.enter();
        assert!(second_closed.try_recv().is_ok(), "the second one was quiet for longest");
        assert!(first_closed.try_recv().is_err() && third_closed.try_recv().is_err());
        drop(third);
        let (_fourth, _) = table.enter();
        assert!(first_closed.try_recv().is_err(), "the third one had left its place");
        table.make_room(Duration::from_secs(60));
        assert!(first_closed.try_recv().is_err());
        std::thread::sleep(Duration::from_millis(5));
        table.make_room(Duration::from_millis(1));
        assert!(first_closed.try_recv().is_ok());
    }

    #[test]
    fn who_waits_for_an_answer_to_a_call_with_a_key_goes_last() {
        let table = Table::new(2);
        let (waiting, mut waiting_closed) = table.enter();
        let answering = waiting.pulse.answering();
        std::thread::sleep(Duration::from_millis(5));
        let (stranger, mut stranger_closed) = table.enter();
        stranger.pulse.beat();
        let (_next, mut next_closed) = table.enter();
        assert!(stranger_closed.try_recv().is_ok() && waiting_closed.try_recv().is_err());
        drop(answering);
        let (_last, _) = table.enter();
        assert!(waiting_closed.try_recv().is_ok() && next_closed.try_recv().is_err());
    }

    #[test]
    fn only_those_who_read_nothing_are_closed_for_an_answer() {
        let table = Table::new(9);
        let (_quiet, mut quiet_closed) = table.enter();
        let (stuck, mut stuck_closed) = table.enter();
        stuck.pulse.set_stuck(true);
        table.close_the_stuck(Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
        assert!(stuck_closed.try_recv().is_err());
        table.close_the_stuck(Duration::from_millis(1));
        assert!(stuck_closed.try_recv().is_ok() && quiet_closed.try_recv().is_err());
    }
}
