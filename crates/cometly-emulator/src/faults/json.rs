//! All faults by name, and how one is written in JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::faults::fault::{Fault, Kind, LONGEST, header};
use crate::json::fields;

/// One line of the list of all faults.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    takes: &'static [Parameter],
    make: fn(&Parameters) -> Fault,
}

/// What a description in JSON may say beside what every fault may be told.
#[derive(Default)]
struct Parameters {
    status: Option<u16>,
    seconds: Option<u64>,
    pause: Option<Duration>,
    bytes: Option<u64>,
    headers: Vec<(String, String)>,
    body: String,
}

/// What a fault can be told beside what every fault can.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parameter {
    Status,
    Seconds,
    Milliseconds,
    Bytes,
    Headers,
    Body,
}

use Parameter::{Body, Bytes, Headers, Milliseconds, Seconds, Status};

pub(crate) const CATALOG: &[Entry] = &[
    entry("unauthenticated", "401, as for an unknown key", &[], |_| Fault::unauthenticated()),
    entry("revoked_key", "the key of the call is revoked for good: 401", &[], |_| Fault::revoked_key()),
    entry("forbidden", "403, the key lacks the permission", &[], |_| Fault::forbidden()),
    entry("inactive_subscription", "403, the subscription is inactive", &[], |_| Fault::inactive_subscription()),
    entry("too_many_requests", "429 with Retry-After, 5 s by default", &[Seconds], |with| {
        Fault::too_many_requests(with.seconds.unwrap_or(SECONDS))
    }),
    entry("server_error", "500 by default, or any 5xx", &[Status], |with| {
        Fault::server_error(with.status.unwrap_or(500))
    }),
    entry("maintenance", "503 with an HTTP-date, 5 s from now by default", &[Seconds], |with| {
        Fault::maintenance(with.seconds.unwrap_or(SECONDS))
    }),
    entry("login_redirect", "302 to the login page", &[], |_| Fault::login_redirect()),
    entry("cloudflare_challenge", "403, a challenge by Cloudflare", &[], |_| Fault::cloudflare_challenge()),
    entry("cloudflare_block", "403, blocked by Cloudflare", &[], |_| Fault::cloudflare_block()),
    entry("waf_challenge", "202, a challenge by a firewall, empty", &[], |_| Fault::waf_challenge()),
    entry("waf_captcha", "405, a captcha by a firewall", &[], |_| Fault::waf_captcha()),
    entry("html_page", "200, a page of HTML", &[], |_| Fault::html_page()),
    entry("stub", "any status (200 by default), headers and body", &[Status, Headers, Body], |with| {
        let stub = Fault::stub(with.status.unwrap_or(200)).body(with.body.clone());
        with.headers.iter().fold(stub, |stub, (name, value)| stub.header(name, value))
    }),
    entry("slow", "the answer comes late, by 2 s by default", &[Milliseconds], |with| {
        Fault::slow(with.pause.unwrap_or(Duration::from_secs(2)))
    }),
    entry("trickle", "byte by byte, 50 ms apart by default", &[Milliseconds], |with| {
        Fault::trickle(with.pause.unwrap_or(PAUSE))
    }),
    entry("cut_body", "the connection ends in the middle of the body", &[], |_| Fault::cut_body()),
    entry("endless", "a body without an end", &[], |_| Fault::endless()),
    entry("reset_before", "connection reset, call not carried out", &[], |_| Fault::reset_before()),
    entry("reset_after", "connection reset, call carried out", &[], |_| Fault::reset_after()),
    entry("silence", "no answer at all, call not carried out", &[], |_| Fault::silence()),
    entry("cursor_cycle", "lists: the next page is the one before", &[], |_| Fault::cursor_cycle()),
    entry("cursor_first_page", "lists: the first page comes again", &[], |_| Fault::cursor_first_page()),
    entry("cursor_empty", "lists: next_cursor is an empty text", &[], |_| Fault::cursor_empty()),
    entry("cursor_missing", "lists: there is no next_cursor", &[], |_| Fault::cursor_missing()),
    entry("cursor_long", "lists: next_cursor has 1 MiB", &[], |_| Fault::cursor_long()),
    entry("export_failed", "the export that is ordered will fail", &[], |_| Fault::export_failed()),
    entry("slow_download", "downloads: 1024 bytes every 50 ms by default", &[Milliseconds], |with| {
        Fault::slow_download(with.pause.unwrap_or(PAUSE))
    }),
    entry("cut_download", "downloads: cut in the middle, or after some bytes", &[Bytes], |with| {
        with.bytes.map_or_else(Fault::cut_download, Fault::cut_download_after)
    }),
    entry("expired_download", "downloads: 403, the URL has expired", &[], |_| Fault::expired_download()),
    entry("changed_download", "downloads: another ETag than before", &[], |_| Fault::changed_download()),
    entry("ignored_range", "downloads: 200 and the whole file", &[], |_| Fault::ignored_range()),
];

/// By which the API is called.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const SECONDS: u64 = 5;
const PAUSE: Duration = Duration::from_millis(50);

