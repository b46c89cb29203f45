//! What comes back, as Cometly and the proxy before it answer.

use std::fmt::Write as _;

use bytes::Bytes;
use http::Response;

const REFUSED: &str = r#"{"message":"Unauthenticated."}"#;
const FORBIDDEN: &str = r#"{"message":"This API key does not have the required permission: events.write"}"#;
const TOO_MANY: &str = r#"{"message":"Too Many Attempts."}"#;
const INVALID: &str = r#"{"message":"The email field must be a valid email address. (and 2 more errors)","errors":{"email":["The email field must be a valid email address."],"value":["The value field must be a number.","The value field must be at least 0."],"event_name":["The event name field is required."]}}"#;

/// Each answer, with the job of reading it.
pub fn all() -> Vec<(&'static str, Response<Bytes>)> {
    vec![
        ("read-200-2b", answer(200, "{}", true)),
        ("read-200-1mb", answer(200, megabyte(), true)),
        ("read-200-limits", answer(200, "{}", true)),
        ("read-401", answer(401, REFUSED, false)),
        ("read-403", answer(403, FORBIDDEN, true)),
        ("read-429", answer(429, TOO_MANY, true)),
        ("read-422", answer(422, INVALID, true)),
        ("read-502", answer(502, page(), false)),
    ]
}

fn answer(status: u16, body: impl Into<String>, has_limits: bool) -> Response<Bytes> {
    let mut response = Response::builder()
        .status(status)
        .header("date", "Tue, 24 Nov 2026 03:28:59 GMT")
        .header("content-type", "application/json")
        .header("cache-control", "no-cache, private")
        .header("server", "cloudflare")
        .header("cf-ray", "8e7c0ffee0ddf00d-FRA")
        .header("vary", "Accept-Encoding");
    if has_limits {
        response = response
            .header("x-ratelimit-limit", "60")
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "1795491000")
            .header("retry-after", "37");
    }
    response.body(Bytes::from_owner(body.into())).expect("a response")
}

fn megabyte() -> String {
    let mut body = String::from(r#"{"data":["#);
    for id in 0.. {
        let comma = if id == 0 { "" } else { "," };
        write!(body, r#"{comma}{{"id":{id},"name":"campaign-{id:06}","spend":12.34,"clicks":42}}"#).expect("memory");
        if body.len() >= 1 << 20 {
            break;
        }
    }
    body.push_str("]}");
    body
}

fn page() -> String {
    let mut page = String::from("<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>");
    while page.len() < 4080 {
        page.push_str("<p>cloudflare</p>");
    }
    page.push_str("</body></html>");
    page
}
