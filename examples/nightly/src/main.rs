//! `nightly DATABASE [DAY]`: the events of a day, by default of yesterday, into `SQLite`. See `docs/nightly.md`.

use std::{env, error::Error, io::Read as _};

use cometly::{
    Api, Download, Export, ExportJob, ExportLines, FlowError, Id, SpaceDate,
    events::{Event, EventField, EventName, ExportEvents},
};
use cometly_ureq::Client;
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{Connection, params};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, day TEXT NOT NULL, time_utc TEXT, name TEXT, email TEXT,
                                      amount TEXT);
    CREATE TABLE IF NOT EXISTS job (day TEXT PRIMARY KEY, export_id TEXT, lines INTEGER NOT NULL DEFAULT 0,
                                    is_done INTEGER NOT NULL DEFAULT 0);";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let database = arguments.next().ok_or("expected the database as the first argument")?;
    let day = match arguments.next() {
        Some(day) => day.parse()?,
        // The API does not tell the Space's time zone.
        None => SpaceDate::yesterday(Timestamp::now(), &TimeZone::get(&env::var("COMETLY_TIME_ZONE")?)?)?,
    };
    let mut database = Connection::open(database)?;
    database.execute_batch(SCHEMA)?;
    database.execute("INSERT OR IGNORE INTO job (day) VALUES (?1)", [day.to_string()])?;
    let (api, client) = (Api::from_env()?, Client::new()?);
    if !job(&database, day)?.is_done {
        let export = export(&api, &client, &database, day).or_else(|error| forget(&mut database, day, error))?;
        store(&api, &client, &mut database, day, &export)?;
    }
    Ok(())
}

/// What is noted of a day.
struct Job {
    export_id: Option<String>,
    /// How many lines of the file are stored.
    lines: u64,
    is_done: bool,
}

fn job(database: &Connection, day: SpaceDate) -> rusqlite::Result<Job> {
    let sql = "SELECT export_id, lines, is_done FROM job WHERE day = ?1";
    database.query_row(sql, [day.to_string()], |row| {
        Ok(Job { export_id: row.get(0)?, lines: row.get(1)?, is_done: row.get(2)? })
    })
}

/// Orders the export, or waits for the one that an earlier run ordered. A run that was killed between the order and its note
/// orders once more, which does no harm.
fn export(api: &Api, client: &Client, database: &Connection, day: SpaceDate) -> Result<Export, Box<dyn Error>> {
    let noted: Option<String> = job(database, day)?.export_id;
    let flow = if let Some(id) = noted {
        ExportJob::resume(id.parse()?)
    } else {
        let fields = [EventField::ID, EventField::EVENT_TIME_UTC, EventField::EVENT_NAME];
        let fields = fields.into_iter().chain([EventField::EMAIL, EventField::AMOUNT]);
        ExportJob::new(ExportEvents::on(day).fields(fields).build()?)
    };
    let mut steps = client.run(api, flow);
    while let Some(step) = steps.try_next()? {
        let id = step.export_id.to_string();
        database.execute("UPDATE job SET export_id = ?1 WHERE day = ?2", [id, day.to_string()])?;
    }
    Ok(steps.end()?)
}

/// After an export that failed, or that the API does not know any more, the next run begins the day anew.
fn forget(database: &mut Connection, day: SpaceDate, error: Box<dyn Error>) -> Result<Export, Box<dyn Error>> {
    let flow = error.downcast_ref::<cometly_ureq::Error>().and_then(cometly_ureq::Error::flow_error);
    if matches!(flow, Some(FlowError::ExportFailed | FlowError::UnknownExport)) {
        let transaction = database.transaction()?;
        transaction.execute("DELETE FROM event WHERE day = ?1", [day.to_string()])?;
        transaction.execute("UPDATE job SET export_id = NULL, lines = 0 WHERE day = ?1", [day.to_string()])?;
        transaction.commit()?;
    }
    Err(error)
}

/// Downloads the file and stores its rows: each piece of it in one transaction with the number of lines so far.
fn store(
    api: &Api,
    client: &Client,
    database: &mut Connection,
    day: SpaceDate,
    export: &Export,
) -> Result<(), Box<dyn Error>> {
    let stored = job(database, day)?.lines;
    let mut file = client.download(api, Download::of::<ExportEvents>(export, api)?);
    // A gzip cannot be entered in its middle, so the lines that are stored are passed over.
    let (mut lines, mut piece) = (ExportLines::new().skip(stored), vec![0; 64 << 10]);
    loop {
        let len = file.read(&mut piece)?;
        match piece.get(..len) {
            Some(piece) if len > 0 => lines.push(piece.to_vec()),
            _ => lines.finish(),
        }
        let transaction = database.transaction()?;
        while let Some(event) = lines.next_row::<Event>()? {
            insert(&transaction, day, &event?)?;
        }
        let sql = "UPDATE job SET lines = max(lines, ?1), is_done = ?2 WHERE day = ?3";
        transaction.execute(sql, params![lines.lines(), lines.is_whole(), day.to_string()])?;
        transaction.commit()?;
        if len == 0 {
            return Ok(());
        }
    }
}

fn insert(database: &Connection, day: SpaceDate, event: &Event) -> rusqlite::Result<()> {
    let sql = "INSERT INTO event (id, day, time_utc, name, email, amount) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (id, name) = (event.id.as_ref().map(Id::to_string), event.event_name.as_ref().map(EventName::as_str));
    let amount = event.amount.as_ref().map(ToString::to_string);
    let mut statement = database.prepare_cached(sql)?;
    statement.execute(params![id, day.to_string(), event.event_time_utc, name, event.email, amount])?;
    Ok(())
}
