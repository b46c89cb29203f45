//! What was created or changed on top of the seeded data, in each Space for itself.

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;
use serde_json::{Map, Value};

use crate::json::fields;
use crate::keys::Space;
use crate::laravel::refusal::Refusal;
use crate::store::persistence::Store;
use crate::store::row::Row;

const MAX_ITEMS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;
/// What an item takes in memory beside its text, about.
const OVERHEAD: usize = 96;

/// An item as JSON, which takes a tenth of the memory of the values in it.
struct Item {
    created: i64,
    json: Box<str>,
}

/// By id.
type Items = BTreeMap<u64, Item>;

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

    pub(crate) fn get(&self, space: Space, id: u64) -> Option<Map<String, Value>> {
        let item = self.spaces.get(&space.id())?.get(&id)?;
        serde_json::from_str(&item.json).map(fields).ok()
    }

    /// The items beyond the first `seeded` ones, in the order of their ids: each id, and when it was made in seconds since
    /// 1970.
    pub(crate) fn beyond(&self, space: Space, seeded: u64) -> impl DoubleEndedIterator<Item = (u64, i64)> {
        let items = self.spaces.get(&space.id()).into_iter();
        items.flat_map(move |items| items.range(seeded.saturating_add(1)..)).map(|(id, item)| (*id, item.created))
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
        store.has_room()?;
        let json = Value::Object(item).to_string();
        let full =
            self.items >= MAX_ITEMS || self.bytes.saturating_add(json.len()).saturating_add(OVERHEAD) > MAX_BYTES;
        if full {
            let message = "The emulator is full: it keeps 65,536 changes and 64 MiB of them.";
            return Err(Refusal::status(StatusCode::INSUFFICIENT_STORAGE, message));
        }
        store.keep(vec![Row { kind: self.kind, space: space.id(), id: id.to_string(), body: Some(json.clone()) }]);
        self.insert(space.id(), id, json);
        Ok(())
    }

    /// Remembers what is kept.
    pub(crate) fn insert(&mut self, space: u64, id: u64, json: String) {
        let created = serde_json::from_str(&json).map(fields).unwrap_or_default();
        let created = created.get("created").and_then(Value::as_i64).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(json.len()).saturating_add(OVERHEAD);
        let item = Item { created, json: json.into_boxed_str() };
        match self.spaces.entry(space).or_default().insert(id, item) {
            Some(old) => self.bytes = self.bytes.saturating_sub(old.json.len()).saturating_sub(OVERHEAD),
            None => self.items = self.items.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spaces_change_apart_and_new_ids_follow_the_seeded_ones() {
        let mut changes = Changes::new("contact");
        let (one, other) = (Space::active(), Space::active());
        assert_eq!(changes.next_id(one, 10), 11);
        for id in [3, 11, 12] {
            changes.put(&Store::default(), one, id, fields(json!({ "n": id }))).unwrap();
        }
        assert_eq!(changes.get(one, 3), Some(fields(json!({ "n": 3 }))));
        assert_eq!(changes.get(other, 3), None);
        changes.put(&Store::default(), one, 3, fields(json!({ "n": 3 }))).unwrap();
        assert_eq!((changes.items, changes.bytes), (3, 23 + 3 * OVERHEAD));
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
