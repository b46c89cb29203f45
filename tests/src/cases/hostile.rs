//! A server of random faults, from a seed: whatever it does, no call arrives more often than it was sent, nothing that
//! arrived is said not to have been sent, nothing torn is an answer, and each call ends in time.

use std::{
    collections::HashMap,
    env,
    fs::OpenOptions,
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cometly_core::{Api, AuthOutcome, Call, Delivery};

use super::hostile_plan::{Fault, LARGE, Plan, body};
use crate::{
    Arrivals, BoxError, Case, CaseResult, Gap, Scenario, Sent, Settings,
    cases::cases,
    fault_server::{Answer, Received, Script},
    scenario::NotSupported,
};

pub(super) const CASES: &[Case] = cases![
    a_server_of_random_faults_gets_no_call_twice_where_connections_are_kept,
    a_server_of_random_faults_gets_no_call_twice_where_none_is_kept,
    a_server_of_random_faults_breaks_no_streamed_body_unseen_where_connections_are_kept,
    a_server_of_random_faults_breaks_no_streamed_body_unseen_where_none_is_kept,
];

/// How many calls are made: 200, or what this variable says. The full run is
/// `COMETLY_CONFORMANCE_CALLS=2000 cargo test --test conformance random_faults -- --test-threads=1`.
const CALLS: &str = "COMETLY_CONFORMANCE_CALLS";
/// A file that gets a line for each run.
const FIGURES: &str = "COMETLY_CONFORMANCE_FIGURES";
/// Another seed than 1.
const SEED: &str = "COMETLY_CONFORMANCE_SEED";
const CALLERS: usize = 16;
const DEADLINE: Duration = Duration::from_secs(1);
/// How long a piece of a streamed body may take.
const IDLE: Duration = Duration::from_millis(800);
/// The larger of a tenth of the deadline and half a second.
const GRACE: Duration = Duration::from_millis(500);
/// The same where the calls are few, and other cases beside this one take the processor.
const GRACE_BESIDE_OTHERS: Duration = Duration::from_secs(2);
/// From this many calls on, a run is one of its own.
const ALONE: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Send,
    Stream,
}

/// `docs/faults.md` 136.
fn a_server_of_random_faults_gets_no_call_twice_where_connections_are_kept(scenario: &Scenario<'_>) -> CaseResult {
    run(scenario, true, Way::Send)
}

/// `docs/faults.md` 136.
fn a_server_of_random_faults_gets_no_call_twice_where_none_is_kept(scenario: &Scenario<'_>) -> CaseResult {
    run(scenario, false, Way::Send)
}

/// `docs/faults.md` 136.
fn a_server_of_random_faults_breaks_no_streamed_body_unseen_where_connections_are_kept(
    scenario: &Scenario<'_>,
) -> CaseResult {
    run(scenario, true, Way::Stream)
}

/// `docs/faults.md` 136.
fn a_server_of_random_faults_breaks_no_streamed_body_unseen_where_none_is_kept(scenario: &Scenario<'_>) -> CaseResult {
    run(scenario, false, Way::Stream)
}

/// How many calls are made, and by which seed.
pub(super) fn calls_and_seed() -> Result<(usize, u64), BoxError> {
    let number = |name: &str, default: u64| match env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} is no number: {text}")),
        Err(_) => Ok(default),
    };
    Ok((usize::try_from(number(CALLS, 200)?)?, number(SEED, 1)?))
}

/// What the stack is known to take for an answer.
fn spared(scenario: &Scenario<'_>, reuse: bool) -> Vec<Fault> {
    let mut spared = Vec::new();
    if scenario.has_gap(Gap::InformationalAnswers) {
        spared.push(Fault::Informational);
    }
    if scenario.has_gap(Gap::BrokenEnds) {
        spared.push(Fault::ResetUntilClose);
    }
    // libcurl takes what comes late for the next answer, where it keeps connections; the docs of cometly-isahc say so.
    if scenario.client_name().starts_with("isahc") && reuse {
        spared.extend([Fault::Unsolicited, Fault::ForgedBehindNoContent]);
    }
    spared
}

