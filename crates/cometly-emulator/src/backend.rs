//! The backend: one request in, one answer out, in the order in which Laravel works. No sockets here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::builder::EmulatorBuilder;
use crate::clock::Clock;
use crate::endpoints::download;
use crate::endpoints::routes::{self, Found, Route};
use crate::faults::active::Faults;
use crate::faults::delivery::Sending;
use crate::faults::fault::Kind;
use crate::faults::responses::{Scene, no_answer};
use crate::keys;
use crate::keys::{Ability, Grant, KeyRing, Space, bearer_token};
use crate::laravel::answer::Answer;
use crate::laravel::expects_json::expects_json;
use crate::laravel::input::Input;
use crate::laravel::refusal::Refusal;
use crate::laravel::throttle::{Allowance, Limits};
use crate::live::Live;
use crate::record::{self, End, Record};
use crate::store::records::Records;
use crate::store::row::Row;
use crate::store::seeds::Seeds;
use crate::visit::Visit;

pub(crate) struct Backend {
    /// Scheme, host and port, without a trailing slash.
    site: String,
    /// The same of the host from which exports are downloaded.
    files: String,
    clock: Clock,
    seeds: Seeds,
    pub(crate) max_body: usize,
    port: u16,
    live: Live,
    state: Mutex<State>,
}

/// All that changes.
pub(crate) struct State {
    pub(crate) keys: KeyRing,
    pub(crate) record: Record,
    /// What was asked of the host of the exports, and those of them that showed it a key.
    pub(crate) downloads: Record,
    pub(crate) leaks: Record,
    pub(crate) records: Records,
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
}

impl State {
    pub(crate) fn issue_key(&mut self, space: Space, abilities: &[Ability]) -> String {
        let key = keys::new_key();
        // If it cannot be kept, it is good for as long as the emulator runs.
        let _ = self.records.store.write(&[Row::of_key(&key, space, abilities)]);
        self.keys.insert(key.clone(), space, abilities);
        key
    }

    pub(crate) fn revoke_key(&mut self, key: &str) {
        if let Some(grant) = self.keys.revoke(key) {
            let row = Row { body: None, ..Row::of_key(key, grant.space, &[]) };
            let _ = self.records.store.write(&[row]);
        }
    }
}

