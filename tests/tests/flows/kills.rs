//! Jobs that are killed and go on: each row once and in order, whatever the server and the machine do.
//!
//! Each job runs in a process of its own, which this test kills and starts again. All that it has then is what it wrote to
//! its folder. `COMETLY_ROWS=1000000 cargo test --release -p cometly-conformance --test flows kills` is the whole size: 250 pages,
//! a million lines and 20 kills on every client; without the variable it is 20,000 rows and 8 kills.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly::ExportLines;
use cometly_core::{
    Api, ApiKey, Cursor, Download, Endpoint, ExportId, ExportJob, Failure, Flow, FlowError, Moment, Page, Pages,
    PagesEnd, Reply, Step, Then, endpoint,
};
use cometly_emulator::{Emulator, EmulatorBuilder, Fault};
use serde_json::{Value, json};

use crate::drivers::{Driver, Orders, for_each_driver};

const FOLDER: &str = "KILLS_FOLDER";
const BASE_URL: &str = "KILLS_BASE_URL";
const KEY: &str = "KILLS_KEY";

/// How much there is to do.
#[derive(Clone, Copy)]
struct Size {
    rows: u32,
    per_page: u32,
    kills: u32,
}

fn size() -> Size {
    match env::var("COMETLY_ROWS").ok().and_then(|rows| rows.parse().ok()) {
        Some(rows) => Size { rows, per_page: 4000, kills: 20 },
        None => Size { rows: 20_000, per_page: 500, kills: 8 },
    }
}

/// The most memory that a job may use. A list of 4,000 rows a page takes 30 MiB on the hungriest client.
const MOST_MEMORY: u64 = 64 << 20;

/// What a job of any size has on disk.
struct Folder(PathBuf);

impl Folder {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Written beside and renamed, so that it is whole at any moment.
    fn save(&self, name: &str, content: &str) {
        let beside = self.file("beside");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.file(name)).unwrap();
    }

    fn load(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)).ok()
    }

    /// A file to go on with behind its first `len` bytes.
    fn open(&self, name: &str, len: u64) -> File {
        let file = OpenOptions::new().append(true).create(true).open(self.file(name)).unwrap();
        file.set_len(len).unwrap();
        file
    }
}

/// Hands each item on as it comes, with the flow as it is then.
struct Each<F, S>(F, S);

impl<F: Flow, S: FnMut(&F, F::Item)> Flow for Each<F, S> {
    type Item = ();
    type Output = F::Output;

    fn next(&mut self, api: &Api, now: Moment) -> Result<Step<(), F::Output>, FlowError> {
        loop {
            match self.0.next(api, now)? {
                Step::Yield(item) => (self.1)(&self.0, item),
                Step::Send(call) => return Ok(Step::Send(call)),
                Step::Sleep(pause) => return Ok(Step::Sleep(pause)),
                Step::End(output) => return Ok(Step::End(output)),
            }
        }
    }

    fn on_reply(&mut self, reply: Reply<Bytes>, now: Moment) -> Result<(), FlowError> {
        self.0.on_reply(reply, now)
    }

    fn on_failure(&mut self, failure: Failure<'_>, now: Moment) -> Then {
        self.0.on_failure(failure, now)
    }
}

fn events(per_page: u32) -> impl Endpoint<Output = Page<Value>> + Send {
    endpoint(move |api: &Api| {
        let call = api.get("events").query("per_page", per_page);
        call.query("start_date", "2000-01-01 00:00:00").query("end_date", "2040-01-01 00:00:00")
    })
}

/// Tries until it is done: a page of a proxy, say, is an error for each client, and the job goes on behind it.
fn until_done(mut attempt: impl FnMut() -> Result<(), String>) {
    let mut errors = Vec::new();
    while let Err(error) = attempt() {
        errors.push(error);
        assert!(errors.len() < 500, "it never ends: {errors:#?}");
    }
}

/// Appends the id of each event to `ids`.
fn list<D: Driver>(api: &Api, folder: &Folder) {
    let driver = D::new(Duration::from_secs(20));
    until_done(|| {
        let place: Value = folder.load("place").map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        let mut len = place["len"].as_u64().unwrap_or_default();
        let mut file = folder.open("ids", len);
        let per_page = size().per_page;
        let pages = match place["cursor"].as_str() {
            Some(cursor) => Pages::resume(events(per_page), cursor.parse::<Cursor>().unwrap()),
            None => Pages::of(events(per_page)),
        };
        let save = |pages: &Pages<_>, rows: Vec<Value>| {
            let mut ids = String::new();
            for row in rows {
                writeln!(ids, "{}", row["id"]).unwrap();
            }
            file.write_all(ids.as_bytes()).unwrap();
            len += ids.len() as u64;
            // The last page is given again if it comes to that, and its rows are cut off before.
            if pages.is_at_end() {
                return;
            }
            folder.save("place", &json!({ "cursor": pages.cursor().map(Cursor::as_str), "len": len }).to_string());
        };
        let end = driver.run(api, Each(pages, save)).1.map_err(|error| error.to_string())?;
        assert_eq!(end, Some(PagesEnd::LastPage));
        Ok(())
    });
}

