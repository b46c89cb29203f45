use std::collections::BinaryHeap;

use bytes::Bytes;

use super::*;
use crate::{Api, ApiKey};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn outcome(status: u16, headers: &[(&str, u64)]) -> AuthOutcome<Bytes> {
    let body = if status < 300 { r#"{"data": []}"# } else { r#"{"message": "m"}"# };
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Api::new(ApiKey::new("k").unwrap()).read(response.body(Bytes::from_static(body.as_bytes())).unwrap())
}

fn taken(limit: u64, remaining: u64) -> AuthOutcome<Bytes> {
    outcome(200, &[("x-ratelimit-limit", limit), ("x-ratelimit-remaining", remaining)])
}

fn refused(limit: u64, retry_after: u64) -> AuthOutcome<Bytes> {
    outcome(429, &[("x-ratelimit-limit", limit), ("retry-after", retry_after)])
}

fn ask(pacer: &Pacer, now: Moment) -> Pace {
    pacer.poll(&Method::GET, "events", now, 1)
}

#[track_caller]
fn go(pace: Pace) -> Permit {
    match pace {
        Pace::Go(permit) => permit,
        Pace::Wait { after, .. } => panic!("it has to wait {after:?}"),
    }
}

#[track_caller]
fn wait(pace: Pace) -> (Duration, Ticket) {
    match pace {
        Pace::Wait { after, ticket } => (after, ticket),
        Pace::Go(_) => panic!("it may go"),
    }
}

/// A pacer that has seen one call of the window, which left so many, and when that was.
fn seen(limit: u64, remaining: u64) -> (Pacer, Moment) {
    let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    assert!(go(ask(&pacer, now)).on_outcome(&taken(limit, remaining), now).is_none());
    (pacer, now)
}

#[test]
fn the_first_call_shows_the_way_and_holds_the_others_back_for_a_second_at_most() {
    let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    let _first = go(ask(&pacer, now));
    let (after, ticket) = wait(ask(&pacer, now));
    assert!(after <= secs(1), "{after:?}");
    let _second = go(ticket.poll(now + secs(1)));
    let _ = wait(ask(&pacer, now + secs(1)));
}

#[test]
fn if_the_one_who_asks_is_told_nothing_the_next_one_asks() {
    let (pacer, now) = seen(7, 0);
    let asking = go(ask(&pacer, now));
    let (_, ticket) = wait(ask(&pacer, now));
    // It may have been answered without limits, or not at all.
    assert!(asking.on_outcome(&outcome(502, &[]), now + millis(10)).is_none());
    drop(go(ticket.poll(now + millis(10))));
    let _asking = go(ask(&pacer, now + millis(20)));
    let _ = wait(ask(&pacer, now + millis(20)));
}

#[test]
fn an_endpoint_that_never_showed_a_limit_holds_nobody_back() {
    let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    let _ = go(ask(&pacer, now)).on_outcome(&outcome(200, &[]), now);
    let permits: Vec<_> = (0..1_000).map(|_| go(ask(&pacer, now))).collect();
    assert_eq!(permits.len(), 1_000);

    let lost = Pacer::new();
    drop(go(ask(&lost, now)));
    let _both = (go(ask(&lost, now)), go(ask(&lost, now)));
}

#[test]
fn any_sign_of_a_limit_holds_back() {
    for sign in [
        outcome(429, &[]),
        outcome(200, &[("x-ratelimit-limit", 60)]),
        outcome(200, &[("x-ratelimit-remaining", 7)]),
        outcome(404, &[("x-ratelimit-remaining", 7)]),
    ] {
        let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
        let ticket = go(ask(&pacer, now)).on_outcome(&sign, now);
        let then = now + ticket.as_ref().map_or(Duration::ZERO, |ticket| ticket.turn(now));
        let _first = ticket.map(|ticket| go(ticket.poll(then)));
        let asked: Vec<_> = (0..9).map(|_| ask(&pacer, then)).collect();
        assert!(asked.iter().any(|pace| matches!(pace, Pace::Wait { .. })), "{sign}");
    }
}

#[test]
fn a_slow_answer_holds_the_others_back_for_a_second_at_most() {
    // Others had two thirds of the window, so that one of ours may be under way.
    let (pacer, now) = seen(60, 20);
    let _slow = go(ask(&pacer, now));
    let _ = wait(ask(&pacer, now + millis(999)));
    let _next = go(ask(&pacer, now + millis(1_000)));
    let _ = wait(ask(&pacer, now + millis(1_999)));
}

#[test]
fn no_more_are_under_way_than_are_left() {
    let (pacer, now) = seen(60, 59);
    let mut left = 59;
    // Twice as many as were taken, and eight at most.
    for room in [2, 6, 8, 8] {
        let permits: Vec<_> = (0..room).map(|_| go(ask(&pacer, now))).collect();
        let _ = wait(ask(&pacer, now));
        for permit in permits {
            left -= 1;
            let _ = permit.on_outcome(&taken(60, left), now);
        }
    }
    let (pacer, now) = seen(3, 2);
    let _both = (go(ask(&pacer, now)), go(ask(&pacer, now)));
    let _ = wait(ask(&pacer, now + millis(999)));
    let _ = wait(ask(&pacer, now + secs(30)));
}

#[test]
fn a_used_up_window_of_unknown_length_is_asked_about_once() {
    let (pacer, now) = seen(1, 0);
    let asking = go(ask(&pacer, now));
    let (after, ticket) = wait(ask(&pacer, now));
    assert!(after <= secs(1), "as long as the window is a guess, nobody sleeps long: {after:?}");
    let refused = asking.on_outcome(&refused(1, 60), now + millis(100)).unwrap();
    assert_eq!(refused.turn(now + millis(100)), secs(60));
    let (after, _ticket) = wait(ticket.poll(now + millis(200)));
    assert!(after >= secs(59), "{after:?}");
}

#[test]
fn who_asks_about_a_used_up_window_is_one_and_asks_until_it_is_answered() {
    // Lost, it was told nothing.
    let (pacer, now) = seen(1, 0);
    let asking = go(ask(&pacer, now));
    let _ = wait(ask(&pacer, now + secs(30)));
    drop(asking);
    drop(go(ask(&pacer, now + secs(30))));

    // One that is under way asks as well.
    let (pacer, now) = seen(60, 59);
    let (one, other) = (go(ask(&pacer, now)), go(ask(&pacer, now)));
    let _ = one.on_outcome(&taken(60, 0), now);
    let _ = wait(ask(&pacer, now));
    drop(other);
    drop(go(ask(&pacer, now)));

    // Taken, it was told nothing.
    let (pacer, now) = seen(2, 0);
    let _ = go(ask(&pacer, now)).on_outcome(&taken(2, 0), now);
    drop(go(ask(&pacer, now)));
}

#[test]
fn a_window_whose_length_is_known_stays_closed_until_it_is_over() {
    let (pacer, now) = seen(1, 0);
    let ticket = go(ask(&pacer, now)).on_outcome(&refused(1, 60), now).unwrap();
    let then = now + secs(60);
    let _ = go(ticket.poll(then)).on_outcome(&taken(1, 0), then);
    let (_, ticket) = wait(ask(&pacer, then));
    let (_, ticket) = wait(ticket.poll(then + millis(59_999)));
    drop(go(ticket.poll(then + millis(60_100))));
}

#[test]
fn a_shorter_window_is_learnt_from_a_refusal_or_from_its_turning_over() {
    let (pacer, now) = seen(1, 0);
    let ticket = go(ask(&pacer, now)).on_outcome(&refused(1, 1), now + millis(10)).unwrap();
    let _ = go(ticket.poll(now + millis(1_010))).on_outcome(&taken(1, 0), now + millis(1_010));
    let (after, _) = wait(ask(&pacer, now + millis(1_010)));
    assert!(after <= millis(1_100), "{after:?}");

    let (pacer, now) = seen(2, 1);
    let _ = go(ask(&pacer, now)).on_outcome(&taken(2, 0), now);
    let _ = go(ask(&pacer, now + millis(1_500))).on_outcome(&taken(2, 1), now + millis(1_500));
    let _ = go(ask(&pacer, now + millis(1_500))).on_outcome(&taken(2, 0), now + millis(1_500));
    let (after, _) = wait(ask(&pacer, now + millis(1_500)));
    assert!(after <= millis(1_100), "a window began within 1.5 s of another: {after:?}");
}

#[test]
fn a_refusal_that_tells_no_wait_closes_for_a_window_and_nobody_asks_before() {
    let (pacer, now) = seen(60, 59);
    let ticket = go(ask(&pacer, now)).on_outcome(&outcome(429, &[("x-ratelimit-limit", 60)]), now).unwrap();
    assert_eq!(ticket.turn(now), secs(60));
    let (after, _ticket) = wait(ask(&pacer, now));
    assert!(after >= secs(60), "{after:?}");
}

#[test]
fn a_refusal_closes_for_an_hour_at_most_and_a_quarter_of_a_second_at_least() {
    for (told, closed) in [(7_200, secs(3_600)), (3_599, secs(3_599)), (1, secs(1)), (0, millis(250))] {
        let (pacer, now) = seen(60, 59);
        let ticket = go(ask(&pacer, now)).on_outcome(&refused(60, told), now).unwrap();
        assert_eq!(ticket.turn(now), closed);
        let _ = wait(ask(&pacer, now + closed.saturating_sub(millis(1))));
        drop(go(ticket.poll(now + closed)));
    }
}

#[test]
fn a_refusal_closes_for_as_long_as_it_says_and_a_second_one_changes_nothing() {
    let (pacer, now) = seen(60, 40);
    let (one, other) = (go(ask(&pacer, now)), go(ask(&pacer, now)));
    let first = one.on_outcome(&refused(60, 30), now).unwrap();
    let turn = first.turn(now);
    let second = other.on_outcome(&refused(60, 30), now).unwrap();
    assert!(turn >= secs(30));
    assert_eq!(second.turn(now), turn);
    let (after, _first) = wait(first.poll(now + millis(29_999)));
    assert!(after >= millis(1));
}

/// Refused for a whole window `times` over, then for the last time for `wait`: how long until its turn.
fn turn_after_refusals(times: u32, wait: u64, seed: u64, has_more: bool) -> Duration {
    let (pacer, mut now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    let mut permit = go(pacer.poll(&Method::GET, "events", now, seed));
    for _ in 0..times {
        let ticket = permit.on_outcome(&refused(60, 60), now).unwrap();
        now = now.saturating_add(ticket.turn(now));
        permit = go(ticket.poll(now));
    }
    let _others = has_more.then(|| self::wait(pacer.poll(&Method::GET, "events", now, seed)));
    permit.on_outcome(&refused(60, wait), now).unwrap().turn(now)
}

#[test]
fn who_comes_a_little_too_soon_waits_no_longer_than_it_is_told() {
    for seed in 0..50 {
        assert_eq!(turn_after_refusals(4, 7, seed, false), secs(7));
    }
    assert!((0..50).any(|seed| turn_after_refusals(4, 30, seed, false) > secs(100)));
}

#[test]
fn who_is_refused_in_a_row_leaves_whole_windows_to_others_fewer_with_more_calls_to_make() {
    let longest = |has_more| (0..200).map(|seed| turn_after_refusals(6, 60, seed, has_more).as_secs() / 60).max();
    assert_eq!((longest(false), longest(true)), (Some(16), Some(9)));
}

#[test]
fn who_was_refused_by_a_window_that_is_known_to_be_used_up_leaves_none_to_others() {
    for seed in 0..50 {
        // Others had all but one; the refusal is of the call that asks how long.
        let (pacer, now) = seen(60, 0);
        let asking = go(pacer.poll(&Method::GET, "events", now, seed));
        assert_eq!(asking.on_outcome(&refused(60, 60), now).unwrap().turn(now), secs(60));

        // It was sent in the window before this one.
        let (pacer, now) = seen(60, 59);
        let late = go(pacer.poll(&Method::GET, "events", now, seed));
        let now = now + secs(61);
        let _next = go(ask(&pacer, now));
        assert_eq!(late.on_outcome(&refused(60, 30), now).unwrap().turn(now), secs(30));
    }
}

#[test]
fn who_got_nothing_of_a_window_does_not_come_back_with_all_the_others() {
    let turns = (0..50).map(|seed| {
        let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
        let permit = go(pacer.poll(&Method::GET, "events", now, seed));
        permit.on_outcome(&refused(60, 60), now).unwrap().turn(now).as_millis() % 60_000
    });
    let turns: std::collections::BTreeSet<_> = turns.collect();
    assert!(turns.len() > 40 && turns.iter().all(|within| *within < 30_000), "{turns:?}");
}

/// How long the next window is thought to be, after a call that was sent so long after the first one of a window of two,
/// and was refused for half a minute.
fn length_after_a_refusal(after_begin: Duration) -> Duration {
    let (pacer, now) = seen(2, 1);
    let now = now.saturating_add(after_begin);
    let ticket = go(ask(&pacer, now)).on_outcome(&refused(2, 30), now).unwrap();
    let now = now.saturating_add(ticket.turn(now));
    let _ = go(ticket.poll(now)).on_outcome(&taken(2, 1), now);
    let _ = go(ask(&pacer, now)).on_outcome(&taken(2, 0), now);
    wait(ask(&pacer, now)).1.turn(now)
}

#[test]
fn a_wait_tells_the_length_of_a_window_that_was_seen_to_begin_and_is_not_over() {
    for (after_begin, length) in [(30, 60), (10, 40), (60, 30), (61, 30)] {
        let thought = length_after_a_refusal(secs(after_begin));
        assert!(thought >= secs(length) && thought < secs(length + 1), "{after_begin}: {thought:?}");
    }
}

#[test]
fn who_gets_little_of_a_window_leaves_some_to_the_others() {
    let turns = (0..50_u64).map(|seed| {
        let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
        let asked = go(pacer.poll(&Method::GET, "events", now, seed)).on_outcome(&refused(60, 60), now).unwrap();
        let now = now + asked.turn(now);
        let _ = go(asked.poll(now)).on_outcome(&taken(60, 0), now);
        wait(pacer.poll(&Method::GET, "events", now, seed)).1.turn(now).as_secs() / 60
    });
    assert_eq!(turns.max(), Some(4), "a window, and at most three more the second time");
}

/// All of a window of two calls was ours, and the next one has come.
fn had_all() -> (Pacer, Moment, Ticket) {
    let (pacer, now) = seen(2, 1);
    let _ = go(ask(&pacer, now)).on_outcome(&taken(2, 0), now);
    let ticket = go(ask(&pacer, now)).on_outcome(&refused(2, 60), now).unwrap();
    (pacer, now.saturating_add(secs(61)), ticket)
}

#[test]
fn where_calls_come_back_one_by_one_they_go_one_by_one() {
    let (pacer, now, ticket) = had_all();
    // It does not begin full.
    let _ = go(ticket.poll(now)).on_outcome(&taken(2, 0), now);
    let (after, ticket) = wait(ask(&pacer, now));
    assert!(after >= secs(30) && after < secs(31), "{after:?}");
    let (_, next) = wait(ask(&pacer, now));
    assert!(next.turn(now) >= secs(60) && next.turn(now) < secs(61), "{:?}", next.turn(now));
    drop(go(ticket.poll(now + after)));
}

#[test]
fn where_a_window_begins_full_it_is_over_all_at_once() {
    let (pacer, now, ticket) = had_all();
    let _ = go(ticket.poll(now)).on_outcome(&taken(2, 1), now);
    let _ = go(ask(&pacer, now)).on_outcome(&taken(2, 0), now);
    let (after, _ticket) = wait(ask(&pacer, now));
    assert!(after >= secs(60) && after < secs(61), "{after:?}");
}

#[test]
fn newcomers_do_not_overtake_and_a_place_that_is_given_back_is_free() {
    let (pacer, now) = seen(3, 2);
    let (one, other) = (go(ask(&pacer, now)), go(ask(&pacer, now)));
    let (_, first) = wait(ask(&pacer, now));
    let (_, second) = wait(ask(&pacer, now));
    let _ = one.on_outcome(&taken(3, 1), now);
    let (_, third) = wait(ask(&pacer, now));
    let (_, second) = wait(second.poll(now));
    drop(first);
    let (_, third) = wait(third.poll(now));
    // One is left and one is under way, whose fate decides.
    drop(other);
    drop(go(second.poll(now)));
    drop(go(third.poll(now)));
}

#[test]
fn who_does_not_come_back_holds_nobody_up_and_keeps_its_place() {
    let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    let probe = go(ask(&pacer, now));
    let (first_after, first) = wait(ask(&pacer, now));
    let (_, second) = wait(ask(&pacer, now));
    let _ = probe.on_outcome(&taken(60, 59), now);
    let now = now + first_after + millis(300);
    let (one, _other) = (go(second.poll(now)), go(ask(&pacer, now)));
    let (_, later) = wait(ask(&pacer, now));
    let (_, first) = wait(first.poll(now));
    drop(one);
    let (_, _later) = wait(later.poll(now));
    drop(go(first.poll(now)));
}

#[test]
fn a_waiter_is_told_which_window_is_its_own() {
    for limit in [1, 7] {
        let (pacer, now) = seen(limit, 0);
        let head = go(ask(&pacer, now)).on_outcome(&refused(limit, 60), now).unwrap();
        let tickets: Vec<_> = (0..100).map(|_| wait(ask(&pacer, now))).collect();
        for (place, (after, ticket)) in (1..).zip(&tickets) {
            assert_eq!(ticket.turn(now).as_secs() / 60, 1 + place / limit, "{limit}");
            assert!(*after <= secs(120).max(ticket.turn(now) / 2), "it hears of changes before: {after:?}");
        }
        drop(head);
        let (_, first) = tickets.into_iter().next().unwrap();
        drop(go(first.poll(now + secs(60))));
    }
}

#[test]
fn endless_endpoints_take_no_endless_memory_and_those_in_use_stay() {
    let (pacer, now) = seen(1, 0);
    let ticket = go(ask(&pacer, now)).on_outcome(&refused(1, 600), now).unwrap();
    for number in 0..10_000 {
        drop(go(pacer.poll(&Method::GET, &format!("contacts/{number}"), now + millis(number), number)));
    }
    assert_eq!(pacer.shared.lock().unwrap().len(), Pacer::MAX_ENDPOINTS);
    let _ = wait(ask(&pacer, now + secs(100)));
    drop(ticket);
    let _newest = go(pacer.poll(&Method::GET, "newest", now + secs(100), 1));
    let _ = wait(pacer.poll(&Method::GET, "newest", now + secs(100), 1));

    let crowded = Pacer::new();
    let permits: Vec<_> =
        (0..300).map(|number| go(crowded.poll(&Method::GET, &format!("contacts/{number}"), now, 1))).collect();
    assert_eq!(crowded.shared.lock().unwrap().len(), Pacer::MAX_ENDPOINTS);
    assert_eq!(permits.len(), 300);
}

#[test]
fn methods_are_endpoints_of_their_own_and_clones_share() {
    let (pacer, now) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    let _get = go(ask(&pacer, now));
    let _post = go(pacer.clone().poll(&Method::POST, "events", now, 1));
    let _ = wait(pacer.clone().poll(&Method::GET, "/events", now, 1));
    assert_eq!(format!("{pacer:?}"), "Pacer { endpoints: 2 }");
    let (permit, (_, ticket)) = (go(pacer.poll(&Method::PUT, "events", now, 1)), wait(ask(&pacer, now)));
    assert_eq!(format!("{permit:?} {ticket:?}"), "Permit { .. } Ticket { .. }");
}

#[test]
fn a_panic_while_it_is_locked_spoils_nothing() {
    let (pacer, now) = seen(60, 59);
    let lane = pacer.lane(&Method::GET, "events", now);
    let panicked = std::thread::spawn(move || {
        let _locked = lane.lock().unwrap();
        panic!("while it was locked");
    });
    assert!(panicked.join().is_err());
    drop(go(ask(&pacer, now)));
}

/// What a server of one process, a window of a second and a round trip of some milliseconds sees: 500 jobs of 64 callers.
#[test]
fn many_callers_of_one_process_are_hardly_ever_refused() {
    const WINDOW: Duration = Duration::from_secs(1);
    const LIMIT: u64 = 60;

    let (pacer, start) = (Pacer::new(), Moment::since_origin(Duration::from_secs(100_000)));
    // When, the order of coming in, and a caller with its ticket or its permit.
    let mut agenda = BinaryHeap::new();
    let mut callers: Vec<(Option<Ticket>, Option<Permit>)> = (0..64).map(|_| (None, None)).collect();
    for caller in 0..callers.len() {
        agenda.push((std::cmp::Reverse(start), caller));
    }
    let (mut begun, mut used, mut jobs, mut refusals, mut polls) = (start, 0, 500, 0, 0);
    while let Some((std::cmp::Reverse(now), caller)) = agenda.pop() {
        let (ticket, permit) = &mut callers[caller];
        if let Some(permit) = permit.take() {
            if now >= begun + WINDOW {
                (begun, used) = (now, 0);
            }
            if used < LIMIT {
                used += 1;
                assert!(permit.on_outcome(&taken(LIMIT, LIMIT - used), now).is_none());
            } else {
                refusals += 1;
                *ticket = permit.on_outcome(&refused(LIMIT, 1), now);
            }
            agenda.push((std::cmp::Reverse(now), caller));
            continue;
        }
        let pace = match ticket.take() {
            Some(ticket) => ticket.poll(now),
            None if jobs == 0 => continue,
            None => {
                jobs -= 1;
                pacer.poll(&Method::GET, "events", now, jobs)
            }
        };
        polls += 1;
        match pace {
            Pace::Go(granted) => {
                *permit = Some(granted);
                agenda.push((std::cmp::Reverse(now + millis(2)), caller));
            }
            Pace::Wait { after, ticket: kept } => {
                *ticket = Some(kept);
                agenda.push((std::cmp::Reverse(now + after), caller));
            }
        }
        assert!(now < start + secs(15), "500 jobs at 60 a second");
    }
    assert!(refusals <= 25, "{refusals} refused");
    assert!(polls < 10_000, "{polls} polls");
}