impl Backend {
    pub(crate) fn new(
        port: u16,
        files: String,
        settings: EmulatorBuilder,
        limits: Limits,
        (seeds, keys, records): (Seeds, KeyRing, Records),
    ) -> Self {
        let state = State {
            keys,
            record: Record::new(settings.kept_requests),
            downloads: Record::new(settings.kept_requests.min(1000)),
            leaks: Record::new(1000),
            records,
            faults: Faults::default(),
            limits,
        };
        Self {
            site: format!("http://127.0.0.1:{port}"),
            files,
            clock: settings.clock,
            seeds,
            max_body: settings.max_body,
            port,
            live: Live::new(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to change it: whoever looks on is told.
    pub(crate) fn change(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        // Whoever asks now has to wait until the change is made.
        self.live.tell("state", || "{}".to_owned());
        state
    }

    pub(crate) fn site(&self) -> &str {
        &self.site
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn seeds(&self) -> Seeds {
        self.seeds
    }

    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// Answers a request and remembers both; a body of `None` was too large.
    pub(crate) fn answer(&self, parts: Parts, body: Option<Bytes>, began: Instant) -> (Answer, Sending) {
        let json = expects_json(&parts.headers);
        let state = &mut *self.state();
        let fault = state.faults.strike(&parts.method, parts.uri.path());
        let kind = fault.as_ref().map(|fault| fault.kind);
        if kind == Some(Kind::RevokedKey)
            && let Some(key) = bearer_token(&parts.headers)
        {
            state.revoke_key(key);
        }
        let forged = kind.and_then(|kind| kind.forge(&self.scene(state, &parts, json)));
        let carried_out = fault.as_ref().is_none_or(|fault| fault.carried_out);
        let asked = carried_out || kind.is_some_and(Kind::is_for_the_backend);
        let own = asked.then(|| {
            self.handle(state, &parts, body.as_ref(), json, kind)
                .unwrap_or_else(|refusal| refusal.into_answer(json, &self.site))
        });
        let answer = self.dated(forged.or(own).unwrap_or_else(no_answer));
        let (status, fault, at) = (answer.status(), fault.map(|fault| fault.name()), self.clock.seconds());
        let end = End { status, fault, carried_out, began, at };
        let call = state.record.note(parts, body.unwrap_or_default(), end);
        self.live.tell("call", || record::call(&call, &state.keys).to_string());
        state.record.keep(call);
        (answer, kind.map_or(Sending::Whole, Sending::under))
    }

    fn scene(&self, state: &State, parts: &Parts, expects_json: bool) -> Scene<'_> {
        let limit = match routes::find(&parts.method, parts.uri.path()) {
            Ok(Found::Route(route, _)) => state.limits.of(route.endpoint),
            _ => None,
        };
        Scene { expects_json, site: &self.site, now: self.clock.seconds(), limit }
    }

    /// Answers a request to the host of the exports.
    pub(crate) fn answer_file(&self, parts: Parts, body: Option<Bytes>, began: Instant) -> Answer {
        let state = &mut *self.state();
        let leaks = download::leaks(&parts, &state.keys);
        let answer = download::answer(&parts, leaks, &state.records, self.seeds, self.clock.seconds());
        let answer = self.dated(answer);
        let body = body.unwrap_or_default();
        let (status, at) = (answer.status(), self.clock.seconds());
        let end = End { status, fault: None, carried_out: true, began, at };
        if leaks {
            self.live.tell("state", || "{}".to_owned());
            state.leaks.add(parts.clone(), body.clone(), end.clone());
        }
        state.downloads.add(parts, body, end);
        answer
    }

    /// From the emulator's clock, so that `Date` and `X-RateLimit-Reset` agree.
    fn dated(&self, mut answer: Answer) -> Answer {
        answer.headers_mut().extend(HeaderValue::try_from(self.clock.date()).map(|date| (header::DATE, date)));
        answer
    }

    fn handle(
        &self,
        state: &mut State,
        parts: &Parts,
        body: Option<&Bytes>,
        json: bool,
        fault: Option<Kind>,
    ) -> Result<Answer, Refusal> {
        let Some(body) = body else {
            return Err(Refusal::status(StatusCode::PAYLOAD_TOO_LARGE, "The POST data is too large."));
        };
        let (route, id) = match routes::find(&parts.method, parts.uri.path())? {
            Found::Route(route, id) => (route, id),
            Found::Options(answer) => return Ok(answer),
        };
        let grant = match route.needs {
            None => None,
            Some(_) => Some(state.keys.authenticate(&parts.headers).ok_or(Refusal::Unauthenticated)?),
        };
        let allowance = match grant {
            None => None,
            Some(grant) => state
                .limits
                .take(grant.space, route.endpoint, self.clock.seconds())
                .map_err(|told| Refusal::too_many(&told))?,
        };
        let input = Input::read(parts.uri.query(), &parts.headers, body);
        let mut visit = Visit {
            input: &input,
            id: &id,
            space: grant.map_or(Space::NONE, |grant| grant.space),
            records: &mut state.records,
            seeds: self.seeds,
            now: self.clock.seconds(),
            doomed: fault == Some(Kind::ExportFailed),
            files: &self.files,
            url: format!("{}{}", self.site, route.endpoint.1),
        };
        // From here on, a refusal carries the rate headers as well.
        let mut answer = authorize(route, grant, fault)
            .and_then(|()| (route.action)(&mut visit))
            .unwrap_or_else(|refusal| refusal.into_answer(json, &self.site));
        if let Some(Allowance { limit, remaining }) = allowance {
            answer.headers_mut().insert("x-ratelimit-limit", limit.into());
            answer.headers_mut().insert("x-ratelimit-remaining", remaining.into());
        }
        Ok(answer)
    }
}

/// The three ways to be forbidden. That a key without any ability meets the policy's message, and one that lacks only this
/// ability meets Sanctum's, is our arrangement, so that both can be seen.
fn authorize(route: &Route, grant: Option<&Grant>, fault: Option<Kind>) -> Result<(), Refusal> {
    let (Some(needed), Some(grant)) = (route.needs, grant) else { return Ok(()) };
    let forbidden = |message| Err(Refusal::status(StatusCode::FORBIDDEN, message));
    if let Some(message) = fault.and_then(Kind::forbidding) {
        return forbidden(message);
    }
    let message = match grant {
        grant if !grant.space.is_active() => "Your subscription is inactive.",
        grant if grant.abilities.contains(&needed) => return Ok(()),
        grant if grant.abilities.is_empty() => "This action is unauthorized.",
        _ => "Invalid ability provided.",
    };
    forbidden(message)
}
