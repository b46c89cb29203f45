//! Many callers and one small limit: each waits for its turn instead of being refused, also beside another client and
//! behind callers that give up.

use std::{
    iter,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use cometly_core::{Api, AuthOutcome, CallErrorKind, Pacer, RetryPolicy};
use cometly_emulator::{Emulator, EmulatorBuilder};

use super::{
    hostile::{calls_and_seed, lateness},
    hostile_plan::mixed,
};
use crate::scenario::{assert_success, attempts};
use crate::{
    Arrivals, BoxError, Case, CaseResult, Scenario, Sent, Settings, Transport,
    cases::{cases, opened_by},
};

pub(super) const CASES: &[Case] = cases![
    five_hundred_jobs_of_64_callers_wait_for_their_turn,
    callers_beside_a_rival_get_what_it_leaves,
    callers_that_give_up_hold_no_other_up,
    a_turn_that_comes_too_late_ends_the_call_at_once
];

/// The emulator's windows begin with the seconds of the clock.
const WINDOW: Duration = Duration::from_secs(1);
const CALLERS: usize = 64;

fn limited(limit: u32) -> EmulatorBuilder {
    Emulator::builder().limit("GET", "/companies", limit).window(WINDOW)
}

/// For jobs that may take this long.
fn patient() -> Settings {
    Settings::default().retry_policy(RetryPolicy::within(Duration::from_secs(60)))
}

fn list(client: &dyn Transport, api: &Api) -> Sent {
    client.send(api.get("companies").query("per_page", 1))
}

/// Sends this many calls from 64 callers, each of which sends its next when it has an answer.
fn crowd(client: &dyn Transport, api: &Api, jobs: usize) -> Vec<Sent> {
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS.min(jobs))
            .map(|caller| {
                let jobs = (caller..jobs).step_by(CALLERS);
                scope.spawn(move || jobs.map(|_| list(client, api)).collect::<Vec<_>>())
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect()
    })
}

/// Each job has succeeded; how many attempts were refused before.
fn refusals(scenario: &Scenario<'_>, results: Vec<Sent>, jobs: usize) -> Result<usize, BoxError> {
    assert_eq!(results.len(), jobs, "each call has ended");
    let mut tries = 0_usize;
    for sent in results {
        let outcome = scenario.noted(sent)?;
        assert_success(&outcome);
        tries = tries.saturating_add(usize::try_from(attempts(&outcome))?);
    }
    Ok(tries.saturating_sub(jobs))
}

/// Shows the pacer how long a window is, which it takes for a minute, and who else calls: by a few calls in each of these windows,
/// one at a time.
fn learn(client: &dyn Transport, api: &Api, windows: u32, calls_a_window: u32) {
    for _ in 0..calls_a_window.saturating_mul(windows) {
        let _ = list(client, api);
        thread::sleep(WINDOW.checked_div(calls_a_window).unwrap_or(WINDOW));
    }
}

/// `docs/faults.md` 47.
fn five_hundred_jobs_of_64_callers_wait_for_their_turn(scenario: &Scenario<'_>) -> CaseResult {
    const JOBS: usize = 500;
    let emulator = scenario.emulate(limited(60).keep_requests(0))?;
    let api = opened_by(&emulator.keys().full, emulator.base_url())?.pacer(Pacer::new()).build();
    let client = scenario.connect(&patient())?;
    let begun = Instant::now();
    let results = crowd(&*client, &api, JOBS);
    let drain = begun.elapsed();
    let refused = refusals(scenario, results, JOBS)?;
    scenario.figures(&format!("{JOBS} jobs at 60 a window: {refused} refusals, drained in {drain:.1?}"));
    // Windows of a second, on stacks that may need a tenth of one for a call: a third is refused at most, not each waiter.
    assert!(refused.saturating_mul(3) <= JOBS, "{refused} refusals for {JOBS} jobs");
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
}

/// What a client without a pacer took.
#[derive(Clone, Copy, Default)]
struct Taken {
    windows: usize,
    calls: usize,
}

