//! The bytes on the wire.

use bytes::Bytes;
use http::Request;

use crate::{
    Arrivals, Case, CaseResult, HttpClient, Scenario, Settings,
    cases::cases,
    fault_server::{Answer, FaultServer, Received, Script},
    scenario::assert_success,
};

pub(super) const CASES: &[Case] = cases![
    each_header_is_sent_once_and_the_key_nowhere_else,
    a_users_client_sends_each_header_once_and_the_key_nowhere_else,
    the_request_line_is_the_same_on_every_stack,
    a_body_arrives_whole_under_its_length,
    an_authorized_request_is_sent_as_a_call_is,
];

/// `docs/faults.md` 4, 8, 81.
fn each_header_is_sent_once_and_the_key_nowhere_else(scenario: &Scenario<'_>) -> CaseResult {
    headers(scenario, &Settings::default())
}

/// `docs/faults.md` 4, 8, 81.
fn a_users_client_sends_each_header_once_and_the_key_nowhere_else(scenario: &Scenario<'_>) -> CaseResult {
    headers(scenario, &Settings::default().users_client())
}

fn headers(scenario: &Scenario<'_>, settings: &Settings) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(settings)?);
    assert_success(&scenario.send(&*client, api.get("events").query("a", 1))?);
    assert_success(&scenario.send(&*client, api.post("events/track").json(&[1]))?);
    assert_success(&scenario.send(&*client, api.post("events/track"))?);
    assert_success(&scenario.send(&*client, api.request(http::Method::DELETE, "events/1"))?);
    let [get, post, empty_post, delete] = server.requests().try_into().map_err(|_| "four requests were sent")?;
    for bodiless in [&get, &delete] {
        assert_eq!(bodiless.header("content-length"), <[String; 0]>::default(), "no body is announced");
    }
    // RFC 9110 §8.6: a POST without a body says so. isahc does it in chunks where libcurl could repeat the call.
    let announced = [empty_post.header("content-length"), empty_post.header("transfer-encoding")].concat();
    assert!(
        announced == ["0"] || (settings.client == HttpClient::Users && announced == ["chunked"]),
        "how the length of an empty body is announced: {announced:?}"
    );
    assert_eq!(post.header("content-length"), ["3"], "Content-Length");
    for request in [get, post, empty_post, delete] {
        check_headers(scenario, &request, &server);
    }
    Ok(Arrivals::of(&server))
}

fn check_headers(scenario: &Scenario<'_>, request: &Received, server: &FaultServer) {
    let host = server.address().to_string();
    let bearer = format!("Bearer {}", scenario.secret());
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("accept-encoding", "identity"),
        ("host", host.as_str()),
    ] {
        assert_eq!(request.header(name), [value], "the header: {name}");
    }
    let agent = request.header("user-agent");
    assert!(matches!(agent.as_slice(), [agent] if agent.starts_with("cometly-core/")), "User-Agent: {agent:?}");
    assert_eq!(request.count(scenario.secret()), 1, "the key is in Authorization and nowhere else");
    // So no Referer, Origin, Cookie, Expect, Transfer-Encoding, nor anything a stack may add one day.
    let known = ["authorization", "accept", "content-type", "accept-encoding", "host", "user-agent", "content-length"];
    let mut others: Vec<_> =
        request.header_names().into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    if request.header("transfer-encoding") == ["chunked"] && request.header("content-length").is_empty() {
        others.retain(|name| name != "transfer-encoding");
    }
    // RFC 9112 §9.3: a client that keeps no connection has to say so. Then it keeps none.
    if request.header("connection") == ["close"] {
        others.retain(|name| name != "connection");
        let calls = server.requests().iter().filter(|other| other.connection == request.connection).count();
        assert_eq!(calls, 1, "another call followed on a connection that was said to end");
    }
    assert!(others.is_empty(), "headers that the core did not set: {others:?}");
}

