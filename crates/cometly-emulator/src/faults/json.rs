//! All faults by name, and how one is written in JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::faults::fault::{Fault, Kind};
use crate::json::fields;

/// One line of the list of all faults.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    make: fn(&Numbers) -> Fault,
}

/// What a description in JSON may say beside the name, with what goes for it if it does not.
struct Numbers {
    status: u16,
    seconds: u64,
    pause: Option<Duration>,
}

pub(crate) const CATALOG: &[Entry] = &[
    entry("unauthenticated", "401, as for an unknown key", |_| Fault::unauthenticated()),
    entry("revoked_key", "the key of the call is revoked for good: 401", |_| Fault::revoked_key()),
    entry("forbidden", "403, the key lacks the permission", |_| Fault::forbidden()),
    entry("inactive_subscription", "403, the subscription is inactive", |_| Fault::inactive_subscription()),
    entry("too_many_requests", "429 with Retry-After, 5 s unless told", |told| Fault::too_many_requests(told.seconds)),
    entry("server_error", "500, or any 5xx if told", |told| Fault::server_error(told.status)),
    entry("maintenance", "503 with an HTTP-date, 5 s from now unless told", |told| Fault::maintenance(told.seconds)),
    entry("login_redirect", "302 to the login page", |_| Fault::login_redirect()),
    entry("cloudflare_challenge", "403, a challenge by Cloudflare", |_| Fault::cloudflare_challenge()),
    entry("cloudflare_block", "403, blocked by Cloudflare", |_| Fault::cloudflare_block()),
    entry("waf_challenge", "202, a challenge by a firewall, empty", |_| Fault::waf_challenge()),
    entry("waf_captcha", "405, a captcha by a firewall", |_| Fault::waf_captcha()),
    entry("html_page", "200, a page of HTML", |_| Fault::html_page()),
    entry("export_failed", "the export that is ordered will fail", |_| Fault::export_failed()),
    entry("slow", "the answer comes late, by 2 s unless told", |told| {
        Fault::slow(told.pause.unwrap_or(Duration::from_secs(2)))
    }),
    entry("trickle", "byte by byte, 50 ms apart unless told", |told| {
        Fault::trickle(told.pause.unwrap_or(Duration::from_millis(50)))
    }),
    entry("cut_body", "the connection ends in the middle of the body", |_| Fault::cut_body()),
    entry("endless", "a body without an end", |_| Fault::endless()),
    entry("reset_before", "connection reset, call not carried out", |_| Fault::reset_before()),
    entry("reset_after", "connection reset, call carried out", |_| Fault::reset_after()),
    entry("silence", "no answer at all, call not carried out", |_| Fault::silence()),
];

const fn entry(name: &'static str, words: &'static str, make: fn(&Numbers) -> Fault) -> Entry {
    Entry { name, words, make }
}

impl Fault {
    /// Its name in JSON: `reset_after`, say.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let is_it = |entry: &&Entry| {
            let other = (entry.make)(&Numbers::default());
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
                return Err(format!("unknown field `{field}`; there are: {}", FIELDS.join(", ")));
            }
        }
        let name = text(object, "fault")?.ok_or("`fault` is missing: the name of what is to go wrong")?;
        let entry = CATALOG.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
            format!("unknown fault `{name}`; there are: {}", known.join(", "))
        })?;
        let default = Numbers::default();
        let status = number(object, "status")?.map_or(Some(default.status), |status| u16::try_from(status).ok());
        let mut fault = (entry.make)(&Numbers {
            status: status.filter(|status| (500..600).contains(status)).ok_or("`status` is one of 500 to 599")?,
            seconds: number(object, "seconds")?.unwrap_or(default.seconds),
            pause: number(object, "milliseconds")?.map(Duration::from_millis),
        });
        fault.method = text(object, "method")?.map(str::to_owned);
        fault.path = text(object, "path")?.map(str::to_owned);
        fault.after = number(object, "after")?.unwrap_or(0);
        fault.times = number(object, "times")?;
        let share = match object.get("share") {
            None | Some(Value::Null) => None,
            Some(share) => {
                let share = share.as_f64().filter(|share| (0.0..=1.0).contains(share));
                Some(share.ok_or("`share` is a number from 0 to 1")?)
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
        let (status, seconds, pause) = match self.kind {
            Kind::ServerError { status } => (Some(status), None, None),
            Kind::TooManyRequests { seconds } | Kind::Maintenance { seconds } => (None, Some(seconds), None),
            Kind::Slow { pause } | Kind::Trickle { pause } => (None, None, u64::try_from(pause.as_millis()).ok()),
            _ => (None, None, None),
        };
        let all = json!({
            "fault": self.name(),
            "status": status,
            "seconds": seconds,
            "milliseconds": pause,
            "method": self.method,
            "path": self.path,
            "after": (self.after > 0).then_some(self.after),
            "times": self.times,
            "share": self.share.map(|(share, _)| share),
            "seed": self.share.map(|(_, seed)| seed),
            "carried_out": self.carried_out,
        });
        fields(all).into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// For people: its name and what it is narrowed down to.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::from(self.to_json()))
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self { status: 500, seconds: 5, pause: None }
    }
}

const FIELDS: [&str; 11] =
    ["fault", "status", "seconds", "milliseconds", "method", "path", "after", "times", "share", "seed", "carried_out"];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_can_be_written_and_read_again() {
        for entry in CATALOG {
            let fault = (entry.make)(&Numbers::default());
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
            (json!({ "fault": "slow", "share": 2 }), "`share` is a number from 0 to 1"),
            (json!({ "fault": "server_error", "status": 404 }), "`status` is one of 500 to 599"),
            (json!({ "fault": "slow", "carried_out": 1 }), "`carried_out` is true or false"),
        ] {
            let error = Fault::from_json(&json).unwrap_err();
            assert!(error.starts_with(told), "{json}: {error}");
        }
    }
}
