//! `--trace FILE`: what happened to each call, for a support ticket. What is not known to be harmless is left out: a path is
//! there as its documented template, a header if it is on the list, a body as its shape, a name if the documentation has it.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use cometly_core::{
    bytes::Bytes,
    http::{HeaderMap, HeaderName, Request, header},
};
use serde_json::{Map, Value, json};

use crate::{
    documented,
    failure::Failure,
    terminal::{
        argv,
        telemetry::{CallName, Step},
    },
};

const HEADERS: [&str; 19] = [
    "accept",
    "accept-encoding",
    "cache-control",
    "cf-cache-status",
    "cf-mitigated",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "retry-after",
    "server",
    "transfer-encoding",
    "user-agent",
    "x-amzn-waf-action",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];
/// None of the headers needs more.
const MAX_HEADER_LEN: usize = 100;
/// This many characters of the key in a row are a piece of it.
const PIECE: usize = 6;
/// Of a larger body only the size is shown.
const MAX_BODY: usize = 1 << 20;
const MAX_FIELDS: usize = 64;
const MAX_DEPTH: usize = 8;

/// A file of one JSON object a line; clones write to the same.
#[derive(Clone)]
pub(crate) struct Trace(Arc<Inner>);

struct Inner {
    path: PathBuf,
    started: Instant,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// Whether anything happened to a call.
    has_calls: bool,
    /// The first failure to write.
    failed: Option<io::Error>,
}

/// What came back, as far as a trace tells it.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Cow<'a, [u8]>,
}

