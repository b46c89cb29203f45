//! Several references, tried in order.

use std::fmt;

use cometly_core::ApiKey;

use crate::{KeyError, KeyRef, NoKey};

/// References that are tried in order until one has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChain {
    references: Vec<KeyRef>,
}

impl KeyChain {
    /// The first key that there is. Blocks as [`KeyRef::read`] does, once for each reference.
    ///
    /// # Errors
    /// [`NoKey`] if there is none, with one error for each reference.
    pub fn read(&self) -> Result<FoundKey, NoKey> {
        let mut errors = Vec::new();
        for reference in &self.references {
            match reference.read() {
                Ok(key) => return Ok(FoundKey { key, reference: reference.clone(), passed_over: errors }),
                Err(error) => errors.push(error),
            }
        }
        Err(NoKey { errors })
    }
}

impl From<KeyRef> for KeyChain {
    fn from(reference: KeyRef) -> Self {
        Self { references: vec![reference] }
    }
}

impl From<Vec<KeyRef>> for KeyChain {
    fn from(references: Vec<KeyRef>) -> Self {
        Self { references }
    }
}

/// A key, the reference that has it, and why those before it have none. `Display` shows all but the key.
#[derive(Clone, Debug)]
pub struct FoundKey {
    key: ApiKey,
    reference: KeyRef,
    passed_over: Vec<KeyError>,
}

impl FoundKey {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The reference that has it.
    #[must_use]
    pub fn reference(&self) -> &KeyRef {
        &self.reference
    }

    /// Why the references before it have none, in order.
    #[must_use]
    pub fn passed_over(&self) -> &[KeyError] {
        &self.passed_over
    }
}

impl fmt::Display for FoundKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)?;
        self.passed_over.iter().try_for_each(|error| write!(f, "; not {error}"))
    }
}
