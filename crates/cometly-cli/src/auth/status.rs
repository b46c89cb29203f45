//! `cometly auth status`: which key there is, what the server says of it, and what to do next.

use std::path::PathBuf;

use cometly_core::{
    API_KEY_VARIABLE, Api, ApiError, ApiErrorKind, AuthOutcome, Call, ForbiddenReason, KeyStatus, bytes::Bytes,
};
use cometly_credentials::FoundKey;
use serde::Serialize;

use crate::{
    arguments::Global,
    auth::{
        credentials,
        session::{self, KeySource, Session},
    },
    exit::Exit,
    failure::{Failure, INTEGRATIONS},
    terminal::console::Console,
    transport::{Patience, Transport},
};

const SEE_PERMISSIONS: &str = "the key is right; see to its permissions and the subscription";

/// The call that asks for least and needs no date.
pub(crate) fn probe(api: &Api) -> Call {
    api.get("companies").query("per_page", 1)
}

/// The other lists of the API, a row of each.
fn lists(api: &Api) -> [Call; 2] {
    let dated = |path| {
        let call = api.get(path).query("start_date", "2026-01-01 00:00:00").query("end_date", "2026-01-01 00:01:00");
        call.query("per_page", 1)
    };
    [dated("contacts"), dated("events")]
}

#[derive(Serialize)]
struct KeyReport {
    source: &'static str,
    /// Where the key is, if it is referred to; a command without its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// Why the references before it had none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<String>,
    profile: Option<String>,
    file: Option<PathBuf>,
    /// A file of keys that a login could not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    put_aside: Option<PathBuf>,
    key_ending: Option<String>,
    base_url: Option<String>,
    key: &'static str,
    status: Option<u16>,
    answer: String,
    limits: Vec<Endpoint>,
    retry_after: Option<u64>,
    next: String,
    #[serde(skip)]
    exit: Exit,
}

/// What one list answered.
#[derive(Serialize)]
struct Endpoint {
    call: String,
    status: Option<u16>,
    answer: String,
    limit: Option<u64>,
    remaining: Option<u64>,
}

pub(crate) fn run(limits: bool, global: &Global, console: &Console) -> Result<Exit, Failure> {
    let path = credentials::path()?;
    credentials::remove_leftover(&path);
    let mut status = match Session::find(global, console)? {
        None => KeyReport::without_key(),
        Some(session) => {
            let transport = Transport::new(global, Patience::Call, console)?;
            let sent = transport.send(probe(&session.api));
            let mut status = KeyReport::of(&session, sent);
            if limits && matches!(status.key, "accepted" | "not_allowed") {
                status.limits.extend(lists(&session.api).into_iter().map(|call| Endpoint::ask(&transport, call)));
                status.judge_by_all();
            }
            status
        }
    };
    status.put_aside = credentials::put_aside(&path);
    if console.json {
        console.json_line(&status)?;
    } else {
        console.data(status.lines().iter().map(String::as_bytes))?;
    }
    Ok(status.exit)
}

impl KeyReport {
    fn without_key() -> Self {
        Self {
            source: "none",
            reference: None,
            passed_over: Vec::new(),
            profile: None,
            file: None,
            put_aside: None,
            key_ending: None,
            base_url: None,
            key: "missing",
            status: None,
            answer: "not asked, for there is no API key".to_owned(),
            limits: Vec::new(),
            retry_after: None,
            next: Session::to_have_one(),
            exit: Exit::Unauthenticated,
        }
    }

    fn of(session: &Session, sent: Result<AuthOutcome<Bytes>, Failure>) -> Self {
        let (source, profile, file) = match &session.source {
            KeySource::Environment => ("environment", None, None),
            KeySource::Reference(_) => ("reference", None, None),
            KeySource::Profile { name, file, .. } => ("file", Some(name.clone()), Some(file.clone())),
        };
        let found = session.source.found();
        let passed_over = found.into_iter().flat_map(FoundKey::passed_over);
        let known = Self {
            source,
            reference: found.map(|found| found.reference().to_string()),
            passed_over: passed_over.map(ToString::to_string).collect(),
            profile,
            file,
            key_ending: session.key_ending.clone(),
            base_url: Some(session.api.base_url().to_string()),
            ..Self::without_key()
        };
        match sent {
            Ok(outcome) => Self {
                key: key_word(key_status(&outcome)),
                status: Some(outcome.status().as_u16()),
                answer: words(&outcome),
                limits: vec![Endpoint::of("GET companies".to_owned(), &outcome)],
                retry_after: outcome.error().and_then(ApiError::retry_after).map(|wait| wait.as_secs()),
                next: next(&outcome, &session.source),
                exit: outcome.error().map_or(Exit::Ok, |error| error.kind().into()),
                ..known
            },
            Err(failure) => {
                let next = "see whether this machine reaches the address above, then ask again".to_owned();
                Self { key: "unknown", answer: failure.to_string(), next, exit: failure.exit, ..known }
            }
        }
    }

