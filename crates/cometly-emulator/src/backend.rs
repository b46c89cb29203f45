//! The backend: one request in, one answer out, in the order in which Laravel works. No sockets here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::accept::expects_json;
use crate::answer::Answer;
use crate::builder::EmulatorBuilder;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::exports::Exports;
use crate::input::Input;
use crate::keys::{Grant, KeyRing, Space};
use crate::limits::{Allowance, Limits};
use crate::record::Record;
use crate::refusal::{FieldErrors, Refusal};
use crate::routes::{self, Found, Route};
use crate::seeds::Seeds;
use crate::store::Store;
use crate::tracked::TrackedEvents;
use crate::{companies, contacts, files};

pub(crate) struct Backend {
    /// Scheme, host and port, without a trailing slash.
    site: String,
    /// The same of the host from which exports are downloaded.
    files: String,
    clock: Clock,
    seeds: Seeds,
    pub(crate) max_body: usize,
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
    limits: Limits,
}

/// The data of all Spaces, as far as it is not seeded.
pub(crate) struct Records {
    pub(crate) store: Store,
    pub(crate) tracked: TrackedEvents,
    pub(crate) contacts: Changes,
    pub(crate) companies: Changes,
    pub(crate) exports: Exports,
}

/// What an endpoint sees of a call that got as far as to it.
pub(crate) struct Visit<'a> {
    pub(crate) input: &'a Input,
    /// What stands in the path in place of `{id}`.
    pub(crate) id: &'a str,
    /// The Space of the key.
    pub(crate) space: Space,
    pub(crate) records: &'a mut Records,
    pub(crate) seeds: Seeds,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// The origin of the host from which exports are downloaded.
    pub(crate) files: &'a str,
    site: &'a str,
    route: &'static Route,
}

impl Visit<'_> {
    /// The endpoint's own URL.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.site, self.route.endpoint.1)
    }

    /// The id in the path, which must be a number.
    pub(crate) fn number(&self, errors: &mut FieldErrors) -> u64 {
        let wrong = match self.id.parse::<i64>() {
            Ok(id @ 1..) => return id.unsigned_abs(),
            Ok(_) => "The :attribute field must be at least 1.",
            Err(_) => "The :attribute field must be an integer.",
        };
        errors.add("id", wrong);
        0
    }
}

impl Backend {
    pub(crate) fn new(site: String, files: String, settings: EmulatorBuilder, limits: Limits) -> Self {
        let seeds = settings.seeds;
        let state = State {
            keys: KeyRing::default(),
            record: Record::new(settings.kept_requests),
            downloads: Record::new(settings.kept_requests.min(1000)),
            leaks: Record::new(1000),
            records: Records {
                store: Store::default(),
                tracked: TrackedEvents::new(seeds.events),
                contacts: Changes::new(contacts::KIND),
                companies: Changes::new(companies::KIND),
                exports: Exports::new(),
            },
            limits,
        };
        Self { site, files, clock: settings.clock, seeds, max_body: settings.max_body, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request and remembers both; a body of `None` was too large.
    pub(crate) fn answer(&self, parts: Parts, body: Option<Bytes>) -> Answer {
        let json = expects_json(&parts.headers);
        let state = &mut *self.state();
        let answer = self
            .handle(state, &parts, body.as_ref(), json)
            .unwrap_or_else(|refusal| refusal.into_answer(json, &self.site));
        let answer = self.dated(answer);
        state.record.add(parts, body.unwrap_or_default(), answer.status());
        answer
    }

    /// Answers a request to the host of the exports.
    pub(crate) fn answer_file(&self, parts: Parts, body: Option<Bytes>) -> Answer {
        let state = &mut *self.state();
        let leaks = files::leaks(&parts, &state.keys);
        let answer = files::answer(&parts, leaks, &state.records, self.seeds, self.clock.seconds());
        let answer = self.dated(answer);
        let body = body.unwrap_or_default();
        if leaks {
            state.leaks.add(parts.clone(), body.clone(), answer.status());
        }
        state.downloads.add(parts, body, answer.status());
        answer
    }

    /// From the emulator's clock, so that `Date` and `X-RateLimit-Reset` agree.
    fn dated(&self, mut answer: Answer) -> Answer {
        answer.headers_mut().extend(HeaderValue::try_from(self.clock.date()).map(|date| (header::DATE, date)));
        answer
    }

    fn handle(&self, state: &mut State, parts: &Parts, body: Option<&Bytes>, json: bool) -> Result<Answer, Refusal> {
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
            files: &self.files,
            site: &self.site,
            route,
        };
        // From here on, a refusal carries the rate headers as well.
        let mut answer = authorize(route, grant)
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
fn authorize(route: &Route, grant: Option<&Grant>) -> Result<(), Refusal> {
    let (Some(needed), Some(grant)) = (route.needs, grant) else { return Ok(()) };
    let message = match grant {
        grant if !grant.space.is_active() => "Your subscription is inactive.",
        grant if grant.abilities.contains(&needed) => return Ok(()),
        grant if grant.abilities.is_empty() => "This action is unauthorized.",
        _ => "Invalid ability provided.",
    };
    Err(Refusal::status(StatusCode::FORBIDDEN, message))
}
