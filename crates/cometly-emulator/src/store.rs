//! The data of all Spaces: what is computed from the seed, and what was changed on top of it. All of it is in memory; with a
//! data folder, a change is written there first, and `restore` reads it back.

pub(crate) mod changes;
pub(crate) mod exports;
pub(crate) mod persistence;
pub(crate) mod records;
pub(crate) mod restore;
pub(crate) mod row;
pub(crate) mod seeds;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod tracked;
