//! Jobs of many calls: the core's flows, and downloads. Each call is sent on a thread of its own, so that Ctrl-C is heard
//! while it waits.

use std::{
    fs::File,
    ops::ControlFlow,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use cometly_core::{Api, AuthOutcome, Call, Download, Flow, Moment, Step, bytes::Bytes};

use crate::{
    exit::Exit,
    failure::{Failure, SendError},
    terminal::interrupt,
    transport::{FetchError, Transport},
};

pub(crate) struct Job {
    pub(crate) api: Api,
    transport: Transport,
    sender: Sender<Event>,
    events: Receiver<Event>,
}

enum Event {
    Answered(Result<AuthOutcome<Bytes>, SendError>),
    /// A piece of a file is written.
    Fetched(Fetched),
    FileEnded(Result<(), FetchError>),
    Interrupted,
}

/// How far a download is.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) position: u64,
    pub(crate) total: Option<u64>,
    pub(crate) validator: Option<String>,
}

impl Job {
    pub(crate) fn begin(transport: Transport, api: Api) -> Result<Self, Failure> {
        let (sender, events) = mpsc::channel();
        let interrupted = sender.clone();
        interrupt::listen(move || {
            // The receiver is gone once the job has ended.
            let _ = interrupted.send(Event::Interrupted);
        })?;
        Ok(Self { api, transport, sender, events })
    }

    /// The next item of a flow, or its output at its end. After a failure the flow is where it was.
    pub(crate) fn step<F: Flow>(&self, flow: &mut F) -> Result<ControlFlow<F::Output, F::Item>, Failure> {
        loop {
            match flow.next(&self.api, Moment::now()).map_err(|error| self.call_failure(error.into()))? {
                Step::Send(call) => {
                    let answer = self.send(call)?;
                    flow.settle(answer, Moment::now()).map_err(|error| self.call_failure(error))?;
                }
                Step::Sleep(pause) => self.sleep(pause)?,
                Step::Yield(item) => return Ok(ControlFlow::Continue(item)),
                Step::End(output) => return Ok(ControlFlow::Break(output)),
            }
        }
    }

    fn send(&self, call: Call) -> Result<Result<AuthOutcome<Bytes>, SendError>, Failure> {
        let (transport, sender) = (self.transport.clone(), self.sender.clone());
        thread::spawn(move || {
            let _ = sender.send(Event::Answered(transport.answer(call)));
        });
        loop {
            match self.events.recv() {
                Ok(Event::Answered(answer)) => return Ok(answer),
                Ok(Event::Interrupted) | Err(_) => return Err(stopped()),
                Ok(Event::Fetched(_) | Event::FileEnded(_)) => {}
            }
        }
    }

    fn sleep(&self, pause: Duration) -> Result<(), Failure> {
        let until = Instant::now().checked_add(pause);
        loop {
            let left = until.map_or(pause, |until| until.saturating_duration_since(Instant::now()));
            match self.events.recv_timeout(left) {
                Ok(Event::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Err(stopped()),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    /// Fetches the rest of a file to the end of `file`.
    pub(crate) fn fetch(
        &self,
        download: Download,
        mut file: File,
        mut tell: impl FnMut(Fetched) -> Result<(), Failure>,
    ) -> Result<Result<(), FetchError>, Failure> {
        let (transport, sender, api) = (self.transport.clone(), self.sender.clone(), self.api.clone());
        thread::spawn(move || {
            let tell = |download: &Download| {
                let _ = sender.send(Event::Fetched(Fetched {
                    position: download.position(),
                    total: download.total(),
                    validator: download.validator().map(str::to_owned),
                }));
            };
            let ended = transport.fetch(&api, download, &mut file, tell);
            let _ = sender.send(Event::FileEnded(ended));
        });
        loop {
            match self.events.recv() {
                Ok(Event::Fetched(fetched)) => tell(fetched)?,
                Ok(Event::FileEnded(ended)) => return Ok(ended),
                Ok(Event::Interrupted) | Err(_) => return Err(stopped()),
                Ok(Event::Answered(_)) => {}
            }
        }
    }

    /// Whether Ctrl-C came while there was no call under way.
    pub(crate) fn is_stopped(&self) -> bool {
        self.events.try_iter().any(|event| matches!(event, Event::Interrupted))
    }

    /// The error of a download, whose server is not the API's.
    pub(crate) fn failure(&self, error: SendError) -> Failure {
        self.transport.failure(error, None)
    }

    fn call_failure(&self, error: SendError) -> Failure {
        self.transport.failure(error, Some(self.api.base_url().authority()))
    }
}

fn stopped() -> Failure {
    Failure::new(Exit::Interrupted, "stopped")
}
