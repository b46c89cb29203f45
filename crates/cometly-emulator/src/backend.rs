//! The backend: one request in, one answer out, in the order in which Laravel works. No sockets here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use crate::clock::Clock;
use crate::endpoints::routes::{self, Found, Route};
use crate::faults::active::Faults;
use crate::faults::cursors;
use crate::faults::delivery::Sending;
use crate::faults::fault::{Fault, Kind};
use crate::faults::responses::{Scene, no_answer};
use crate::keys::{self, Ability, Grant, KeyRing, Space, bearer_token};
use crate::laravel::answer::Answer;
use crate::laravel::expects_json::expects_json;
use crate::laravel::input::Input;
use crate::laravel::refusal::Refusal;
use crate::laravel::throttle::{Allowance, Limits};
use crate::live::{Live, News};
use crate::record::{End, Record, millis};
use crate::store::persistence::not_written;
use crate::store::records::Records;
use crate::store::row::Row;
use crate::store::seeds::Seeds;
use crate::store::settled::{Settled, Wait, Written};
use crate::visit::Visit;

pub(crate) struct Backend {
    sites: Sites,
    clock: Clock,
    seeds: Seeds,
    live: Live,
    state: Mutex<State>,
}

/// Where the emulator is reached: each an origin, without a trailing slash.
#[derive(Clone, Debug)]
pub(crate) struct Sites {
    pub(crate) api: String,
    /// The host from which exports are downloaded.
    pub(crate) files: String,
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
    pub(crate) fn new(keys: KeyRing, records: Records, limits: Limits, kept_requests: usize) -> Self {
        Self {
            keys,
            record: Record::new(kept_requests),
            downloads: Record::new(kept_requests.min(1000)),
            leaks: Record::new(kept_requests.clamp(1, 1000)),
            records,
            faults: Faults::default(),
            limits,
        }
    }

    /// Gives back the key, and what to wait for until it is written. If it cannot be written, it is good for as long as the
    /// emulator runs.
    pub(crate) fn issue_key(&mut self, space: Space, abilities: &[Ability]) -> (String, Option<Wait>) {
        let key = keys::new_key();
        self.records.store.keep(vec![Row::of_key(&key, space, abilities)]);
        self.keys.insert(key.clone(), space, abilities);
        (key, self.records.store.settle())
    }

    pub(crate) fn revoke_key(&mut self, key: &str) -> Option<Wait> {
        let grant = self.keys.revoke(key)?;
        self.records.store.keep(vec![Row { body: None, ..Row::of_key(key, grant.space, &[]) }]);
        self.records.store.settle()
    }
}

/// A call that was carried out and is not on record yet.
struct Call {
    parts: Parts,
    body: Bytes,
    answer: Answer,
    fault: Option<Fault>,
    carried_out: bool,
    json: bool,
    began: Instant,
}

/// An answer, how it is to be sent, and the number of its call on the record.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) sending: Sending,
    pub(crate) number: u64,
}

