//! The watch for the key sees what it should: a leak test that cannot fail proves nothing.

use std::{error::Error, fmt};

use cometly_conformance::canary::{Canary, capture_logs, records_of};

type Leak = fn(&str);

#[derive(Debug)]
struct Wrapped(Box<dyn Error>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing to see")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}

fn half(canary: &Canary) -> String {
    canary.secret().rsplit('|').next().unwrap_or_default().to_owned()
}

#[test]
fn a_canary_is_found_whole_and_in_part_and_only_where_it_is() {
    let (canary, other) = (Canary::new(), Canary::new());
    let part = &half(&canary)[8..24];
    for text in [canary.secret(), &half(&canary), part, &format!("x{part}y")] {
        assert!(canary.check_absent("a text", text).is_err(), "{}", text.len());
    }
    for text in ["", "Bearer", other.secret(), &half(&canary)[..8]] {
        assert!(canary.check_absent("a text", text).is_ok());
    }
}

#[test]
fn it_is_found_at_the_end_of_a_chain_of_errors_and_not_shown_by_the_finding() {
    let canary = Canary::new();
    let leaky = |text: String| Wrapped(Box::new(Wrapped(text.into())));
    let leak = canary.check_error(&leaky(format!("sent {}", canary.secret()))).unwrap_err();
    assert!(canary.check_absent("", &format!("{leak} {leak:?} {canary:?}")).is_ok());
    assert!(canary.check_error(&leaky("sent".to_owned())).is_ok());
}

#[test]
fn every_way_into_the_logs_is_watched() {
    capture_logs();
    let ways: [(&str, Leak); 6] = [
        ("a log record", |key| log::trace!(target: "planted", "{key}")),
        ("an event's message", |key| tracing::trace!(target: "planted", "sent {key}")),
        ("an event's field", |key| tracing::debug!(target: "planted", key)),
        ("an event's debug field", |key| tracing::debug!(target: "planted", ?key)),
        ("a span's field", |key| drop(tracing::trace_span!(target: "planted", "s", key))),
        ("a span's later field", |key| {
            let span = tracing::info_span!(target: "planted", "s", key = tracing::field::Empty);
            span.record("key", key);
        }),
    ];
    for (way, leak) in ways {
        let canary = Canary::new();
        assert!(canary.leaks().is_empty(), "{way}");
        let before = records_of("planted");
        leak(canary.secret());
        assert_eq!(canary.leaks().len(), 1, "{way}: {:?}", canary.leaks());
        assert!(records_of("planted") > before, "{way}");
    }
}

#[test]
fn what_is_documented_to_be_unsafe_is_counted_and_no_leak() {
    capture_logs();
    let canary = Canary::new();
    log::trace!(target: "isahc::wire", "{}", canary.secret());
    assert!(canary.leaks().is_empty() && records_of("isahc::wire") > 0);
    log::debug!(target: "isahc::wire", "{}", canary.secret());
    assert_eq!(canary.leaks().len(), 1, "only TRACE is documented");
}
