//! Answers as Laravel and Symfony write them.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

pub(crate) type Answer = Response<Bytes>;

/// Compact JSON, as `json_encode` writes it by default: with `/` escaped.
pub(crate) fn compact(status: StatusCode, value: &Value) -> Answer {
    answer(status, JSON, ascii(&value.to_string()).replace('/', "\\/"))
}

/// An error's message as the exception handler writes it: pretty-printed by four spaces, `/` as it is.
pub(crate) fn message(status: StatusCode, message: &str) -> Answer {
    let message = ascii(&json!(message).to_string());
    answer(status, JSON, format!("{{\n    \"message\": {message}\n}}"))
}

/// A page for browsers. The body is a stand-in: a client of the API that gets HTML has gone wrong already.
pub(crate) fn page(status: StatusCode, title: &str) -> Answer {
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body>{title}</body>\n</html>\n"
    );
    answer(status, HTML, html)
}

/// What Laravel says to `OPTIONS`: 200, and nothing in it.
pub(crate) fn empty() -> Answer {
    answer(StatusCode::OK, HTML, String::new())
}

/// A redirect by 302.
pub(crate) fn redirect(url: &str) -> Answer {
    let mut answer = page(StatusCode::FOUND, &format!("Redirecting to {url}"));
    if let Ok(location) = HeaderValue::from_str(url) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// PHP escapes everything beyond ASCII.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            out.extend(char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_json_escapes_slashes_and_all_beyond_ascii() {
        let answer = compact(StatusCode::OK, &json!({ "b": "a/é\u{1F980}\"", "a": 1 }));
        assert_eq!(answer.body(), r#"{"b":"a\/\u00e9\ud83e\udd80\"","a":1}"#);
    }

    #[test]
    fn a_message_is_pretty_and_keeps_slashes() {
        let answer = message(StatusCode::NOT_FOUND, "no \"a/é\"");
        assert_eq!(answer.body(), "{\n    \"message\": \"no \\\"a/\\u00e9\\\"\"\n}");
    }
}