impl Backend {
    pub(crate) fn new(sites: Sites, clock: Clock, seeds: Seeds, state: State) -> Self {
        Self { sites, clock, seeds, live: Live::new(), state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to change it: listeners are notified.
    pub(crate) fn change(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        // A listener that asks now has to wait until the change is made.
        self.live.tell(News::state);
        state
    }

    pub(crate) fn sites(&self) -> &Sites {
        &self.sites
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

    /// Whether a request brings a key that is valid now.
    pub(crate) fn knows_key_of(&self, parts: &Parts) -> bool {
        self.state().keys.authenticate(&parts.headers).is_some()
    }

    /// Answers a request and remembers both; a body of `None` was too large.
    pub(crate) async fn answer(self: &Arc<Self>, parts: Parts, body: Option<Bytes>, began: Instant) -> Outcome {
        let (call, settled) = self.carry_out(parts, body, began);
        match settled {
            Settled::Now => self.conclude(call, Ok(())),
            Settled::Later(written) => {
                let this = Arc::clone(self);
                // A client that goes now does not keep its call off the record.
                let concluded = tokio::spawn(async move {
                    let written = written.await.unwrap_or_else(|_| Err("the emulator ends".into()));
                    this.conclude(call, written)
                });
                // The task fails with the runtime only, and then nothing is sent.
                concluded.await.unwrap_or_else(|_| Outcome { answer: no_answer(), sending: Sending::Never, number: 0 })
            }
        }
    }

    fn carry_out(&self, parts: Parts, body: Option<Bytes>, began: Instant) -> (Call, Settled) {
        let json = expects_json(&parts.headers);
        let state = &mut *self.state();
        let fault = state.faults.strike(&parts.method, parts.uri.path());
        let kind = fault.as_ref().map(|fault| &fault.kind);
        let before = state.records.store.handed_over();
        if kind == Some(&Kind::RevokedKey)
            && let Some(key) = bearer_token(&parts.headers)
        {
            // The call waits for all that is written.
            let _ = state.revoke_key(key);
        }
        let forged = kind.and_then(|kind| kind.forge(&self.scene(state, &parts, json)));
        let carried_out = fault.as_ref().is_none_or(|fault| fault.carried_out);
        let asked = carried_out || kind.is_some_and(Kind::is_for_the_backend);
        let own = asked.then(|| {
            self.handle(state, &parts, body.as_ref(), json, kind)
                .unwrap_or_else(|refusal| refusal.into_answer(json, &self.sites.api))
        });
        let answer = forged.or(own).unwrap_or_else(no_answer);
        // A call that only reads does not wait for what others write.
        let reads = matches!(parts.method, Method::GET | Method::HEAD);
        let settled = if reads && before == state.records.store.handed_over() {
            Settled::Now
        } else {
            state.records.store.settled()
        };
        (Call { parts, body: body.unwrap_or_default(), answer, fault, carried_out, json, began }, settled)
    }

    /// Puts a call on record.
    fn conclude(&self, call: Call, written: Written) -> Outcome {
        let Call { parts, body, mut answer, fault, carried_out, json, began } = call;
        if let Err(error) = written {
            let mut failed = not_written(&error).into_answer(json, &self.sites.api);
            let limits = answer.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-ratelimit-"));
            failed.headers_mut().extend(limits.map(|(name, value)| (name.clone(), value.clone())));
            answer = failed;
        }
        let answer = self.dated(answer);
        let end = End {
            answer: &answer,
            fault: fault.as_ref().map(Fault::name),
            carried_out,
            began,
            at: self.clock.seconds(),
        };
        let mut state = self.state();
        let call = state.record.note(&parts, &body, &end);
        let (number, secrets) = (call.number, state.keys.secrets());
        state.record.keep(call.clone());
        drop(state);
        self.live.tell(|| News::call(call, secrets));
        Outcome { answer, sending: fault.map_or(Sending::Whole, |fault| Sending::under(&fault.kind)), number }
    }

    /// Notes that the answer to a call was sent, or will not be.
    pub(crate) fn sent(&self, number: u64, took: Duration) {
        self.state().record.took(number, took);
        self.live.tell(|| News::sent(number, millis(took)));
    }

    fn scene(&self, state: &State, parts: &Parts, expects_json: bool) -> Scene<'_> {
        let limit = match routes::find(&parts.method, parts.uri.path()) {
            Ok(Found::Route(route, _)) => state.limits.of(route.endpoint),
            _ => None,
        };
        Scene { expects_json, site: &self.sites.api, now: self.clock.seconds(), limit }
    }

    /// From the emulator's clock, so that `Date` and `X-RateLimit-Reset` agree.
    pub(crate) fn dated(&self, mut answer: Answer) -> Answer {
        answer.headers_mut().extend(HeaderValue::try_from(self.clock.date()).map(|date| (header::DATE, date)));
        answer
    }

    fn handle(
        &self,
        state: &mut State,
        parts: &Parts,
        body: Option<&Bytes>,
        json: bool,
        fault: Option<&Kind>,
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
        let mut input = Input::read(parts.uri.query(), &parts.headers, body);
        if fault == Some(&Kind::CursorFirstPage) {
            input.remove("cursor");
        }
        let mut visit = Visit {
            input: &input,
            id: &id,
            space: grant.map_or(Space::NONE, |grant| grant.space),
            records: &mut state.records,
            seeds: self.seeds,
            now: self.clock.seconds(),
            doomed: fault == Some(&Kind::ExportFailed),
            files: &self.sites.files,
            url: format!("{}{}", self.sites.api, route.endpoint.1),
        };
        // From here on, a refusal carries the rate headers as well.
        let mut answer = authorize(route, grant, fault)
            .and_then(|()| (route.action)(&mut visit))
            .unwrap_or_else(|refusal| refusal.into_answer(json, &self.sites.api));
        if let Some(kind) = fault {
            answer = cursors::spoil(kind, answer);
        }
        if let Some(Allowance { limit, remaining }) = allowance {
            answer.headers_mut().insert("x-ratelimit-limit", limit.into());
            answer.headers_mut().insert("x-ratelimit-remaining", remaining.into());
        }
        Ok(answer)
    }
}

/// The three ways to be forbidden. That a key without any ability meets the policy's message, and one that lacks only this
/// ability meets Sanctum's, is our arrangement, so that both can be seen.
fn authorize(route: &Route, grant: Option<&Grant>, fault: Option<&Kind>) -> Result<(), Refusal> {
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
