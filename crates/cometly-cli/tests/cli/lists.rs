//! `list` of each resource: each row once, in each form; a file that is there only once it is whole; ends told apart.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use cometly_emulator::{Emulator, Fault};

use crate::program::{Program, mode, signal};

/// January 2026, 1000 events in 30 days.
fn stage() -> (Emulator, Program) {
    let emulator = Emulator::builder().no_limits().seed(0).start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    (emulator, program)
}

fn ids(text: &str) -> Vec<u64> {
    text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap()).collect()
}

/// The files that are left in the program's folder, by their names.
fn files(program: &Program) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(program.folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_name_of_a_file_tells_its_format_in_any_case() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    for (name, more, first) in [
        ("A.CSV", &[][..], "id,"),
        ("a.Json", &[], "["),
        ("a.jsonl", &[], "{"),
        ("a", &[], "{"),
        ("a.x", &["--format", "csv"], "id,"),
    ] {
        program.run(&[&["companies", "list", "--output", name], more].concat()).ends(0);
        assert!(program.read(name).starts_with(first), "{name}");
    }
}

#[test]
fn each_row_comes_once_in_each_form() {
    let (emulator, program) = stage();
    let list = ["events", "list", "--from", "2026-01-01", "--to", "2026-01-31", "--per-page", "300"];
    let run = |format: &str| program.run(&[&list[..], &["--format", format]].concat()).ends(0).stdout;
    let expected: Vec<u64> = (1..=1000).collect();
    assert_eq!(ids(&run("ndjson")), expected);
    let json: Vec<serde_json::Value> = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(json.iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>(), expected);
    for (format, separator) in [("csv", ','), ("table", ' ')] {
        let text = run(format);
        let mut lines = text.lines();
        assert_eq!(lines.next().unwrap().split(separator).next(), Some("id"));
        let found: Vec<u64> = lines.map(|line| line.split(separator).next().unwrap().parse().unwrap()).collect();
        assert_eq!(found, expected, "{format}");
    }
    assert_eq!(emulator.request_count(), 16);
}

#[test]
fn days_are_counted_by_the_clock_of_the_space() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    program.run(&["events", "list", "--on", "yesterday"]).ends(2).says("time zone");
    let named = program.run(&["events", "list", "--on", "yesterday", "--time-zone", "Asia/Tokyo"]).ends(0);
    let mut command = program.command(&["events", "list", "--from", "-1d", "--to", "yesterday"]);
    let child = command.env("COMETLY_TIME_ZONE", "Asia/Tokyo").spawn().unwrap();
    assert_eq!(program.finish(child).ends(0).stdout, named.stdout);
    assert!(ids(&named.stdout).len() > 20, "{}", named.stdout);
}

#[test]
fn filters_columns_and_includes_arrive() {
    let (emulator, program) = stage();
    let dates = ["--from", "2026-01-01", "--to", "2026-01-02"];
    program
        .run(
            &[
                &["events", "list"],
                &dates[..],
                &["--event-name", "purchase,subscribe", "--field", "id,amount", "--query-mode", "company"],
            ]
            .concat(),
        )
        .ends(0);
    program
        .run(
            &[
                &["events", "list"],
                &dates[..],
                &["--source", "google_ads", "--attribution-model", "linear", "--attribution-window", "lifetime"],
            ]
            .concat(),
        )
        .ends(0);
    let contacts = program.run(
        &[&["contacts", "list"], &dates[..], &["--include", "all-emails,comet-tokens", "--format", "csv"]].concat(),
    );
    assert!(contacts.ends(0).stdout.starts_with("id,email,name,phone,location,comet_tokens,emails\n"));
    program.run(&["companies", "list", "--per-page", "5000"]).ends(0);
    let asked: Vec<String> = emulator
        .received_requests()
        .iter()
        .map(|request| format!("{}?{}", request.path, request.query.as_deref().unwrap_or_default()))
        .collect();
    for (target, expected) in asked.iter().zip([
        "event_names%5B%5D=purchase&event_names%5B%5D=subscribe&fields%5B%5D=id&fields%5B%5D=amount",
        "sources%5B%5D=google_ads&attribution_model=linear&attribution_window=0",
        "include_all_emails=1&include_comet_tokens=1",
        "companies?per_page=5000",
    ]) {
        assert!(target.contains(expected), "{target}");
    }
}

