//! `request`: one call, and each way in which it can end.

use std::time::Instant;

use cometly_emulator::Emulator;

use crate::{
    program::{KEY, Program},
    script::{Server, answer, json},
};

const GOOD: &str = r#"{"data":[]}"#;

#[test]
fn each_answer_has_its_exit_code() {
    let message = r#"{"message":"No."}"#;
    for (code, kind, reply) in [
        (0, "", json(200, GOOD)),
        (3, "unauthenticated", json(401, message)),
        (4, "forbidden", json(403, message)),
        (5, "rate_limited", answer(429, "Retry-After: 3600\r\n", message)),
        (6, "rejected", json(404, message)),
        (6, "rejected", json(422, message)),
        (7, "server", json(500, message)),
        (8, "network", String::new()),
        (9, "unexpected", answer(302, "Location: /login\r\n", "")),
        (9, "unexpected", answer(200, "", "<html>log in</html>")),
        (9, "unexpected", answer(403, "cf-mitigated: challenge\r\n", "<html>")),
        (9, "unexpected", answer(407, "", "")),
        (9, "unexpected", answer(200, "", "")),
    ] {
        let server = Server::start(move |_, _| reply.clone());
        let program = Program::new(&server.base_url, KEY);
        let ran = program.run(&["request", "POST", "x", "--json"]).ends(code);
        if code == 0 {
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("{\"data\":[]}\n", ""));
            continue;
        }
        assert_eq!(ran.stdout, "");
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!((&error["error"]["kind"], &error["error"]["exit_code"]), (&kind.into(), &code.into()));
        assert_eq!(server.seen().len(), 1, "a POST of unknown fate is sent once");
    }
    Program::new("http://127.0.0.1:1/", KEY).run(&["request", "GET", "x"]).ends(8).says("refused");
}

#[test]
fn what_is_safe_to_send_again_is() {
    let flaky =
        || Server::start(|number, _| if number == 0 { json(503, r#"{"message":"Later."}"#) } else { json(200, GOOD) });
    for (arguments, code) in [
        (&["request", "GET", "x"][..], 0),
        (&["request", "POST", "x"], 7),
        (&["request", "POST", "x", "--idempotent"], 0),
    ] {
        let server = flaky();
        Program::new(&server.base_url, KEY).run(arguments).ends(code);
        assert_eq!(server.seen().len(), if code == 0 { 2 } else { 1 });
    }
}

#[test]
fn the_wait_of_the_server_is_kept_if_there_is_time_for_it() {
    let server = Server::start(|number, _| {
        if number == 0 {
            answer(429, "Retry-After: 1\r\n", r#"{"message":"Too Many Attempts."}"#)
        } else {
            json(200, GOOD)
        }
    });
    let started = Instant::now();
    Program::new(&server.base_url, KEY).run(&["request", "GET", "x", "--verbose"]).ends(0).says("waiting tries=2");
    assert!(started.elapsed().as_secs_f64() >= 1.0);
}

#[test]
fn bodies_and_queries_arrive_as_meant() {
    let server = Server::start(|_, _| json(200, GOOD));
    let program = Program::new(&server.base_url, KEY);
    let file = program.write("body.json", "{\"amount\": 1.50}\n");
    let file = file.to_str().unwrap();
    program.run(&["request", "put", "contacts/a b", "--query", "x=1 &", "--field", "a=1", "--field", "b[]:=2"]).ends(0);
    program.run(&["request", "POST", "x", "--input", file]).ends(0);
    program.run_with_input(&["request", "POST", "x", "--input", "-"], b"[1]").ends(0);
    let seen = server.seen();
    assert!(seen[0].head.starts_with("PUT /public-api/v1/contacts/a%20b?x=1%20%26 HTTP/1.1\r\n"), "{}", seen[0].head);
    let bodies: Vec<_> = seen.iter().map(|request| request.body.as_str()).collect();
    assert_eq!(bodies, [r#"{"a":"1","b":[2]}"#, "{\"amount\": 1.50}\n", "[1]"]);
    assert!(seen.iter().all(|request| request.head.contains(&format!("uthorization: Bearer {KEY}\r\n"))));
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let server = Server::start(|_, _| json(200, GOOD));
    let program = Program::new(&server.base_url, KEY);
    program.write("broken.json", "{\n \"a\": }");
    for (arguments, words) in [
        (&["request", "BREW", "x"][..], "GET, POST, PUT, PATCH or DELETE"),
        (&["request", "GET", "https://evil.example/x"], "whole URL"),
        (&["request", "GET", "x?a=1"], "--query"),
        (&["request", "GET", "x/.."], "'..'"),
        (&["request", "GET", "x", "--field", "a=1"], "--query"),
        (&["request", "POST", "x", "--paginate"], "GET"),
        (&["request", "GET", "x", "--query", "a"], "NAME=VALUE"),
        (&["request", "GET", "x", "--paginate", "--query", "cursor=a"], "--cursor"),
        (&["request", "POST", "x", "--input", "broken.json"], "line 2 column 7"),
        (&["request", "GET", "x", "--transport", "ureq"], "--features ureq"),
        (&["request", "GET", "x", "--transport", "curl"], "possible values"),
    ] {
        if arguments.contains(&"ureq") && cfg!(feature = "ureq") {
            continue;
        }
        program.run(arguments).ends(2).says(words);
    }
    program.run(&["request", "POST", "x", "--input", "absent.json"]).ends(1).says("absent.json");
    assert!(server.seen().is_empty());
}

#[test]
fn a_dry_run_shows_all_but_the_key_and_sends_nothing() {
    let server = Server::start(|_, _| json(200, GOOD));
    let program = Program::new(&server.base_url, KEY);
    let arguments =
        ["request", "POST", "contacts/{id}", "--query", "a=b", "--field", "email=x@example.com", "--dry-run"];
    let ran = program.run(&arguments).ends(0);
    for shown in ["POST http://127.0.0.1", "/contacts/%7Bid%7D?a=b", "authorization: Bearer [hidden]", "x@example.com"]
    {
        assert!(ran.stdout.contains(shown), "no {shown} in {}", ran.stdout);
    }
    let shown = program.run(&[&arguments[..], &["--json"]].concat()).ends(0).json();
    assert_eq!(
        (&shown["body"]["email"], &shown["headers"]["authorization"]),
        (&"x@example.com".into(), &"Bearer [hidden]".into())
    );
    let program = program.without_key();
    program.run(&["request", "GET", "x", "--dry-run"]).ends(0);
    assert!(server.seen().is_empty());
}

#[test]
fn the_transports_that_were_built_in_do_the_same() {
    let emulator = Emulator::builder().no_limits().start().unwrap();
    let program = Program::new(emulator.base_url(), &emulator.keys().full);
    let absent = [("ureq", cfg!(feature = "ureq")), ("isahc", cfg!(feature = "isahc"))];
    let built = absent.iter().filter(|(_, is_built)| *is_built).map(|(name, _)| *name);
    for name in built.chain(["reqwest"]) {
        program.run(&["request", "GET", "companies", "--transport", name]).ends(0);
        program.run(&["request", "GET", "nothing", "--transport", name]).ends(6);
    }
}