/// Orders an export, downloads its file to `file`, and writes the id of each row to `ids`.
fn export<D: Driver>(api: &Api, folder: &Folder) {
    let driver = D::new(Duration::from_secs(20));
    until_done(|| {
        let id = if let Some(id) = folder.load("export") {
            id.parse::<ExportId>().unwrap()
        } else {
            let id = driver.call(api, Orders).map_err(|error| error.to_string())?.export_id;
            folder.save("export", &id.to_string());
            id
        };
        let (_, export, _) = driver.run(api, ExportJob::<Orders>::resume(id));
        let export = export.map_err(|error| error.to_string())?.unwrap();
        let len = fs::metadata(folder.file("file")).map_or(0, |file| file.len());
        let mut file = folder.open("file", len);
        let download = Download::of::<Orders>(&export, api).map_err(|error| error.to_string())?;
        let download = download.resume(len, folder.load("validator").as_deref());
        let (end, download) = driver.save(api, download, |download, piece| {
            if let Some(validator) = download.validator() {
                folder.save("validator", validator);
            }
            file.write_all(piece).unwrap();
        });
        end.map_err(|error| error.to_string())?;
        assert_eq!(Some(download.position()), download.total());
        Ok(())
    });
    let (mut lines, mut file) = (ExportLines::new(), File::open(folder.file("file")).unwrap());
    let mut ids = File::create(folder.file("ids")).unwrap();
    let mut buffer = [0; 8 * 1024];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => lines.finish(),
            len => lines.push(buffer[..len].to_vec()),
        }
        while let Some(row) = lines.next_row::<Value>().unwrap() {
            writeln!(ids, "{}", row.unwrap()["id"]).unwrap();
        }
        if lines.is_whole() {
            return;
        }
    }
}

/// The highest use of memory of this process so far.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}

/// This test again, in a process of its own.
fn start(name: &str, emulator: &Emulator, folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(FOLDER, folder)
        .env(BASE_URL, emulator.base_url())
        .env(KEY, &emulator.keys().full)
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("stderr")).unwrap())
        .spawn()
        .unwrap()
}

/// Numbers that look random, from 0 to below `most`.
fn below(seed: &mut u64, most: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % most
}

#[expect(clippy::print_stdout, reason = "the figures are for people")]
fn survives(emulator: EmulatorBuilder, faults: Vec<Fault>, job: fn(&Api, &Folder)) {
    if let Ok(folder) = env::var(FOLDER) {
        let key = ApiKey::new(env::var(KEY).unwrap()).unwrap();
        let api = Api::builder(key).base_url(env::var(BASE_URL).unwrap().parse().unwrap()).build();
        let folder = Folder(folder.into());
        job(&api, &folder);
        return folder.save("done", &most_memory().to_string());
    }
    let (name, size) = (thread::current().name().unwrap().to_owned(), size());
    let emulator = emulator.no_limits().keep_requests(10).start().unwrap();
    for fault in faults {
        emulator.inject(fault);
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut seed, mut kills, begun) = (u64::from(size.rows), 0, Instant::now());
    // A job of the whole size takes longer, so it is killed later.
    let longest = if size.kills == 20 { 1500 } else { 250 };
    loop {
        let mut child = start(&name, &emulator, folder.path());
        let until = Instant::now() + Duration::from_millis(30 + below(&mut seed, longest));
        let is_last = kills >= size.kills;
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if !is_last && Instant::now() >= until => break None,
                None => thread::sleep(Duration::from_millis(5)),
            }
            assert!(begun.elapsed() < Duration::from_secs(900), "{name}: it does not end");
        };
        let Some(status) = status else {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            continue;
        };
        let said = fs::read_to_string(folder.path().join("stderr")).unwrap();
        assert!(status.success(), "{name}: {said}");
        break;
    }
    let ids = fs::read_to_string(folder.path().join("ids")).unwrap();
    let mut expected = 0_u32;
    for id in ids.lines() {
        expected += 1;
        assert_eq!(id, expected.to_string(), "{name}: each row once, in order");
    }
    assert_eq!(expected, size.rows, "{name}");
    let memory: u64 = fs::read_to_string(folder.path().join("done")).unwrap().parse().unwrap();
    println!("{name}: {} rows, {kills} kills, {} MiB, {:?}", size.rows, memory >> 20, begun.elapsed());
    assert!(memory < MOST_MEMORY, "{name}: {memory} bytes");
}

fn a_list_that_is_killed_has_each_row_once<D: Driver>() {
    let faults = vec![
        Fault::reset_after().share(0.03, 1),
        Fault::server_error(503).share(0.03, 2),
        Fault::cut_body().share(0.03, 3),
        Fault::html_page().share(0.02, 4),
        Fault::too_many_requests(1).share(0.01, 5),
        Fault::reset_before().share(0.02, 6),
    ];
    survives(Emulator::builder().seed(1).seeded_events(size().rows), faults, list::<D>);
}

fn an_export_that_is_killed_has_each_row_once<D: Driver>() {
    let faults = vec![
        Fault::cut_download_after(200_000).share(0.3, 1),
        Fault::expired_download().share(0.1, 2),
        Fault::reset_before().share(0.1, 3),
        Fault::server_error(502).for_method("GET").share(0.05, 4),
    ];
    survives(Emulator::builder().seed(1).seeded_companies(size().rows), faults, export::<D>);
}

for_each_driver![a_list_that_is_killed_has_each_row_once, an_export_that_is_killed_has_each_row_once];
