//! Whatever comes, in whatever order: what must hold for every call.

use proptest::prelude::*;

use super::*;
use crate::retry::DEFAULT_TIMEOUT;

/// What one attempt comes to, and how the caller's clock moves during it.
#[derive(Clone, Debug)]
struct Event {
    what: What,
    clock: Clock,
}

#[derive(Clone, Debug)]
enum What {
    Answer { status: u16, retry_after: Option<String>, page: bool },
    Failure(Delivery),
    Timeout(Delivery),
    TooLarge,
}

#[derive(Clone, Copy, Debug)]
enum Clock {
    Takes(u64),
    StepsBackTo(u64),
    Stopped,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    prop::sample::select(vec![Delivery::NotSent, Delivery::Unknown, Delivery::Untrusted])
}

fn what() -> impl Strategy<Value = What> {
    let status = prop_oneof![
        4 => Just(429_u16),
        3 => 502..505_u16,
        1 => prop::sample::select(vec![200, 201, 401, 403, 404, 422, 500, 501, 505, 302, 304]),
        1 => 200..1000_u16,
    ];
    let retry_after = prop_oneof![
        3 => (0..100_u64).prop_map(|seconds| Some(seconds.to_string())),
        2 => Just(None),
        1 => prop::sample::select(vec!["-1", "+5", "1e3", "18446744073709551616", "", "Fri, 31 Dec 9999 23:59:59 GMT"])
            .prop_map(|text| Some(text.to_owned())),
    ];
    prop_oneof![
        6 => (status, retry_after, prop::bool::weighted(0.05))
            .prop_map(|(status, retry_after, page)| What::Answer { status, retry_after, page }),
        2 => delivery().prop_map(What::Failure),
        2 => delivery().prop_map(What::Timeout),
        1 => Just(What::TooLarge),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let clock = prop_oneof![
        6 => (0..40_000_u64).prop_map(Clock::Takes),
        1 => any::<u64>().prop_map(Clock::Takes),
        1 => (0..40_000_u64).prop_map(Clock::StepsBackTo),
        1 => Just(Clock::Stopped),
    ];
    prop::collection::vec((what(), clock).prop_map(|(what, clock)| Event { what, clock }), 1..30)
}

fn policy() -> impl Strategy<Value = RetryPolicy> {
    let kind = prop_oneof![
        Just(RetryPolicy::default()),
        Just(RetryPolicy::none()),
        (0..400_u64).prop_map(|total| RetryPolicy::within(secs(total))),
        Just(RetryPolicy::within(Duration::MAX)),
        (0..9_u32, 0..100_000_u64, any::<u64>(), any::<u64>()).prop_map(|(tries, base, cap, longest)| {
            RetryPolicy::default()
                .max_attempts(tries)
                .initial_backoff(Duration::from_millis(base))
                .max_backoff(Duration::from_millis(cap))
                .max_retry_after(Duration::from_millis(longest))
                .timeout(secs(longest))
        }),
    ];
    (kind, 0..20_u32, any::<bool>()).prop_map(|(policy, reserve, retry)| {
        policy.budget(RetryBudget::with_reserve(reserve)).retry_server_errors(retry)
    })
}

fn response(status: u16, retry_after: Option<&str>, page: bool) -> Response<Bytes> {
    let mut response = answer(status, None);
    if page {
        *response.body_mut() = Bytes::from_static(b"<html>");
    }
    if let Some(text) = retry_after {
        response.headers_mut().insert("retry-after", text.parse().unwrap());
    }
    response
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_call_keeps_its_promises(
        events in events(),
        policy in policy(),
        is_get in any::<bool>(),
        is_paced in any::<bool>(),
        rotates in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let api = if is_paced { paced_api() } else { api() };
        let call = if is_get { api.get("events") } else { api.post("events") };
        let (timeout, attempts) = (policy.rules.timeout.unwrap_or(DEFAULT_TIMEOUT), policy.rules.max_attempts);
        let start = at(ZERO);
        let mut operation: Under = call.start(&policy, &TransportLimits::default(), seed, start).unwrap();
        // The caller's clock, which may step back; and the time that has gone by at least.
        let (mut clock, mut gone) = (ZERO, ZERO);
        let (mut sent, mut waits) = (0_u32, 0_u32);
        let (mut unknown, mut asked) = (false, ZERO);
        let mut events = events.iter().cycle().take(500);
        loop {
            operation = match operation.next(at(clock)) {
                Next::Wait { pause, operation } => {
                    waits = waits.saturating_add(1);
                    prop_assert!(waits < 1_000, "a wait ends");
                    prop_assert!(pause > ZERO && pause >= asked, "never earlier than the server said");
                    prop_assert!(gone.saturating_add(pause) < timeout, "never past the deadline");
                    clock = clock.saturating_add(pause);
                    gone = gone.saturating_add(pause).max(clock);
                    clock = clock.max(gone);
                    asked = ZERO;
                    operation
                }
                Next::Send(attempt) => {
                    let Some(event) = events.next() else { break };
                    (sent, waits, asked) = (sent.saturating_add(1), 0, ZERO);
                    // A call whose key is rotated away is sent again with each new key, at most 16 times.
                    let rotations = if rotates { 16 } else { 0 };
                    prop_assert!(sent <= attempts.saturating_add(rotations), "never more attempts than allowed");
                    prop_assert_eq!(attempt.number(), sent);
                    prop_assert!(is_get || !unknown, "a POST that may have arrived is never sent again");
                    prop_assert!(attempt.timeout() <= timeout.saturating_sub(gone), "no attempt outlives its call");
                    prop_assert_eq!(attempt.request().headers().len(), 5);
                    if rotates {
                        api.rotate(ApiKey::new(format!("7|canary-{sent}")).unwrap());
                    }
                    clock = match event.clock {
                        Clock::Takes(millis) => clock.saturating_add(Duration::from_millis(millis)),
                        Clock::StepsBackTo(millis) => clock.min(Duration::from_millis(millis)),
                        Clock::Stopped => clock,
                    };
                    gone = gone.max(clock);
                    let now = at(clock);
                    match &event.what {
                        What::Answer { status, retry_after, page } => {
                            let response = response(*status, retry_after.as_deref(), *page);
                            let outcome = api.read(response.clone());
                            asked = outcome.error().and_then(crate::ApiError::retry_after).unwrap_or_default();
                            unknown |= (500..600).contains(status);
                            attempt.finish(Ok(response), now)
                        }
                        What::Failure(delivery) => {
                            unknown |= *delivery == Delivery::Unknown;
                            attempt.finish(Err(TransportError::failed(*delivery, "failed")), now)
                        }
                        What::Timeout(delivery) => {
                            unknown |= *delivery == Delivery::Unknown;
                            attempt.finish(Err(TransportError::timed_out(*delivery)), now)
                        }
                        What::TooLarge => attempt.finish(Err(TransportError::too_large(None)), now),
                    }
                }
                Next::Done(Ok(outcome)) => {
                    let counted = outcome.error().map_or_else(|| outcome.clone().into_result().unwrap().attempts(), crate::ApiError::attempts);
                    prop_assert_eq!(counted, sent);
                    return Ok(());
                }
                Next::Done(Err(error)) => {
                    prop_assert_eq!(error.attempts(), sent);
                    prop_assert!(!unknown || error.delivery() == Some(Delivery::Unknown));
                    return Ok(());
                }
            };
        }
        // Only a call that asks for all the time in the world is still under way.
        prop_assert!(attempts == u32::MAX && timeout > secs(1_000), "every call ends");
    }
}
