//! An export that is killed in the middle, and resumed from its files alone: `export.id` and `rows.ndjson`.

use std::{
    collections::HashSet,
    error::Error,
    fs,
    io::{Read as _, Write as _},
    path::Path,
};

use cometly::{
    Download, ExportJob, ExportLines, SpaceDate,
    events::{Event, EventField, ExportEvents},
};
use cometly_emulator::Emulator;
use cometly_ureq::Client;
use jiff::{Timestamp, tz::TimeZone};

use super::{Done, api_of};

/// Whether it came to the end; after `kill_after` rows it stops dead, in the middle of a row.
fn export(emulator: &Emulator, day: SpaceDate, dir: &Path, kill_after: u64) -> Result<bool, Box<dyn Error>> {
    let (api, client) = (api_of(emulator)?, Client::new()?);
    let (id_file, rows_file) = (dir.join("export.id"), dir.join("rows.ndjson"));

    let job = match fs::read_to_string(&id_file) {
        Ok(id) => ExportJob::resume(id.parse()?),
        Err(_) => ExportJob::new(ExportEvents::on(day).fields([EventField::ID, EventField::EMAIL]).build()?),
    };
    let mut steps = client.run(&api, job);
    while let Some(step) = steps.try_next()? {
        fs::write(&id_file, step.export_id.to_string())?;
    }
    let export = steps.end()?;

    // A row that was half written is dropped.
    let mut rows = fs::read(&rows_file).unwrap_or_default();
    rows.truncate(rows.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    fs::write(&rows_file, &rows)?;
    let stored = rows.split(|byte| *byte == b'\n').count() as u64 - 1;
    let mut out = fs::OpenOptions::new().append(true).open(&rows_file)?;

    let mut file = client.download(&api, Download::of::<ExportEvents>(&export, &api)?);
    let (mut lines, mut piece) = (ExportLines::new().skip(stored), vec![0; 4 << 10]);
    loop {
        let len = file.read(&mut piece)?;
        if len > 0 {
            lines.push(piece[..len].to_vec());
        } else {
            lines.finish();
        }
        while let Some(line) = lines.next_line()? {
            out.write_all(line)?;
            out.write_all(b"\n")?;
            if lines.lines() == kill_after {
                out.write_all(br#"{"id":1,"em"#)?;
                return Ok(false);
            }
        }
        if len == 0 {
            return Ok(lines.is_whole());
        }
    }
}

#[test]
fn an_export_goes_on_from_its_files_alone() -> Done {
    let emulator = Emulator::builder().seeded_events(90_000).start()?;
    let dir = tempfile::tempdir()?;
    let day = SpaceDate::yesterday(Timestamp::now(), &TimeZone::UTC)?;
    assert!(!export(&emulator, day, dir.path(), 1234)?);
    assert!(export(&emulator, day, dir.path(), 0)?);

    let rows = fs::read_to_string(dir.path().join("rows.ndjson"))?;
    let id = |row: &str| serde_json::from_str::<Event>(row).unwrap().id.unwrap().to_string();
    let once: HashSet<String> = rows.lines().map(id).collect();
    // 90,000 are spread evenly over 30 days.
    assert_eq!((rows.lines().count(), once.len()), (3000, 3000));
    let orders = emulator.received_requests().into_iter().filter(|request| request.method == "POST").count();
    assert_eq!(orders, 1);
    assert!(emulator.leaked_keys().is_empty());
    Ok(())
}
