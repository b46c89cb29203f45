//! `request`: one call, and each way in which it can end.

use std::{
    thread,
    time::{Duration, Instant},
};

use cometly_emulator::Emulator;

use crate::{
    program::{KEY, Program, mode},
    script::{Server, answer, json},
    tls,
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
    Program::new(&server.base_url, KEY)
        .run(&["request", "GET", "x", "--verbose"])
        .ends(0)
        .says("GET x: waits ")
        .says("before attempt 2: the rate limit is used up")
        .says("GET x: HTTP 200 in ");
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
fn what_is_not_understood_is_json_too_if_that_is_asked_for() {
    let program = Program::new("http://127.0.0.1:1", KEY);
    for arguments in
        [&["--json", "nosuch"][..], &["request", "GET", "--json"], &["request", "GET", "x", "--no", "--json"]]
    {
        let ran = program.run(arguments).ends(2);
        let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
        assert_eq!(
            (error["error"]["exit_code"].as_u64(), error["error"]["kind"].as_str()),
            (Some(2), Some("usage")),
            "{error}"
        );
    }
    // Behind two dashes it is no option.
    assert!(program.run(&["request", "GET", "--no", "--", "--json"]).ends(2).stderr.starts_with("error: "));
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let server = Server::start(|_, _| json(200, GOOD));
    let program = Program::new(&server.base_url, KEY);
    program.write("broken.json", "{\n \"a\": }");
    for (arguments, words) in [
        (&["request", "BREW", "x"][..], "GET, POST, PUT, PATCH or DELETE"),
        (&["request", "GET", "https://evil.example/x"], "not one within this API's address"),
        (&["request", "GET", "HTTPS://evil.example/x", "--json"], "after /public-api/v1"),
        (&["request", "GET", "//evil.example/x"], "a path segment is empty"),
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

// `docs/faults.md` 125.
#[test]
fn numbers_are_sent_and_shown_digit_by_digit() {
    let server = Server::start(|_, _| json(200, GOOD));
    let program = Program::new(&server.base_url, KEY);
    let body = r#"{"order_id":12345678901234567890123,"amount":1.50}"#;
    let arguments = ["request", "POST", "x", "--field", "order_id:=12345678901234567890123", "--field", "amount:=1.50"];
    program.run(&arguments).ends(0);
    assert_eq!(server.seen()[0].body, body);
    for more in [&["--dry-run"][..], &["--dry-run", "--json"]] {
        let shown = program.run(&[&arguments[..], more].concat()).ends(0).stdout;
        assert!(shown.contains(body), "{shown}");
    }
    let file = program.write("body.json", "{\"a\": 1.00,\n\"b\":[ 1e400 ]}");
    let shown =
        program.run(&["request", "POST", "x", "--input", file.to_str().unwrap(), "--dry-run", "--json"]).ends(0);
    assert!(shown.stdout.contains("\"body\":{\"a\": 1.00,\n\"b\":[ 1e400 ]}}"), "{}", shown.stdout);
}

#[test]
fn one_try_may_take_what_the_call_may_unless_it_is_bounded() {
    // Longer than a try may take by default.
    let patient = thread::spawn(|| {
        let server = Server::start(|_, _| {
            thread::sleep(Duration::from_millis(31_500));
            json(200, GOOD)
        });
        let program = Program::new(&server.base_url, KEY);
        program.run(&["request", "POST", "x", "--timeout", "60"]).ends(0);
        assert_eq!(server.seen().len(), 1);
    });
    let server = Server::start(|_, _| {
        thread::sleep(Duration::from_millis(2_500));
        json(200, GOOD)
    });
    let program = Program::new(&server.base_url, KEY);
    program.run(&["request", "GET", "x", "--timeout", "20", "--attempt-timeout", "1"]).ends(8);
    assert!(server.seen().len() > 1, "each attempt was given up after a second");
    patient.join().unwrap();
}

#[test]
fn the_environment_names_cometly_or_this_machine_and_no_other_server() {
    let program = Program::new("http://127.0.0.1:1/", KEY);
    for (url, words) in [
        ("https://evil.example/public-api/v1", "--base-url https://evil.example/public-api/v1"),
        ("https://app.cometly.com.evil.example/", "neither a server of Cometly's nor this machine"),
        ("http://app.cometly.com/", "https"),
    ] {
        for arguments in [&["request", "GET", "x"][..], &["auth", "status"], &["auth", "login", "--with-token"]] {
            let mut command = program.command(arguments);
            program.finish(command.env("COMETLY_BASE_URL", url).spawn().unwrap()).ends(2).says(words);
        }
    }
    // The command line may, and is what counts.
    let server = Server::start(|_, _| json(200, GOOD));
    let mut command = program.command(&["request", "GET", "x", "--base-url", &server.base_url]);
    program.finish(command.env("COMETLY_BASE_URL", "https://evil.example/").spawn().unwrap()).ends(0);
    assert_eq!(server.seen().len(), 1);
    program.run(&["request", "GET", "x", "--base-url", "https://unknown.invalid/", "--timeout", "5"]).ends(8);
    program.run(&["request", "GET", "x", "--base-url", "http://unknown.invalid/"]).ends(2).says("--insecure-http");
    let insecure = ["--insecure-http", "unknown.invalid", "--timeout", "5"];
    program.run(&[&["request", "GET", "x", "--base-url", "http://unknown.invalid/"][..], &insecure].concat()).ends(8);
}

/// Asks a proxy that refuses to connect anywhere.
fn proxy() -> Server {
    Server::start(|_, _| answer(502, "", ""))
}

// `docs/faults.md` 122.
#[test]
fn a_proxy_is_used_if_the_command_line_says_so() {
    let program = Program::new("https://127.0.0.1:1/", KEY);
    let get = ["request", "GET", "x", "--timeout", "3"];
    let (named, environments) = (proxy(), proxy());
    let url = |proxy: &Server| proxy.base_url.replace("/public-api/v1", "");
    program.run(&[&get[..], &["--proxy", &url(&named)]].concat());
    assert!(named.seen()[0].head.starts_with("CONNECT 127.0.0.1:1 HTTP/1.1"), "{}", named.seen()[0].head);
    let with_variable = |more: &[&str]| {
        let mut command = program.command(&[&get[..], more].concat());
        program.finish(command.env("HTTPS_PROXY", url(&environments)).spawn().unwrap())
    };
    with_variable(&[]).ends(8).says("HTTPS_PROXY names a proxy, which was not used: give --proxy-from-env");
    assert!(environments.seen().is_empty());
    assert!(!with_variable(&["--proxy-from-env"]).stderr.contains("was not used"));
    assert!(!environments.seen().is_empty());
    assert!(!program.run(&get).ends(8).stderr.contains("proxy"), "there is none to tell of");

    let refused = program.run(&["request", "GET", "x", "--proxy", "http://user:canary@127.0.0.1:1"]).ends(2);
    assert!(refused.stderr.contains("does not belong on the command line") && !refused.stderr.contains("canary"));
    program.run(&["request", "GET", "x", "--proxy", "http://user@127.0.0.1:1"]).ends(2).says("no terminal to ask on");
    program.run(&["request", "GET", "x", "--proxy", "127.0.0.1:1"]).ends(2).says("expected a URL");
}

#[test]
fn certificates_of_a_file_are_trusted_besides_the_systems() {
    let (base_url, certificate) = tls::server(&json(200, GOOD));
    let program = Program::new(&base_url, KEY);
    program.write("ca.pem", certificate);
    program.write("none.pem", "no certificate\n");
    let get = ["request", "GET", "x", "--timeout", "5"];
    program.run(&get).ends(8);
    program.run(&[&get[..], &["--ca-cert", "ca.pem"]].concat()).ends(0);
    program.run(&[&get[..], &["--ca-cert", "none.pem"]].concat()).ends(1).says("PEM");
    program.write("garbled.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    program
        .run(&[&get[..], &["--ca-cert", "garbled.pem"]].concat())
        .ends(1)
        .says("--ca-cert garbled.pem cannot be used");
    program.run(&[&get[..], &["--ca-cert", "absent.pem"]].concat()).ends(1).says("absent.pem");
}

#[test]
fn certificates_of_a_file_change_nothing_about_proxies() {
    let (_, certificate) = tls::server(&json(200, GOOD));
    let plain = Server::start(|_, _| json(200, GOOD));
    for arguments in [&["--proxy-from-env"][..], &["--proxy", "PROXY"]] {
        let proxy = Server::start(|_, _| answer(407, "", ""));
        let place = proxy.base_url.replace("/public-api/v1", "");
        let run = |base_url: &str, variables: &[&str]| {
            let program = Program::new(base_url, KEY);
            program.write("ca.pem", certificate.clone());
            let mut command = program.command(&["request", "GET", "x", "--timeout", "5", "--ca-cert", "ca.pem"]);
            command.args(arguments.iter().map(|argument| argument.replace("PROXY", &place)));
            program.finish(command.envs(variables.iter().map(|variable| (variable, &place))).spawn().unwrap())
        };
        run(&plain.base_url, &["HTTP_PROXY", "http_proxy"]).ends(0);
        run(&plain.base_url, &["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"]).ends(0);
        assert!(proxy.seen().is_empty(), "{arguments:?}: the key went to a proxy that can read it");
        run("https://127.0.0.1:1/public-api/v1", &["HTTPS_PROXY"]).ends(8).says("HTTP 407");
        assert_eq!(proxy.seen().len(), 1, "{arguments:?}: a proxy that refuses is asked once");
    }
}

#[test]
fn a_trace_tells_what_happened_and_nothing_personal() {
    let server = Server::start(|number, _| match number {
        0 => json(503, r#"{"message":"canary"}"#),
        _ => answer(
            200,
            "Content-Type: application/json\r\nX-Canary: canary\r\nX-RateLimit-Remaining: 3\r\nServer: nginx\r\n",
            r#"{"data":[{"id":7,"name":"canary","canary":1}],"next_cursor":"canary","next_page_url":"https://canary"}"#,
        ),
    });
    let program = Program::new(&server.base_url, KEY);
    let call =
        ["request", "PUT", "contacts/canary", "--query", "canary=canary", "--field", "emails[]=canary@x.example"];
    program.run(&[&call[..], &["--field", "canary=canary", "--trace", "trace.ndjson"]].concat()).ends(0);
    let trace = program.read("trace.ndjson");
    for gone in ["canary", KEY, "127.0.0.1"] {
        assert!(!trace.contains(gone), "{gone} in {trace}");
    }
    let lines: Vec<serde_json::Value> = trace.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["start", "attempt", "wait", "attempt", "call"]);
    assert_eq!((&lines[1]["status"], &lines[3]["status"]), (&503.into(), &200.into()));
    let call = &lines[4];
    assert_eq!((&call["method"], &call["template"]), (&"PUT".into(), &"[not documented]".into()));
    assert_eq!(call["request"]["body"]["emails"][1], "string(16)");
    assert_eq!(call["answer"]["headers"]["x-ratelimit-remaining"], "3");
    assert_eq!(call["answer"]["body"]["data"][1]["name"], "string(6)");
    assert_eq!(mode(&program.path("trace.ndjson")), 0o600);
    program.run(&["request", "GET", "x", "--trace", "trace.ndjson"]).ends(1).says("trace.ndjson");
    assert_eq!(program.read("trace.ndjson"), trace);
    program.run(&["request", "GET", "x", "--trace", "-"]).ends(2).says("--trace cometly-trace.ndjson");
    assert!(!program.path("-").exists());
}

#[test]
fn a_whole_url_of_the_own_address_is_a_path_and_what_cannot_be_reached_is_named() {
    let server = Server::start(|_, _| json(200, GOOD));
    let program = Program::new(&server.base_url, KEY);
    program.run(&["request", "GET", &format!("{}/contacts/42", server.base_url)]).ends(0);
    assert!(server.seen()[0].head.starts_with("GET /public-api/v1/contacts/42 "), "{:?}", server.seen());
    for url in
        [server.base_url.clone(), server.base_url.replace("http:", "https:") + "/x", server.base_url.clone() + "/x?a=b"]
    {
        program.run(&["request", "GET", &url]).ends(2);
    }
    // Of the profile's address, not that of the environment.
    let login = ["auth", "login", "--with-token", "--base-url", &server.base_url];
    program.run_with_input(&login, KEY.as_bytes()).ends(0);
    let mut command =
        program.command(&["request", "GET", &format!("{}/contacts/43", server.base_url), "--profile", "default"]);
    program.finish(command.env_remove("COMETLY_BASE_URL").spawn().unwrap()).ends(0);
    assert_eq!(server.seen().len(), 3);

    let closed = Program::new("http://127.0.0.1:1/public-api/v1", KEY);
    for command in
        [&["request", "GET", "companies", "--query", "email=canary"][..], &["companies", "list", "--timeout", "1"]]
    {
        let ran = closed.run(command).ends(8).says("no connection to 127.0.0.1:1");
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    }
    let ran = Program::new("http://127.0.0.1:1", KEY).run(&["request", "GET", "companies"]).ends(8);
    ran.says("http://127.0.0.1:1 has no path; that of Cometly's API is /public-api/v1");
}

#[test]
fn a_trace_of_no_call_leaves_its_name_free_and_a_piece_of_the_key_is_no_header() {
    let server = Server::start(|_, _| {
        answer(200, "Server: nginx\r\nCF-Ray: x-nary-canary-x\r\nCache-Control: key=canary\r\n", "{}")
    });
    let program = Program::new(&server.base_url, KEY);
    let call = |path| program.run(&["request", "GET", path, "--trace", "trace"]);
    call("a%2f").ends(2).says("No call was made, so there is no trace file.");
    assert!(!program.path("trace").exists());
    call("companies").ends(0);
    let trace = program.read("trace");
    assert!(trace.contains("nginx") && !trace.contains("canary"), "{trace}");
}
