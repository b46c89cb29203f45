//! The events taken in. An idempotency key is known as long as its event is kept, and an event is never dropped for another
//! unless that was asked for: beyond a million of them, new ones are refused.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::json::fields;
use crate::keys::Space;
use crate::laravel::input::Input;
use crate::laravel::refusal::Refusal;
use crate::laravel::rules;
use crate::ring::Ring;
use crate::store::persistence::Store;
use crate::store::row::{EVENT, Row};

const MAX_EVENTS: usize = 1_000_000;
const MAX_BYTES: usize = 256 << 20;
/// What an event takes in memory beside its texts, about.
const OVERHEAD: usize = 256;

pub(crate) struct TrackedEvents {
    latest: Ring<Tracked>,
    known: HashSet<Arc<Mark>>,
    next_id: u64,
    /// Whether the oldest event makes room for a new one.
    evicts: bool,
}

/// What makes two events of a Space one and the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mark {
    Idempotency(u64, String),
    Order(u64, String, String),
}

pub(crate) struct Tracked {
    pub(crate) id: u64,
    pub(crate) space: u64,
    /// When it happened, in seconds since 1970.
    pub(crate) time: i64,
    pub(crate) name: String,
    pub(crate) source: Option<String>,
    json: String,
    marks: Vec<Arc<Mark>>,
}

impl Tracked {
    fn new(id: u64, space: u64, now: u64, body: &Map<String, Value>) -> Self {
        let text = |field| match body.get(field) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let name = text("event_name").unwrap_or_default();
        let key = text("idempotency_key").map(|key| Mark::Idempotency(space, key));
        let order = text("order_id").map(|order| Mark::Order(space, name.clone(), order));
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        Self {
            id,
            space,
            time: body.get("event_time").and_then(rules::moment).unwrap_or(now),
            source: text("comet_source"),
            json: serde_json::to_string(body).unwrap_or_default(),
            marks: key.into_iter().chain(order).map(Arc::new).collect(),
            name,
        }
    }

    /// About how many bytes it takes in memory.
    fn bytes(&self) -> usize {
        let texts = [&self.json, &self.name].into_iter().chain(&self.source).map(String::len);
        let marks = self.marks.iter().map(|mark| match &**mark {
            Mark::Idempotency(_, key) => key.len(),
            Mark::Order(_, name, order) => name.len().saturating_add(order.len()),
        });
        texts.chain(marks).fold(OVERHEAD, usize::saturating_add)
    }

    /// Whether a text is in the body, as JSON writes it.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        let json = Value::from(text).to_string();
        self.json.contains(json.as_str())
    }

    /// The body as it was taken in.
    pub(crate) fn body(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).map(fields).unwrap_or_default()
    }
}

impl TrackedEvents {
    /// Ids go on after the `seeded` ones. With `keep`, only the latest `keep` events are kept.
    pub(crate) fn new(seeded: u64, keep: Option<usize>) -> Self {
        let most = keep.unwrap_or(MAX_EVENTS).min(MAX_EVENTS);
        let next_id = seeded.saturating_add(1);
        Self { latest: Ring::new(most, MAX_BYTES), known: HashSet::new(), next_id, evicts: keep.is_some() }
    }

