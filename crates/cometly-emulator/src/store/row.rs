//! What is written to a data folder and read from it.

use serde_json::{Map, Value, json};

use crate::json::fields;
use crate::keys::{Ability, Space};

/// The kinds of rows.
pub(crate) const KEY: &str = "key";
pub(crate) const EVENT: &str = "event";
pub(crate) const CONTACT: &str = "contact";
pub(crate) const COMPANY: &str = "company";
pub(crate) const EXPORT: &str = "export";

/// One thing to remember: of a kind, in a Space, under an id. Without a body, it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) space: u64,
    pub(crate) id: String,
    pub(crate) body: Option<String>,
}

impl Row {
    /// About how many bytes it takes in memory.
    #[cfg(feature = "sqlite")]
    pub(crate) fn bytes(&self) -> usize {
        let text = self.id.len().saturating_add(self.body.as_ref().map_or(0, String::len));
        text.saturating_add(size_of::<Self>())
    }

    /// A key as it is kept.
    pub(crate) fn of_key(key: &str, space: Space, abilities: &[Ability]) -> Self {
        let abilities: Vec<_> = abilities.iter().map(|ability| ability.name()).collect();
        let body = json!({ "active": space.is_active(), "abilities": abilities });
        Self { kind: KEY, space: space.id(), id: key.to_owned(), body: Some(body.to_string()) }
    }
}

/// A row as it was read again.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) kind: String,
    pub(crate) space: u64,
    pub(crate) id: String,
    pub(crate) body: String,
}

impl Kept {
    pub(crate) fn fields(&self) -> Map<String, Value> {
        serde_json::from_str(&self.body).map(fields).unwrap_or_default()
    }
}
