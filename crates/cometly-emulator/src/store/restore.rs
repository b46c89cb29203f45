//! What an emulator begins with: a new state, or that of its data folder.

use std::io;

use serde_json::{Map, Value, json};

use crate::keys::{self, Ability, KeyRing, Keys, Space};
use crate::store::changes::Changes;
use crate::store::exports::Exports;
use crate::store::persistence::Store;
use crate::store::records::Records;
use crate::store::row::{self, Kept, Row};
use crate::store::seeds::{Seeds, Wanted};
use crate::store::tracked::TrackedEvents;

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
    pub(crate) fn of(
        (store, mut kept): (Store, Vec<Kept>),
        wanted: &Wanted,
        keep: Option<usize>,
        now: u64,
    ) -> io::Result<Self> {
        // In the order in which they were made: ids tell that, but for exports.
        let created = |row: &Kept| row.fields().get("created").and_then(Value::as_u64);
        kept.sort_by_cached_key(|row| row.id.parse::<u64>().ok().or_else(|| created(row)));
        let meta = |id: &str| kept.iter().find(|row| row.kind == META && row.id == id).map(Kept::fields);
        let seeds = wanted.seeds(meta("seeds").as_ref(), now)?;
        let mut ring = KeyRing::default();
        let first = match meta("keys") {
            Some(first) => First::read(&first).ok_or_else(|| unreadable("its keys"))?,
            None => First::make(&store, &mut ring, seeds)?,
        };
        let mut records = Records {
            store,
            tracked: TrackedEvents::new(seeds.events, keep),
            contacts: Changes::new(row::CONTACT),
            companies: Changes::new(row::COMPANY),
            exports: Exports::new(),
        };
        for row in kept {
            restore(&row, &mut ring, &mut records).ok_or_else(|| unreadable(&describe(&row)))?;
        }
        Ok(Self { seeds, ring, records, keys: first.keys, space: first.space })
    }
}

/// What kind of row it is, and which one; a key is not shown.
fn describe(kept: &Kept) -> String {
    if kept.kind == row::KEY { kept.kind.clone() } else { format!("{} {}", kept.kind, kept.id) }
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
            rows.push(Row::of_key(&key, space, abilities));
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
        store.write(rows)?;
        Ok(Self { keys, space })
    }

    fn read(meta: &Map<String, Value>) -> Option<Self> {
        let text = |field: &str| meta.get(field).and_then(Value::as_str).map(str::to_owned);
        let keys = Keys { full: text("full")?, no_permission: text("no_permission")?, inactive: text("inactive")? };
        Some(Self { keys, space: Space::kept(meta.get("space")?.as_u64()?, true) })
    }
}

/// Puts one row back where it belongs.
fn restore(kept: &Kept, ring: &mut KeyRing, records: &mut Records) -> Option<()> {
    let (Records { store, tracked, contacts, companies, exports }, fields) = (records, kept.fields());
    let number = || kept.id.parse::<u64>().ok();
    match kept.kind.as_str() {
        META => {}
        row::KEY => ring.restore(&kept.id, kept.space, &fields)?,
        row::EVENT => tracked.restore(store, number()?, kept.space, &fields)?,
        row::EXPORT => exports.restore(store, &kept.id, kept.space, &fields)?,
        row::CONTACT => contacts.insert(kept.space, number()?, kept.body.clone()),
        row::COMPANY => companies.insert(kept.space, number()?, kept.body.clone()),
        _ => return None,
    }
    Some(())
}
