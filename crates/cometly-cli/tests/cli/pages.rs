//! `request --paginate`: each item once, and after a break the rest.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use cometly_emulator::Emulator;

use crate::{
    program::{KEY, Program, signal},
    script::{Server, answer, json},
};

fn page(items: &str, cursor: &str, extra: &str) -> String {
    let cursor = if cursor.is_empty() { "null".to_owned() } else { format!("\"{cursor}\"") };
    json(200, &format!("{{\"data\":[{items}],\"next_cursor\":{cursor}{extra}}}"))
}

#[test]
fn every_item_comes_once_and_in_order() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    let ran = program.run(&["request", "GET", "companies", "--query", "per_page=40", "--paginate"]).ends(0);
    let ids: Vec<_> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (1..=250).collect::<Vec<_>>());
    assert_eq!(emulator.request_count(), 7);
}

#[test]
fn a_cursor_that_comes_again_ends_the_list() {
    // 0 → a → b → a …
    let server = Server::start(|number, _| page(&number.to_string(), if number % 2 == 0 { "a" } else { "b" }, ""));
    let ran =
        Program::new(&server.base_url, KEY).run(&["request", "GET", "x", "--paginate"]).ends(11).says("second time");
    assert_eq!(ran.stdout, "0\n1\n2\n");
}

#[test]
fn the_next_page_url_is_never_followed_nor_a_cursor_read_as_anything_else() {
    let trap = Server::start(|_, _| json(200, "{}"));
    let extra = format!(",\"next_page_url\":\"{}\"", trap.base_url);
    let server = Server::start(move |number, _| page("1", if number == 0 { "&x=1#/../" } else { "" }, &extra));
    Program::new(&server.base_url, KEY).run(&["request", "GET", "x", "--query", "a=b", "--paginate"]).ends(0);
    assert!(trap.seen().is_empty());
    assert!(server.seen()[1].head.starts_with("GET /public-api/v1/x?a=b&cursor=%26x%3D1%23%2F..%2F HTTP"));
}

#[test]
fn after_a_failure_it_says_how_to_go_on_and_the_rest_follows() {
    let server = Server::start(|number, request| match number {
        2 => json(500, r#"{"message":"Server Error"}"#),
        _ if request.head.contains("cursor=b") => page("5,6", "", ",\"prev_cursor\":\"x\""),
        _ if request.head.contains("cursor=a") => page("3,\n 4", "b", ",\"prev_cursor\":\"x\""),
        _ => page("1,{\"a\":\n2}", "a", ",\"prev_cursor\":null"),
    });
    let program = Program::new(&server.base_url, KEY);
    let first = program.run(&["request", "GET", "x", "--paginate", "--json"]).ends(7);
    let error: serde_json::Value = serde_json::from_str(&first.stderr).unwrap();
    let cursor = error["error"]["cursor"].as_str().unwrap();
    let rest = program.run(&["request", "GET", "x", "--paginate", "--cursor", cursor]).ends(0);
    assert_eq!(first.stdout + &rest.stdout, "1\n{\"a\": 2}\n3\n4\n5\n6\n");
}

#[test]
fn a_cursor_that_the_server_takes_for_none_writes_nothing() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    let ran =
        program.run(&["request", "GET", "companies", "--paginate", "--cursor", "garbled"]).ends(12).says("first page");
    assert_eq!(ran.stdout, "");
}

#[test]
fn what_is_no_list_is_told() {
    let server = Server::start(|_, _| json(200, r#"{"id":1}"#));
    Program::new(&server.base_url, KEY).run(&["request", "GET", "x", "--paginate"]).ends(9).says("expected a list");
}

#[test]
fn whoever_closes_the_pipe_is_not_bothered() {
    let server = Server::start(|number, _| {
        page(&"1,".repeat(50_000).trim_end_matches(',').replace('1', "123456"), &number.to_string(), "")
    });
    let program = Program::new(&server.base_url, KEY);
    let mut child = program.command(&["request", "GET", "x", "--paginate"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ran = program.finish(child).ends(0);
    assert_eq!((line.as_str(), ran.stderr.as_str()), ("123456\n", ""));
}

#[test]
fn ctrl_c_while_it_waits_says_where_it_stopped() {
    let server = Server::start(|number, _| match number {
        0 => page("1", "a", ""),
        _ => answer(429, "Retry-After: 600\r\n", r#"{"message":"Too Many Attempts."}"#),
    });
    let program = Program::new(&server.base_url, KEY);
    let mut child = program.command(&["request", "GET", "x", "--paginate"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    server.wait_for(2);
    thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    signal(&child, "INT");
    stdout.read_to_string(&mut line).unwrap();
    program.finish(child).ends(130).says(" s to wait: the rate limit is used up").says("--cursor a");
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert_eq!(line, "1\n");
}