    /// A key that may read one list is accepted, though it may not read companies.
    fn judge_by_all(&mut self) {
        let names = |is_allowed: bool| {
            let names = self.limits.iter().filter(|endpoint| endpoint.is_allowed() == is_allowed);
            names.map(|endpoint| endpoint.call.trim_start_matches("GET ")).collect::<Vec<_>>().join(", ")
        };
        let (allowed, others) = (names(true), names(false));
        if self.key == "not_allowed" && !allowed.is_empty() {
            (self.key, self.exit) = ("accepted", Exit::Ok);
            self.answer = format!("the API key is accepted; it may read {allowed}, and not {others}");
            self.next = format!("nothing, unless it is to read {others}: then see to its permissions");
        } else if self.key == "not_allowed" {
            SEE_PERMISSIONS.clone_into(&mut self.next);
        }
    }

    fn lines(&self) -> Vec<String> {
        let source = match (self.source, &self.profile, &self.file) {
            (_, Some(name), Some(file)) if self.reference.is_some() => {
                format!("of the profile {name} in {}", file.display())
            }
            (_, Some(name), Some(file)) => format!("of the profile {name}, from the file {}", file.display()),
            ("environment", ..) => format!("from the environment ({API_KEY_VARIABLE})"),
            ("reference", ..) => "from --key-from".to_owned(),
            _ => "none".to_owned(),
        };
        let reference = self.reference.as_ref().map_or(String::new(), |reference| format!(": {reference}"));
        let ending = self.key_ending.as_ref().map_or(String::new(), |ending| format!(", ends in {ending}"));
        let mut lines = vec![format!("Key:     {source}{reference}{ending}")];
        lines.extend(self.passed_over.iter().map(|error| format!("Not:     {error}")));
        lines.extend(self.base_url.iter().map(|url| format!("API:     {url}")));
        lines.push(format!("Answer:  {}", self.answer));
        lines.extend(self.limits.iter().map(|endpoint| format!("Limit:   {}", endpoint.words())));
        lines.extend(self.put_aside.iter().map(|path| format!("Aside:   {}", session::about_put_aside(path))));
        lines.push(format!("Next:    {}", self.next));
        lines
    }
}

impl Endpoint {
    fn of(call: String, outcome: &AuthOutcome<Bytes>) -> Self {
        let (limit, answer) = match outcome {
            AuthOutcome::Success(reply) => (reply.rate_limit(), "allowed".to_owned()),
            other => (other.error().map(ApiError::rate_limit).unwrap_or_default(), other.to_string()),
        };
        Self {
            call,
            status: Some(outcome.status().as_u16()),
            answer,
            limit: limit.limit(),
            remaining: limit.remaining(),
        }
    }

    fn ask(transport: &Transport, call: Call) -> Self {
        let name = format!("{} {}", call.method(), call.path_template());
        match transport.send(call) {
            Ok(outcome) => Self::of(name, &outcome),
            Err(failure) => {
                Self { call: name, status: None, answer: failure.to_string(), limit: None, remaining: None }
            }
        }
    }

    fn is_allowed(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    fn words(&self) -> String {
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"));
        let left = match (self.remaining, self.limit) {
            (Some(left), Some(limit)) => format!("{left} of {limit} calls left in this minute"),
            _ => "no limit told".to_owned(),
        };
        format!("{}: {status}, {left}", self.call)
    }
}

/// What came of the question whether the key is right.
fn words(outcome: &AuthOutcome<Bytes>) -> String {
    match outcome.error() {
        None => format!("the API key is accepted (HTTP {})", outcome.status().as_u16()),
        Some(error) => error.to_string(),
    }
}

/// What an answer says of the key.
pub(crate) fn key_status(outcome: &AuthOutcome<Bytes>) -> KeyStatus {
    outcome.error().map_or(KeyStatus::Accepted, ApiError::key_status)
}

fn key_word(status: KeyStatus) -> &'static str {
    match status {
        KeyStatus::Accepted => "accepted",
        KeyStatus::NotAllowed => "not_allowed",
        KeyStatus::Refused => "refused",
        _ => "unknown",
    }
}

fn next(outcome: &AuthOutcome<Bytes>, source: &KeySource) -> String {
    let replace = match source {
        KeySource::Environment => format!("set {API_KEY_VARIABLE}"),
        KeySource::Reference(found) | KeySource::Profile { found: Some(found), .. } => {
            format!("put it where {} has it", found.reference())
        }
        KeySource::Profile { name, .. } => format!("run `cometly auth login --profile {name}`"),
    };
    let is_inactive = matches!(
        outcome.error().map(ApiError::kind),
        Some(ApiErrorKind::Forbidden(ForbiddenReason::InactiveSubscription))
    );
    match (outcome.error().map(|error| Exit::from(error.kind())), key_status(outcome)) {
        (None, _) => "nothing; try `cometly request GET companies --paginate`".to_owned(),
        (Some(Exit::Unauthenticated), _) => format!("make a new key at {INTEGRATIONS} and {replace}"),
        (Some(Exit::Forbidden), _) if is_inactive => SEE_PERMISSIONS.to_owned(),
        (Some(Exit::Forbidden), _) => {
            "the key is right; see to its permissions and the subscription, or ask for the other lists with --limits"
                .to_owned()
        }
        (Some(Exit::RateLimited), _) => "wait, then ask again".to_owned(),
        (_, KeyStatus::Accepted) => "the key is right; see the answer above".to_owned(),
        _ => "this says nothing of the key; see the answer above, then ask again".to_owned(),
    }
}