fn sleep_until_the_next_window() {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    thread::sleep(WINDOW.saturating_sub(Duration::from_nanos(since_epoch.subsec_nanos().into())));
}

/// From the beginning of each window on, each of five callers sends its fifth of `most` calls, one after the other, until one of its
/// calls is refused.
fn rival(client: &dyn Transport, api: &Api, most: usize, is_over: &AtomicBool) -> Taken {
    const CALLERS: usize = 5;
    let mut taken = Taken::default();
    let successes = || {
        let calls = iter::repeat_with(|| list(client, api)).take(most / CALLERS);
        calls.take_while(|sent| matches!(sent, Ok(AuthOutcome::Success(_)))).count()
    };
    loop {
        sleep_until_the_next_window();
        if is_over.load(Ordering::Relaxed) {
            return taken;
        }
        let calls: usize = thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(successes)).collect();
            callers.into_iter().map(|caller| caller.join().unwrap_or_default()).sum()
        });
        taken.windows = taken.windows.saturating_add(1);
        taken.calls = taken.calls.saturating_add(calls);
    }
}

/// `docs/faults.md` 47.
fn callers_beside_a_rival_get_what_it_leaves(scenario: &Scenario<'_>) -> CaseResult {
    const LIMIT: u32 = 60;
    const RIVAL: usize = 50;
    const JOBS: usize = 50;
    // In windows: at the 10 calls that the rival leaves in each; and at most, since the pacer begins each with a random pause of up
    // to two of them.
    const ORACLE: u32 = 5;
    const MOST: u32 = 24;
    let emulator = scenario.emulate(limited(LIMIT).keep_requests(0))?;
    let open = || opened_by(&emulator.keys().full, emulator.base_url());
    let (api, api_of_the_rival) = (open()?.pacer(Pacer::new()).build(), open()?.build());
    let (client, client_of_the_rival) = (scenario.connect(&patient())?, scenario.client()?);
    let (client, client_of_the_rival, is_over) = (&*client, &*client_of_the_rival, AtomicBool::new(false));
    learn(client, &api, 4, 10);
    let (results, drain, taken) = thread::scope(|scope| {
        let rival = scope.spawn(|| rival(client_of_the_rival, &api_of_the_rival, RIVAL, &is_over));
        learn(client, &api, 2, 5);
        // The rival has taken its part by then.
        sleep_until_the_next_window();
        thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        let results = crowd(client, &api, JOBS);
        let drain = begun.elapsed();
        is_over.store(true, Ordering::Relaxed);
        (results, drain, rival.join().unwrap_or_default())
    });
    let refused = refusals(scenario, results, JOBS)?;
    let Taken { windows, calls } = taken;
    scenario.figures(&format!(
        "{JOBS} jobs beside a rival that took {calls} calls in {windows} windows: {refused} refusals, drained in {drain:.1?}; the \
         least is {ORACLE} windows"
    ));
    assert!(calls >= windows.saturating_mul(RIVAL / 3), "the rival took {calls} calls in {windows} windows: too few");
    // A pacer that takes a window for its own is refused once for most jobs; without a pacer it is more than once.
    assert!(refused <= JOBS, "{refused} refusals for {JOBS} jobs");
    assert!(drain <= WINDOW.saturating_mul(MOST), "{JOBS} jobs took {drain:?}, and {ORACLE} windows are possible");
    Ok(Arrivals::checked_by_the_case())
}

/// How long no call succeeded, at most, until `is_over`.
fn longest_silence(successes: impl Fn() -> usize, is_over: &AtomicBool) -> Duration {
    let (mut seen, mut since, mut longest) = (successes(), Instant::now(), Duration::ZERO);
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(50));
        longest = longest.max(since.elapsed());
        let now = successes();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
    }
    longest
}