/// `docs/faults.md` 74, 75, 76.
fn the_request_line_is_the_same_on_every_stack(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    let calls = [
        (api.get("events"), "GET /public-api/v1/events HTTP/1.1"),
        (api.get("a/{b}").segment("/?#% é\u{1}"), "GET /public-api/v1/a/%2F%3F%23%25%20%C3%A9%01 HTTP/1.1"),
        (api.get("a/{b}/c").segment("...").query("q", "."), "GET /public-api/v1/a/.../c?q=. HTTP/1.1"),
        (api.put("a/{b}").segment("%2e%2e").json("x"), "PUT /public-api/v1/a/%252e%252e HTTP/1.1"),
        (
            api.get("a").query("x[]", "+&=[] ").query("y", "'\"<>{}|\\^`"),
            "GET /public-api/v1/a?x%5B%5D=%2B%26%3D%5B%5D%20&y=%27%22%3C%3E%7B%7D%7C%5C%5E%60 HTTP/1.1",
        ),
        (api.get("a").query("cursor", "&x=1#"), "GET /public-api/v1/a?cursor=%26x%3D1%23 HTTP/1.1"),
        (api.request(http::Method::DELETE, "a"), "DELETE /public-api/v1/a HTTP/1.1"),
        (api.request(http::Method::PATCH, "a").json("x"), "PATCH /public-api/v1/a HTTP/1.1"),
    ];
    for (call, expected) in calls {
        assert_success(&scenario.send(&*client, call)?);
        assert_eq!(
            server.requests().last().map(Received::request_line).as_deref(),
            Some(expected),
            "the request line as it arrived"
        );
    }
    Ok(Arrivals::of(&server))
}

fn a_body_arrives_whole_under_its_length(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(202, "{}")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    // The last is beyond the size at which libcurl would first ask with `Expect`.
    for len in [1, 1000, 60_000, 2 << 20] {
        let body = Bytes::from(vec![b'7'; len]);
        assert_success(&scenario.send(&*client, api.post("events/track").body(body))?);
        let request = server.requests().pop().ok_or("a request was sent")?;
        assert_eq!(request.header("content-length"), [len.to_string()], "Content-Length");
        assert_eq!(request.body_len, len, "the length of the body as it arrived");
        assert!(request.body.iter().all(|byte| *byte == b'7'), "the bytes of the body as they were sent");
        assert_eq!(request.header("expect"), <[String; 0]>::default(), "no Expect");
    }
    Ok(Arrivals::of(&server))
}

fn an_authorized_request_is_sent_as_a_call_is(scenario: &Scenario<'_>) -> CaseResult {
    let server = scenario.serve(Script::always(Answer::json(200, "{}")))?;
    let (api, client) = (scenario.api(&server.base_url())?, scenario.client()?);
    let request = Request::post(format!("{}/events/track?a=b", server.base_url())).body(Bytes::from("[1]"))?;
    let request = api.authorize(request)?;
    assert_success(&scenario.send_request(&*client, request, &api)?);
    let [request] = server.requests().try_into().map_err(|_| "one request was sent")?;
    assert_eq!(
        request.request_line(),
        "POST /public-api/v1/events/track?a=b HTTP/1.1",
        "the request line as it arrived"
    );
    assert_eq!(request.body, b"[1]", "the body as it arrived");
    check_headers(scenario, &request, &server);
    // A body that the API would ignore is the caller's affair, and goes out as any other.
    let request = Request::get(server.base_url()).body(Bytes::from(vec![b'7'; 2 << 20]))?;
    assert_success(&scenario.send_request(&*client, api.authorize(request)?, &api)?);
    let request = server.requests().pop().ok_or("a request was sent")?;
    assert_eq!(
        (request.body_len, request.header("content-length")),
        (2 << 20, vec![(2 << 20).to_string()]),
        "the length of the body as it arrived, and Content-Length"
    );
    check_headers(scenario, &request, &server);
    Ok(Arrivals::of(&server))
}