const fn entry(
    name: &'static str,
    words: &'static str,
    takes: &'static [Parameter],
    make: fn(&Parameters) -> Fault,
) -> Entry {
    Entry { name, words, takes, make }
}

impl Parameter {
    /// Its name in JSON.
    const fn name(self) -> &'static str {
        match self {
            Status => "status",
            Seconds => "seconds",
            Milliseconds => "milliseconds",
            Bytes => "bytes",
            Headers => "headers",
            Body => "body",
        }
    }
}

impl Entry {
    /// The fields in JSON that this fault has beside those of every fault.
    pub(crate) fn parameters(&self) -> Vec<&'static str> {
        self.takes.iter().map(|parameter| parameter.name()).collect()
    }
}

impl Fault {
    /// The name of the fault in JSON, that of its constructor, such as `reset_after`; `cut_download` for
    /// [`cut_download_after`](Self::cut_download_after) too, and a reset is `reset_after` if the call is [carried
    /// out](Self::carried_out), else `reset_before`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let is_it = |entry: &&Entry| {
            let other = (entry.make)(&Parameters::default());
            let by_carrying_out = self.kind != Kind::Reset || other.carried_out == self.carried_out;
            std::mem::discriminant(&other.kind) == std::mem::discriminant(&self.kind) && by_carrying_out
        };
        CATALOG.iter().find(is_it).map_or("", |entry| entry.name)
    }

    /// Reads the description that [`to_json`](Self::to_json) writes; only `fault` must be there.
    pub(crate) fn from_json(value: &Value) -> Result<Self, String> {
        let object = value.as_object().ok_or("a fault is described by a JSON object")?;
        for field in object.keys() {
            if !FIELDS.contains(&field.as_str()) {
                return Err(format!("unknown field `{}`; there are: {}", cut(field), FIELDS.join(", ")));
            }
        }
        let name = text(object, "fault")?.ok_or("`fault` is missing: the name of what is to go wrong")?;
        let entry = CATALOG.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
            format!("unknown fault `{}`; there are: {}", cut(name), known.join(", "))
        })?;
        let has = |field: &str| object.get(field).is_some_and(|value| !value.is_null());
        for other in [Status, Seconds, Milliseconds, Bytes, Headers, Body] {
            if has(other.name()) && !entry.takes.contains(&other) {
                return Err(format!("`{}` is no part of the fault `{name}`", other.name()));
            }
        }
        let (least, most) = if name == "stub" { (200, 599) } else { (500, 599) };
        let status = match number(object, "status")? {
            None => None,
            Some(status) => {
                let status = u16::try_from(status).ok().filter(|status| (least..=most).contains(status));
                Some(status.ok_or_else(|| format!("`status` is one of {least} to {most}"))?)
            }
        };
        let mut fault = (entry.make)(&Parameters {
            status,
            seconds: number(object, "seconds")?,
            pause: pause(object)?,
            bytes: number(object, "bytes")?,
            headers: headers(object)?,
            body: body(object),
        });
        fault.method = text(object, "method")?.map(str::to_owned);
        if fault.method.as_deref().is_some_and(|method| !METHODS.contains(&method)) {
            return Err(format!("`method` is one of {}", METHODS.join(", ")));
        }
        fault.path = text(object, "path")?.map(str::to_owned);
        if fault.path.as_deref().is_some_and(|path| !path.starts_with('/')) {
            return Err("`path` begins with a slash, as /contacts/{id}".into());
        }
        fault.after = number(object, "after")?.unwrap_or(0);
        fault.times = number(object, "times")?;
        if fault.times == Some(0) {
            return Err("`times` is 1 or more: with 0 the fault never strikes".into());
        }
        let share = match object.get("share") {
            None | Some(Value::Null) => None,
            Some(share) => {
                let share = share.as_f64().filter(|share| *share > 0.0 && *share <= 1.0);
                Some(share.ok_or("`share` is a number above 0, and at most 1")?)
            }
        };
        let seed = number(object, "seed")?.unwrap_or(0);
        fault.share = share.map(|share| (share, seed));
        match object.get("carried_out") {
            None | Some(Value::Null) => Ok(fault),
            Some(Value::Bool(carried_out)) => Ok(fault.carried_out(*carried_out)),
            Some(_) => Err("`carried_out` is true or false".into()),
        }
    }

    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let mut own = json!({});
        match &self.kind {
            Kind::ServerError { status } => own = json!({ "status": status }),
            Kind::TooManyRequests { seconds } | Kind::Maintenance { seconds } => own = json!({ "seconds": seconds }),
            Kind::Slow { pause } | Kind::Trickle { pause } | Kind::SlowDownload { pause } => {
                own = json!({ "milliseconds": u64::try_from(pause.as_millis()).ok() });
            }
            Kind::CutDownload { bytes } => own = json!({ "bytes": bytes }),
            Kind::Stub(stub) => {
                let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
                let headers = stub.headers.iter().map(|(name, value)| json!([name.as_str(), text(value)]));
                own = json!({
                    "status": stub.status.as_u16(),
                    "headers": headers.collect::<Vec<_>>(),
                    "body": String::from_utf8_lossy(&stub.body),
                });
            }
            _ => {}
        }
        let all = json!({
            "fault": self.name(),
            "method": self.method,
            "path": self.path,
            "after": (self.after > 0).then_some(self.after),
            "times": self.times,
            "share": self.share.map(|(share, _)| share),
            "seed": self.share.map(|(_, seed)| seed),
            "carried_out": self.carried_out,
        });
        let mut all = fields(all);
        let name = all.shift_remove_entry("fault");
        let own = fields(own);
        name.into_iter().chain(own).chain(all).filter(|(_, value)| !value.is_null()).collect()
    }
}

