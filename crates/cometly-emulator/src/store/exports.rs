//! The exports that were ordered, and how far each is.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};

use crate::dates::iso;
use crate::keys::Space;
use crate::laravel::refusal::Refusal;
use crate::ring::Ring;
use crate::scramble::scramble;
use crate::store::persistence::Store;
use crate::store::row::{EXPORT, Row};

/// Older ones are forgotten.
const MAX_EXPORTS: usize = 1000;
const MAX_BYTES: usize = 16 << 20;
/// An export goes one step further each time it is asked for, and also every 5 seconds.
const STEP_SECONDS: u64 = 5;
/// How long a download URL is valid.
pub(crate) const VALID_SECONDS: u64 = 15 * 60;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Events,
    Contacts,
    Companies,
}

impl What {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Contacts => "contacts",
            Self::Companies => "companies",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) id: String,
    pub(crate) what: What,
    pub(crate) space: u64,
    /// What was asked for, as it came: validated once, so that it can be read again at any time.
    pub(crate) input: Map<String, Value>,
    pub(crate) created: u64,
    /// How often it was asked for.
    pub(crate) asked: u64,
    pub(crate) completed: Option<u64>,
    pub(crate) doomed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    Processing,
    Completed,
    Failed,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

impl Export {
    pub(crate) fn status(&self, now: u64) -> Status {
        let steps = now.saturating_sub(self.created).checked_div(STEP_SECONDS).unwrap_or_default();
        match steps.saturating_add(self.asked) {
            0..=1 => Status::Queued,
            2 => Status::Processing,
            _ if self.doomed => Status::Failed,
            _ => Status::Completed,
        }
    }

    /// The path and query of its file, signed for as long as `expires`.
    pub(crate) fn file(&self, expires: u64) -> String {
        let [a, b, c, d] = [0, 1, 2, 3].map(|part| self.sign(expires, part));
        format!("{}?Expires={expires}&Signature={a:016x}{b:016x}{c:016x}{d:016x}", self.path())
    }

    pub(crate) fn path(&self) -> String {
        format!("/exports/{}/{}.ndjson.gz", self.what.name(), self.id)
    }

    /// No secret worth the name, but nothing that a client would guess.
    fn sign(&self, expires: u64, part: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.path(), self.space, self.created, expires, part).hash(&mut hasher);
        hasher.finish()
    }

    /// What the page shows of it.
    pub(crate) fn shown(&self, now: u64) -> Value {
        let status = self.status(now).name();
        json!({ "id": self.id, "what": self.what.name(), "status": status, "created_at": iso(self.created) })
    }

    pub(crate) fn to_row(&self) -> Row {
        let body = json!({
            "what": self.what.name(),
            "input": self.input,
            "created": self.created,
            "asked": self.asked,
            "completed": self.completed,
            "doomed": self.doomed,
        });
        Row { kind: EXPORT, space: self.space, id: self.id.clone(), body: Some(body.to_string()) }
    }
}

/// The latest exports of all Spaces.
pub(crate) struct Exports {
    latest: Ring<Export>,
    count: u64,
}

impl Exports {
    pub(crate) fn new() -> Self {
        Self { latest: Ring::new(MAX_EXPORTS, MAX_BYTES), count: 0 }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Export> {
        self.latest.iter()
    }

    /// An id that no export has.
    pub(crate) fn free_id(&self, seed: u64, space: u64) -> String {
        let ids = (self.count..).map(|count| uuid(seed, space, count));
        // The count began anew if a data folder was opened.
        let mut free = ids.filter(|id| self.iter().all(|export| export.id != *id));
        free.next().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, store: &Store, export: Export) -> Result<(), Refusal> {
        let row = export.to_row();
        store.has_room()?;
        let bytes = row.body.as_ref().map_or(0, String::len);
        store.keep(vec![row]);
        self.push(store, export, bytes);
        Ok(())
    }

    /// Puts back what was kept.
    pub(crate) fn restore(&mut self, store: &Store, id: &str, space: u64, row: &Map<String, Value>) -> Option<()> {
        let number = |field: &str| row.get(field).and_then(Value::as_u64);
        let what = [What::Events, What::Contacts, What::Companies];
        let export = Export {
            id: id.to_owned(),
            what: what.into_iter().find(|what| row.get("what").and_then(Value::as_str) == Some(what.name()))?,
            space,
            input: row.get("input")?.as_object()?.clone(),
            created: number("created")?,
            asked: number("asked")?,
            completed: number("completed"),
            doomed: row.get("doomed")?.as_bool()?,
        };
        let bytes = row.get("input")?.to_string().len();
        self.push(store, export, bytes);
        Some(())
    }

    fn push(&mut self, store: &Store, export: Export, bytes: usize) {
        self.count = self.count.saturating_add(1);
        let evicted = self.latest.push(export, bytes.saturating_mul(8));
        store.keep(evicted.iter().map(|export| Row { body: None, ..export.to_row() }).collect());
    }

    pub(crate) fn get_mut(&mut self, what: What, space: Space, id: &str) -> Option<&mut Export> {
        let is_it = |export: &&mut Export| export.what == what && export.space == space.id() && export.id == id;
        self.latest.iter_mut().find(is_it)
    }
}

/// An id as other systems make them, and the same for the same seed.
fn uuid(seed: u64, space: u64, count: u64) -> String {
    let high = scramble(seed ^ scramble(space ^ scramble(count)));
    let low = scramble(high);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(doomed: bool) -> Export {
        let (input, completed) = (Map::new(), None);
        Export { id: uuid(1, 2, 3), what: What::Events, space: 2, input, created: 100, asked: 0, completed, doomed }
    }

    #[test]
    fn it_goes_on_when_asked_for_and_as_time_goes_by() {
        let steps = |asked, now| Export { asked, ..export(false) }.status(now);
        assert_eq!([1, 2, 3, 4].map(|asked| steps(asked, 100)), {
            use Status::{Completed, Processing, Queued};
            [Queued, Processing, Completed, Completed]
        });
        assert_eq!(steps(1, 105), Status::Processing);
        assert_eq!(steps(1, 110), Status::Completed);
        assert_eq!(Export { asked: 3, ..export(true) }.status(100), Status::Failed);
    }

    #[test]
    fn its_id_and_its_file_are_its_own() {
        let id = export(false).id;
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_ne!(id, uuid(1, 2, 4));
        assert_ne!(export(false).file(5), export(false).file(6));
    }
}
