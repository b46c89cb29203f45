//! The data of all Spaces: what is computed from the seed, and what was changed on top of it. All of it is in memory; with a
//! data folder, a change is also written there before its call is answered, and `restore` reads it back.

pub(crate) mod changes;
pub(crate) mod exports;
pub(crate) mod persistence;
pub(crate) mod records;
pub(crate) mod restore;
pub(crate) mod row;
pub(crate) mod seeds;
pub(crate) mod settled;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod tracked;
#[cfg(feature = "sqlite")]
pub(crate) mod writer;
