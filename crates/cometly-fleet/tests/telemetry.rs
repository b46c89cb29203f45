//! What a subscriber learns of an engine that goes and comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "as in the other tests of fleets"
)]

mod support;

use std::{
    fmt::{Debug, Write as _},
    sync::{Mutex, PoisonError},
};

use cometly_core::{Api, ApiKey};
use cometly_emulator::Emulator;
use cometly_fleet::Fleet;
use support::{Server, until};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

static SEEN: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

fn seen() -> Vec<(Level, String)> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

struct Keep;

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "cometly_fleet" {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).push((*event.metadata().level(), fields.0));
        }
    }
}

#[test]
fn an_engine_that_goes_and_comes_back_is_one_event_each() {
    // The engine is asked on a thread of the fleet's own, so the subscriber is the whole process's.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Keep)).unwrap();
    let Some(mut server) = Server::start(&["--requirepass", "canary"]) else { return };
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let fleet = Fleet::connect(&format!("redis://:canary@127.0.0.1:{}", server.port())).unwrap();
    let api = Api::builder(ApiKey::new(&*emulator.keys().full).unwrap())
        .base_url(emulator.base_url().parse().unwrap())
        .pacer(fleet.pacer("space-42").unwrap())
        .build();
    let client = cometly_ureq::Client::new().unwrap();
    let call = || drop(client.send(api.get("companies")).unwrap().into_result().unwrap());
    call();
    assert_eq!(seen(), []);

    server.kill();
    until("the engine is missed", || {
        call();
        !seen().is_empty()
    });
    (0..20).for_each(|_| call());
    server.restart();
    until("the engine is found again", || {
        call();
        seen().len() > 1
    });
    let seen = seen();
    assert_eq!(seen.iter().map(|(level, _)| *level).collect::<Vec<_>>(), [Level::WARN, Level::INFO], "{seen:?}");
    assert!(seen[0].1.contains("the engine is gone") && seen[0].1.contains("problem="), "{seen:?}");
    assert!(seen[1].1.contains("the engine is back"), "{seen:?}");
    assert!(seen.iter().all(|(_, fields)| fields.contains(&format!("127.0.0.1:{}", server.port()))), "{seen:?}");
    assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
}
