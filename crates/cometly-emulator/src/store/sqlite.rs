//! A data folder: one `SQLite` file. Rows are written in transactions.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, params};

use crate::store::row::{Kept, Row};

const FILE: &str = "cometly-emulator.sqlite3";
/// Tells our files from those of other programs: `CMLY`.
const APPLICATION: i64 = 0x434d_4c59;
/// Goes up whenever older files cannot be read as they are.
const FORMAT: i64 = 2;

pub(crate) struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens the folder, or makes a new one, and locks it for as long as this lives.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let mut new = std::fs::DirBuilder::new();
        new.recursive(true);
        // It keeps keys, and what clients sent.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut new, 0o700);
        new.create(folder).map_err(|error| {
            io::Error::new(error.kind(), format!("no data folder at {}: {error}", folder.display()))
        })?;
        let path = folder.join(FILE);
        // Its logs have the mode of the file itself. One that is there keeps its own.
        let mut file = std::fs::OpenOptions::new();
        file.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        file.open(&path)?;
        let connection = Connection::open(&path).map_err(|error| refuse(folder, &error))?;
        let database = Self { connection, path: folder.to_owned() };
        database.prepare().map_err(|error| refuse(folder, &error))?.map_err(|told| {
            io::Error::new(io::ErrorKind::InvalidData, format!("the data folder {} {told}", folder.display()))
        })?;
        Ok(database)
    }

    /// The inner error is a file that we can read and do not want.
    fn prepare(&self) -> rusqlite::Result<Result<(), String>> {
        let connection = &self.connection;
        connection.busy_timeout(Duration::ZERO)?;
        // The lock is taken by the first transaction and kept. With a log that is written ahead, a process that is killed
        // loses nothing; only a failing machine may lose the latest changes.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let (application, format) = (number("application_id")?, number("user_version")?);
        if tables > 0 && application != APPLICATION {
            return Ok(Err(format!("has a {FILE} that is not an emulator's; choose another folder")));
        }
        if tables > 0 && format != FORMAT {
            return Ok(Err(format!(
                "is of another version: format {format}, and this emulator reads format {FORMAT}; choose another folder, \
                 or delete this one"
            )));
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(&format!(
            "BEGIN EXCLUSIVE;
             CREATE TABLE IF NOT EXISTS records (
                 kind TEXT NOT NULL, space INTEGER NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
                 PRIMARY KEY (kind, space, id)
             ) WITHOUT ROWID;
             PRAGMA application_id = {APPLICATION};
             PRAGMA user_version = {FORMAT};
             COMMIT;"
        ))?;
        Ok(Ok(()))
    }

    pub(crate) fn load(&self) -> io::Result<Vec<Kept>> {
        let read = || {
            let mut statement = self.connection.prepare("SELECT kind, space, id, body FROM records")?;
            let rows = statement.query_map([], |row| {
                let space: i64 = row.get(1)?;
                Ok(Kept { kind: row.get(0)?, space: space.cast_unsigned(), id: row.get(2)?, body: row.get(3)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| refuse(&self.path, &error))
    }

    pub(crate) fn write(&self, rows: &[Row]) -> io::Result<()> {
        let write = || {
            // Dropped before it is committed, a transaction is undone.
            let transaction = self.connection.unchecked_transaction()?;
            for Row { kind, space, id, body } in rows {
                let space = space.cast_signed();
                match body {
                    Some(body) => transaction
                        .prepare_cached("INSERT OR REPLACE INTO records (kind, space, id, body) VALUES (?, ?, ?, ?)")?
                        .execute(params![kind, space, id, body])?,
                    None => transaction
                        .prepare_cached("DELETE FROM records WHERE kind = ? AND space = ? AND id = ?")?
                        .execute(params![kind, space, id])?,
                };
            }
            transaction.commit()
        };
        write().map_err(|error| refuse(&self.path, &error))
    }
}

/// What went wrong, and what to do about it.
fn refuse(folder: &Path, error: &rusqlite::Error) -> io::Error {
    let folder = folder.display();
    let (kind, told) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            io::ErrorKind::ResourceBusy,
            format!("the data folder {folder} is in use by another emulator; stop that one, or choose another folder"),
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            let told =
                format!("the data folder {folder} cannot be read: {error}; choose another folder, or delete this one");
            (io::ErrorKind::InvalidData, told)
        }
        Some(ErrorCode::DiskFull) => (io::ErrorKind::StorageFull, format!("the disk of {folder} is full")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (io::ErrorKind::PermissionDenied, format!("the data folder {folder} cannot be written to: {error}"))
        }
        _ => (io::ErrorKind::Other, format!("the data folder {folder}: {error}")),
    };
    io::Error::new(kind, told)
}
