//! `events track`: each valid line arrives once, whatever happens between the first run and the last.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use cometly_emulator::Emulator;
use serde_json::Value;

use crate::{
    program::{KEY, Program, Ran, mode, signal},
    script::{Server, answer, json},
};

const TAKEN: &str = r#"{"status":202,"message":"Event queued for processing."}"#;
pub(crate) const TRACK: [&str; 4] = ["events", "track", "--input", "events.ndjson"];

fn event(number: usize) -> String {
    format!(r#"{{"event_name":"purchase","email":"a{number}@example.com","amount":{number}.50}}"#)
}

fn events(count: usize) -> String {
    (0..count).map(|number| event(number) + "\n").collect::<Vec<_>>().concat()
}

fn started(count: usize) -> (Emulator, Program) {
    let emulator = Emulator::start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    program.write("events.ndjson", events(count));
    (emulator, program)
}

fn track(program: &Program, more: &[&str]) -> Ran {
    program.run(&[&TRACK, more].concat())
}

/// The numbers of the events that a server took in, each once.
fn numbers(emulator: &Emulator) -> Vec<usize> {
    let mut numbers: Vec<_> = emulator
        .tracked_events()
        .iter()
        .map(|event| serde_json::from_str::<Value>(event).unwrap()["email"].as_str().unwrap().to_owned())
        .map(|email| email.trim_start_matches('a').split('@').next().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn each_line_arrives_once_as_it_was_written_and_a_second_run_sends_nothing() {
    let (emulator, program) = started(40);
    let summary = track(&program, &["--json"]).ends(0).json();
    assert_eq!((&summary["accepted"], &summary["left"]), (&40.into(), &0.into()));
    assert_eq!(numbers(&emulator), (0..40).collect::<Vec<_>>());
    let request = &emulator.received_requests()[0];
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    assert!(body.contains(".50,\"idempotency_key\":\"cl1-"), "{body}");

    let summary = track(&program, &["--json"]).ends(0).json();
    assert_eq!((&summary["accepted"], &summary["accepted_now"]), (&40.into(), &0.into()));
    assert_eq!(emulator.request_count(), 40);
    assert_eq!(mode(&program.path("events.ndjson.cometly-journal")), 0o600);
}

#[test]
fn the_key_is_the_documented_hash_of_batch_line_and_number() {
    let (emulator, program) = started(0);
    program.write("events.ndjson", format!("  {}\r\n{}\n", event(1), event(1)));
    track(&program, &["--batch", "may"]).ends(0);
    let keys: BTreeSet<_> = emulator
        .tracked_events()
        .iter()
        .map(|event| serde_json::from_str::<Value>(event).unwrap()["idempotency_key"].as_str().unwrap().to_owned())
        .collect();
    let script = r#"for n in 0 1; do printf 'may\0%s\0%s' "$0" $n | sha256sum | cut -c1-32; done"#;
    let hashed = Command::new("sh").args(["-c", script, &event(1)]).output().unwrap().stdout;
    let hashed = String::from_utf8(hashed).unwrap().lines().map(|hash| format!("cl1-{hash}")).collect::<BTreeSet<_>>();
    assert_eq!(keys, hashed);
}

#[test]
fn the_file_may_grow_and_be_sorted_between_runs() {
    let (emulator, program) = started(20);
    track(&program, &[]).ends(0);
    let lines = events(30).lines().rev().map(|line| format!(" {line} \r\n")).collect::<Vec<_>>().concat();
    program.write("events.ndjson", lines);
    track(&program, &[]).ends(0);
    assert_eq!(numbers(&emulator), (0..30).collect::<Vec<_>>());
    assert_eq!(emulator.request_count(), 30);
}

#[test]
fn one_bad_line_and_nothing_is_sent_unless_it_is_to_be_skipped() {
    let (emulator, program) = started(3);
    let bad = "{\"event_name\":\"purchase\",\n\n{\"event_name\":\"purchase\",\"email\":\"canary\",\"amont\":1}\n";
    program.write("events.ndjson", events(3) + bad);
    let ran = track(&program, &[]).ends(6).says("line 4, column 25: this is not JSON").says("line 6, column ");
    assert!(ran.stderr.contains("was amount meant?") && !ran.stderr.contains("canary"), "{}", ran.stderr);
    assert!(emulator.request_count() == 0 && !program.path("events.ndjson.cometly-journal").exists());
    let told = track(&program, &["--json"]).ends(6).json();
    assert_eq!((&told["invalid_lines"], &told["problems"][0]["line"]), (&2.into(), &4.into()));

    track(&program, &["--dry-run"]).ends(6);
    track(&program, &["--dry-run", "--skip-invalid"]).ends(0).says("to be sent: 3");
    track(&program, &["--skip-invalid"]).ends(0).says("2 lines: not valid");
    assert_eq!(numbers(&emulator), [0, 1, 2]);
}

#[test]
fn a_given_key_is_kept_and_the_same_line_is_sent_once() {
    let (emulator, program) = started(0);
    let with = |number: usize| event(number).replace('}', ",\"idempotency_key\":\"order-7\"}");
    program.write("events.ndjson", format!("{0}\n{0}\n", with(1)));
    track(&program, &[]).ends(0).says("1 line: sent once");
    assert!(emulator.tracked_events()[0].contains("\"idempotency_key\":\"order-7\""));
    assert_eq!(emulator.request_count(), 1);
    program.write("events.ndjson", format!("{}\n{}\n", with(1), with(2)));
    track(&program, &[]).ends(6).says("line 2, column 1: idempotency_key is that of line 1");
}

#[test]
fn what_the_server_refuses_is_final_told_and_sent_again_only_on_demand() {
    let blocked = r#"{"message":"The email is blocked.","errors":{"email":["The email is blocked."]}}"#;
    let server = Server::start(
        move |_, request| {
            if request.body.contains("a2@") { json(422, blocked) } else { json(202, TAKEN) }
        },
    );
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", events(5));
    track(&program, &[]).ends(6).says("4 accepted (4 in this run), 1 refused (1), 0 left");
    for (more, sent) in [(&[][..], 5), (&["--retry-refused"], 6), (&[], 6)] {
        track(&program, more).ends(6);
        assert_eq!(server.seen().len(), sent);
        let refused: Value = serde_json::from_str(&program.read("events.ndjson.cometly-refused")).unwrap();
        assert_eq!((&refused["line"], &refused["reason"]), (&3.into(), &"The email is blocked.".into()));
        assert_eq!(refused["event"], serde_json::from_str::<Value>(&event(2)).unwrap());
    }
    assert_eq!(mode(&program.path("events.ndjson.cometly-refused")), 0o600);
}

#[test]
fn a_refused_line_that_passes_later_is_no_longer_told() {
    let server =
        Server::start(|number, _| if number == 0 { json(422, r#"{"message":"No."}"#) } else { json(202, TAKEN) });
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", events(1));
    track(&program, &[]).ends(6);
    assert!(program.path("events.ndjson.cometly-refused").exists());
    track(&program, &["--retry-refused"]).ends(0);
    assert!(!program.path("events.ndjson.cometly-refused").exists());
}

#[test]
fn what_is_not_the_lines_fault_leaves_it_for_the_next_run() {
    let message = r#"{"message":"No."}"#;
    for (code, reply) in [
        (3, json(401, message)),
        (4, json(403, message)),
        (5, answer(429, "Retry-After: 3600\r\n", message)),
        (6, json(404, message)),
        (7, json(500, message)),
        (9, answer(403, "cf-mitigated: challenge\r\n", "<html>")),
        (9, answer(202, "", "")),
        (9, json(200, r#"{"status":500,"error":"login required"}"#)),
    ] {
        // It applies from the third event on.
        let server = Server::start(move |number, _| if number < 2 { json(202, TAKEN) } else { reply.clone() });
        let program = Program::new(&server.base_url, KEY);
        program.write("events.ndjson", events(50));
        track(&program, &["--timeout", "60"]).ends(code).says("48 left; run the same command again");
        assert!(server.seen().len() < 40, "it does not go on and on: {}", server.seen().len());
        assert_eq!(program.read("events.ndjson.cometly-journal").lines().count(), 3);
        assert!(!program.path("events.ndjson.cometly-refused").exists());
    }
}

#[test]
fn a_server_that_fails_now_and_then_gets_all_in_one_run() {
    let server = Server::start(|number, _| match number {
        0..3 => json(500, r#"{"message":"Server Error"}"#),
        3..6 => answer(200, "", "<html>"),
        _ => json(202, TAKEN),
    });
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", events(15));
    track(&program, &[]).ends(0).says("15 accepted");
}

#[test]
fn stdin_needs_a_journal_and_can_be_gone_on_with() {
    let (emulator, program) = started(0);
    program.run_with_input(&["events", "track", "--input", "-"], b"").ends(2).says("--journal PATH");
    let arguments = ["events", "track", "--input", "-", "--journal", "j"];
    program.run_with_input(&arguments, events(5).as_bytes()).ends(0);
    program.run_with_input(&arguments, events(8).as_bytes()).ends(0).says("8 accepted (3 in this run)");
    assert_eq!(numbers(&emulator), (0..8).collect::<Vec<_>>());
    let leftovers: Vec<_> =
        fs::read_dir(program.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(leftovers.iter().all(|name| name == "j" || name == "events.ndjson"), "{leftovers:?}");
}

#[test]
fn a_torn_journal_is_gone_on_with_and_another_file_is_left_alone() {
    let (emulator, program) = started(10);
    track(&program, &[]).ends(0);
    let journal = program.path("events.ndjson.cometly-journal");
    let size = fs::metadata(&journal).unwrap().len();
    OpenOptions::new().write(true).open(&journal).unwrap().set_len(size - 7).unwrap();
    track(&program, &[]).ends(0).says("10 accepted (1 in this run)");
    assert_eq!(numbers(&emulator), (0..10).collect::<Vec<_>>());
    assert_eq!(emulator.request_count(), 11);

    let notes = program.write("notes.txt", "my notes\n");
    track(&program, &["--journal", "notes.txt"]).ends(1).says("no journal");
    assert_eq!(fs::read_to_string(notes).unwrap(), "my notes\n");
    let second = Emulator::start().unwrap();
    let mut elsewhere = program.command(&TRACK);
    elsewhere.env("COMETLY_BASE_URL", second.base_url()).env("COMETLY_API_KEY", &second.keys().full);
    program.finish(elsewhere.spawn().unwrap()).ends(2).says("about events sent to");
    assert_eq!(second.request_count(), 0);
}

#[test]
fn a_disk_that_is_full_or_closed_is_told_and_nothing_is_lost() {
    let (emulator, program) = started(3);
    track(&program, &["--journal", "/dev/full"]).ends(1).says("no journal");
    track(&program, &["--journal", "absent/j"]).ends(1).says("--journal PATH");
    track(&program, &["--journal", "."]).ends(1);
    assert_eq!(emulator.request_count(), 0);
    let mut full = program.command(&["request", "GET", "companies"]);
    let ran = program.finish(full.stdout(fs::File::create("/dev/full").unwrap()).spawn().unwrap());
    ran.ends(1).says("No space left");
    program.run(&["events", "track", "--input", "absent"]).ends(1).says("absent");
    program.run(&["events", "track", "--input", "."]).ends(2).says("folder");
}

#[test]
fn a_journal_that_can_grow_no_further_ends_the_run_and_loses_nothing() {
    let (emulator, program) = started(30);
    let tracking = program.command(&TRACK);
    // A kibibyte and no more; the signal that comes with it is ignored, so that the write fails.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(tracking.get_program())
        .args(tracking.get_args());
    limited.env_clear().envs(tracking.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(program.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    program.finish(limited.spawn().unwrap()).ends(1).says("make room and run the same command again");
    assert!(emulator.request_count() < 30);
    assert!(program.read("events.ndjson.cometly-journal").ends_with('\n'), "no half record is left");
    track(&program, &[]).ends(0).says("30 accepted");
    assert_eq!(numbers(&emulator), (0..30).collect::<Vec<_>>());
}

#[test]
fn two_processes_do_not_work_on_one_journal() {
    let server = Server::start(|_, _| {
        thread::sleep(Duration::from_millis(100));
        json(202, TAKEN)
    });
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", events(40));
    let first = program.command(&TRACK).spawn().unwrap();
    server.wait_for(1);
    track(&program, &[]).ends(1).says("another process works with the journal");
    program.finish(first).ends(0);
    assert_eq!(server.seen().len(), 40);
}

#[test]
fn ctrl_c_notes_what_is_under_way_and_says_how_to_go_on() {
    let server = Server::start(|_, _| {
        thread::sleep(Duration::from_millis(300));
        json(202, TAKEN)
    });
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", events(100));
    for name in ["INT", "TERM"] {
        let before = server.seen().len();
        let child = program.command(&TRACK).spawn().unwrap();
        server.wait_for(before + 4);
        signal(&child, name);
        program.finish(child).ends(130).says("run the same command again");
        let noted = program.read("events.ndjson.cometly-journal").lines().count() - 1;
        assert_eq!(noted, server.seen().len(), "each that was under way is noted");
    }
}

#[test]
fn the_file_is_checked_as_it_is_sent() {
    let server = Server::start(|_, _| {
        thread::sleep(Duration::from_millis(200));
        json(202, TAKEN)
    });
    let program = Program::new(&server.base_url, KEY);
    program.write("events.ndjson", events(40));
    let child = program.command(&TRACK).spawn().unwrap();
    server.wait_for(1);
    // In place, as an editor or a broken export would.
    let mut file = OpenOptions::new().write(true).open(program.path("events.ndjson")).unwrap();
    file.write_all(events(40).replace("purchase", "schedule").as_bytes()).unwrap();
    program.finish(child).ends(1).says("changed while it was sent");
    assert!(server.seen().iter().all(|request| request.body.contains("purchase")));
}

#[test]
fn no_file_is_two_things_at_once_and_none_of_somebody_elses_is_taken_away() {
    let (emulator, program) = started(2);
    let before = program.read("events.ndjson");
    for more in [
        &["--refused", "events.ndjson"][..],
        &["--refused", "./events.ndjson"],
        &["--refused", "events.ndjson.cometly-journal"],
        &["--journal", "events.ndjson"],
    ] {
        track(&program, more).ends(2);
    }
    assert_eq!((program.read("events.ndjson"), emulator.request_count()), (before, 0));

    program.write("events.ndjson.cometly-refused", "mine\n");
    program.write("events.ndjson.cometly-journal", "");
    fs::set_permissions(program.path("events.ndjson.cometly-journal"), fs::Permissions::from_mode(0o666)).unwrap();
    track(&program, &[]).ends(0);
    assert_eq!(program.read("events.ndjson.cometly-refused"), "mine\n");
    assert_eq!(mode(&program.path("events.ndjson.cometly-journal")), 0o600);
}

// `docs/faults.md` 119.
#[test]
fn a_file_that_is_not_ours_is_left_as_it_is_its_mode_too() {
    let refusing = Server::start(|_, _| json(422, r#"{"message":"No."}"#));
    let program = Program::new(&refusing.base_url, KEY);
    program.write("events.ndjson", events(2));
    let notes = program.write("notes.txt", "my notes\n");
    let refused_of_another = r#"{"line":1,"idempotency_key":"another-journals","reason":"No.","event":{}}"#;
    program.write("others.txt", format!("{refused_of_another}\n"));
    symlink(&notes, program.path("link")).unwrap();
    symlink(program.path("nowhere"), program.path("dangling")).unwrap();
    for name in ["notes.txt", "others.txt"] {
        fs::set_permissions(program.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    for option in ["--journal", "--refused"] {
        for name in ["notes.txt", "others.txt", "link", "dangling", "/dev/null"] {
            track(&program, &[option, name]).ends(1).says(name);
            assert!(refusing.seen().is_empty(), "nothing is sent");
        }
    }
    for (name, text) in [("notes.txt", "my notes\n".to_owned()), ("others.txt", format!("{refused_of_another}\n"))] {
        assert_eq!((program.read(name), mode(&program.path(name))), (text, 0o644));
    }
    assert!(program.path("link").symlink_metadata().unwrap().is_symlink() && !program.path("nowhere").exists());

    // Its own is written again, through a symlink too, and one that has another line in it is not.
    track(&program, &["--refused", "mixed.txt"]).ends(6);
    let own = program.read("mixed.txt");
    symlink(program.path("mixed.txt"), program.path("own")).unwrap();
    track(&program, &["--refused", "own"]).ends(6);
    assert!(program.path("own").symlink_metadata().unwrap().is_symlink());
    assert_eq!((program.read("mixed.txt"), mode(&program.path("mixed.txt"))), (own.clone(), 0o600));
    program.write("mixed.txt", own.clone() + "my notes\n");
    track(&program, &["--refused", "mixed.txt"]).ends(1).says("not a file of refused lines of this journal");
    assert_eq!(program.read("mixed.txt"), own + "my notes\n");
}

#[test]
fn what_a_killed_run_left_of_refused_lines_is_gone_after_the_next() {
    let (_emulator, program) = started(1);
    let line = r#"{"line":1,"idempotency_key":"k","reason":"No.","event":{}}"#;
    let keyed = event(0).replace('}', ",\"idempotency_key\":\"k\"}");
    program.write("events.ndjson", format!("{keyed}\n"));
    program.write("events.ndjson.cometly-refused.cometly-new", format!("{line}\n{{\"line\":"));
    track(&program, &[]).ends(0);
    assert!(!program.path("events.ndjson.cometly-refused.cometly-new").exists());
}

// `docs/faults.md` 124.
#[test]
fn a_key_that_says_something_else_in_a_later_run_is_told_and_not_sent() {
    let (emulator, program) = started(0);
    let with = |key: &str, number: usize| event(number).replace('}', &format!(",\"idempotency_key\":\"{key}\"}}"));
    program.write("events.ndjson", format!("{}\n{}\n", event(0), with("order-7", 1)));
    track(&program, &[]).ends(0);
    // The same in another notation is the same.
    program.write("events.ndjson", format!("{}\n", with("order-7", 1).replace(",\"", " , \"")));
    track(&program, &[]).ends(0).says("1 accepted (0 in this run)");
    program.write("events.ndjson", format!("\n\n{}\n{}\n", with("order-7", 2), event(3)));
    let words = "line 3: idempotency_key is that of line 2 of an earlier run, which said something else";
    track(&program, &[]).ends(6).says(words);
    assert_eq!(numbers(&emulator), [0, 1]);
    track(&program, &["--skip-invalid"])
        .ends(0)
        .says(words)
        .says("1 accepted (1 in this run)")
        .says("1 line: not valid");
    assert_eq!(numbers(&emulator), [0, 1, 3]);
    let skipped: Value = serde_json::from_str(&program.read("events.ndjson.cometly-skipped")).unwrap();
    assert_eq!((&skipped["line"], skipped["text"].as_str().unwrap()), (&3.into(), with("order-7", 2).as_str()));
    program.write("events.ndjson", format!("{}\n", event(3)));
    track(&program, &["--skip-invalid"]).ends(0);
    assert!(!program.path("events.ndjson.cometly-skipped").exists(), "it would be out of date");
}

#[test]
fn a_refused_event_that_is_corrected_under_its_key_is_sent() {
    let server =
        Server::start(
            |_, request| {
                if request.body.contains("a1@") { json(422, r#"{"message":"No."}"#) } else { json(202, TAKEN) }
            },
        );
    let program = Program::new(&server.base_url, KEY);
    let with = |number: usize| event(number).replace('}', ",\"idempotency_key\":\"order-7\"}");
    program.write("events.ndjson", with(1));
    track(&program, &[]).ends(6);
    track(&program, &[]).ends(6);
    assert_eq!(server.seen().len(), 1);
    program.write("events.ndjson", with(2));
    track(&program, &[]).ends(0).says("1 accepted (1 in this run), 0 refused");
    assert!(!program.path("events.ndjson.cometly-refused").exists());
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_may_have_a_mark_be_packed_or_be_csv_and_is_the_same_events() {
    let (emulator, program) = started(0);
    let rows =
        ["0.50,a0@example.com,purchase", "1.50,a1@example.com,purchase", "2.50,a2@example.com,purchase\n"].join("\n");
    let csv = format!("amount,email,event_name\n{rows}");
    for (name, file) in [
        ("marked", ["\u{feff}".as_bytes(), events(3).as_bytes()].concat()),
        ("packed.gz", gzip(&events(3))),
        ("csv", csv.clone().into_bytes()),
        ("semicolons", csv.replace(',', ";").replace('\n', "\r\n").into_bytes()),
        ("packed.csv.gz", gzip(&format!("\u{feff}{csv}"))),
    ] {
        program.write(name, &file);
        program.run(&["events", "track", "--input", name, "--journal", "journal"]).ends(0).says("3 accepted (");
        program.run_with_input(&["events", "track", "--input", "-", "--journal", "journal"], &file).ends(0);
        assert!(program.run(&["events", "track", "--input", name]).ends(0).stderr.starts_with("3 accepted"), "{name}");
        assert!(program.path(&format!("{name}.cometly-journal")).exists());
    }
    // The keys of lines do not depend on how the file was packed; those of rows are made of the events that they are.
    assert_eq!(numbers(&emulator), [0, 1, 2]);
    let leftovers = fs::read_dir(program.folder.path()).unwrap().count();
    assert_eq!(leftovers, 12, "no copy is left");
}

#[test]
fn two_spaces_of_one_server_do_not_share_a_journal() {
    let (emulator, program) = started(3);
    for profile in ["one", "two"] {
        let login = ["auth", "login", "--with-token", "--profile", profile];
        let mut child = program.command(&login).env_remove("COMETLY_API_KEY").stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(emulator.keys().full.as_bytes()).unwrap();
        program.finish(child).ends(0);
    }
    track(&program, &["--profile", "one"]).ends(0);
    let ran = track(&program, &["--profile", "two"]).ends(2);
    ran.says("is about events sent with the key of the profile one, not two; begin another journal");
    track(&program, &["--profile", "one"]).ends(0);
    let other = ["--journal", "other.cometly-journal"];
    track(&program, &[&other[..], &["--space", "space-42"]].concat()).ends(0);
    track(&program, &[&other[..], &["--space", "space-43"]].concat()).ends(2).says("the Space space-42, not space-43");
    track(&program, &other).ends(2).says("say so with --space");
    track(&program, &[&other[..], &["--space", "12|canary-canary"]].concat()).ends(2).says("looks like an API key");
    let journal = program.read("other.cometly-journal");
    assert!(journal.contains("space-42") && !journal.contains(&emulator.keys().full), "{journal}");
}

#[test]
fn problems_come_in_the_order_of_the_file_and_of_the_line() {
    let program = Program::alone();
    program.write(
        "rows.csv",
        "event_name,email,amount\npurchase,a@example.com,x\npurchase\npurchase,b@example.com,y\npurchase,c\n",
    );
    program.write("rows.ndjson", r#"{"amount":"x","email":7,"event_name":"Purchase","amont":1}"#);
    let numbers = |input: &str| -> Vec<(u64, Option<u64>)> {
        let told = program.run(&["events", "track", "--input", input, "--dry-run", "--json"]).ends(6).json();
        let problems = told["problems"].as_array().unwrap().clone();
        problems.iter().map(|problem| (problem["line"].as_u64().unwrap(), problem["column"].as_u64())).collect()
    };
    assert_eq!(numbers("rows.csv").into_iter().map(|(line, _)| line).collect::<Vec<_>>(), [2, 3, 4, 5]);
    let columns: Vec<_> = numbers("rows.ndjson").into_iter().map(|(_, column)| column).collect();
    assert!(columns.len() > 2 && columns.is_sorted(), "{columns:?}");
}

#[test]
fn a_row_that_is_wrong_is_told_by_its_line_in_the_csv() {
    let (emulator, program) = started(0);
    program.write(
        "rows.csv",
        "event_name,email,full_name\npurchase,a0@example.com,\"Ada\nL\"\nbuy,a1@example.com,\npurchase\n",
    );
    let ran = program.run(&["events", "track", "--input", "rows.csv"]).ends(6);
    let ran =
        ran.says("line 4: event_name: expected a documented name").says("line 5: the row has another number of cells");
    assert!(!ran.stderr.contains("column"), "{}", ran.stderr);
    let ran = program.run(&["events", "track", "--input", "rows.csv", "--skip-invalid"]).ends(0);
    ran.says("2 lines: not valid").says("rows.csv.cometly-skipped");
    let skipped = program.read("rows.csv.cometly-skipped");
    let lines: Vec<Value> = skipped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers_of: BTreeSet<_> = lines.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers_of, BTreeSet::from([4, 5]));
    assert!(skipped.contains("a1@example.com") && skipped.contains("expected a documented name"), "{skipped}");
    assert_eq!(mode(&program.path("rows.csv.cometly-skipped")), 0o600);
    assert_eq!(numbers(&emulator), [0]);
    program.write("amonts.csv", "event_name,email,amont\npurchase,a2@example.com,1\n");
    program
        .run(&["events", "track", "--input", "amonts.csv"])
        .ends(6)
        .says("line 1: the API has no field amont: was amount meant?");
    // Without a column that says what each event is, it is no file of events, and no list of broken lines.
    program.write("plain.csv", "email,amount\na2@example.com,1\n");
    program.run(&["events", "track", "--input", "plain.csv", "--skip-invalid"]).ends(2).says("begins neither");
    program.write("events.txt", "email;event_name\na3@example.com;purchase\n");
    program
        .run(&["events", "track", "--input", "events.txt", "--input-format", "ndjson"])
        .ends(6)
        .says("this is not JSON");
    program.run(&["events", "track", "--input", "events.txt", "--input-format", "csv"]).ends(0);
    assert_eq!(numbers(&emulator), [0, 3]);
}

#[test]
fn what_is_not_utf_8_is_refused_by_its_name_and_half_a_packed_file_sends_nothing() {
    let (emulator, program) = started(0);
    let utf16: Vec<u8> = format!("\u{feff}{}", events(2)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, file, code, words) in [
        ("utf16", &utf16[..], 2, "utf16 is UTF-16: expected UTF-8"),
        ("sheet.xlsx", b"PK\x03\x04\x14\0\x06\0", 2, "export the sheet as CSV"),
        ("half.gz", &gzip(&events(500))[..200], 1, "half.gz"),
        ("odd.gz", &gzip("\u{1f}\u{8b}")[..], 2, "odd.gz begins neither with a JSON object nor with a CSV header"),
    ] {
        program.write(name, file);
        program.run(&["events", "track", "--input", name]).ends(code).says(words);
    }
    program.write("body.json", &utf16);
    program.run(&["request", "POST", "events/track", "--input", "body.json"]).ends(2).says("is UTF-16");
    assert_eq!(emulator.request_count(), 0);
    program.write("body.json.gz", gzip(&format!("\u{feff}{}", event(7))));
    program.run(&["request", "POST", "events/track", "--input", "body.json.gz"]).ends(0);
    assert_eq!(emulator.tracked_events().len(), 1);
    let key = ["\u{feff}".as_bytes(), emulator.keys().full.as_bytes(), b"\r\n"].concat();
    program.run_with_input(&["auth", "login", "--with-token"], &key).ends(0);
}

// `docs/faults.md` 138.
#[test]
fn a_quotation_mark_that_is_out_of_place_is_told_by_its_line_and_no_row_is_lost() {
    let (emulator, program) = started(0);
    let good = |number: usize| format!("purchase,a{number}@example.com,Ada\n");
    let track = |rows: &str, more: &[&str]| {
        program.write("rows.csv", format!("event_name,email,full_name\n{rows}"));
        let ran = program.run(&[&["events", "track", "--input", "rows.csv"], more].concat());
        assert!(!ran.stderr.contains("@example"), "{}", ran.stderr);
        ran
    };
    // It is not known where the next rows begin: none is sent.
    let open = "purchase,a7@example.com,\"Ada\n";
    for (rows, words) in [
        ([&good(1), open, &good(2), &good(3)].concat(), "line 3: a quotation mark is not closed"),
        ([open, "purchase,a2@example.com,\"B\"\n", &good(3)].concat(), "line 2: a quotation mark is not closed"),
        (open.trim_end().to_owned(), "line 2: a quotation mark is not closed"),
    ] {
        track(&rows, &[]).ends(6).says(words);
        track(&rows, &["--skip-invalid"]).ends(6).says(words);
        assert_eq!(emulator.request_count(), 0);
    }
    // Within its line, it costs its row alone.
    for (number, cell) in ["\"Ada\"x", "\"say \"hi\"\"", "\"Ada\" ", " \"Ada\""].into_iter().enumerate() {
        let rows = format!("purchase,a7@example.com,{cell}\n{}", good(number));
        track(&rows, &[]).ends(6).says("line 2: text beside the quotation marks of a cell");
        assert_eq!(emulator.tracked_events().len(), number);
        track(&rows, &["--skip-invalid"]).ends(0).says("1 line: not valid");
        assert_eq!(numbers(&emulator), (0..=number).collect::<Vec<_>>());
    }
    // A mark within a cell that begins with none is text.
    track("purchase,a4@example.com,5\" pipe\n", &[]).ends(0);
}

// `docs/faults.md` 142.
#[test]
fn lines_that_end_by_cr_alone_are_told_and_no_cell_is_shown() {
    let (emulator, program) = started(0);
    let rows = "event_name,email\npurchase,a1@example.com\npurchase,a2@example.com\n";
    for (text, line) in [
        (rows.replace('\n', "\r"), 1),
        (rows.replacen('\n', "\r", 1), 1),
        (rows.replace("a1@example.com\n", "a1@example.com\r"), 2),
        (rows.replace('\n', "\r\r\n"), 1),
    ] {
        program.write("rows.csv", text);
        let words = format!("line {line}: a carriage return alone");
        let ran = program.run(&["events", "track", "--input", "rows.csv"]).ends(6).says(&words).says("tr '");
        assert!(!ran.stderr.contains("purchase") && !ran.stderr.contains("@example"), "{}", ran.stderr);
    }
    program.write("rows.csv", "event_name,\"email\npurchase\"\n");
    let ran = program.run(&["events", "track", "--input", "rows.csv"]).ends(6).says("the name of column 2");
    assert!(!ran.stderr.contains("purchase"), "{}", ran.stderr);
    assert_eq!(emulator.request_count(), 0);
}

// `docs/faults.md` 141.
#[test]
fn what_was_perhaps_sent_under_a_key_is_not_replaced_in_silence() {
    let server = Server::start(|number, _| {
        if number == 0 {
            thread::sleep(Duration::from_secs(20));
        }
        json(202, TAKEN)
    });
    let program = Program::new(&server.base_url, KEY);
    let with = |number: usize| event(number).replace('}', ",\"idempotency_key\":\"order-7\"}");
    program.write("events.ndjson", format!("\n{}\n", with(1)));
    let mut child = program.command(&TRACK).spawn().unwrap();
    server.wait_for(1);
    child.kill().unwrap();
    program.finish(child);
    // Another text under the same key would be ignored if the first one arrived.
    program.write("events.ndjson", format!("{}\n", with(2)));
    let words =
        "line 1: idempotency_key is that of line 2 of an earlier run, which said something else and may have arrived";
    track(&program, &[]).ends(6).says(words);
    assert_eq!(server.seen().len(), 1);
    program.write("events.ndjson", format!("{}\n", with(1)));
    track(&program, &[]).ends(0).says("1 accepted (1 in this run), 0 refused (0), 0 left");
    track(&program, &[]).ends(0).says("1 accepted (0 in this run)");
    assert_eq!(server.seen().len(), 2);

    // Left by a run that ended in order, it is counted as left.
    let failing = Server::start(|_, _| json(500, r#"{"message":"Server Error"}"#));
    let program = Program::new(&failing.base_url, KEY);
    program.write("events.ndjson", with(1));
    track(&program, &[]).ends(7).says("0 accepted (0 in this run), 0 refused (0), 1 left");
    program.write("events.ndjson", with(2));
    track(&program, &[]).ends(6).says("may have arrived");
}

#[test]
fn an_empty_file_of_another_program_is_left_as_it_is() {
    let refusing = Server::start(|_, _| json(422, r#"{"message":"No."}"#));
    let program = Program::new(&refusing.base_url, KEY);
    program.write("events.ndjson", events(2));
    for name in ["empty.txt", "list.new", "list.cometly-new.txt"] {
        let path = program.write(name, "");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    for option in ["--journal", "--refused"] {
        track(&program, &[option, "empty.txt"]).ends(1).says("empty.txt");
    }
    assert!(refusing.seen().is_empty(), "nothing is sent");
    track(&program, &["--refused", "list"]).ends(6);
    for name in ["empty.txt", "list.new", "list.cometly-new.txt"] {
        assert_eq!(program.read(name), "", "{name}");
    }
    // What a killed run left, before it wrote a line.
    program.write("list.cometly-new", "");
    track(&program, &["--refused", "list"]).ends(6);
    assert!(!program.path("list.cometly-new").exists());
}

#[test]
fn a_pipe_is_read_and_one_that_no_program_writes_to_is_told_in_time() {
    let (emulator, program) = started(0);
    assert!(Command::new("mkfifo").arg(program.path("pipe")).status().unwrap().success());
    let commands = [
        &["request", "POST", "events/track", "--input", "pipe"][..],
        &["events", "track", "--input", "pipe", "--journal", "j"],
    ];
    for arguments in commands {
        let mut child = program.command(arguments).spawn().unwrap();
        let started = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(50));
        }
        // Ended or not.
        let _ = child.kill();
        program.finish(child).ends(1).says("pipe is a pipe that no program opened for writing within 5 s");
    }
    assert_eq!(emulator.request_count(), 0);
    for (number, arguments) in commands.into_iter().enumerate() {
        let child = program.command(arguments).spawn().unwrap();
        // It opens the pipe late, and then takes its time.
        let script = format!("sleep 0.3; {{ sleep 0.3; printf '%s\\n' '{}'; }} > pipe", event(number));
        let mut writer = Command::new("sh").args(["-c", &script]).current_dir(program.folder.path()).spawn().unwrap();
        program.finish(child).ends(0);
        writer.wait().unwrap();
    }
    assert_eq!(numbers(&emulator), [0, 1]);
}
