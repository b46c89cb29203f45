//! What was created or changed on top of the seeded data, in each Space for itself.

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;
use serde_json::{Map, Value};

use crate::keys::Space;
use crate::laravel::refusal::Refusal;
use crate::store::persistence::Store;
use crate::store::row::Row;

const MAX_ITEMS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;

/// By id, each with its size in bytes.
type Items = BTreeMap<u64, (usize, Map<String, Value>)>;

/// When a stored item was made, in seconds since 1970.
pub(crate) fn created_at(item: &Map<String, Value>) -> i64 {
    item.get("created").and_then(Value::as_i64).unwrap_or_default()
}

pub(crate) struct Changes {
    kind: &'static str,
    spaces: HashMap<u64, Items>,
    items: usize,
    bytes: usize,
}

impl Changes {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, spaces: HashMap::new(), items: 0, bytes: 0 }
    }

    pub(crate) fn get(&self, space: Space, id: u64) -> Option<&Map<String, Value>> {
        self.spaces.get(&space.id())?.get(&id).map(|(_, item)| item)
    }

    /// The items beyond the first `seeded` ones, in the order of their ids.
    pub(crate) fn beyond(
        &self,
        space: Space,
        seeded: u64,
    ) -> impl DoubleEndedIterator<Item = (u64, &Map<String, Value>)> {
        let items = self.spaces.get(&space.id()).into_iter();
        items.flat_map(move |items| items.range(seeded.saturating_add(1)..)).map(|(id, (_, item))| (*id, item))
    }

    /// The id that a new item gets.
    pub(crate) fn next_id(&self, space: Space, seeded: u64) -> u64 {
        self.beyond(space, seeded).next_back().map_or(seeded, |(id, _)| id).saturating_add(1)
    }

    pub(crate) fn put(
        &mut self,
        store: &Store,
        space: Space,
        id: u64,
        item: Map<String, Value>,
    ) -> Result<(), Refusal> {
        let body = Value::Object(item.clone()).to_string();
        if self.items >= MAX_ITEMS || self.bytes.saturating_add(body.len()) > MAX_BYTES {
            let message = "The emulator is full: it keeps 65,536 changes and 64 MiB of them.";
            return Err(Refusal::status(StatusCode::INSUFFICIENT_STORAGE, message));
        }
        let bytes = body.len();
        store.keep(&[Row { kind: self.kind, space: space.id(), id: id.to_string(), body: Some(body) }])?;
        self.insert(space.id(), id, item, bytes);
        Ok(())
    }

    /// Remembers what is kept.
    pub(crate) fn insert(&mut self, space: u64, id: u64, item: Map<String, Value>, bytes: usize) {
        let replaced = self.spaces.entry(space).or_default().insert(id, (bytes, item));
        match replaced {
            Some((old, _)) => self.bytes = self.bytes.saturating_sub(old),
            None => self.items = self.items.saturating_add(1),
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::fields;
    use serde_json::json;

    #[test]
    fn spaces_change_apart_and_new_ids_follow_the_seeded_ones() {
        let mut changes = Changes::new("contact");
        let (one, other) = (Space::active(), Space::active());
        assert_eq!(changes.next_id(one, 10), 11);
        for id in [3, 11, 12] {
            changes.put(&Store::default(), one, id, fields(json!({ "n": id }))).unwrap();
        }
        assert_eq!(changes.get(one, 3), Some(&fields(json!({ "n": 3 }))));
        assert_eq!(changes.get(other, 3), None);
        changes.put(&Store::default(), one, 3, fields(json!({ "n": 3 }))).unwrap();
        assert_eq!((changes.items, changes.bytes), (3, 23));
        assert_eq!(changes.beyond(one, 10).map(|(id, _)| id).collect::<Vec<_>>(), [11, 12]);
        assert_eq!((changes.next_id(one, 10), changes.next_id(other, 10)), (13, 11));
    }

    #[test]
    fn it_says_when_it_is_full() {
        let mut changes = Changes::new("contact");
        changes.items = MAX_ITEMS;
        let full = changes.put(&Store::default(), Space::active(), 1, Map::new()).unwrap_err();
        assert_eq!(full.into_answer(true, "").status(), StatusCode::INSUFFICIENT_STORAGE);
    }
}
