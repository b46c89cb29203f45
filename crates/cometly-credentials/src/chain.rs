//! Several references, tried in order.

use std::fmt;

use cometly_core::ApiKey;

use crate::{KeyError, KeyRef, NoKey};

/// References to a key, tried in their order until one has a key; from a [`KeyRef`] or a `Vec` of them, by `From`.
/// [`read`](Self::read) reads each of them at most once, as long as [`KeyRef::read`] may take, and fails with [`NoKey`] if none has
/// a key. A chain may be empty, which fails in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChain {
    references: Vec<KeyRef>,
}

impl KeyChain {
    /// Reads the key of the first reference that has one; the references after it are not read. It blocks as [`KeyRef::read`]
    /// does, once for each reference that it tries.
    ///
    /// # Errors
    /// [`NoKey`] if no reference has a key, with one error for each; also if the chain is empty.
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

/// A key from [`KeyChain::read`]: the [key](Self::key), the [reference](Self::reference) that has it, and [why](Self::passed_over)
/// each one before it in the chain has none. `Display` shows all but the key, and `Debug` does not show the key either.
#[derive(Clone, Debug)]
pub struct FoundKey {
    key: ApiKey,
    reference: KeyRef,
    passed_over: Vec<KeyError>,
}

impl FoundKey {
    /// The key that was found.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The reference that has the key. The arguments of a command may be secret: [`KeyRef::text`] has them, `Display` leaves them
    /// out.
    #[must_use]
    pub fn reference(&self) -> &KeyRef {
        &self.reference
    }

    /// Why the references before [`reference`](Self::reference) in the chain have no key: one error for each, in order; empty if
    /// the first one has the key.
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
