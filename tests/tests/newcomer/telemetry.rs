//! Counts calls, attempts, retries and waits of a call that meets one 503.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use cometly_emulator::{Emulator, Fault};
use tracing::{
    Event, Id, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use super::{Done, api_of};

#[derive(Clone, Default)]
struct Count(Arc<[AtomicU32; 4]>);

/// The value of `http.request.resend_count`.
#[derive(Default)]
struct ResendCount(u64);

impl Visit for ResendCount {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "http.request.resend_count" {
            self.0 = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Count {
    fn add(&self, what: usize) {
        self.0[what].fetch_add(1, Relaxed);
    }
}

impl<S: Subscriber> Layer<S> for Count {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &Id, _: Context<'_, S>) {
        match attributes.metadata().name() {
            "cometly.operation" => self.add(0),
            "cometly.attempt" => {
                self.add(1);
                let mut resend_count = ResendCount::default();
                attributes.record(&mut resend_count);
                if resend_count.0 > 0 {
                    self.add(2);
                }
            }
            _ => {}
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == "cometly_core::operation" && metadata.fields().field("pause").is_some() {
            self.add(3);
        }
    }
}

#[test]
fn a_layer_counts_calls_attempts_retries_and_waits() -> Done {
    let (emulator, count) = (Emulator::start()?, Count::default());
    emulator.inject(Fault::server_error(503).up_to_n_times(1));
    let api = api_of(&emulator)?;
    // With one subscriber alone, tracing asks the thread that comes first to an event, and another test's thread has none. With
    // two it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(count.clone()), || -> Done {
        let _: serde_json::Value = cometly_ureq::Client::new()?.json(api.get("companies"))?;
        Ok(())
    })?;
    assert_eq!(count.0.each_ref().map(|count| count.load(Relaxed)), [1, 2, 1, 1]);
    assert_eq!(emulator.request_count(), 2);
    Ok(())
}