    /// An event whose idempotency key is known in its Space has been processed before, and is not added again; nor is one
    /// that has both name and `order_id` of another.
    pub(crate) fn add(&mut self, store: &Store, space: Space, now: u64, input: &Input) -> Result<(), Refusal> {
        let event = Tracked::new(self.next_id, space.id(), now, input.fields());
        if event.marks.iter().any(|mark| self.known.contains(mark)) {
            return Ok(());
        }
        store.has_room()?;
        if !self.evicts && !self.latest.has_room(event.bytes()) {
            let message = "The emulator is full: it keeps 1,000,000 events and 256 MiB of them.";
            return Err(Refusal::status(StatusCode::INSUFFICIENT_STORAGE, message));
        }
        let id = event.id.to_string();
        // An event without a time of its own happened when it came.
        let body = format!(r#"{{"at":{now},"event":{}}}"#, event.json);
        store.keep(vec![Row { kind: EVENT, space: space.id(), id, body: Some(body) }]);
        self.push(store, event);
        Ok(())
    }

    /// Puts back what was kept, in the order of the ids.
    pub(crate) fn restore(&mut self, store: &Store, id: u64, space: u64, row: &Map<String, Value>) -> Option<()> {
        let body = row.get("event")?.as_object()?;
        self.push(store, Tracked::new(id, space, row.get("at")?.as_u64()?, body));
        Some(())
    }

    fn push(&mut self, store: &Store, event: Tracked) {
        self.next_id = event.id.saturating_add(1);
        self.known.extend(event.marks.iter().cloned());
        let bytes = event.bytes();
        let evicted = self.latest.push(event, bytes);
        for mark in evicted.iter().flat_map(|event| &event.marks) {
            self.known.remove(mark);
        }
        let delete = |event: &Tracked| Row { kind: EVENT, space: event.space, id: event.id.to_string(), body: None };
        store.keep(evicted.iter().map(delete).collect());
    }

    /// The events of a Space that come after an id, oldest first.
    pub(crate) fn after(&self, space: Space, id: u64) -> impl Iterator<Item = &Tracked> {
        self.latest.from(move |event| event.id <= id).filter(move |event| event.space == space.id())
    }

    /// The events of a Space, oldest first.
    pub(crate) fn of(&self, space: Space) -> impl DoubleEndedIterator<Item = &Tracked> {
        self.latest.iter().filter(move |event| event.space == space.id())
    }

    pub(crate) fn count(&self) -> usize {
        self.latest.iter().len()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Tracked> {
        self.latest.find(|event| event.id.cmp(&id))
    }

    pub(crate) fn to_json(&self) -> Vec<String> {
        self.latest.iter().map(|event| event.json.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(tracked: &mut TrackedEvents, space: Space, body: &str) {
        tracked.add(&Store::default(), space, 0, &Input::of_body(body)).unwrap();
    }

    #[test]
    fn an_idempotency_key_counts_once_in_its_space() {
        let mut tracked = TrackedEvents::new(0, None);
        let space = Space::active();
        for (space, body) in [
            (space, r#"{"idempotency_key":"a","n":1}"#),
            (space, r#"{"idempotency_key":" a ","n":2}"#),
            (Space::active(), r#"{"idempotency_key":"a","n":3}"#),
            (space, r#"{"n":4}"#),
            (space, r#"{"n":4}"#),
        ] {
            add(&mut tracked, space, body);
        }
        let events = tracked.to_json().join(" ");
        assert_eq!(events, r#"{"idempotency_key":"a","n":1} {"idempotency_key":"a","n":3} {"n":4} {"n":4}"#);
    }

    #[test]
    fn an_order_counts_once_for_each_name() {
        let mut tracked = TrackedEvents::new(0, None);
        let space = Space::active();
        for body in [
            r#"{"event_name":"purchase","order_id":"5"}"#,
            r#"{"event_name":"purchase","order_id":5}"#,
            r#"{"event_name":"subscribe","order_id":5}"#,
        ] {
            add(&mut tracked, space, body);
        }
        assert_eq!(tracked.of(space).map(|event| event.name.as_str()).collect::<Vec<_>>(), ["purchase", "subscribe"]);
    }

    #[test]
    fn an_event_is_evicted_together_with_its_idempotency_key_if_that_was_asked_for() {
        let mut tracked = TrackedEvents::new(7, Some(1));
        let space = Space::active();
        for key in ["a", "b", "a"] {
            add(&mut tracked, space, &format!(r#"{{"idempotency_key":"{key}"}}"#));
        }
        assert_eq!(tracked.to_json(), [r#"{"idempotency_key":"a"}"#]);
        assert_eq!(tracked.known.len(), 1);
        assert!(tracked.get(10).is_some() && tracked.get(9).is_none());
    }

    #[test]
    fn an_idempotency_key_is_known_as_long_as_its_event_and_a_full_store_says_so() {
        let mut tracked = TrackedEvents::new(0, None);
        let space = Space::active();
        for number in 0..70_000 {
            add(&mut tracked, space, &format!(r#"{{"idempotency_key":"{number}"}}"#));
        }
        add(&mut tracked, space, r#"{"idempotency_key":"0"}"#);
        assert_eq!(tracked.count(), 70_000);

        tracked.latest = Ring::new(1, MAX_BYTES);
        add(&mut tracked, space, r#"{"idempotency_key":"new"}"#);
        let body = Input::of_body(r#"{"idempotency_key":"newer"}"#);
        let full = tracked.add(&Store::default(), space, 0, &body).unwrap_err();
        assert_eq!(full.into_answer(true, "").status(), StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(tracked.to_json(), [r#"{"idempotency_key":"new"}"#]);
        // What is known is answered as before.
        add(&mut tracked, space, r#"{"idempotency_key":"new"}"#);
    }
}
