//! The control API and the page, under `/_emulator`: off the public path, and for this machine alone.

mod actions;
mod guard;
mod stream;
mod view;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::laravel::answer::Answer;
use crate::path::fits;

pub(crate) use self::stream::open;

pub(crate) const HOME: &str = "/_emulator";
pub(crate) const STREAM: &str = "/_emulator/stream";
/// A description of a fault needs no more.
pub(crate) const MAX_BODY: usize = 64 << 10;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What an action sees of its request.
struct Request<'a> {
    backend: &'a Backend,
    /// What stands in the path in place of `{id}`.
    id: &'a str,
    query: &'a str,
    body: Value,
}

/// An answer's status, type and body.
type Said = (StatusCode, &'static str, Bytes);

struct Action {
    method: &'static str,
    /// After [`HOME`].
    path: &'static str,
    run: fn(&Request<'_>) -> Said,
}

const fn action(method: &'static str, path: &'static str, run: fn(&Request<'_>) -> Said) -> Action {
    Action { method, path, run }
}

const ACTIONS: &[Action] = &[
    action("GET", "", |_| file("text/html; charset=utf-8", include_str!("control/page/index.html"))),
    action("GET", "/page.css", |_| file("text/css; charset=utf-8", include_str!("control/page/page.css"))),
    action("GET", "/page.js", |_| file("text/javascript; charset=utf-8", include_str!("control/page/page.js"))),
    action("GET", "/state", view::state),
    action("GET", "/calls", view::calls),
    action("GET", "/data/{id}", view::data),
    action("GET", "/faults", view::faults),
    action("POST", "/faults", actions::inject),
    action("DELETE", "/faults", actions::clear_faults),
    action("DELETE", "/faults/{id}", actions::remove_fault),
    action("GET", "/keys", view::keys),
    action("POST", "/keys", actions::issue_key),
    action("DELETE", "/keys/{id}", actions::revoke_key),
    action("POST", "/clock", actions::advance_clock),
];

pub(crate) fn is_here(path: &str) -> bool {
    path.strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers anything but the stream; a body of `None` was too large.
pub(crate) fn answer(backend: &Backend, parts: &Parts, body: Option<&Bytes>) -> Answer {
    if let Err(refused) = admit(backend, parts) {
        return write(refused);
    }
    let path = parts.uri.path().strip_prefix(HOME).unwrap_or_default().trim_end_matches('/');
    let here = || ACTIONS.iter().filter_map(|action| Some((action, fits(action.path, path)?)));
    let Some((action, id)) = here().find(|(action, _)| action.method == parts.method.as_str()) else {
        let allowed: Vec<_> = here().map(|(action, _)| action.method).collect();
        if allowed.is_empty() {
            return write(error(
                StatusCode::NOT_FOUND,
                "there is nothing here; the README has a table of what there is",
            ));
        }
        let mut answer = write(error(StatusCode::METHOD_NOT_ALLOWED, &format!("{} only", allowed.join(" or "))));
        answer.headers_mut().extend(HeaderValue::from_str(&allowed.join(", ")).map(|value| (ALLOW, value)));
        return answer;
    };
    let body = match body {
        None => return write(error(StatusCode::PAYLOAD_TOO_LARGE, "a body has at most 64 KiB here")),
        Some(body) if body.is_empty() => Value::Null,
        Some(body) => match serde_json::from_slice(body) {
            Ok(body) => body,
            Err(wrong) => return write(error(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {wrong}"))),
        },
    };
    write((action.run)(&Request { backend, id, query: parts.uri.query().unwrap_or_default(), body }))
}

/// Whether a request may come in here at all.
pub(crate) fn admit(backend: &Backend, parts: &Parts) -> Result<(), Said> {
    guard::check(parts, backend.port()).map_err(|told| error(StatusCode::FORBIDDEN, told))
}

/// The headers of whatever is said here.
fn write((status, kind, body): Said) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    answer.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    answer
}

fn file(kind: &'static str, content: &'static str) -> Said {
    (StatusCode::OK, kind, Bytes::from_static(content.as_bytes()))
}

fn say(status: StatusCode, value: &Value) -> Said {
    (status, "application/json", value.to_string().into())
}

fn error(status: StatusCode, message: &str) -> Said {
    say(status, &json!({ "message": message }))
}
