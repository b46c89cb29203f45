//! The feature `tracing`: an INTERNAL span for the call, a CLIENT span for each attempt, an event for each wait, the same on
//! every stack, and no secret in them.
#![cfg(feature = "adapters")]
#![allow(clippy::unwrap_used, reason = "the lint does not know the helpers of a test for tests")]

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use cometly_conformance::{
    Settings, Source, adapters,
    fault_server::{Answer, FaultServer, Script},
};
use cometly_core::{Api, ApiKey, Moment, Next, Operation, Pacer, RetryPolicy, TransportLimits, bytes::Bytes};
use tracing::{Subscriber, field::Field, span};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _, registry::LookupSpan};

/// Spans and events of the core: a line each, a span's when it is closed, with all that was recorded on it.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Default)]
struct Text(String);

impl tracing::field::Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

fn is_ours(target: &str) -> bool {
    target.starts_with("cometly_")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut text = Text::default();
        attributes.record(&mut text);
        context.span(id).unwrap().extensions_mut().insert(text);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Text>().unwrap());
    }

    fn on_close(&self, id: span::Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        if is_ours(span.metadata().target()) {
            let parent = span.parent().map_or("nothing", |parent| parent.name());
            self.note(format!("{} in {parent}: {}", span.name(), span.extensions().get::<Text>().unwrap().0));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if is_ours(event.metadata().target()) {
            let mut text = Text::default();
            event.record(&mut text);
            let span = context.event_span(event).map_or("nothing", |span| span.name());
            self.note(format!("event in {span}: {}", text.0));
        }
    }
}

#[test]
fn every_stack_tells_the_same_of_a_call_and_no_secret() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.clone())).unwrap();
    for backend in adapters::all() {
        let refusal = Answer::whole(429, &[("retry-after", "0")], r#"{"message":"Too Many Attempts."}"#);
        let server = FaultServer::start(Script::sequence([refusal, Answer::json(200, "{}")])).unwrap();
        let key = ApiKey::new("12|canary-canary").unwrap();
        let base_url = server.base_url();
        let api = Api::builder(key).base_url(base_url.parse().unwrap()).build();
        let policy = RetryPolicy::default().initial_backoff(Duration::from_millis(10));
        let client = backend.connect(&Settings::default().retry_policy(policy)).unwrap().unwrap();
        let call = api.post("contacts/{id}").segment("canary").query("email", "canary").json("canary");
        assert!(client.send(call).unwrap().error().is_none());

        let port = base_url.rsplit(':').next().unwrap().split('/').next().unwrap().to_owned();
        let port = format!("server.port={port}");
        let lines = lines.take();
        let attempt = ["otel.name=POST contacts/{id}", "otel.kind=\"client\"", "http.request.method=POST", &port];
        let expected: [&[&str]; 4] = [
            &[
                "cometly.attempt in cometly.operation: ",
                "url.template=\"contacts/{id}\"",
                "url.scheme=\"http\"",
                "server.address=\"127.0.0.1\"",
                "http.request.resend_count=0",
                "http.response.status_code=429",
                "error.type=\"rate_limited\"",
                "otel.status_code=\"ERROR\"",
            ],
            &["event in cometly.operation: ", "attempts=1", "pause=", "the rate limit is used up"],
            &["cometly.attempt in cometly.operation: ", "http.request.resend_count=1", "http.response.status_code=200"],
            &["cometly.operation in nothing: ", "otel.kind=\"internal\"", "attempts=2"],
        ];
        assert_eq!(lines.len(), expected.len(), "{}: {lines:#?}", backend.name());
        for (line, expected) in lines.iter().zip(expected) {
            let attempt = attempt.iter().filter(|_| line.starts_with("cometly.attempt"));
            let mut texts = expected.iter().chain(attempt);
            assert!(texts.all(|text| line.contains(text)), "{}: {line} lacks one of {expected:?}", backend.name());
            assert!(!line.contains("canary"), "{}: {line}", backend.name());
        }
    }
    // A wait for the turn is many naps, and one event.
    let api = Api::builder(ApiKey::new("12|canary-canary").unwrap()).pacer(Pacer::new()).build();
    let mut now = Moment::since_origin(Duration::ZERO);
    let begin = |now| -> Operation<Bytes, Source> {
        api.get("events").start(&RetryPolicy::default(), &TransportLimits::default(), 1, now).unwrap()
    };
    let first = begin(now).next(now);
    assert!(matches!(first, Next::Send(_)), "{first:?}");
    let mut second = begin(now);
    for _ in 0..5 {
        second = match second.next(now) {
            Next::Wait { pause, operation } => {
                now = now.saturating_add(pause);
                operation
            }
            other => panic!("it waits for the first one's answer: {other:?}"),
        };
    }
    let lines = lines.take();
    let waits = lines.iter().filter(|line| line.contains("its turn has not come")).count();
    assert_eq!(waits, 1, "{lines:#?}");
}