fn run(scenario: &Scenario<'_>, reuse: bool, way: Way) -> CaseResult {
    let (calls, seed) = calls_and_seed()?;
    let spared = spared(scenario, reuse);
    let planned = move |id| Plan::of(seed, id, &spared);
    let script = planned.clone();
    let server = scenario
        .serve(Script::by(move |_, request| id(request).map_or_else(Answer::close, |id| script(id).answer(id))))?;
    let settings = Settings::default().reuse(reuse).deadline(DEADLINE).max_body_size(LARGE);
    let grace = if calls < ALONE { GRACE_BESIDE_OTHERS } else { GRACE };
    // A body in pieces has no deadline of its own; each piece has the time-out of an attempt.
    let (settings, most) = match way {
        Way::Send => (settings, DEADLINE.saturating_add(grace)),
        Way::Stream => (settings.attempt_timeout(IDLE), DEADLINE.saturating_add(IDLE).saturating_add(grace)),
    };
    let (api, client) = (scenario.api(&server.base_url())?, scenario.connect(&settings)?);
    let client = &*client;
    let is_over = AtomicBool::new(false);
    let (sent, lateness) = thread::scope(|scope| {
        let watch = scope.spawn(|| lateness(&is_over));
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let timed = |id: usize| {
                    let (call, begun) = (call(&api, id), Instant::now());
                    let sent = match way {
                        Way::Send => Some(client.send(call)),
                        Way::Stream => client.stream(call, usize::MAX).map(|streamed| streamed.sent),
                    };
                    Some((id, sent?, begun.elapsed()))
                };
                scope.spawn(move || (caller..calls).step_by(CALLERS).filter_map(timed).collect::<Vec<_>>())
            })
            .collect();
        let sent: Vec<(usize, Sent, Duration)> =
            callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect();
        is_over.store(true, Ordering::Relaxed);
        (sent, watch.join().unwrap_or_default())
    });
    if sent.is_empty() {
        return Err(NotSupported.into());
    }
    assert_eq!(sent.len(), calls, "a call panicked");
    let mut arrivals: HashMap<usize, usize> = HashMap::new();
    for id in server.requests().iter().filter_map(id) {
        let count = arrivals.entry(id).or_default();
        *count = count.saturating_add(1);
    }
    let mut figures = Figures::default();
    for (id, sent, took) in sent {
        let plan = planned(id);
        let arrived = arrivals.get(&id).copied().unwrap_or_default();
        let late = took.saturating_sub(lateness);
        figures.count(&sent, late);
        let shown = format!("{sent:?}");
        let shown = shown.get(..1_000).unwrap_or(&shown);
        // A body in pieces ends at its cap, and until then each piece has its own time.
        let most = if way == Way::Stream && plan.is_endless() { most.saturating_mul(10) } else { most };
        check(id, &plan, scenario.noted(sent), arrived, late, most)
            .map_err(|error| format!("seed {seed}, call {id}, {plan:?}: {error}: {shown}"))?;
    }
    figures.write(&format!("{}, {way:?}, reuse {reuse}, seed {seed}, {calls} calls", scenario.client_name()))?;
    Ok(Arrivals::checked_by_the_case())
}

/// How the calls of a run ended.
#[derive(Debug, Default)]
struct Figures {
    successes: usize,
    refusals: usize,
    errors: usize,
    /// Of the errors, those that say that nothing was sent.
    not_sent: usize,
    slowest: Duration,
}

impl Figures {
    fn count(&mut self, sent: &Sent, took: Duration) {
        let is_not_sent = matches!(sent, Err(error) if error.delivery() == Some(Delivery::NotSent));
        let is_success = matches!(sent, Ok(outcome) if outcome.error().is_none());
        let of = |count: usize, is_one: bool| count.saturating_add(usize::from(is_one));
        self.successes = of(self.successes, is_success);
        self.refusals = of(self.refusals, sent.is_ok() && !is_success);
        self.errors = of(self.errors, sent.is_err());
        self.not_sent = of(self.not_sent, is_not_sent);
        self.slowest = self.slowest.max(took);
    }

    /// Adds a line to the file that `FIGURES` names, if it does.
    fn write(&self, run: &str) -> Result<(), BoxError> {
        if let Ok(path) = env::var(FIGURES) {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(format!("{run}: {self:?}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// By how much a thread of this machine is woken too late, at worst: so much is not the client's fault.
pub(super) fn lateness(is_over: &AtomicBool) -> Duration {
    const NAP: Duration = Duration::from_millis(20);
    let mut worst = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        thread::sleep(NAP);
        worst = worst.max(begun.elapsed().saturating_sub(NAP));
    }
    worst
}

/// By turns a GET, a small POST, a GET, and a large POST.
fn call(api: &Api, id: usize) -> Call {
    match id % 4 {
        1 => api.post("events/{id}").segment(id).json(&id),
        3 => {
            api.post("events/{id}").segment(id).body(Bytes::from(vec![b'7'; if id % 8 == 3 { LARGE } else { 40_000 }]))
        }
        _ => api.get("events/{id}").segment(id),
    }
}

fn id(request: &Received) -> Option<usize> {
    let line = request.request_line();
    let (_, rest) = line.split_once("/events/")?;
    rest.split(' ').next()?.parse().ok()
}

fn check(id: usize, plan: &Plan, sent: Sent, arrived: usize, took: Duration, most: Duration) -> Result<(), BoxError> {
    if took > most {
        return Err(format!("it ended after {took:?}").into());
    }
    if arrived > 1 && id % 2 == 1 {
        return Err(format!("the POST arrived {arrived} times").into());
    }
    match sent {
        Err(error) => match error.delivery() {
            Some(Delivery::NotSent | Delivery::Untrusted) if arrived > 0 => Err("it arrived".into()),
            // A kept connection may have been spoilt by the call before.
            _ => Ok(()),
        },
        Ok(outcome) if !plan.is_whole() && outcome.error().is_none() => Err("it was taken for a success".into()),
        Ok(outcome) if !plan.may_be_refused() && !matches!(outcome, AuthOutcome::Unexpected(..)) => {
            Err("it was taken for a refusal".into())
        }
        Ok(outcome) if outcome.error().is_none() => {
            let reply = outcome.into_result()?;
            if plan.status == 200 && reply.into_body() == body(id) {
                return Ok(());
            }
            Err("the answer belongs to no call, or to another one".into())
        }
        Ok(outcome) if outcome.status().as_u16() == plan.status || !plan.is_whole() => Ok(()),
        Ok(_) => Err("the status belongs to no call, or to another one".into()),
    }
}
