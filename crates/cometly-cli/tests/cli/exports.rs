//! `export` of each resource: ordered once, downloaded without the key, whole or not there, whatever breaks.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::Child,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use cometly_emulator::{Emulator, Fault};

use crate::{
    program::{KEY, Program, signal},
    script::{Server, json},
};

fn stage() -> (Emulator, Program) {
    let emulator = Emulator::builder().no_limits().seed(0).seeded_events(20_000).start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    (emulator, program)
}

fn ids(text: &str) -> Vec<u64> {
    text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap()).collect()
}

fn orders(emulator: &Emulator) -> usize {
    emulator.received_requests().iter().filter(|request| request.method == "POST").count()
}

/// All at once, for an export is asked after every few seconds.
fn each<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}

fn files(program: &Program) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(program.folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_has_the_rows_of_the_list() {
    let (emulator, program) = stage();
    let exports: Vec<(Vec<&str>, Child)> = ["events", "contacts", "companies"]
        .into_iter()
        .flat_map(|resource| ["ndjson", "csv"].map(|format| (resource, format)))
        .map(|(resource, format)| {
            let dates =
                ["--from", "2026-01-02", "--to", if resource == "events" { "2026-01-02" } else { "2026-01-20" }];
            let export = program.command(&[&[resource, "export", "--format", format], &dates[..]].concat());
            ([&[resource, "list", "--format", format], &dates[..]].concat(), { export }.spawn().unwrap())
        })
        .collect();
    for (list, export) in exports {
        let list = program.run(&list).ends(0).stdout;
        assert!(list.lines().count() > 10 && program.finish(export).ends(0).stdout == list);
    }
    assert!(emulator.leaked_keys().is_empty());
}

#[test]
fn several_days_are_several_exports_in_one_file() {
    let (emulator, program) = stage();
    let export = ["events", "export", "--from", "2026-01-02", "--to", "2026-01-03", "--output", "e.csv"];
    program.run(&export).ends(0);
    let list =
        program.run(&["events", "list", "--from", "2026-01-02", "--to", "2026-01-03", "--format", "csv"]).ends(0);
    assert_eq!(program.read("e.csv"), list.stdout);
    assert_eq!((orders(&emulator), files(&program)), (2, vec!["e.csv".to_owned()]));
}

fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(5));
    }
}

fn kill(program: &Program, child: Child) {
    signal(&child, "KILL");
    program.finish(child);
}

#[test]
fn whatever_kills_it_each_day_is_ordered_once_and_each_row_is_there_once() {
    let (emulator, program) = stage();
    let export = ["events", "export", "--from", "2026-01-02", "--to", "2026-01-03", "--output", "e.ndjson", "--resume"];
    // While it waits for the first export.
    let polls = emulator.inject(Fault::silence().for_method("GET"));
    let child = program.command(&export).spawn().unwrap();
    wait_for(|| emulator.request_count() >= 2);
    kill(&program, child);
    emulator.remove_fault(polls);
    // Within a download, which then goes on by a range.
    let slow = emulator.inject(Fault::slow_download(Duration::from_secs(5)));
    let child = program.command(&export).spawn().unwrap();
    let is_noted = |what: &str| {
        fs::read_to_string(program.path("e.ndjson.cometly-position")).is_ok_and(|position| position.contains(what))
    };
    wait_for(|| {
        let download = program.path("e.ndjson.cometly-download").metadata();
        download.is_ok_and(|found| found.len() > 0) && is_noted("validator")
    });
    kill(&program, child);
    emulator.remove_fault(slow);
    let part = fs::metadata(program.path("e.ndjson.cometly-download")).unwrap().len();
    assert!(!program.path("e.ndjson").exists() && part > 0);
    // While the second day is ordered: whether it was is not known.
    let second = emulator.inject(Fault::silence().for_method("POST").carried_out(true));
    let child = program.command(&export).spawn().unwrap();
    wait_for(|| orders(&emulator) >= 2);
    signal(&child, "INT");
    program.finish(child).ends(130).says("may have been ordered").says("--resume");
    program.run(&export).ends(16).says("--order-again");
    assert_eq!(orders(&emulator), 2);
    let again = [&export[..], &["--order-again"]].concat();
    let child = program.command(&again).spawn().unwrap();
    wait_for(|| orders(&emulator) >= 3);
    kill(&program, child);
    emulator.remove_fault(second);
    program.run(&export).ends(16).says("--order-again");
    program.run(&again).ends(0);
    let list =
        program.run(&["events", "list", "--from", "2026-01-02", "--to", "2026-01-03", "--per-page", "4000"]).ends(0);
    assert_eq!(ids(&program.read("e.ndjson")), ids(&list.stdout));
    assert_eq!((orders(&emulator), files(&program)), (4, vec!["e.ndjson".to_owned()]));
    let ranges = emulator.download_requests();
    let is_range = |request: &cometly_emulator::ReceivedRequest| request.headers.contains_key("range");
    assert!(ranges.iter().any(is_range) && emulator.leaked_keys().is_empty());
}

#[test]
fn faults_of_the_download_cost_no_row_and_the_key_goes_nowhere() {
    let faults = [Fault::cut_download_after(200), Fault::expired_download(), Fault::changed_download()];
    let transports = [("reqwest", true), ("ureq", cfg!(feature = "ureq")), ("isahc", cfg!(feature = "isahc"))];
    let transports = transports.into_iter().filter(|(_, is_built)| *is_built).map(|(name, _)| name);
    let cases = transports.flat_map(|name| faults.clone().map(|fault| (name, fault)));
    each(cases.collect::<Vec<_>>(), |(transport, fault)| {
        let (emulator, program) = stage();
        emulator.inject(fault.up_to_n_times(1));
        let export = ["events", "export", "--on", "2026-01-02", "--output", "e.ndjson", "--transport", transport];
        program.run(&export).ends(0);
        let list = program.run(&["events", "list", "--on", "2026-01-02", "--per-page", "4000"]).ends(0);
        assert_eq!(ids(&program.read("e.ndjson")), ids(&list.stdout));
        assert!(emulator.leaked_keys().is_empty());
    });
}

