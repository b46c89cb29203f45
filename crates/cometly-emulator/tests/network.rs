//! Where it listens, how others reach it, and what they may see.
#![allow(clippy::unwrap_used, reason = "the lints do not know a test's helper for a test")]

mod wire;

use std::io::Write as _;
use std::net::TcpStream;

use cometly_emulator::{Ability, Emulator};
use wire::{Answer, ask, call};

/// Asks by an address of this machine, with these headers and no others.
fn asked(emulator: &Emulator, path: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", emulator.address().port())).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
    wire::receive(&mut stream)
}

#[test]
fn what_others_can_reach_is_named_as_they_name_it_and_its_page_wants_a_token() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let emulator = Emulator::builder().listen(listen).public_url("http://Cometly.test:8080").seed(0).start().unwrap();
    assert_eq!(emulator.base_url(), "http://cometly.test:8080/public-api/v1");
    let page = ask(&emulator, "GET", "/companies?per_page=1", "", 200);
    assert_eq!(page["path"], "http://cometly.test:8080/public-api/v1/companies");
    let ordered = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#, 202);
    let path = format!("/events/exports/{}", ordered["export_id"].as_str().unwrap());
    let [_, _, export] = [(); 3].map(|()| ask(&emulator, "GET", &path, "", 200));
    let url = export["download_url"].as_str().unwrap();
    assert!(url.starts_with("http://cometly.test:") && !url.contains(":8080/"), "{url}");

    let page_url = emulator.page_url();
    let (home, token) = page_url.split_once("?token=").unwrap();
    assert_eq!((home, token.len()), ("http://cometly.test:8080/_emulator", 32));
    let host = "Host: cometly.test:8080\r\n";
    let bearer = format!("{host}Authorization: Bearer {token}\r\n");
    assert_eq!(asked(&emulator, "/_emulator/state", host).status, "401 Unauthorized");
    assert_eq!(asked(&emulator, "/_emulator/state", &bearer).status, "200 OK");
    assert_eq!(
        asked(&emulator, "/_emulator/state", &bearer.replace("cometly.test", "evil.test")).status,
        "403 Forbidden"
    );
    let own = format!("Host: localhost:{}\r\nAuthorization: Bearer {token}\r\n", emulator.address().port());
    assert_eq!(asked(&emulator, "/_emulator/state", &own).status, "200 OK");

    let welcome = asked(&emulator, &format!("/_emulator?token={token}"), host);
    assert_eq!((welcome.status.as_str(), welcome.header("Location")), ("303 See Other", Some("/_emulator")));
    let cookie = welcome.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
    let with_cookie = format!("{host}Cookie: {cookie}\r\n");
    for path in ["/_emulator", "/_emulator/page.js", "/_emulator/state", "/_emulator/calls"] {
        assert_eq!(asked(&emulator, path, &with_cookie).status, "200 OK", "{path}");
        assert_eq!(asked(&emulator, path, host).status, "401 Unauthorized", "{path}");
    }
}

#[test]
fn keys_can_be_written_down_beforehand() {
    let start = || Emulator::builder().key("7|write-me-down", &[Ability::CompaniesRead]).key("all", Ability::ALL);
    assert_eq!(
        start().start().unwrap_err().to_string(),
        "a key of its own has 4 to 512 printable ASCII characters, none of them a blank, a comma, a quotation mark or a backslash"
    );
    let emulator = Emulator::builder()
        .key("7|write-me-down", &[Ability::CompaniesRead])
        .key("test-key-for-all", Ability::ALL)
        .start()
        .unwrap();
    assert_eq!(call(&emulator, "7|write-me-down", "GET", "/companies", "").status, "200 OK");
    assert_eq!(call(&emulator, "7|write-me-down", "GET", "/contacts/1", "").status, "403 Forbidden");
    assert_eq!(call(&emulator, "test-key-for-all", "GET", "/contacts/1", "").status, "200 OK");
    let host = format!("Host: 127.0.0.1:{}\r\n", emulator.address().port());
    let calls = asked(&emulator, "/_emulator/calls", &host).body;
    assert!(!calls.contains("write-me") && !calls.contains("test-key"), "{calls}");
}

#[test]
fn the_port_of_downloads_can_be_chosen_and_an_address_that_is_not_here_is_said_to_be_none() {
    let first = Emulator::start().unwrap();
    let port = first.address().port();
    drop(first);
    let emulator = Emulator::builder().seed(0).downloads_port(port).start().unwrap();
    let ordered = ask(&emulator, "POST", "/events/exports", r#"{"date":"2026-01-01"}"#, 202);
    let path = format!("/events/exports/{}", ordered["export_id"].as_str().unwrap());
    let [_, _, export] = [(); 3].map(|()| ask(&emulator, "GET", &path, "", 200));
    assert!(export["download_url"].as_str().unwrap().starts_with(&format!("http://127.0.0.1:{port}/exports/")));

    let elsewhere = Emulator::builder().listen("192.0.2.1:0".parse().unwrap()).start().unwrap_err();
    assert_eq!(elsewhere.to_string(), "this machine has no address 192.0.2.1 to listen on");
    let wrong = Emulator::builder().public_url("cometly.test").start().unwrap_err();
    assert!(wrong.to_string().contains("\"cometly.test\" is not of the form http://host:port"), "{wrong}");
}