/// For people: its name and what it is narrowed down to.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::from(self.to_json()))
    }
}

const FIELDS: [&str; 14] = [
    "fault",
    "status",
    "seconds",
    "milliseconds",
    "bytes",
    "headers",
    "body",
    "method",
    "path",
    "after",
    "times",
    "share",
    "seed",
    "carried_out",
];

/// As pairs, or as an object.
fn headers<'a>(object: &'a Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let wrong = || "`headers` is an object of texts, or a list of pairs of them".to_owned();
    let pairs: Vec<(&str, &Value)> = match object.get("headers") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(headers)) => headers.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        Some(Value::Array(pairs)) => {
            let pair = |pair: &'a Value| match pair.as_array().map(Vec::as_slice) {
                Some([name, value]) => Some((name.as_str()?, value)),
                _ => None,
            };
            pairs.iter().map(pair).collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    let read = |(name, value): (&str, &Value)| {
        let value = value.as_str().ok_or_else(wrong)?;
        header(name, value)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    pairs.into_iter().map(read).collect()
}

/// A text as it is, and any other value as JSON.
fn body(object: &Map<String, Value>) -> String {
    match object.get("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Result<Option<&'a str>, String> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| format!("`{field}` is a string")),
    }
}

fn number(object: &Map<String, Value>, field: &str) -> Result<Option<u64>, String> {
    match object.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| format!("`{field}` is a whole number, not negative")),
    }
}

fn pause(object: &Map<String, Value>) -> Result<Option<Duration>, String> {
    let pause = number(object, "milliseconds")?.map(Duration::from_millis);
    match pause {
        Some(pause) if pause > LONGEST => {
            Err(format!("`milliseconds` is at most {}, ten minutes", LONGEST.as_millis()))
        }
        pause => Ok(pause),
    }
}

/// The beginning of a name that is repeated.
fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_written_and_read_again() {
        for entry in CATALOG {
            let fault = (entry.make)(&Parameters::default());
            assert_eq!(fault.name(), entry.name);
            let narrowed = fault.for_method("POST").for_path("/events").after(1).up_to_n_times(2).share(0.5, 3);
            let json = Value::from(narrowed.to_json());
            assert_eq!(Fault::from_json(&json), Ok(narrowed), "{json}");
        }
    }

    #[test]
    fn what_is_no_fault_is_said_to_be_none() {
        for (json, told) in [
            (json!([]), "a fault is described by a JSON object"),
            (json!({}), "`fault` is missing"),
            (json!({ "fault": "fire" }), "unknown fault `fire`; there are: unauthenticated, "),
            (json!({ "fault": "slow", "delay": 1 }), "unknown field `delay`; there are: fault, "),
            (json!({ "fault": "slow", "milliseconds": -1 }), "`milliseconds` is a whole number"),
            (json!({ "fault": "slow", "share": 2 }), "`share` is a number above 0"),
            // These would never strike.
            (json!({ "fault": "slow", "share": 0 }), "`share` is a number above 0"),
            (json!({ "fault": "slow", "times": 0 }), "`times` is 1 or more"),
            (json!({ "fault": "slow", "method": "get" }), "`method` is one of GET, "),
            (json!({ "fault": "slow", "path": "events" }), "`path` begins with a slash"),
            (json!({ "fault": "slow", "milliseconds": 600_001 }), "`milliseconds` is at most 600000"),
            (json!({ "fault": "server_error", "status": 404 }), "`status` is one of 500 to 599"),
            (json!({ "fault": "slow", "carried_out": 1 }), "`carried_out` is true or false"),
            (json!({ "fault": "slow", "status": 500 }), "`status` is no part of the fault `slow`"),
            (json!({ "fault": "stub", "status": 199 }), "`status` is one of 200 to 599"),
            (json!({ "fault": "stub", "headers": ["a"] }), "`headers` is an object of texts, or a list of pairs"),
            (json!({ "fault": "stub", "headers": { "a b": "" } }), "`a b` is no name of a header"),
            (
                json!({ "fault": "stub", "headers": { "Content-Length": "1" } }),
                "`Content-Length` follows from the body",
            ),
        ] {
            let error = Fault::from_json(&json).unwrap_err();
            assert!(error.starts_with(told), "{json}: {error}");
        }
        let long = "x".repeat(3_000);
        for json in [json!({ "fault": long }), json!({ "fault": "slow", long.as_str(): 1 })] {
            assert!(Fault::from_json(&json).unwrap_err().len() < 2_000);
        }
    }
}
