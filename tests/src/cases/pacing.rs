//! Many callers and one small limit: each waits for its turn instead of being refused.

use std::{thread, time::Duration};

use cometly_core::{AuthOutcome, CallErrorKind, Pacer, RetryPolicy};
use cometly_emulator::Emulator;

use crate::scenario::{assert_success, attempts};
use crate::{
    Arrivals, Case, CaseResult, Scenario, Settings,
    cases::{cases, opened_by},
};

pub(super) const CASES: &[Case] =
    cases![five_hundred_jobs_of_64_callers_wait_for_their_turn, a_turn_that_comes_too_late_ends_the_call_at_once];

/// `docs/faults.md` 47.
fn five_hundred_jobs_of_64_callers_wait_for_their_turn(scenario: &Scenario<'_>) -> CaseResult {
    const CALLERS: usize = 64;
    const JOBS: usize = 500;
    let emulator = scenario
        .emulate(Emulator::builder().limit("GET", "/companies", 60).window(Duration::from_secs(1)).keep_requests(0))?;
    let api = opened_by(&emulator.keys().full, emulator.base_url())?.pacer(Pacer::new()).build();
    let client = scenario.connect(&Settings::default().retry_policy(RetryPolicy::within(Duration::from_secs(60))))?;
    let client = &*client;
    let results: Vec<_> = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let api = &api;
                let jobs = (caller..JOBS).step_by(CALLERS);
                scope.spawn(move || {
                    jobs.map(|_| client.send(api.get("companies").query("per_page", 1))).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect()
    });
    assert_eq!(results.len(), JOBS, "each call has ended");
    let mut tries = 0_u64;
    for sent in results {
        let outcome = scenario.noted(sent)?;
        assert_success(&outcome);
        tries = tries.saturating_add(attempts(&outcome).into());
    }
    let refused = tries.saturating_sub(u64::try_from(JOBS)?);
    // Windows of a second, on stacks that may need a tenth of one for a call: a third is refused at most, not each waiter.
    assert!(refused.saturating_mul(3) <= u64::try_from(JOBS)?, "{refused} refusals for {JOBS} jobs");
    Ok(Arrivals::counted(usize::try_from(emulator.request_count())?))
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