/// `docs/faults.md` 47, 60.
fn callers_that_give_up_hold_no_other_up(scenario: &Scenario<'_>) -> CaseResult {
    const LIMIT: u32 = 5;
    const STAYING: usize = 10;
    const GIVING_UP: usize = CALLERS - STAYING;
    // A window in which the server has no room, and two in which it has.
    const MOST_SILENT: u32 = 3;
    let (_, seed) = calls_and_seed()?;
    let emulator = scenario.emulate(limited(LIMIT))?;
    let api = opened_by(&emulator.keys().full, emulator.base_url())?.pacer(Pacer::new()).build();
    let client = scenario.connect(&patient())?;
    let (client, api, is_over) = (&*client, &api, AtomicBool::new(false));
    // A blocking call is given up by its time: a second before that is over, it goes without its turn.
    let is_blocking = !client.send_and_drop(api.get("contacts"), Duration::ZERO);
    let give_up = |caller: usize| {
        let chance = mixed(seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::try_from(caller).unwrap_or_default()));
        let after = Duration::from_millis((chance % 1_700).saturating_add(300));
        let call = api.get("companies").query("per_page", 1);
        if is_blocking {
            let _ = client.send(call.timeout(after.saturating_add(Duration::from_secs(1))));
        } else {
            client.send_and_drop(call, after);
        }
    };
    learn(client, api, 4, LIMIT.saturating_sub(1));
    let count = || emulator.received_requests().iter().filter(|request| request.status == 200).count();
    let before = count();
    let (results, silence, lateness) = thread::scope(|scope| {
        let lateness = scope.spawn(|| lateness(&is_over));
        let silence = scope.spawn(|| longest_silence(count, &is_over));
        for caller in 0..GIVING_UP {
            scope.spawn(move || give_up(caller));
        }
        // The callers that stay are at the end of the line.
        thread::sleep(Duration::from_millis(100));
        let results = crowd(client, api, STAYING);
        is_over.store(true, Ordering::Relaxed);
        (results, silence.join().unwrap_or(Duration::MAX), lateness.join().unwrap_or_default())
    });
    let refused = refusals(scenario, results, STAYING)?;
    let served = count().saturating_sub(before);
    scenario.figures(&format!(
        "seed {seed}: {GIVING_UP} of {CALLERS} callers give up, {served} were served, the {STAYING} that stay had {refused} \
         refusals; the longest silence was {silence:.1?}"
    ));
    assert!(served < CALLERS, "all of the callers were served: none gave up");
    assert!(refused <= STAYING, "{refused} refusals for {STAYING} calls");
    let most = WINDOW.saturating_mul(MOST_SILENT).saturating_add(lateness.saturating_mul(2));
    assert!(
        silence <= most,
        "no call succeeded for {silence:?}, though the server had room; at most {most:?} is right"
    );
    Ok(Arrivals::checked_by_the_case())
}

fn a_turn_that_comes_too_late_ends_the_call_at_once(scenario: &Scenario<'_>) -> CaseResult {
    let emulator = scenario.emulate(Emulator::builder())?;
    let api = opened_by(&emulator.keys().full, emulator.base_url())?.pacer(Pacer::new()).build();
    let client =
        scenario.connect(&Settings::default().retry_policy(RetryPolicy::none()).deadline(Duration::from_secs(20)))?;
    let call = || api.get("events").query("start_date", "2026-01-01 00:00:00").query("end_date", "2026-02-01 00:00:00");
    let mut wait = None;
    // Seven are let through; the eighth may be the one that asks how long the window is.
    for _ in 0..9 {
        match scenario.noted(client.send(call())) {
            Ok(outcome) if outcome.error().is_none() || matches!(outcome, AuthOutcome::RateLimited(_)) => {}
            Err(error) if error.kind() == CallErrorKind::Paced && error.attempts() == 0 => wait = error.retry_after(),
            other => return Err(format!("expected a success or a wait, got {other:?}").into()),
        }
    }
    let wait = wait.ok_or("the limit is used up, and the pacer let the call go")?;
    assert!(
        wait > Duration::from_secs(20) && wait <= Duration::from_secs(61),
        "the wait until the next turn: {wait:?}"
    );
    assert!(emulator.request_count() <= 8, "{} arrived", emulator.request_count());
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
}
