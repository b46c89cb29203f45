//! What an emulator begins with: a new state, or that of its data folder.

use std::io;

use serde_json::{Map, Value, json};

use crate::backend::Records;
use crate::builder::Wanted;
use crate::changes::Changes;
use crate::exports::{self, Exports};
use crate::keys::{self, Ability, KeyRing, Keys, Space};
use crate::seeds::{Seeds, fields};
use crate::store::{Kept, Row, Store};
use crate::tracked::{self, TrackedEvents};
use crate::{companies, contacts};

const META: &str = "meta";

/// All that a data folder may hold.
pub(crate) struct Beginning {
    pub(crate) seeds: Seeds,
    pub(crate) ring: KeyRing,
    pub(crate) records: Records,
    pub(crate) keys: Keys,
    pub(crate) space: Space,
}

impl Beginning {
    pub(crate) fn of(store: Store, wanted: &Wanted) -> io::Result<Self> {
        let mut kept = store.load()?;
        // In the order in which they were made: ids tell that, but for exports.
        let created = |row: &Kept| row.fields().get("created").and_then(Value::as_u64);
        kept.sort_by_cached_key(|row| row.id.parse::<u64>().ok().or_else(|| created(row)));
        let meta = |id: &str| kept.iter().find(|row| row.kind == META && row.id == id).map(Kept::fields);
        let seeds = wanted.seeds(meta("seeds").as_ref())?;
        let mut ring = KeyRing::default();
        let first = match meta("keys") {
            Some(first) => First::read(&first).ok_or_else(|| unreadable("its keys"))?,
            None => First::make(&store, &mut ring, seeds)?,
        };
        let mut records = Records {
            store,
            tracked: TrackedEvents::new(seeds.events),
            contacts: Changes::new(contacts::KIND),
            companies: Changes::new(companies::KIND),
            exports: Exports::new(),
        };
        for row in kept {
            restore(&row, &mut ring, &mut records).ok_or_else(|| unreadable(&describe(&row)))?;
        }
        Ok(Self { seeds, ring, records, keys: first.keys, space: first.space })
    }
}

/// What kind of row it is, and which one; a key is not shown.
fn describe(row: &Kept) -> String {
    if row.kind == keys::KIND { row.kind.clone() } else { format!("{} {}", row.kind, row.id) }
}

fn unreadable(what: &str) -> io::Error {
    let message = format!("the data folder cannot be read: {what}; choose another folder, or delete this one");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The keys of the beginning, and their Space.
struct First {
    keys: Keys,
    space: Space,
}

impl First {
    fn make(store: &Store, ring: &mut KeyRing, seeds: Seeds) -> io::Result<Self> {
        let (space, inactive) = (Space::active(), Space::inactive());
        let mut rows = Vec::new();
        let mut issue = |space, abilities: &[Ability]| {
            let key = keys::new_key();
            rows.push(keys::row(&key, space, abilities));
            ring.insert(key.clone(), space, abilities);
            key
        };
        let keys = Keys {
            full: issue(space, Ability::ALL),
            no_permission: issue(space, &[]),
            inactive: issue(inactive, Ability::ALL),
        };
        let meta = |id: &str, body: Value| Row { kind: META, space: 0, id: id.into(), body: Some(body.to_string()) };
        rows.push(meta("seeds", seeds.to_json()));
        rows.push(meta(
            "keys",
            json!({
                "space": space.id(),
                "full": keys.full,
                "no_permission": keys.no_permission,
                "inactive": keys.inactive,
            }),
        ));
        // Together, so that a folder has all of them or is still new.
        store.write(&rows)?;
        Ok(Self { keys, space })
    }

    fn read(meta: &Map<String, Value>) -> Option<Self> {
        let text = |field: &str| meta.get(field).and_then(Value::as_str).map(str::to_owned);
        let keys = Keys { full: text("full")?, no_permission: text("no_permission")?, inactive: text("inactive")? };
        Some(Self { keys, space: Space::kept(meta.get("space")?.as_u64()?, true) })
    }
}

/// Puts one row back where it belongs.
fn restore(row: &Kept, ring: &mut KeyRing, records: &mut Records) -> Option<()> {
    let (Records { store, tracked, contacts, companies, exports }, fields) = (records, row.fields());
    let number = || row.id.parse::<u64>().ok();
    match row.kind.as_str() {
        META => {}
        keys::KIND => ring.restore(&row.id, row.space, &fields)?,
        tracked::KIND => tracked.restore(store, number()?, row.space, &fields)?,
        exports::KIND => exports.restore(store, &row.id, row.space, &fields)?,
        contacts::KIND => contacts.insert(row.space, number()?, fields, row.body.len()),
        companies::KIND => companies.insert(row.space, number()?, fields, row.body.len()),
        _ => return None,
    }
    Some(())
}

impl Kept {
    fn fields(&self) -> Map<String, Value> {
        serde_json::from_str(&self.body).map(fields).unwrap_or_default()
    }
}
