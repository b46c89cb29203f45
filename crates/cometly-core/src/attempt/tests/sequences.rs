//! Whatever comes, in whatever order: what must hold for every call.

use proptest::prelude::*;

use super::*;

/// What one try comes to, and how the caller's clock moves during it.
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
    Stands,
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
        1 => Just(Clock::Stands),
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
                .tries(tries)
                .base(Duration::from_millis(base))
                .cap(Duration::from_millis(cap))
                .max_retry_after(Duration::from_millis(longest))
                .total(secs(longest))
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
        seed in any::<u64>(),
    ) {
        let api = if is_paced { paced_api() } else { api() };
        let call = if is_get { api.get("events") } else { api.post("events") };
        let (total, tries) = (policy.total_time(), policy.rules.tries);
        let origin = Instant::now();
        let mut attempt = call.attempt(&policy, seed).unwrap();
        // The caller's clock, which may step back; and the time that has gone by at least.
        let (mut elapsed, mut gone) = (ZERO, ZERO);
        let mut unknown = false;
        for (sent, event) in (1..).zip(events.iter().cycle().take(3_000)) {
            prop_assert!(sent <= tries, "never more tries than allowed");
            prop_assert_eq!(attempt.number(), sent);
            prop_assert!(is_get || !unknown, "a POST that may have arrived is never sent again");
            for polls in 0.. {
                prop_assert!(polls < 1_000, "a wait for the pacer ends");
                // The end of the clock is nobody's deadline.
                let Some(now) = origin.checked_add(gone) else { return Ok(()) };
                match attempt.pace::<()>(now, elapsed) {
                    Ok(None) => break,
                    Ok(Some(wait)) => {
                        prop_assert!(wait > ZERO && gone.saturating_add(wait) < total, "never past the deadline");
                        elapsed = elapsed.saturating_add(wait);
                        gone = gone.saturating_add(wait).max(elapsed);
                    }
                    Err(error) => {
                        prop_assert_eq!(error.tries().saturating_add(1), sent);
                        return Ok(());
                    }
                }
            }
            let request = attempt.request();
            prop_assert_eq!(request.headers().len(), 5);
            elapsed = match event.clock {
                Clock::Takes(millis) => elapsed.saturating_add(Duration::from_millis(millis)),
                Clock::StepsBackTo(millis) => elapsed.min(Duration::from_millis(millis)),
                Clock::Stands => elapsed,
            };
            gone = gone.max(elapsed);
            let mut asked = ZERO;
            let step: Step<Bytes, &str> = match &event.what {
                What::Answer { status, retry_after, page } => {
                    let response = response(*status, retry_after.as_deref(), *page);
                    asked = api.read(response.clone()).wait().known().unwrap_or_default();
                    unknown |= (500..600).contains(status);
                    let is_worth_it = *status == 429 || (502..505).contains(status);
                    let step = attempt.on_response(response, elapsed);
                    prop_assert!(is_worth_it || matches!(step, Step::Done(_)), "{status} is final");
                    step
                }
                What::Failure(delivery) => {
                    unknown |= *delivery == Delivery::Unknown;
                    attempt.on_failure(*delivery, "failed", elapsed)
                }
                What::Timeout(delivery) => {
                    unknown |= *delivery == Delivery::Unknown;
                    attempt.on_error(CallError::timeout(*delivery), elapsed)
                }
                What::TooLarge => attempt.on_error(CallError::too_large(None), elapsed),
            };
            match step {
                Step::Retry { after, next } => {
                    prop_assert!(after >= asked, "never earlier than the server said");
                    prop_assert!(gone.saturating_add(after) < total, "never past the deadline");
                    elapsed = elapsed.saturating_add(after);
                    gone = gone.saturating_add(after).max(elapsed);
                    attempt = next;
                }
                Step::Done(Ok(outcome)) => {
                    prop_assert_eq!(attempts(&outcome), sent);
                    return Ok(());
                }
                Step::Done(Err(error)) => {
                    prop_assert_eq!(error.tries(), sent);
                    prop_assert!(!unknown || error.delivery() == Some(Delivery::Unknown));
                    return Ok(());
                }
            }
        }
        // Only who asks for all the time in the world is still under way.
        prop_assert!(tries == u32::MAX && total > secs(10_000), "every call ends");
    }
}
