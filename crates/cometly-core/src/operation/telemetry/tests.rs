//! What a subscriber gets: each span with its fields when it begins and what is recorded later, and each event.

use std::{
    fmt::{self, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode};
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    Api, ApiKey, Call, Delivery, Moment, Next, Pacer, RetryPolicy, TransportError, TransportLimits,
    operation::Operation,
};

/// A line for each span, record and event.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Lines {
    fn add(&self, begun: String, record: impl FnOnce(&mut Fields<'_>)) -> usize {
        let mut line = begun;
        record(&mut Fields(&mut line));
        let mut lines = self.0.lock().unwrap();
        lines.push(line);
        lines.len()
    }

    /// Takes the lines so far.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let name = span.metadata().name();
        self.add(format!("span {name}"), |fields| span.record(fields));
        // One for the operation, another for its attempts.
        span::Id::from_u64(if name == "cometly.operation" { 1 } else { 2 })
    }

    fn record(&self, span: &span::Id, values: &span::Record<'_>) {
        self.add(format!("{}:", span.into_u64()), |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        self.add("event".to_owned(), |fields| event.record(fields));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}

    fn try_close(&self, span: span::Id) -> bool {
        self.add(format!("{} ends", span.into_u64()), |_| {});
        true
    }
}

/// The lines that come while this runs.
fn lines_of(run: impl FnOnce(&Lines)) -> Vec<String> {
    // With one subscriber alone, tracing asks the thread that comes first to an event, and another test's thread has none. With
    // two it asks both.
    let _second = Dispatch::new(Lines::default());
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || run(&lines));
    lines.take()
}

fn at(seconds: u64) -> Moment {
    Moment::since_origin(Duration::from_secs(seconds))
}

fn start(call: Call, policy: &RetryPolicy) -> Operation<Bytes, &'static str> {
    call.start(policy, &TransportLimits::default(), 1, at(0)).unwrap()
}

/// One step that sends, answered at once.
fn answered(
    operation: Operation<Bytes, &'static str>,
    answer: Result<u16, TransportError<&'static str>>,
    now: Moment,
) -> Operation<Bytes, &'static str> {
    let Next::Send(attempt) = operation.next(now) else { panic!("it sends") };
    let answer = answer.map(|status| {
        let mut response = Response::new(Bytes::from_static(br#"{"message":"m"}"#));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    });
    attempt.finish(answer, now)
}

const OPERATION: &str = "span cometly.operation otel.name=GET contacts/{id} otel.kind=\"internal\" \
                         http.request.method=GET url.template=\"contacts/{id}\"";

#[test]
fn a_call_that_is_sent_again_is_one_span_with_one_for_each_attempt_and_an_event_for_the_wait() {
    let lines = lines_of(|_| {
        let api = Api::new(ApiKey::new("12|canary").unwrap());
        let call = api.get("contacts/{id}").segment("canary").query("q", "canary");
        let operation = answered(start(call, &RetryPolicy::default()), Ok(503), at(0));
        let Next::Wait { pause, operation } = operation.next(at(0)) else { panic!("it waits") };
        let Next::Wait { operation, .. } = operation.next(at(0)) else { panic!("it still waits") };
        let over = Moment::since_origin(pause);
        let failed = Err(TransportError::failed(Delivery::Untrusted, "canary"));
        let Next::Done(result) = answered(operation, failed, over).next(over) else { panic!("it is over") };
        assert!(result.is_err());
    });
    let attempt = |count: u32, reason: &str| {
        format!(
            "span cometly.attempt otel.name=GET contacts/{{id}} otel.kind=\"client\" http.request.method=GET \
             url.template=\"contacts/{{id}}\" url.scheme=\"https\" server.address=\"app.cometly.com\" server.port=443 \
             http.request.resend_count={count}{reason}"
        )
    };
    let waiting = lines.iter().position(|line| line.starts_with("event")).unwrap();
    let event = &lines[waiting];
    assert!(
        event.contains(" message=waiting attempts=1 pause=")
            && event.ends_with(" reason=\"the server could not serve it\""),
        "{event}"
    );
    let others: Vec<_> = lines.iter().filter(|line| !line.starts_with("event")).map(String::as_str).collect();
    assert_eq!(
        others,
        [
            OPERATION,
            "1: attempts=1",
            &attempt(0, ""),
            "2: http.response.status_code=503",
            "2: error.type=\"server_error\"",
            "2: otel.status_code=\"ERROR\"",
            "2 ends",
            "1: attempts=2",
            &attempt(1, " reason=\"the server could not serve it\""),
            "2: error.type=\"untrusted\"",
            "2: otel.status_code=\"ERROR\"",
            "2 ends",
            // The first attempt may have arrived.
            "1: error.type=\"no_answer\"",
            "1: otel.status_code=\"ERROR\"",
            "1 ends",
        ]
    );
    assert!(!lines.concat().contains("canary"), "{lines:?}");
}

#[test]
fn a_call_that_waits_for_its_turn_says_so_once() {
    lines_of(|lines| {
        let api = Api::builder(ApiKey::new("12|canary").unwrap()).pacer(Pacer::new()).build();
        let Next::Send(first) = start(api.get("contacts/{id}").segment(1), &RetryPolicy::default()).next(at(0)) else {
            panic!("the first is sent")
        };
        lines.take();
        let mut second = start(api.get("contacts/{id}").segment(2), &RetryPolicy::default());
        for look in 0..3 {
            let now = Moment::since_origin(Duration::from_millis(look));
            let Next::Wait { operation, .. } = second.next(now) else { panic!("it waits") };
            second = operation;
        }
        let told = lines.take();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].starts_with("event message=waiting attempts=0 pause="), "{told:?}");
        assert!(told[1].ends_with(" reason=\"its turn has not come\""), "{told:?}");
        drop((first, second));
    });
}

#[test]
fn a_success_and_a_refusal_end_the_operation_with_their_status() {
    for (status, expected) in [
        (200, &["2: http.response.status_code=200", "2 ends", "1 ends"][..]),
        (
            401,
            &[
                "2: http.response.status_code=401",
                "2: error.type=\"unauthenticated\"",
                "2: otel.status_code=\"ERROR\"",
                "2 ends",
                "1: error.type=\"unauthenticated\"",
                "1: otel.status_code=\"ERROR\"",
                "1 ends",
            ],
        ),
    ] {
        let lines = lines_of(|_| {
            let api = Api::new(ApiKey::new("12|canary").unwrap());
            let operation = start(api.get("contacts/{id}").segment(1), &RetryPolicy::none());
            let Next::Done(result) = answered(operation, Ok(status), at(0)).next(at(0)) else { panic!("it is over") };
            assert!(result.is_ok());
        });
        assert_eq!(lines[3..], *expected, "{status}");
    }
}
