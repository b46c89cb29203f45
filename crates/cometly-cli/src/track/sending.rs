//! Several events under way at once, a bounded number of them; answers are noted by one hand.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Api, Call};
use serde_json::value::RawValue;

use crate::{
    exit::Exit,
    failure::Failure,
    terminal::{interrupt, progress::Progress},
    track::{
        journal::{Fate, Journal, Record, Said},
        plan::Planned,
        source::Source,
        verdict::{Verdict, judge},
    },
    transport::Transport,
};

/// As many as a pacer lets go at once.
const WORKERS: usize = 8;
/// After this many failures in a row the cause is not one line.
const MAX_FAILURES: u32 = 10;
/// How often a line that was left is tried again in one run.
const ROUNDS: usize = 3;
/// How long those under way may take when the run is to end.
const GRACE: Duration = Duration::from_secs(2);

/// What happened meanwhile.
enum News {
    Answered { place: usize, verdict: Verdict },
    Interrupted,
}

struct Job {
    /// Of the event in its round.
    place: usize,
    call: Call,
}

/// What this run did; what is known of all lines is in the journal.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Why lines are left, if any are.
    pub(crate) failure: Option<Failure>,
}

pub(crate) struct Run<'a> {
    source: &'a Source,
    api: &'a Api,
    journal: &'a mut Journal,
    progress: Progress,
    sent: Sent,
    failures_in_a_row: u32,
    ends: bool,
    jobs: SyncSender<Job>,
    news: Receiver<News>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        source: &'a Source,
        api: &'a Api,
        journal: &'a mut Journal,
        transport: &Transport,
        progress: Progress,
    ) -> Result<Self, Failure> {
        let (sender, news) = mpsc::channel();
        let (jobs, queue) = mpsc::sync_channel(WORKERS);
        let interrupted = sender.clone();
        interrupt::listen(move || {
            // The receiver is gone once the run has ended.
            let _ = interrupted.send(News::Interrupted);
        })?;
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..WORKERS {
            let (queue, sender, transport) = (Arc::clone(&queue), sender.clone(), transport.clone());
            thread::spawn(move || work(&queue, &sender, &transport));
        }
        let sent = Sent::default();
        Ok(Self { source, api, journal, progress, sent, failures_in_a_row: 0, ends: false, jobs, news })
    }

    /// Sends the events, and those that were left a few times more. An error is one of this machine, and ends the run at
    /// once.
    pub(crate) fn send(mut self, mut events: Vec<&Planned>) -> Result<Sent, Failure> {
        for _ in 0..ROUNDS {
            self.sent.failure = None;
            let left = self.round(&events)?;
            // A round that changed nothing says what another would bring.
            if self.ends || left.is_empty() || left.len() == events.len() {
                break;
            }
            events = left;
        }
        Ok(self.sent)
    }

    /// Sends each event once; gives back those that are left.
    fn round<'e>(&mut self, events: &[&'e Planned]) -> Result<Vec<&'e Planned>, Failure> {
        let (mut left, mut next, mut under_way) = (Vec::new(), events.iter().enumerate(), 0_usize);
        let mut deadline: Option<Instant> = None;
        loop {
            while !self.ends && under_way < WORKERS {
                let Some((place, planned)) = next.next() else { break };
                let job = Job { place, call: self.call(planned)? };
                self.note_before(planned)?;
                self.jobs.send(job).map_err(|_| nobody_works())?;
                under_way = under_way.saturating_add(1);
            }
            if under_way == 0 {
                return Ok(left);
            }
            if self.ends {
                deadline = deadline.or_else(|| Instant::now().checked_add(GRACE));
            }
            match self.wait(deadline)? {
                // Those still under way are left, whatever becomes of them.
                None => return Ok(left),
                Some(News::Interrupted) => {
                    self.ends = true;
                    self.sent.failure = Some(Failure::new(Exit::Interrupted, "stopped"));
                }
                Some(News::Answered { place, verdict }) => {
                    under_way = under_way.saturating_sub(1);
                    if let Some(planned) = events.get(place)
                        && !self.note(planned, verdict)?
                    {
                        left.push(*planned);
                    }
                }
            }
        }
    }

    /// `None` when the deadline has passed.
    fn wait(&self, deadline: Option<Instant>) -> Result<Option<News>, Failure> {
        let Some(deadline) = deadline else { return self.news.recv().map(Some).map_err(|_| nobody_works()) };
        match self.news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(news) => Ok(Some(news)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(nobody_works()),
        }
    }

    fn call(&self, planned: &Planned) -> Result<Call, Failure> {
        let text = self.source.text(planned)?;
        // Kept as it is written: a number read and written again may be another text.
        let event = RawValue::from_string(text).map_err(|_| Failure::local("a line changed while it was sent"))?;
        Ok(self.api.post("events/track").idempotency_key(planned.key.to_string()).json(&event))
    }

    /// Notes what is about to be sent under a key that the event brought: should the answer not be noted, the next run can tell
    /// whether it still says the same. A key of ours is the hash of its line.
    fn note_before(&mut self, planned: &Planned) -> Result<(), Failure> {
        let Some(content) = planned.content else { return Ok(()) };
        let said = Some(Said::new(planned.number, content));
        self.journal.append(&Record { key: planned.key.to_string().into(), outcome: Fate::Sending, reason: None, said })
    }

    /// Whether the line is done with, for good.
    fn note(&mut self, planned: &Planned, verdict: Verdict) -> Result<bool, Failure> {
        let (fate, reason, count) = match verdict {
            Verdict::Accepted => (Fate::Accepted, None, &mut self.sent.accepted),
            Verdict::Refused { reason } => (Fate::Refused, Some(reason), &mut self.sent.refused),
            Verdict::Left { failure, ends_run } => {
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
                self.leave(planned, failure, ends_run || self.failures_in_a_row >= MAX_FAILURES);
                return Ok(false);
            }
        };
        let key = planned.key.to_string();
        let said = planned.content.map(|content| Said::new(planned.number, content));
        self.journal.append(&Record { key: key.into(), outcome: fate, reason: reason.map(Into::into), said })?;
        self.failures_in_a_row = 0;
        *count = count.saturating_add(1);
        self.progress.step(1);
        self.progress.say(format_args!("{} refused", self.sent.refused));
        Ok(true)
    }

    fn leave(&mut self, planned: &Planned, failure: Failure, ends_run: bool) {
        // Such an answer may be about this line after all.
        let failure = if failure.exit == Exit::Rejected { failure.at_line(planned.number) } else { failure };
        if self.sent.failure.is_none() || (ends_run && !self.ends) {
            self.sent.failure = Some(failure);
        }
        self.ends |= ends_run;
    }
}

fn work(queue: &Mutex<Receiver<Job>>, news: &Sender<News>, transport: &Transport) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { place, call }) = job else { return };
        if news.send(News::Answered { place, verdict: judge(transport.send(call)) }).is_err() {
            return;
        }
    }
}

fn nobody_works() -> Failure {
    Failure::local("the threads that send have ended").advise("run the same command again")
}
