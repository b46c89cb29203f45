//! The events taken in, the latest of them at least.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::json::fields;
use crate::keys::Space;
use crate::laravel::input::Input;
use crate::laravel::refusal::Refusal;
use crate::laravel::rules;
use crate::ring::Ring;
use crate::store::persistence::Store;
use crate::store::row::{EVENT, Row};

const MAX_EVENTS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;

pub(crate) struct TrackedEvents {
    latest: Ring<Tracked>,
    known: HashSet<Mark>,
    next_id: u64,
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
    marks: Vec<Mark>,
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
            marks: key.into_iter().chain(order).collect(),
            name,
        }
    }

    /// The body as it was taken in.
    pub(crate) fn body(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).map(fields).unwrap_or_default()
    }
}

impl TrackedEvents {
    /// Ids go on after the `seeded` ones.
    pub(crate) fn new(seeded: u64) -> Self {
        Self::bounded(seeded, MAX_EVENTS)
    }

    fn bounded(seeded: u64, most: usize) -> Self {
        Self { latest: Ring::new(most, MAX_BYTES), known: HashSet::new(), next_id: seeded.saturating_add(1) }
    }

    /// An event whose idempotency key is known in its Space has been processed before, and is not added again; nor is one
    /// that has both name and `order_id` of another.
    pub(crate) fn add(&mut self, store: &Store, space: Space, now: u64, input: &Input) -> Result<(), Refusal> {
        let event = Tracked::new(self.next_id, space.id(), now, input.fields());
        if event.marks.iter().any(|mark| self.known.contains(mark)) {
            return Ok(());
        }
        let id = event.id.to_string();
        // An event without a time of its own happened when it came.
        let body = format!(r#"{{"at":{now},"event":{}}}"#, event.json);
        store.keep(&[Row { kind: EVENT, space: space.id(), id, body: Some(body) }])?;
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
        let bytes = event.json.len();
        let forgotten = self.latest.push(event, bytes);
        for mark in forgotten.iter().flat_map(|event| &event.marks) {
            self.known.remove(mark);
        }
        let forget = |event: &Tracked| Row { kind: EVENT, space: event.space, id: event.id.to_string(), body: None };
        // If this fails, they are forgotten when the folder is opened the next time.
        drop(store.write(&forgotten.iter().map(forget).collect::<Vec<_>>()));
    }

    /// The events of a Space, oldest first.
    pub(crate) fn of(&self, space: Space) -> impl DoubleEndedIterator<Item = &Tracked> {
        self.latest.iter().filter(move |event| event.space == space.id())
    }

    pub(crate) fn count(&self) -> usize {
        self.latest.iter().count()
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
        let mut tracked = TrackedEvents::new(0);
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
        let mut tracked = TrackedEvents::new(0);
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
    fn an_event_is_forgotten_together_with_its_idempotency_key() {
        let mut tracked = TrackedEvents::bounded(7, 1);
        let space = Space::active();
        for key in ["a", "b", "a"] {
            add(&mut tracked, space, &format!(r#"{{"idempotency_key":"{key}"}}"#));
        }
        assert_eq!(tracked.to_json(), [r#"{"idempotency_key":"a"}"#]);
        assert_eq!(tracked.known.len(), 1);
        assert!(tracked.get(10).is_some() && tracked.get(9).is_none());
    }
}