impl Trace {
    /// Begins a file that is not there yet, readable by its owner alone.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Err(Failure::usage("--trace - would mix the trace with the results")
                .advise("name a file that is not there, as in --trace cometly-trace.ndjson"));
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| {
            Failure::file("create", path, &error).advise("name a file that is not there with --trace FILE")
        })?;
        let state = Mutex::new(State { file, has_calls: false, failed: None });
        let trace = Self(Arc::new(Inner { path: path.to_owned(), started: Instant::now(), state }));
        trace.line(json!({"event": "start", "version": env!("CARGO_PKG_VERSION"), "system": std::env::consts::OS}));
        Ok(trace)
    }

    pub(crate) fn step(&self, call: &CallName, step: &Step) {
        let (method, template) = (method(&call.method), template(&call.template));
        self.write(match step {
            Step::Tried { number, result, time } => json!({
                "event": "attempt", "method": method, "template": template, "attempt": number,
                "status": result.as_ref().ok(), "failure": result.as_ref().err(), "seconds": seconds(*time),
            }),
            Step::Waits { number, wait, .. } => json!({
                "event": "wait", "method": method, "template": template, "attempt": number, "seconds": seconds(*wait),
            }),
        });
    }

    /// A call has ended, with an answer or with a failure of the named kind.
    pub(crate) fn call(
        &self,
        call: CallName,
        request: Option<&Request<Bytes>>,
        answer: Option<&Answer<'_>>,
        failure: Option<&'static str>,
    ) {
        let key = request.and_then(|request| request.headers().get(header::AUTHORIZATION));
        let key = key.and_then(|key| key.to_str().ok()?.strip_prefix("Bearer "));
        let request = request.map(|request| {
            json!({
                "query": query(request.uri().query().unwrap_or_default()),
                "headers": headers(request.headers(), key),
                "body": body(request.body()),
            })
        });
        let answer = answer.map(|answer| {
            json!({"status": answer.status, "headers": headers(answer.headers, key), "body": body(&answer.body)})
        });
        let mut line = json!({"event": "call", "method": method(&call.method), "template": template(&call.template)});
        if let Some(line) = line.as_object_mut() {
            let parts = [("request", request), ("answer", answer), ("failure", failure.map(Value::from))];
            line.extend(parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))));
        }
        self.write(line);
    }

    /// What went wrong with the file, if anything did. One that would tell of no call is removed, so that its name is free:
    /// whether it was.
    pub(crate) fn finish(&self) -> Result<bool, Failure> {
        let mut state = self.state();
        match state.failed.take() {
            None if state.has_calls => Ok(false),
            None => fs::remove_file(&self.0.path)
                .map(|()| true)
                .map_err(|error| Failure::file("remove", &self.0.path, &error)),
            Some(error) => Err(Failure::file("write", &self.0.path, &error)),
        }
    }

    fn write(&self, line: Value) {
        self.state().has_calls = true;
        self.line(line);
    }

    fn line(&self, mut line: Value) {
        let at = seconds(self.0.started.elapsed());
        if let Some(line) = line.as_object_mut() {
            line.insert("at".to_owned(), json!(at));
        }
        let mut text = argv::hide_keys(&line.to_string());
        text.push('\n');
        let state = &mut *self.state();
        if let Err(error) = state.file.write_all(text.as_bytes()) {
            state.failed.get_or_insert(error);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To a thousandth.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

/// A documented path, or no word of it.
fn template(path: &str) -> &str {
    if documented::PATHS.contains(&path) { path } else { "[not documented]" }
}

fn method(name: &str) -> &str {
    if documented::METHODS.contains(&name) { name } else { "[not documented]" }
}

fn known(name: &str) -> &str {
    if documented::is_name(name) { name } else { "[hidden]" }
}

/// The names of the parameters.
fn query(query: &str) -> Vec<String> {
    let name = |pair: &str| pair.split('=').next().unwrap_or_default().replace("%5B%5D", "[]");
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .take(MAX_FIELDS)
        .map(|pair| known(&name(pair)).to_owned())
        .collect()
}

fn headers(headers: &HeaderMap, key: Option<&str>) -> Map<String, Value> {
    let is_listed = |name: &&HeaderName| HEADERS.contains(&name.as_str());
    let shown = |name: &HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        let is_harmless = value.len() <= MAX_HEADER_LEN
            && !value.contains(['@', '?', '|'])
            && !value.contains("://")
            && !key.is_some_and(|key| has_piece(value, key));
        Some((name.as_str().to_owned(), json!(if is_harmless { value } else { "[hidden]" })))
    };
    headers.keys().filter(is_listed).filter_map(shown).collect()
}

/// Whether a value has a piece of the key in it, in letters of any case.
fn has_piece(value: &str, key: &str) -> bool {
    let (value, key) = (value.to_ascii_lowercase(), key.to_ascii_lowercase());
    key.as_bytes()
        .windows(PIECE.min(key.len()).max(1))
        .any(|piece| value.as_bytes().windows(piece.len()).any(|part| part == piece))
}

fn body(body: &[u8]) -> Value {
    if body.is_empty() {
        return json!("empty");
    }
    let json = (body.len() <= MAX_BODY).then(|| serde_json::from_slice(body).ok()).flatten();
    json.map_or_else(|| json!(format!("{} bytes", body.len())), |value: Value| shape(&value, 0))
}

/// The types, lengths and documented names of a value.
fn shape(value: &Value, depth: usize) -> Value {
    let deeper = depth.saturating_add(1);
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(text) => json!(format!("string({})", text.chars().count())),
        Value::Array(items) if depth >= MAX_DEPTH || items.is_empty() => json!(format!("list({})", items.len())),
        // As the first, so are mostly all.
        Value::Array(items) => {
            json!([format!("list({})", items.len()), items.first().map(|item| shape(item, deeper))])
        }
        Value::Object(fields) if depth >= MAX_DEPTH => json!(format!("object({})", fields.len())),
        Value::Object(fields) => {
            let mut shapes = Map::new();
            let mut hidden = 0_usize;
            for (name, value) in fields.iter().take(MAX_FIELDS) {
                if documented::is_name(name) {
                    shapes.insert(name.clone(), shape(value, deeper));
                } else {
                    hidden = hidden.saturating_add(1);
                    shapes.insert(format!("[hidden {hidden}]"), shape(value, deeper));
                }
            }
            Value::Object(shapes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_told_by_its_shape() {
        let text = r#"{"email":"ada@example.com","canary@x":"canary","amount":1.5,"data":[{"id":1},{"id":2}],"emails":[],
            "message":null,"is_upsell":true}"#;
        let shown = body(text.as_bytes()).to_string();
        assert_eq!(
            shown,
            r#"{"email":"string(15)","[hidden 1]":"string(6)","amount":"number","data":["list(2)",{"id":"number"}],"emails":"list(0)","message":"null","is_upsell":"bool"}"#
        );
        assert_eq!(body(b"<html>canary"), json!("12 bytes"));
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(body(deep.as_bytes()).to_string().len() < 200);
    }

    #[test]
    fn a_header_is_told_if_it_is_on_the_list_and_says_nothing_personal() {
        let mut map = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "canary"),
            ("location", "https://canary"),
            ("server", "nginx"),
            ("cf-ray", "canary-key"),
            ("content-type", "canary@example.com"),
            ("retry-after", "30"),
            ("x-amzn-waf-action", "of NARY-K"),
            ("cache-control", "max-age=1, key=cana"),
        ] {
            map.insert(name, value.parse().unwrap());
        }
        let shown = Value::Object(headers(&map, Some("canary-key"))).to_string();
        assert_eq!(
            shown,
            r#"{"server":"nginx","cf-ray":"[hidden]","content-type":"[hidden]","retry-after":"30","x-amzn-waf-action":"[hidden]","cache-control":"max-age=1, key=cana"}"#
        );
    }

    #[test]
    fn parameters_are_told_by_their_documented_names() {
        assert_eq!(query("cursor=canary&event_names%5B%5D=x&canary=1"), ["cursor", "event_names[]", "[hidden]"]);
        assert_eq!(template("contacts/canary"), "[not documented]");
        assert_eq!((method("GET"), method("CANARY")), ("GET", "[not documented]"));
    }
}
