//! Many calls at once, and several keys through one client.

use std::{
    thread,
    time::{Duration, Instant},
};

use cometly_core::Api;
use cometly_emulator::Emulator;

use crate::{
    Arrivals, BoxError, Case, CaseResult, Scenario, Sent, Settings,
    canary::Canary,
    cases::{cases, opened_by},
    fault_server::{Act, Answer, Script},
    scenario::NotSupported,
};

pub(super) const CASES: &[Case] = cases![
    two_keys_through_one_client_are_never_mixed,
    ten_thousand_calls_64_at_once_each_get_their_own_answer,
    endless_chunk_sizes_cost_their_own_calls_only,
];

fn two_keys_through_one_client_are_never_mixed(scenario: &Scenario<'_>) -> CaseResult {
    let (first, second) = (Canary::new(), Canary::new());
    let expected = [first.secret().to_owned(), second.secret().to_owned()];
    // Tells, of each request, whether the key is the one that belongs to its path.
    let server = scenario.serve(Script::by(move |_, request| {
        let line = request.request_line();
        let owner = expected.iter().position(|key| request.header("authorization") == [format!("Bearer {key}")]);
        match owner {
            Some(owner) if line.contains(&format!("/of/{owner}/")) => Answer::json(200, &format!("[{owner}]")),
            _ => Answer::json(401, r#"{"message":"mixed"}"#),
        }
    }))?;
    let client = scenario.client()?;
    let api = |key: &Canary| Ok::<_, BoxError>(opened_by(key.secret(), &server.base_url())?.build());
    let apis = [api(&first)?, api(&second)?];
    let client = &*client;
    let results: Vec<(usize, Sent)> = thread::scope(|scope| {
        let callers: Vec<_> = (0..8_usize)
            .map(|caller| {
                let apis = &apis;
                scope.spawn(move || {
                    let calls = (0..25_usize).zip(apis.iter().enumerate().cycle().skip(caller));
                    let send = |(n, (owner, api)): (usize, (usize, &Api))| {
                        let call = api.get("of/{owner}/{caller}/{n}").segment(owner).segment(caller).segment(n);
                        (owner, client.send(call))
                    };
                    calls.map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap_or_default()).collect()
    });
    assert_eq!(results.len(), 200, "each call has ended");
    for (owner, sent) in results {
        assert_eq!(
            scenario.noted(sent)?.into_result()?.into_body(),
            format!("[{owner}]"),
            "each call gets the answer of its own key"
        );
    }
    assert_eq!([first.leaks(), second.leaks()].concat(), <[String; 0]>::default(), "the log records that show a key");
    Ok(Arrivals::of(&server))
}

fn ten_thousand_calls_64_at_once_each_get_their_own_answer(scenario: &Scenario<'_>) -> CaseResult {
    const CALLERS: usize = 64;
    const CALLS: usize = 157;
    let emulator = scenario.emulate(Emulator::builder().no_limits().seeded_events(1).keep_requests(0))?;
    let api = opened_by(&emulator.keys().full, emulator.base_url())?.build();
    let client = scenario.client()?;
    let client = &*client;
    // Each asks for a page of a size that no other call asks for at that time, and looks for it in the answer.
    let own_answers: usize = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let api = &api;
                scope.spawn(move || {
                    let is_own = |n: &usize| {
                        let size = caller.saturating_mul(60).saturating_add(n % 60).saturating_add(1);
                        let call = api.get("events").query("start_date", "2026-01-01 00:00:00");
                        let call = call.query("end_date", "2026-02-01 00:00:00").query("per_page", size);
                        let reply = client.send(call).ok().and_then(|outcome| outcome.into_result().ok());
                        let page = reply.and_then(|reply| reply.json::<serde_json::Value>().ok());
                        page.and_then(|page| page.get("per_page")?.as_u64()) == u64::try_from(size).ok()
                    };
                    (0..CALLS).filter(is_own).count()
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap_or_default()).sum()
    });
    assert_eq!(own_answers, CALLERS * CALLS, "the calls that got their own answer");
    assert_eq!(u64::try_from(CALLERS * CALLS)?, emulator.request_count(), "each call arrived once");
    Ok(Arrivals::counted(0))
}

/// `docs/faults.md` 115.
fn endless_chunk_sizes_cost_their_own_calls_only(scenario: &Scenario<'_>) -> CaseResult {
    // An async client has the threads of its runtime, and the two of this suite are for all cases.
    if !matches!(scenario.client_name(), "reqwest-blocking" | "ureq" | "isahc" | "isahc-blocking") {
        return Err(NotSupported.into());
    }
    let server = scenario.serve(Script::by(|_, request| {
        if request.request_line().contains("/endless ") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            let zeros = vec![b'0'; 64 << 10].into();
            Answer::raw(head).then(Act::Repeat { bytes: zeros, every: Duration::ZERO, times: usize::MAX })
        } else {
            Answer::json(200, "{}")
        }
    }))?;
    let deadline = Duration::from_secs(2);
    let api = scenario.api(&server.base_url())?;
    // reqwest's blocking client has four threads.
    for (endless, delays_none) in [(3, true), (5, false)] {
        let client = scenario.connect(&Settings::default().deadline(deadline))?;
        let (client, api) = (&*client, &api);
        let sent: Vec<(Sent, Duration)> = thread::scope(|scope| {
            let send = |path: &'static str| {
                scope.spawn(move || {
                    let begun = Instant::now();
                    (client.send(api.get(path)), begun.elapsed())
                })
            };
            let mut callers: Vec<_> = (0..endless).map(|_| send("endless")).collect();
            thread::sleep(Duration::from_millis(500));
            callers.push(send("events"));
            callers.into_iter().filter_map(|caller| caller.join().ok()).collect()
        });
        let took: Vec<_> = sent.iter().map(|(_, took)| *took).collect();
        let most = deadline.saturating_add(Duration::from_millis(if delays_none { 500 } else { 1_000 }));
        assert!(took.iter().all(|took| *took < most), "{endless}: {took:?}");
        let mut outcomes = sent.into_iter().map(|(sent, _)| scenario.noted(sent));
        assert!(outcomes.by_ref().take(endless).all(|sent| sent.is_err()), "a size without an end is no answer");
        let other = outcomes.next().ok_or("it was sent")?;
        if delays_none {
            assert!(
                other?.error().is_none() && took.last().is_some_and(|took| *took < Duration::from_secs(1)),
                "{took:?}"
            );
        }
    }
    // Of the last one, it may not be known.
    Ok(Arrivals::checked_by_the_case())
}
