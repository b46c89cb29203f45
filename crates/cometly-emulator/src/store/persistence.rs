//! Where changes are kept beyond the emulator's life.
//!
//! A change is made in memory and handed to a thread that writes it to the data folder. The call that made it is answered once
//! it is written, so what was answered is in the folder; no call waits for a disk while it holds the lock of the state.

use std::io;
#[cfg(feature = "sqlite")]
use std::path::Path;

use crate::laravel::refusal::Refusal;
#[cfg(feature = "sqlite")]
use crate::store::row::Kept;
use crate::store::row::Row;
use crate::store::settled::{Settled, Wait};
#[cfg(feature = "sqlite")]
use crate::store::{sqlite::Database, writer::Writer};
use http::StatusCode;

#[derive(Default)]
pub(crate) enum Store {
    /// Nowhere: all ends with the emulator.
    #[default]
    Nowhere,
    #[cfg(feature = "sqlite")]
    Folder(Writer),
}

impl Store {
    /// Opens a data folder; gives back what it holds, in no order.
    #[cfg(feature = "sqlite")]
    pub(crate) fn folder(folder: &Path) -> io::Result<(Self, Vec<Kept>)> {
        let database = Database::open(folder)?;
        let kept = database.load()?;
        Ok((Self::Folder(Writer::start(move |rows| database.write(rows))?), kept))
    }

    /// Hands rows over to be written: all of them in one transaction, after those that were handed over before.
    pub(crate) fn keep(&self, rows: Vec<Row>) {
        match self {
            Self::Nowhere => drop(rows),
            #[cfg(feature = "sqlite")]
            Self::Folder(writer) => writer.keep(rows),
        }
    }

    /// Refuses a change while too much waits to be written: the disk is full, or far too slow.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "a folder can be full")
    )]
    pub(crate) fn has_room(&self) -> Result<(), Refusal> {
        #[cfg(feature = "sqlite")]
        if let Self::Folder(writer) = self
            && !writer.has_room()
        {
            let message = "The emulator has 64 MiB of changes that could not be written to its data folder yet.";
            return Err(Refusal::status(StatusCode::INSUFFICIENT_STORAGE, message));
        }
        Ok(())
    }

    /// How many times rows were handed over.
    pub(crate) fn handed_over(&self) -> u64 {
        match self {
            Self::Nowhere => 0,
            #[cfg(feature = "sqlite")]
            Self::Folder(writer) => writer.handed_over(),
        }
    }

    pub(crate) fn settled(&self) -> Settled {
        match self {
            Self::Nowhere => Settled::Now,
            #[cfg(feature = "sqlite")]
            Self::Folder(writer) => writer.settled(),
        }
    }

    /// Waits for it on a thread that may block.
    pub(crate) fn settle(&self) -> Option<Wait> {
        match self {
            Self::Nowhere => None,
            #[cfg(feature = "sqlite")]
            Self::Folder(writer) => writer.settle().map(Wait::new),
        }
    }

    /// Writes rows at once, before anything else is answered.
    pub(crate) fn write(&self, rows: Vec<Row>) -> io::Result<()> {
        self.keep(rows);
        self.settle().map_or(Ok(()), Wait::done).map_err(io::Error::other)
    }
}

/// What a call is answered with if its change could not be written.
pub(crate) fn not_written(error: &str) -> Refusal {
    Refusal::status(StatusCode::INTERNAL_SERVER_ERROR, format!("The emulator cannot store this: {error}"))
}
