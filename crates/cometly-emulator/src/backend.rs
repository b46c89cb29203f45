//! The backend: one request in, one answer out, in the order in which Laravel works. No sockets here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::accept::expects_json;
use crate::answer::Answer;
use crate::builder::EmulatorBuilder;
use crate::clock::Clock;
use crate::input::Input;
use crate::keys::{Grant, KeyRing, Space};
use crate::limits::{Allowance, Limits};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::routes::{self, Found, Route};
use crate::track::TrackedEvents;

pub(crate) struct Backend {
    /// Scheme, host and port, without a trailing slash.
    site: String,
    clock: Clock,
    seeded_events: u64,
    pub(crate) max_body: usize,
    state: Mutex<State>,
}

/// All that changes.
pub(crate) struct State {
    pub(crate) keys: KeyRing,
    pub(crate) record: Record,
    pub(crate) tracked: TrackedEvents,
    limits: Limits,
}

/// What an endpoint sees of a call that got as far as to it.
pub(crate) struct Visit<'a> {
    pub(crate) input: &'a Input,
    /// The Space of the key, where the route asks for one.
    pub(crate) space: Option<Space>,
    pub(crate) tracked: &'a mut TrackedEvents,
    pub(crate) seeded_events: u64,
    site: &'a str,
    route: &'static Route,
}

impl Visit<'_> {
    /// The endpoint's own URL.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.site, self.route.endpoint.1)
    }
}

impl Backend {
    pub(crate) fn new(site: String, settings: EmulatorBuilder, limits: Limits) -> Self {
        let state = State {
            keys: KeyRing::default(),
            record: Record::new(settings.kept_requests),
            tracked: TrackedEvents::new(),
            limits,
        };
        Self {
            site,
            clock: settings.clock,
            seeded_events: settings.seeded_events.into(),
            max_body: settings.max_body,
            state: Mutex::new(state),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request and remembers both; a body of `None` was too large.
    pub(crate) fn answer(&self, parts: Parts, body: Option<Bytes>) -> Answer {
        let json = expects_json(&parts.headers);
        let state = &mut *self.state();
        let mut answer = self
            .handle(state, &parts, body.as_ref(), json)
            .unwrap_or_else(|refusal| refusal.into_answer(json, &self.site));
        // From the emulator's clock, so that `Date` and `X-RateLimit-Reset` agree.
        answer.headers_mut().extend(HeaderValue::try_from(self.clock.date()).map(|date| (header::DATE, date)));
        state.record.add(parts, body.unwrap_or_default(), answer.status());
        answer
    }

    fn handle(&self, state: &mut State, parts: &Parts, body: Option<&Bytes>, json: bool) -> Result<Answer, Refusal> {
        let Some(body) = body else {
            return Err(Refusal::status(StatusCode::PAYLOAD_TOO_LARGE, "The POST data is too large."));
        };
        let route = match routes::find(&parts.method, parts.uri.path())? {
            Found::Route(route) => route,
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
            space: grant.map(|grant| grant.space),
            tracked: &mut state.tracked,
            seeded_events: self.seeded_events,
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
