//! Both runs, on a client whose answers are at hand and whose time passes when it sleeps.

use std::{
    future::{self, Future},
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;

use super::super::{export_job::tests::Orders, *};
use crate::{ApiKey, AuthOutcome, CallErrorKind, ExportJob, ExportStatus};

struct Client {
    now: Mutex<Duration>,
    /// The status of the export in each answer, the last one first; without one more a call gets no answer.
    answers: Mutex<Vec<&'static str>>,
}

impl Client {
    fn new(answers: &[&'static str]) -> Self {
        Self { now: Mutex::default(), answers: Mutex::new(answers.iter().rev().copied().collect()) }
    }

    fn answer(&self, call: &Call) -> Result<AuthOutcome<Bytes>, CallError<&'static str>> {
        let Some(status) = self.answers.lock().unwrap().pop() else {
            return Err(CallError::setup("no answer is left"));
        };
        let body = format!(r#"{{"export_id":"x-1","status":"{status}","download_url":"https://f.example/"}}"#);
        Ok(call.api().read(http::Response::new(body.into())))
    }

    fn pass(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.saturating_add(time);
    }

    fn moment(&self) -> Moment {
        Moment::since_origin(*self.now.lock().unwrap())
    }
}

impl BlockingClient for Client {
    type Source = &'static str;

    fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, CallError<&'static str>> {
        self.answer(&call)
    }

    fn now(&self) -> Moment {
        self.moment()
    }

    fn sleep(&self, pause: Duration) {
        self.pass(pause);
    }
}

impl AsyncClient for Client {
    type Source = &'static str;

    fn send(&self, call: Call) -> impl Future<Output = Result<AuthOutcome<Bytes>, CallError<&'static str>>> + Send {
        future::ready(self.answer(&call))
    }

    fn now(&self) -> Moment {
        self.moment()
    }

    fn sleep(&self, pause: Duration) -> impl Future<Output = ()> + Send {
        self.pass(pause);
        future::ready(())
    }
}

/// Nothing in these tests waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn api() -> Api {
    Api::new(ApiKey::new("12|abcdef").unwrap())
}

const THREE: [&str; 3] = ["queued", "processing", "completed"];

#[test]
fn a_run_gives_each_item_and_then_the_output() {
    let (api, client) = (api(), Client::new(&THREE));
    let mut run = BlockingRun::new(&client, &api, ExportJob::new(Orders));
    for status in THREE {
        assert_eq!(run.try_next().unwrap().unwrap().status.as_str(), status);
    }
    assert!(run.try_next().unwrap().is_none() && run.next().is_none());
    assert_eq!(run.flow().export_id().unwrap().to_string(), "x-1");
    let running = "running: Running { flow: ExportJob { state: \"completed\", export_id: Some(ExportId(x-1)), .. }, ";
    assert!(format!("{run:?}").starts_with(&format!("BlockingRun {{ {running}is_over: true")), "{run:?}");
    assert_eq!(run.end().unwrap().status, ExportStatus::COMPLETED);
    assert_eq!(client.moment(), Moment::since_origin(Duration::from_secs(6)), "after 2 s and 4 s");

    let client = Client::new(&THREE);
    let mut run = AsyncRun::new(&client, &api, ExportJob::new(Orders));
    for status in THREE {
        assert_eq!(now(run.next()).unwrap().unwrap().status.as_str(), status);
    }
    assert!(now(run.next()).unwrap().is_none());
    assert_eq!(run.flow().export_id().unwrap().to_string(), "x-1");
    assert!(format!("{run:?}").starts_with(&format!("AsyncRun {{ {running}is_over: true")), "{run:?}");
    assert_eq!(now(run.end()).unwrap().status, ExportStatus::COMPLETED);
    assert_eq!(client.moment(), Moment::since_origin(Duration::from_secs(6)));
}

#[test]
fn a_run_that_may_take_five_seconds_ends_before_the_wait_that_does_not_fit() {
    let (api, time) = (api(), Duration::from_secs(5));
    let client = Client::new(&THREE);
    let mut run = BlockingRun::new(&client, &api, ExportJob::new(Orders)).within(time);
    let items: Vec<_> = run.by_ref().map(|item| item.map_err(|error| error.to_string())).collect();
    assert_eq!(items.len(), 3, "two items and an error, which ends it for good");
    // It is the flow's own, and names the call before it.
    let words = "GET things/exports/{id}: the job was not done in the time that it was given";
    assert!(matches!(items.last(), Some(Err(error)) if error.starts_with(words)), "{items:?}");
    assert_eq!(run.into_flow().export_id().unwrap().to_string(), "x-1");

    let client = Client::new(&THREE);
    let mut run = AsyncRun::new(&client, &api, ExportJob::new(Orders)).within(time);
    assert!(now(run.next()).is_ok() && now(run.next()).is_ok());
    let error = now(run.next()).unwrap_err();
    assert_eq!((error.kind(), error.path_template()), (CallErrorKind::Flow, Some("things/exports/{id}")));
    assert_eq!(run.into_flow().export_id().unwrap().to_string(), "x-1");
}

#[test]
fn a_call_that_failed_is_sent_again_by_the_next_step() {
    let (api, client) = (api(), Client::new(&THREE[..1]));
    let mut run = BlockingRun::new(&client, &api, ExportJob::new(Orders));
    assert!(run.try_next().unwrap().is_some());
    assert_eq!(run.try_next().unwrap_err().kind(), CallErrorKind::Setup);
    client.answers.lock().unwrap().push("completed");
    assert_eq!(run.end().unwrap().status, ExportStatus::COMPLETED);
}