#[test]
fn each_bad_argument_is_told_before_anything_is_sent() {
    let (emulator, program) = stage();
    let day = ["--on", "2026-01-02"];
    for (arguments, words) in [
        (vec!["events", "list"], "the time is missing"),
        (vec!["events", "list", "--from", "2026-01-01"], "--from needs --to"),
        (vec!["events", "list", "--from", "2026-01-02", "--to", "2026-01-01"], "not after --from"),
        (vec!["events", "list", "--on", "2026-13-01"], "--on is no day"),
        (vec!["events", "list", "--on", "2026-01-01 10:00"], "--on is a day"),
        (vec!["events", "list", "--on", "-7x"], "--on is no day"),
        (vec!["events", "list", "--on", "yesterday", "--time-zone", "Mars/Olympus"], "names no time zone"),
        ([&["events", "list", "--per-page", "4001"], &day[..]].concat(), "--per-page: expected 1 to 4000, found 4001"),
        ([&["events", "list", "--per-page", "0"], &day[..]].concat(), "--per-page: expected 1 to 4000"),
        ([&["events", "list", "--max-pages", "0"], &day[..]].concat(), "--max-pages"),
        ([&["events", "list", "--event-name", "sale"], &day[..]].concat(), "--event-name: expected a documented name"),
        ([&["events", "list", "--event-name", "purchase,purchase"], &day[..]].concat(), "found one twice"),
        ([&["events", "list", "--field", "Amount"], &day[..]].concat(), "--field: expected a name"),
        ([&["events", "list", "--field", "touchpoints"], &day[..]].concat(), "--field: expected sources"),
        ([&["events", "list", "--source", "google_ads"], &day[..]].concat(), "--attribution-model <MODEL>"),
        (
            [&["events", "list", "--attribution-model", "best", "--attribution-window", "7"], &day[..]].concat(),
            "--attribution-model: expected a documented model",
        ),
        (
            [&["events", "list", "--attribution-model", "linear", "--attribution-window", "8"], &day[..]].concat(),
            "--attribution-window: expected 1, 7",
        ),
        ([&["events", "list", "--query-mode", "x"], &day[..]].concat(), "--query-mode: expected profile or company"),
        ([&["events", "list", "--cursor", ""], &day[..]].concat(), "--cursor: this is no cursor"),
        ([&["events", "list", "--resume"], &day[..]].concat(), "--output <FILE>"),
        ([&["events", "list", "--format", "xml"], &day[..]].concat(), "possible values: table, json, ndjson, csv"),
        ([&["events", "list", "--output", "a.ndjson.gz"], &day[..]].concat(), "without .gz"),
        ([&["events", "list", "--output", "a.txt", "--format", "table"], &day[..]].concat(), "a table is for people"),
        ([&["events", "list", "--output", "."], &day[..]].concat(), "is no file"),
        ([&["events", "list", "--output", "a.xlsx"], &day[..]].concat(), "for a spreadsheet, csv"),
        (vec!["contacts", "list", "--include", "everything", "--on", "2026-01-02"], "possible values: comet-tokens"),
        (vec!["companies", "list", "--from", "2026-01-01"], "--from needs --to"),
        (vec!["contacts", "get", " 7"], "ID: expected"),
        (vec!["contacts", "get", ".."], "ID: expected"),
        (vec!["contacts", "create"], "--email: expected at least one"),
        (vec!["contacts", "create", "--email", "ada"], "--email: expected an email address"),
        (vec!["contacts", "create", "--email", "a@example.com", "--phone", " "], "--phone: expected a text"),
        (vec!["contacts", "create", "--email", "a@example.com", "--custom-field", "31=x"], "a number of 1 to 30"),
        (vec!["contacts", "create", "--email", "a@example.com", "--custom-field", "16=x"], "--custom-field: expected"),
        (vec!["contacts", "create", "--email", "a@example.com", "--custom-field", "x"], "NAME=VALUE"),
        (
            vec!["contacts", "create", "--email", "a@example.com", "--custom-field", "1=a", "--custom-field", "1=b"],
            "given twice",
        ),
        (vec!["contacts", "update", "7"], "--email: expected at least one field"),
        (vec!["contacts", "update", "7", "--phone", "1", "--wipe", "phones"], "about the same list"),
        (vec!["companies", "update", "7"], "--domain: expected domain or name"),
        (vec!["companies", "update", "7", "--name", " "], "--name: expected 1 to 255 characters"),
    ] {
        let ran = program.run(&arguments).ends(2).says(words);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
    assert_eq!(emulator.request_count(), 0);
    assert_eq!(files(&program), Vec::<String>::new());
    // The folder is not there: this machine's trouble.
    program.run(&["companies", "list", "--output", "nowhere/a.csv"]).ends(1).says("cannot write");
    assert_eq!(emulator.request_count(), 0);
}

/// A fault, the exit code, what is said, how many rows are written, and after how many calls.
type End = (fn() -> Fault, i32, &'static str, usize, u64);

#[test]
fn each_end_of_a_list_has_its_exit_code_and_costs_at_most_one_call_more() {
    let list = ["companies", "list", "--per-page", "50"];
    let ends: [End; 5] = [
        // The third page leads back to the second, which comes a second time.
        (|| Fault::cursor_cycle().after(2).up_to_n_times(1), 11, "second time", 200, 4),
        (|| Fault::cursor_first_page().after(2), 12, "answered with the first page", 100, 3),
        (Fault::cursor_missing, 13, "does not say where the next one begins", 50, 1),
        (Fault::cursor_long, 14, "gave a cursor of", 50, 1),
        (Fault::cursor_empty, 0, "", 50, 1),
    ];
    for (fault, code, words, rows, calls) in ends {
        let (emulator, program) = stage();
        let injected = emulator.inject(fault());
        let ran = program.run(&list).ends(code).says(words);
        assert_eq!((ids(&ran.stdout).len(), emulator.request_count()), (rows, calls), "{words}");
        emulator.remove_fault(injected);
        emulator.inject(fault());
        let file = program.run(&[&list[..], &["--output", "a.csv"]].concat()).ends(code);
        assert_eq!(program.path("a.csv").exists(), code == 0, "{}", file.stderr);
    }
    let (_emulator, program) = stage();
    let capped = program.run(&[&list[..], &["--max-pages", "2"]].concat()).ends(15).says("--max-pages");
    let cursor = capped.stderr.rsplit(' ').next().unwrap().trim();
    let rest = program.run(&[&list[..], &["--cursor", cursor]].concat()).ends(0);
    assert_eq!(ids(&(capped.stdout + &rest.stdout)), (1..=250).collect::<Vec<_>>());
}

#[test]
fn a_file_is_whole_or_not_there_and_is_gone_on_with() {
    for (format, name) in [("ndjson", "a.ndjson"), ("csv", "a.csv"), ("json", "a.json")] {
        let (emulator, program) = stage();
        let list = ["companies", "list", "--per-page", "60", "--output", name];
        program.run(&list).ends(0).says("250 rows are in");
        let whole = program.read(name);
        assert_eq!((mode(&program.path(name)), files(&program)), (0o600, vec![name.to_owned()]));
        fs::remove_file(program.path(name)).unwrap();

        // The third page fails: what was before is kept beside.
        emulator.inject(Fault::stub(500).after(2));
        program.run(&list).ends(7).says("120 rows are kept in").says("--resume");
        assert_eq!(files(&program), [format!("{name}.cometly-part"), format!("{name}.cometly-position")]);
        assert_eq!(mode(&program.path(&format!("{name}.cometly-part"))), 0o600);
        emulator.clear_faults();
        program.run(&list).ends(1).says("an earlier run left");
        let other = ["companies", "list", "--per-page", "61", "--output", name, "--resume"];
        program.run(&other).ends(1).says("another request");
        let before = emulator.request_count();
        program.run(&[&list[..], &["--resume"]].concat()).ends(0).says("250 rows are in");
        assert_eq!((program.read(name), emulator.request_count() - before), (whole.clone(), 3), "{format}");
        assert_eq!(files(&program), [name]);
        fs::remove_file(program.path(name)).unwrap();

        // The third page does not say where the next one begins: it comes again, and is there once.
        emulator.inject(Fault::cursor_missing().after(2).up_to_n_times(1));
        program.run(&list).ends(13).says("120 rows are kept in");
        program.run(&[&list[..], &["--resume"]].concat()).ends(0);
        assert_eq!(program.read(name), whole, "{format}");
    }
}

#[test]
fn ctrl_c_and_a_kill_leave_nothing_that_looks_whole() {
    let (emulator, program) = stage();
    let list = ["companies", "list", "--per-page", "10", "--output", "a.ndjson", "--resume"];
    for name in ["INT", "KILL", "TERM"] {
        let silence = emulator.inject(Fault::silence().after(4));
        let before = emulator.request_count();
        let child = program.command(&list).spawn().unwrap();
        while emulator.request_count() < before + 5 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        signal(&child, name);
        let ran = program.finish(child);
        if name != "KILL" {
            ran.ends(130).says("--resume to go on");
        }
        assert!(!program.path("a.ndjson").exists());
        emulator.remove_fault(silence);
    }
    program.run(&list).ends(0);
    assert_eq!(ids(&program.read("a.ndjson")), (1..=250).collect::<Vec<_>>());
}

#[test]
fn what_there_was_before_stays_until_the_new_one_is_whole() {
    let (emulator, program) = stage();
    program.write("a.csv", "old\n");
    fs::set_permissions(program.path("a.csv"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink("a.csv", program.path("link.csv")).unwrap();
    let list = ["companies", "list", "--output", "link.csv"];
    let fault = emulator.inject(Fault::unauthenticated());
    program.run(&list).ends(3);
    assert_eq!(program.read("a.csv"), "old\n");
    emulator.remove_fault(fault);
    let told = program.run(&[&list[..], &["--json"]].concat()).ends(0);
    assert_eq!((&told.json()["rows"], &*told.stderr), (&serde_json::json!(250), ""));
    assert_eq!(program.read("a.csv").lines().count(), 251);
    assert_eq!(
        (mode(&program.path("a.csv")), files(&program)),
        (0o644, vec!["a.csv".to_owned(), "link.csv".to_owned()])
    );
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_does_not() {
    let (_emulator, program) = stage();
    for format in ["ndjson", "json", "csv", "table"] {
        let list = ["companies", "list", "--per-page", "5", "--format", format];
        let mut child = program.command(&list).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(program.finish(child).ends(0).stderr, "", "{format}");
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = program.command(&list).stdout(Stdio::from(full)).spawn().unwrap();
        program.finish(child).ends(1).says("cannot write to stdout");
    }
}

#[test]
fn a_disk_that_is_full_keeps_what_was_written_before() {
    let (_emulator, program) = stage();
    let list = ["companies", "list", "--per-page", "50", "--output", "a.ndjson", "--resume"];
    let piped = program.command(&list);
    // A file may have 8 blocks of 512 bytes; more is an error of the write, since the signal is ignored.
    let mut limited = std::process::Command::new("/bin/sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
        .arg(piped.get_program())
        .args(piped.get_args());
    limited.current_dir(program.folder.path()).env_clear();
    limited.envs(piped.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let child = limited.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    program.finish(child).ends(1).says("cannot write").says("50 rows are kept in");
    assert!(!program.path("a.ndjson").exists());
    program.run(&list).ends(0);
    assert_eq!(ids(&program.read("a.ndjson")), (1..=250).collect::<Vec<_>>());
}

#[test]
fn one_contact_is_created_changed_and_read() {
    let (_emulator, program) = stage();
    let created = program
        .run(&[
            "contacts",
            "create",
            "--email",
            "ada@example.com",
            "--phone",
            "+4930",
            "--name",
            "Ada",
            "--custom-field",
            "26=2026-01-02",
        ])
        .ends(0)
        .json();
    let id = created["id"].as_u64().unwrap().to_string();
    assert_eq!(created["custom_fields"]["profile_field_26"], "2026-01-02");
    let changed =
        program.run(&["contacts", "update", &id, "--email", "a@example.com", "--wipe", "phones"]).ends(0).json();
    assert_eq!(changed["emails"], serde_json::json!(["a@example.com"]));
    assert_eq!((&changed["phones"], &changed["names"]), (&serde_json::json!([]), &serde_json::json!(["Ada"])));
    assert_eq!(program.run(&["contacts", "get", &id]).ends(0).json()["emails"], changed["emails"]);
    program.run(&["contacts", "get", "999999"]).ends(6);
    let company = program.run(&["companies", "update", "7", "--name", "Example Ltd", "--format", "csv"]).ends(0).stdout;
    assert_eq!(company, "id,domain,name\n7,company-7.example,Example Ltd\n");
    let shown = program.run(&["contacts", "update", "7", "--wipe", "names", "--dry-run"]).ends(0).stdout;
    assert!(
        shown.contains("PUT http") && shown.contains("Bearer [hidden]") && shown.ends_with("{\"names\":[]}\n"),
        "{shown}"
    );
}