#[test]
fn an_export_that_fails_or_is_unknown_is_told_apart_and_ordered_again_on_demand() {
    let (emulator, program) = stage();
    let export = ["events", "export", "--on", "2026-01-02", "--output", "e.ndjson", "--resume"];
    let refused = emulator.inject(Fault::unauthenticated());
    program.run(&export).ends(3);
    assert_eq!(files(&program), Vec::<String>::new());
    emulator.remove_fault(refused);
    let failed = emulator.inject(Fault::export_failed());
    program.run(&export).ends(16).says("the export failed").says("--resume --order-again");
    let id = emulator
        .received_requests()
        .iter()
        .rev()
        .find_map(|request| Some(request.path.rsplit_once("exports/")?.1.to_owned()));
    program
        .run(&["events", "export", "--export-id", &id.unwrap()])
        .ends(16)
        .says("name the time instead of --export-id");
    emulator.remove_fault(failed);
    let orders_before = orders(&emulator);
    program.run(&[&export[..], &["--order-again"]].concat()).ends(0);
    assert_eq!(orders(&emulator), orders_before + 1);
    program.run(&["events", "export", "--export-id", "00000000-0000-4000-8000-000000000000"]).ends(6);
    program.run(&["events", "export", "--export-id", "a/b"]).ends(2).says("--export-id: this is no export id");
    program.run(&["events", "export", "--on", "2026-01-02", "--export-id", "x"]).ends(2).says("cannot be used with");
    program.run(&["events", "export", "--from", "2024-01-01", "--to", "2026-01-01"]).ends(2).says("more than 366 days");
    program.run(&["events", "export", "--from", "2026-01-02 10:00", "--to", "2026-01-03"]).ends(2).says("whole days");
    program.run(&["contacts", "export"]).ends(2).says("the time is missing");
}

#[test]
fn an_order_without_a_file_can_be_gone_on_with_by_its_id() {
    let (emulator, program) = stage();
    let polls = emulator.inject(Fault::stub(500).for_method("GET"));
    let ran =
        program.run(&["companies", "export", "--from", "2026-01-01", "--to", "2026-01-31"]).ends(7).says("--export-id");
    let id = ran.stderr.trim().rsplit(' ').next().unwrap().to_owned();
    emulator.remove_fault(polls);
    let rows = program.run(&["companies", "export", "--export-id", &id]).ends(0);
    assert_eq!((ids(&rows.stdout).len(), orders(&emulator)), (250, 1));
}

/// A host of files that gives these bytes, and the heads of the requests that it saw.
fn host(file: Vec<u8>) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, seen) = (format!("http://{}/f", listener.local_addr().unwrap()), Arc::new(Mutex::new(String::new())));
    let record = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let len = stream.read(&mut head).unwrap();
            record.lock().unwrap().push_str(&String::from_utf8_lossy(&head[..len]));
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", file.len());
            let _ = stream.write_all(&[answer.as_bytes(), &file].concat());
        }
    });
    (url, seen)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_that_is_none_writes_nothing_that_looks_whole_and_sees_no_key() {
    let whole = gzip(b"{\"id\":1}\n{\"id\":2}\n");
    let mut damaged = whole.clone();
    let at = damaged.len() - 8;
    damaged[at] ^= 1;
    let cut = whole[..whole.len() - 2].to_vec();
    let files = [
        (b"<html>".to_vec(), 9, "not gzip"),
        (b"{\"id\":1}\n".to_vec(), 9, "not gzip"),
        (Vec::new(), 9, "ends early"),
        (cut, 9, "ends early"),
        (damaged, 9, "damaged"),
        (gzip(b"{\"id\":1}\n{\"id\":"), 9, "line 2: this line of the export is not JSON"),
        (gzip(&vec![b'x'; 8 << 20]), 9, "line 1 is longer than"),
        (whole, 0, "2 rows are in"),
    ];
    each(files, |(file, code, words)| {
        let (url, seen) = host(file);
        let api = Server::start(move |number, _| match number {
            0 => json(202, r#"{"export_id":"x-1","status":"queued"}"#),
            _ => json(200, &format!(r#"{{"export_id":"x-1","status":"completed","download_url":"{url}"}}"#)),
        });
        let program = Program::new(&api.base_url, KEY);
        program.run(&["events", "export", "--on", "2026-01-02", "--output", "e.ndjson"]).ends(code).says(words);
        assert_eq!(program.path("e.ndjson").exists(), code == 0, "{words}");
        let seen = seen.lock().unwrap();
        assert!(seen.contains("GET /f") && !seen.contains("canary") && !seen.to_lowercase().contains("authorization"));
    });
}

#[test]
fn a_url_that_may_not_be_fetched_is_told_and_not_shown() {
    let urls = [
        ("http://files.example/secret", "not https"),
        ("ftp://127.0.0.1/secret", "download_url"),
        ("secret", "no plain URL"),
    ];
    each(urls, |(url, words)| {
        let api = Server::start(move |number, _| match number {
            0 => json(202, r#"{"export_id":"x-1","status":"queued"}"#),
            _ => json(200, &format!(r#"{{"export_id":"x-1","status":"completed","download_url":"{url}"}}"#)),
        });
        let ran = Program::new(&api.base_url, KEY).run(&["events", "export", "--on", "2026-01-02"]).ends(9).says(words);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    });
}
