//! The thread that writes to a data folder: everything that waits, in one transaction after the other.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::store::row::Row;
use crate::store::settled::{Settled, Written};

/// How much may wait to be written before changes are refused.
const MAX_WAITING: usize = 64 << 20;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    rows: Vec<Row>,
    bytes: usize,
    handed_over: u64,
    waiters: Vec<Waiter>,
    /// Rows are being written that are not in `rows` any more.
    writing: bool,
    ends: bool,
}

enum Waiter {
    Task(oneshot::Sender<Written>),
    Thread(mpsc::SyncSender<Written>),
}

impl Writer {
    /// `write` writes all of some rows, or none of them.
    pub(crate) fn start(write: impl Fn(&[Row]) -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let thread = thread::Builder::new().name("cometly-emulator-disk".into()).spawn(move || served.run(&write))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(crate) fn keep(&self, rows: Vec<Row>) {
        if rows.is_empty() {
            return;
        }
        let mut queue = self.shared.queue();
        queue.bytes = rows.iter().map(Row::bytes).fold(queue.bytes, usize::saturating_add);
        queue.rows.extend(rows);
        queue.handed_over = queue.handed_over.saturating_add(1);
        drop(queue);
        self.shared.work.notify_one();
    }

    pub(crate) fn has_room(&self) -> bool {
        self.shared.queue().bytes < MAX_WAITING
    }

    pub(crate) fn handed_over(&self) -> u64 {
        self.shared.queue().handed_over
    }

    pub(crate) fn settled(&self) -> Settled {
        let (sender, receiver) = oneshot::channel();
        if self.shared.wait(Waiter::Task(sender)) { Settled::Later(receiver) } else { Settled::Now }
    }

    pub(crate) fn settle(&self) -> Option<mpsc::Receiver<Written>> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.shared.wait(Waiter::Thread(sender)).then_some(receiver)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue().ends = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already, and a second one while dropping would abort.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is something to wait for.
    fn wait(&self, waiter: Waiter) -> bool {
        let mut queue = self.queue();
        let waits = queue.writing || !queue.rows.is_empty();
        if waits {
            queue.waiters.push(waiter);
            drop(queue);
            self.work.notify_one();
        }
        waits
    }

    /// Writes until the end. Rows that could not be written stay first in the queue, and are tried again with the next
    /// waiter: none is answered before all that came before it is in the folder.
    fn run(&self, write: &impl Fn(&[Row]) -> io::Result<()>) {
        let mut failed = false;
        loop {
            let mut queue = self.queue();
            // After a failure, a new attempt is made for the waiting calls, and a last one at the end.
            while !queue.ends && (if failed { queue.waiters.is_empty() } else { queue.rows.is_empty() }) {
                queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            let ends = queue.ends;
            let (rows, waiters) = (mem::take(&mut queue.rows), mem::take(&mut queue.waiters));
            queue.writing = true;
            drop(queue);

            let written = write(&rows).map_err(|error| error.to_string());
            failed = written.is_err();

            let mut queue = self.queue();
            queue.writing = false;
            if failed {
                let later = mem::replace(&mut queue.rows, rows);
                queue.rows.extend(later);
            }
            queue.bytes = queue.rows.iter().map(Row::bytes).fold(0, usize::saturating_add);
            let nothing_left = queue.rows.is_empty();
            // Calls that came while this was written: if nothing is left, their records were in it.
            let late = if nothing_left { mem::take(&mut queue.waiters) } else { Vec::new() };
            drop(queue);
            for waiter in waiters.into_iter().chain(late) {
                waiter.tell(written.clone());
            }
            if ends && (failed || nothing_left) {
                return;
            }
        }
    }
}

impl Waiter {
    /// A client that has gone does not hear it.
    fn tell(self, written: Written) {
        match self {
            Self::Task(sender) => drop(sender.send(written)),
            Self::Thread(sender) => drop(sender.send(written)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn row(id: &str) -> Row {
        Row { kind: "event", space: 1, id: id.into(), body: Some("{}".into()) }
    }

    #[test]
    fn what_is_settled_is_written_and_a_failure_loses_nothing() {
        let (full, file) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (disk, written) = (Arc::clone(&full), Arc::clone(&file));
        let writer = Writer::start(move |rows| {
            if disk.load(Ordering::SeqCst) {
                return Err(io::Error::other("the disk is full"));
            }
            written.lock().unwrap().extend(rows.iter().map(|row| row.id.clone()));
            Ok(())
        })
        .unwrap();
        let settle = || writer.settle().map_or(Ok(()), |wait| wait.recv().unwrap());
        let held = || file.lock().unwrap().concat();
        assert!(writer.settle().is_none());
        writer.keep(vec![row("a"), row("b")]);
        assert_eq!((settle(), held()), (Ok(()), "ab".into()));

        full.store(true, Ordering::SeqCst);
        for id in ["c", "d"] {
            writer.keep(vec![row(id)]);
            assert_eq!((settle(), held()), (Err("the disk is full".into()), "ab".into()));
        }
        // A call that changes nothing waits for what came before it all the same.
        assert_eq!(settle(), Err("the disk is full".into()));
        full.store(false, Ordering::SeqCst);
        assert_eq!((settle(), held()), (Ok(()), "abcd".into()));
        writer.keep(vec![row("e")]);
        drop(writer);
        assert_eq!(file.lock().unwrap().concat(), "abcde");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (open, gate) = mpsc::channel::<()>();
        let writer = Writer::start(move |_| gate.recv().map_err(io::Error::other)).unwrap();
        assert!(writer.has_room());
        for _ in 0..70 {
            writer.keep(vec![Row { body: Some("x".repeat(1 << 20)), ..row("a") }]);
        }
        assert!(!writer.has_room());
        drop(open);
    }
}
