//! A data folder: what was answered is there again, whatever happened to the emulator.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the lints do not know a test's helper for a test"
)]

mod wire;

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use cometly_emulator::{Ability, Emulator, Space};
use serde_json::{Value, json};
use wire::{ask, call};

const CHILD: &str = "COMETLY_EMULATOR_TEST_FOLDER";

/// A folder of this test's own, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("cometly-emulator-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn start(&self) -> Emulator {
        Emulator::builder().no_limits().data_dir(&self.0).start().unwrap()
    }

    fn refusal(&self) -> (ErrorKind, String) {
        let error = Emulator::builder().data_dir(&self.0).start().unwrap_err();
        (error.kind(), error.to_string())
    }

    fn database(&self) -> PathBuf {
        self.0.join("cometly-emulator.sqlite3")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn all_that_was_answered_is_there_again() {
    let folder = Folder::new("again");
    let emulator = folder.start();
    let first = emulator.keys().clone();
    let (made, gone) = (
        emulator.issue_key(Space::active(), &[Ability::CompaniesRead]),
        emulator.issue_key(emulator.space(), Ability::ALL),
    );
    emulator.revoke_key(&gone);
    let event = r#"{"event_name":"purchase","email":"a@example.com","idempotency_key":"one","order_id":"A"}"#;
    ask(&emulator, "POST", "/events/track", event, 202);
    ask(&emulator, "POST", "/contacts", r#"{"emails":["new@example.com"]}"#, 201);
    ask(&emulator, "PUT", "/contacts/1", r#"{"names":["Changed"]}"#, 200);
    ask(&emulator, "PUT", "/companies/1", r#"{"name":"Changed"}"#, 200);
    let export = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#, 202);
    let path = format!("/events/exports/{}", export["export_id"].as_str().unwrap());
    ask(&emulator, "GET", &path, "", 200);
    let (tracked, space) = (emulator.tracked_events(), emulator.space());
    drop(emulator);

    let emulator = folder.start();
    assert_eq!((&emulator.keys().full, &emulator.keys().inactive), (&first.full, &first.inactive));
    assert_eq!((emulator.tracked_events(), emulator.space()), (tracked, space));
    assert_eq!(call(&emulator, &made, "GET", "/companies/1", "").status, "200 OK");
    assert_eq!(call(&emulator, &made, "GET", "/contacts/1", "").status, "403 Forbidden");
    assert_eq!(call(&emulator, &gone, "GET", "/companies/1", "").status, "401 Unauthorized");
    assert!(call(&emulator, &first.inactive, "GET", "/companies/1", "").body.contains("subscription is inactive"));
    assert_eq!(ask(&emulator, "GET", "/contacts/251", "", 200)["emails"], json!(["new@example.com"]));
    assert_eq!(ask(&emulator, "GET", "/contacts/1", "", 200)["names"], json!(["Changed"]));
    assert_eq!(ask(&emulator, "GET", "/companies/1", "", 200)["name"], "Changed");
    assert_eq!(ask(&emulator, "GET", &path, "", 200)["status"], "processing");
    // What came before is still known, and what is new gets a name of its own.
    ask(&emulator, "POST", "/events/track", event, 202);
    ask(&emulator, "POST", "/events/track", r#"{"event_name":"sign_up","email":"a@example.com"}"#, 202);
    assert_eq!(emulator.tracked_events().len(), 2);
    let other = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#, 202);
    assert_ne!(other["export_id"], export["export_id"]);
    let next = emulator.issue_key(Space::active(), Ability::ALL);
    assert_ne!(next.split('|').next(), made.split('|').next());
}

#[cfg(unix)]
#[test]
fn its_files_are_for_their_user_alone_in_a_folder_that_is_open() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("modes");
    fs::create_dir(&folder.0).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let emulator = folder.start();
    ask(&emulator, "GET", "/companies", "", 200);
    let files: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|file| file.unwrap()).collect();
    assert!(!files.is_empty());
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_second_emulator_on_the_same_folder_is_refused_until_the_first_is_gone() {
    let folder = Folder::new("second");
    let first = folder.start();
    let (kind, told) = folder.refusal();
    assert_eq!(kind, ErrorKind::ResourceBusy);
    assert!(told.ends_with("is in use by another emulator; stop that one, or choose another folder"), "{told}");
    drop(first);
    folder.start();
}

#[test]
fn a_folder_of_another_version_or_of_something_else_is_refused_and_left_as_it_is() {
    let folder = Folder::new("version");
    drop(folder.start());
    let database = rusqlite::Connection::open(folder.database()).unwrap();
    database.pragma_update(None, "user_version", 3).unwrap();
    drop(database);
    let before = fs::read(folder.database()).unwrap();
    let (kind, told) = folder.refusal();
    assert_eq!(kind, ErrorKind::InvalidData);
    assert!(told.contains("is of another version: format 3, and this emulator reads format 2; choose"), "{told}");
    assert_eq!(fs::read(folder.database()).unwrap(), before);

    let folder = Folder::new("stranger");
    fs::create_dir_all(&folder.0).unwrap();
    rusqlite::Connection::open(folder.database()).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(folder.refusal().1.contains("that is not an emulator's"), "{}", folder.refusal().1);
    fs::write(folder.database(), "nonsense".repeat(1000)).unwrap();
    assert!(folder.refusal().1.contains("cannot be read"), "{}", folder.refusal().1);

    fs::remove_dir_all(&folder.0).unwrap();
    fs::write(&folder.0, "a file").unwrap();
    assert!(folder.refusal().1.starts_with("no data folder at "), "{}", folder.refusal().1);
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn a_folder_keeps_its_seed() {
    let folder = Folder::new("seed");
    let start = |seed| Emulator::builder().data_dir(&folder.0).seed(seed).start();
    drop(start(7).unwrap());
    drop(start(7).unwrap());
    let error = start(8).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("was seeded with seed 7, which cannot become 8"), "{error}");
    folder.start();
}

/// Not a test of its own: the emulator that is killed.
#[test]
fn child() {
    let Some(folder) = env::var_os(CHILD) else { return };
    let emulator = Emulator::builder().no_limits().data_dir(Path::new(&folder)).start().unwrap();
    println!("\nREADY {} {}", emulator.address(), emulator.keys().full);
    thread::sleep(Duration::from_secs(60));
}

fn spawn(folder: &Folder) -> (Child, SocketAddr, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(CHILD, &folder.0).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready = lines.find_map(|line| line.strip_prefix("READY ").map(str::to_owned)).unwrap();
    let (address, key) = ready.split_once(' ').unwrap();
    (child, address.parse().unwrap(), key.to_owned())
}

/// Tracks events with these numbers until the emulator is gone; gives back those that were answered.
fn track(address: SocketAddr, key: &str, numbers: std::ops::Range<u32>) -> Vec<u32> {
    let mut answered = Vec::new();
    let Ok(mut stream) = TcpStream::connect(address) else { return answered };
    for number in numbers {
        let body =
            json!({ "event_name": "purchase", "email": "a@example.com", "order_name": number.to_string() }).to_string();
        let (headers, length) = (wire::with(key), body.len());
        let request =
            format!("POST {} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}", wire::TRACK);
        let mut status = [0; 12];
        if stream.write_all(request.as_bytes()).is_err() || stream.read_exact(&mut status).is_err() {
            break;
        }
        assert_eq!(&status, b"HTTP/1.1 202");
        answered.push(number);
        let mut rest = Vec::new();
        let mut byte = [0];
        while !rest.ends_with(b"}") && stream.read_exact(&mut byte).is_ok() {
            rest.push(byte[0]);
        }
    }
    answered
}

#[test]
fn nothing_that_was_answered_is_lost_when_it_is_killed() {
    let folder = Folder::new("killed");
    let mut answered = Vec::new();
    for round in 0..6_u32 {
        let (mut child, address, key) = spawn(&folder);
        let tracking = thread::spawn(move || track(address, &key, round * 1_000_000..(round + 1) * 1_000_000));
        thread::sleep(Duration::from_millis(20 + u64::from(round) * 37));
        child.kill().unwrap();
        child.wait().unwrap();
        answered.extend(tracking.join().unwrap());
    }
    assert!(answered.len() > 100, "{}", answered.len());
    let emulator = folder.start();
    let number = |event: &String| serde_json::from_str::<Value>(event).unwrap()["order_name"].as_str().unwrap().parse();
    let held: Vec<u32> = emulator.tracked_events().iter().map(|event| number(event).unwrap()).collect();
    let set: HashSet<u32> = held.iter().copied().collect();
    assert_eq!(set.len(), held.len(), "some are held twice");
    assert!(answered.iter().all(|number| set.contains(number)), "some are lost");
    // At most one a round was carried out and not answered.
    assert!(held.len() <= answered.len() + 6, "{} held, {} answered", held.len(), answered.len());
}
