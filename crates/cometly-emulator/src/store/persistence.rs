//! Where changes are kept beyond the emulator's life. Nothing is changed in memory before it is written here.

use std::io;

use http::StatusCode;

use crate::laravel::refusal::Refusal;
use crate::store::row::{Kept, Row};
#[cfg(feature = "sqlite")]
use crate::store::sqlite::Database;

#[derive(Default)]
pub(crate) enum Store {
    /// Nowhere: all ends with the emulator.
    #[default]
    Nowhere,
    #[cfg(feature = "sqlite")]
    Folder(Database),
}

impl Store {
    /// All of `rows` or none of them.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, reason = "a store that writes somewhere can fail")
    )]
    pub(crate) fn write(&self, rows: &[Row]) -> io::Result<()> {
        match self {
            _ if rows.is_empty() => Ok(()),
            Self::Nowhere => Ok(()),
            #[cfg(feature = "sqlite")]
            Self::Folder(database) => database.write(rows),
        }
    }

    /// The same, on behalf of a call.
    pub(crate) fn keep(&self, rows: &[Row]) -> Result<(), Refusal> {
        self.write(rows).map_err(|error| {
            Refusal::status(StatusCode::INTERNAL_SERVER_ERROR, format!("The emulator cannot store this: {error}"))
        })
    }

    /// All that was kept, in no order.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, reason = "a store that can be read can fail")
    )]
    pub(crate) fn load(&self) -> io::Result<Vec<Kept>> {
        match self {
            Self::Nowhere => Ok(Vec::new()),
            #[cfg(feature = "sqlite")]
            Self::Folder(database) => database.load(),
        }
    }
}
