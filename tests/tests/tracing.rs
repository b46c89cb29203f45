//! The feature `tracing` of the adapters: a span for the call, an event for each try and each wait, and no secret in them.
#![cfg(feature = "adapters")]
#![allow(clippy::unwrap_used, reason = "the lint does not know the helpers of a test for tests")]

use std::{
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex},
    time::Duration,
};

use cometly_conformance::{
    Settings, adapters,
    fault_server::{Answer, FaultServer, Script},
};
use cometly_core::{Api, ApiKey, RetryPolicy};
use tracing::{Subscriber, field::Field, span};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _, registry::LookupSpan};

/// Spans and events of our adapters, a line each.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn note(&self, kind: &str, target: &str, fields: String) {
        if target.starts_with("cometly_") {
            self.0.lock().unwrap().push(format!("{kind} {fields}"));
        }
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

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        let mut text = Text::default();
        attributes.record(&mut text);
        self.note(attributes.metadata().name(), attributes.metadata().target(), text.0);
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let span = context.event_span(event).map_or("outside of a span", |span| span.name());
        self.note(&format!("in {span}:"), event.metadata().target(), text.0);
    }
}

#[test]
fn a_call_is_a_span_and_each_try_and_wait_an_event_on_every_stack() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(lines.clone())).unwrap();
    for flavour in adapters::all() {
        let refusal = Answer::whole(429, &[("retry-after", "0")], r#"{"message":"Too Many Attempts."}"#);
        let server = FaultServer::start(Script::sequence([refusal, Answer::json(200, "{}")])).unwrap();
        let key = ApiKey::new("12|canary-canary").unwrap();
        let api = Api::builder(key).base_url(server.base_url().parse().unwrap()).build();
        let policy = RetryPolicy::default().base(Duration::from_millis(10));
        let client = flavour.connect(&Settings::default().retry_policy(policy)).unwrap().unwrap();
        let call = api.post("contacts/{id}").segment("canary").query("email", "canary").json("canary");
        assert!(client.send(call).unwrap().is_success());

        let lines = lines.take();
        let expected: [&[&str]; 4] = [
            &["cometly call ", "method=POST", "path=\"contacts/{id}\""],
            &["in cometly call:", "answered", "tries=1", "status=429"],
            &["in cometly call:", "waiting", "tries=2", "wait=", "the rate limit is used up"],
            &["in cometly call:", "answered", "tries=2", "status=200"],
        ];
        assert_eq!(lines.len(), expected.len(), "{}: {lines:#?}", flavour.name());
        for (line, expected) in lines.iter().zip(expected) {
            assert!(expected.iter().all(|text| line.contains(text)), "{}: {line}", flavour.name());
            assert!(!line.contains("canary"), "{}: {line}", flavour.name());
        }
    }
}
