#![allow(clippy::arithmetic_side_effects, reason = "numbers of the tests' own")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{endpoint::Endpoint, *};

mod world;

use world::{Server, World};

const MINUTE: u64 = 60_000;

fn at(millis: u64) -> Moment {
    Moment::since_origin(Duration::from_millis(millis))
}

fn ask(pacer: &Pacer, now: u64) -> Turn {
    pacer.ask(&Method::GET, "events", at(now), now, None)
}

fn taken(limit: u64, remaining: u64) -> Told {
    Told { is_success: true, limit: Some(limit), remaining: Some(remaining), ..Told::default() }
}

fn refused(wait: Option<u64>) -> Told {
    Told { is_refused: true, wait, ..Told::default() }
}

#[track_caller]
fn go(turn: Turn) -> Permit {
    match turn {
        Turn::Go(permit) => permit,
        Turn::Wait { pause, turn, .. } => panic!("it sleeps {pause:?}, its turn comes after {turn:?}"),
    }
}

#[track_caller]
fn wait(turn: Turn) -> (Duration, Duration, Ticket) {
    match turn {
        Turn::Wait { pause, turn, ticket } => (pause, turn, ticket),
        Turn::Go(_) => panic!("it goes"),
    }
}

/// A pacer that has seen one call, at 0, and left this many of its window.
fn seen(limit: u64, remaining: u64) -> Pacer {
    let pacer = Pacer::new();
    assert!(go(ask(&pacer, 0)).on_answer(taken(limit, remaining), at(0)).is_none());
    pacer
}

#[test]
fn one_call_opens_an_unknown_endpoint_and_a_lost_or_failed_one_opens_it_no_further_than_two() {
    let unavailable = Told::default();
    for lost in [true, false] {
        let pacer = Pacer::new();
        let first = go(ask(&pacer, 0));
        let mut tickets: Vec<_> = (0..999).map(|_| wait(ask(&pacer, 0)).2).collect();
        if lost {
            drop(first);
        } else {
            assert!(first.on_answer(unavailable, at(100)).is_none());
        }
        let mut under_way = Vec::new();
        for ticket in tickets.drain(..) {
            if let Turn::Go(permit) = ticket.poll(at(100)) {
                under_way.push(permit);
            }
        }
        assert_eq!(under_way.len(), 2, "lost: {lost}");
    }
}

#[test]
fn without_a_limit_the_calls_under_way_double_with_each_round_trip() {
    let pacer = Pacer::new();
    let mut tickets: Vec<_> = vec![];
    let mut going = vec![go(ask(&pacer, 0))];
    tickets.extend((0..99).map(|_| wait(ask(&pacer, 0)).2));
    for round in 1..=5 {
        let now = round * 100;
        for permit in going.drain(..) {
            let _ = permit.on_answer(Told { is_success: true, ..Told::default() }, at(now));
        }
        let waiting = std::mem::take(&mut tickets);
        for ticket in waiting {
            match ticket.poll(at(now)) {
                Turn::Go(permit) => going.push(permit),
                Turn::Wait { ticket, .. } => tickets.push(ticket),
            }
        }
        assert_eq!(going.len(), 1 << round);
    }
}

#[test]
fn what_fits_into_what_is_left_goes_at_once() {
    let pacer = seen(60, 59);
    let permits: Vec<_> = (0..59).map(|_| go(ask(&pacer, 1))).collect();
    let _ = wait(ask(&pacer, 1));
    drop(permits);
    // A window that was seen full, and is over.
    let pacer = seen(60, 59);
    let permits: Vec<_> = (0..60).map(|_| go(ask(&pacer, MINUTE))).collect();
    let _ = wait(ask(&pacer, MINUTE));
    drop(permits);
}

#[test]
fn when_more_wait_than_are_left_half_goes_at_once_and_the_rest_is_spaced() {
    let pacer = Pacer::new();
    let opener = go(ask(&pacer, 0));
    let tickets: Vec<_> = (0..99).map(|_| wait(ask(&pacer, 0)).2).collect();
    let _ = opener.on_answer(taken(60, 59), at(100));
    let mut going = Vec::new();
    let mut waiting = Vec::new();
    for ticket in tickets {
        match ticket.poll(at(200)) {
            Turn::Go(permit) => going.push(permit),
            Turn::Wait { turn, ticket, .. } => waiting.push((turn, ticket)),
        }
    }
    assert_eq!(going.len(), 29);
    let (first, second) = (waiting[0].0, waiting[1].0);
    assert!(
        first > Duration::from_millis(1_500) && second > first + Duration::from_millis(1_500),
        "{first:?} {second:?}"
    );
    assert!(waiting[29].0 < Duration::from_secs(60), "{:?}", waiting[29].0);
    assert!(waiting[30].0 >= Duration::from_millis(59_900), "{:?}", waiting[30].0);
}

#[test]
fn answers_out_of_order_never_open_a_window() {
    let pacer = seen(60, 59);
    let (slow, fast) = (go(ask(&pacer, 1)), go(ask(&pacer, 1)));
    let _ = fast.on_answer(taken(60, 0), at(2));
    // Laravel reads the count after the work: a slow call shows a later one, even of the next window.
    let _ = slow.on_answer(taken(60, 59), at(3));
    let question = go(ask(&pacer, 4));
    let _ = wait(ask(&pacer, 4));
    // Neither does a success that was sent before the refusal.
    let pacer = seen(60, 59);
    let (slow, fast) = (go(ask(&pacer, 1)), go(ask(&pacer, 1)));
    let ticket = fast.on_answer(refused(Some(30_000)), at(2)).unwrap();
    let _ = slow.on_answer(taken(60, 50), at(3));
    assert!(wait(ask(&pacer, 4)).1 >= Duration::from_millis(29_998));
    drop((question, ticket));
}

// `docs/faults.md` 89.
#[test]
fn any_refusal_closes_and_one_that_tells_no_wait_counts_as_a_window() {
    for (told, least, most) in [
        (Some(30_000), 30_000, 31_000),
        (None, MINUTE, MINUTE + 1_000),
        (Some(0), 1_000, 1_000),
        (Some(10 * 365 * 86_400_000), 3_600_000, 3_601_000),
        (Some(u64::MAX), 3_600_000, 3_601_000),
    ] {
        let pacer = Pacer::new();
        let ticket = go(ask(&pacer, 0)).on_answer(refused(told), at(0)).unwrap();
        let (_, turn, other) = wait(ask(&pacer, 0));
        assert!(turn >= Duration::from_millis(least) && turn <= Duration::from_millis(most), "{told:?}: {turn:?}");
        // The call that was refused keeps its place in front.
        assert!(ticket.turn(at(0)) >= Duration::from_millis(least));
        let _ = wait(ticket.poll(at(least - 1)));
        drop(other);
    }
}

#[test]
fn a_call_at_its_deadline_goes_unless_the_server_said_no_until_later() {
    let pacer = seen(1, 0);
    let question = go(ask(&pacer, 0));
    let deadline = |after| Some(at(after));
    let (pause, turn, ticket) = wait(pacer.ask(&Method::GET, "events", at(0), 1, deadline(5_000)));
    assert!(pause <= Duration::from_secs(5) && turn <= Duration::from_secs(5), "{pause:?} {turn:?}");
    let _ = wait(ticket.poll(at(4_999)));
    let last = go(pacer.ask(&Method::GET, "events", at(5_000), 2, deadline(5_000)));
    let _keeps = question.on_answer(refused(Some(20_000)), at(5_000));
    let (_, turn, _) = wait(pacer.ask(&Method::GET, "events", at(5_000), 3, deadline(9_000)));
    assert!(turn >= Duration::from_secs(20), "it is known at once that its turn comes too late: {turn:?}");
    let (_, turn, ticket) = wait(pacer.ask(&Method::GET, "events", at(5_000), 4, deadline(25_000)));
    assert!(turn <= Duration::from_secs(20), "{turn:?}");
    let (_, turn, _) = wait(pacer.ask(&Method::GET, "events", at(6_000), 5, deadline(6_000)));
    assert!(turn >= Duration::from_secs(19), "at its deadline, and the server said no: {turn:?}");
    drop((last, go(ticket.poll(at(25_000)))));
}

#[test]
fn each_of_many_calls_that_is_the_last_of_its_window_is_followed_by_the_next_after_a_window() {
    let mut world = World::new(Server::fixed(1), 1, 81);
    world.run();
    assert_eq!(world.done.len(), 81);
    let longest = world.longest_gap();
    assert!(longest <= MINUTE + 2_000, "{longest}");
}

#[test]
fn a_leaky_bucket_is_drained_at_its_rate() {
    let mut world = World::new(Server::bucket(60, 12), 1, 400);
    world.run();
    let (drain, ideal) = (world.drained(), (400 - 12) * 1_000);
    assert!(drain * 10 <= ideal * 11, "{drain} of {ideal}");
    assert!(world.refused * 100 <= 400 * 3, "{}", world.refused);
}

#[test]
fn two_equal_processes_share_a_window_fairly() {
    for seed in 1..=3 {
        let mut world = World::new(Server::fixed(15), 2, 15 * 20).seeded(seed);
        world.run();
        let half = world.done[world.done.len() / 2].0;
        let mut shares = BTreeMap::<usize, usize>::new();
        for (when, process) in &world.done {
            *shares.entry(*process).or_default() += usize::from(*when <= half);
        }
        let least = shares.values().min().copied().unwrap_or_default();
        assert!(shares.len() == 2 && least >= 75 / 3, "seed {seed}: {shares:?}");
    }
}

#[test]
fn when_most_of_a_thousand_give_up_the_next_call_goes_as_soon_as_there_is_room() {
    for seed in 1..=5 {
        let mut world = World::new(Server::fixed(7), 1, 1_000).seeded(seed);
        world.run_until(30_000);
        let before = world.done.len();
        world.cancel_all_but(10);
        world.run();
        assert_eq!(world.done.len(), before + 10, "seed {seed}");
        let next = world.done[before].0;
        assert!(next <= MINUTE + 2_000, "seed {seed}: {next}");
        assert!(world.drained() <= 2 * MINUTE + 5_000, "seed {seed}: {}", world.drained());
    }
}

#[test]
fn a_server_that_tells_no_wait_for_ever_is_called_forty_times_an_hour_at_most() {
    for wait in [Some(0), None] {
        let mut world = World::new(Server::refusing(wait), 1, 100);
        world.run_until(3_600_000);
        assert!(world.refused <= 40, "{wait:?}: {}", world.refused);
        assert!(world.refused >= 10, "{wait:?}: {}", world.refused);
    }
}

#[test]
fn a_waiter_polls_twenty_times_a_second_at_most_while_answers_hang() {
    let mut world = World::new(Server::hanging(), 1, 50);
    world.run_until(20_000);
    let most = world.polls.values().max().copied().unwrap_or_default();
    assert!(most <= 20 * 20 + 1, "{most}");
}

/// What it costs is a row of `cargo xtask bench`.
#[test]
fn the_last_of_200_000_waiters_that_leave_in_any_order_goes() {
    let pacer = seen(1, 0);
    let question = go(ask(&pacer, 0));
    let mut tickets: Vec<_> = (0..200_000_u64).map(|_| wait(ask(&pacer, 1)).2).collect();
    let mut jitter = Jitter::new(1);
    while tickets.len() > 1 {
        let at = usize::try_from(jitter.seed()).unwrap_or_default() % tickets.len();
        drop(tickets.swap_remove(at));
    }
    drop(question);
    assert!(matches!(tickets.pop().unwrap().poll(at(61_000)), Turn::Go(_)));
}

#[test]
fn a_waiter_takes_at_most_128_bytes() {
    let in_queue = 24 + 4;
    // A vector may have twice the room that it needs.
    assert!(size_of::<Ticket>() + 2 * in_queue <= 128, "{}", size_of::<Ticket>());
}

#[test]
fn endpoints_are_bounded_and_those_in_use_stay() {
    let pacer = Pacer::new();
    let kept = seen(7, 0);
    drop(kept);
    let permit = go(ask(&pacer, 0));
    for id in 0..100_000 {
        drop(pacer.ask(&Method::GET, &format!("contacts/{id}"), at(0), 0, None));
    }
    let endpoints = pacer.endpoints.lock().unwrap().len();
    assert!((128..=300).contains(&endpoints), "{endpoints}");
    // It is still the same one: its call is under way.
    let _ = wait(ask(&pacer, 0));
    drop(permit);
    // As many in use as there are callers.
    let permits: Vec<_> = (0..1_000).map(|id| pacer.ask(&Method::GET, &format!("{id}"), at(0), 0, None)).collect();
    for id in 0..1_000 {
        let _ = wait(pacer.ask(&Method::GET, &format!("{id}"), at(0), 0, None));
    }
    drop(permits);
}

#[test]
fn an_endpoint_that_is_not_in_use_is_remembered_while_127_others_are_called() {
    let pacer = Pacer::new();
    drop(go(ask(&pacer, 0)).on_answer(refused(Some(30_000)), at(0)));
    for id in 0..127 {
        drop(pacer.ask(&Method::GET, &format!("contacts/{id}"), at(0), 0, None));
    }
    let _ = wait(ask(&pacer, 1));
}

#[test]
fn the_method_and_the_path_make_an_endpoint_and_clones_share_it() {
    let pacer = Pacer::new();
    let _first = go(ask(&pacer, 0));
    let _ = wait(ask(&pacer.clone(), 0));
    let _ = wait(pacer.ask(&Method::GET, "/events", at(0), 0, None));
    let _other = go(pacer.ask(&Method::POST, "events", at(0), 0, None));
    let _another = go(pacer.ask(&Method::GET, "contacts", at(0), 0, None));
}

#[test]
fn a_waiter_that_does_not_come_back_holds_no_other_up_and_keeps_its_place() {
    let pacer = Pacer::new();
    let opener = go(ask(&pacer, 0));
    let (pause, _, late) = wait(ask(&pacer, 0));
    let (_, _, second) = wait(ask(&pacer, 0));
    let (_, _, third) = wait(ask(&pacer, 0));
    let woken = u64::try_from(pause.as_millis()).unwrap();
    let _ = opener.on_answer(Told::default(), at(woken));
    let (_, _, third) = wait(third.poll(at(woken + 250)));
    let _second = go(second.poll(at(woken + 251)));
    let _late = go(late.poll(at(woken + 251)));
    let _ = wait(third.poll(at(woken + 251)));
}

#[test]
fn a_clock_that_was_set_back_goes_on_and_one_that_is_read_late_does_not_go_back() {
    let mut endpoint = Endpoint::new();
    let number = endpoint.join();
    let lease = endpoint.ask(number, at(3_600_000), None, 0).unwrap();
    let later = endpoint.answer(number, lease, refused(Some(10_000)), at(3_600_000), None, 0).unwrap();
    assert!(later.turn >= Duration::from_secs(10));
    // Read a little late: the latest counts.
    assert!(endpoint.ask(number, at(3_599_500), None, 0).unwrap_err().turn >= Duration::from_secs(10));
    // Set back by an hour: the time that goes by still counts.
    assert!(endpoint.ask(number, at(0), None, 0).unwrap_err().turn >= Duration::from_secs(10));
    assert!(endpoint.ask(number, at(11_001), None, 0).is_ok());
}

#[test]
fn a_panic_while_it_is_locked_spoils_nothing() {
    let pacer = seen(60, 59);
    let other = pacer.clone();
    let ended = std::thread::spawn(move || {
        let _held = other.endpoints.lock().unwrap();
        panic!("as an example");
    });
    assert!(ended.join().is_err());
    drop(go(ask(&pacer, 1)));
    assert_eq!(format!("{pacer:?}"), "Pacer { endpoints: 1 }");
}

/// What a caller does next, whatever the answer was.
#[derive(Clone, Debug)]
enum Does {
    Asks { endpoint: u8, deadline: Option<u64> },
    Polls(usize),
    Drops(usize),
    Answers(usize, Told),
    Loses(usize),
    Passes(u64),
    GoesBack(u64),
}

fn number() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), Just(Some(0)), Just(Some(u64::MAX)), (0..100_u64).prop_map(Some)]
}

fn does() -> impl Strategy<Value = Does> {
    let told =
        (any::<bool>(), any::<bool>(), number(), number(), prop_oneof![number(), (0..100_000_u64).prop_map(Some)]);
    let told = told.prop_map(|(is_refused, is_success, limit, remaining, wait)| Told {
        is_refused,
        is_success,
        limit,
        remaining,
        wait,
    });
    prop_oneof![
        4 => (0..3_u8, prop_oneof![Just(None), (0..200_000_u64).prop_map(Some)])
            .prop_map(|(endpoint, deadline)| Does::Asks { endpoint, deadline }),
        4 => any::<usize>().prop_map(Does::Polls),
        1 => any::<usize>().prop_map(Does::Drops),
        4 => (any::<usize>(), told).prop_map(|(which, told)| Does::Answers(which, told)),
        1 => any::<usize>().prop_map(Does::Loses),
        4 => prop_oneof![0..2_000_u64, 0..200_000_u64, Just(u64::MAX / 4)].prop_map(Does::Passes),
        1 => any::<u64>().prop_map(Does::GoesBack),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Bad input in any order: no panic, no pause that is too short or without end, and the endpoint opens again.
    #[test]
    fn nothing_that_is_told_or_done_stops_an_endpoint(all in prop::collection::vec(does(), 1..120)) {
        let pacer = Pacer::new();
        let (mut now, mut tickets, mut permits) = (0_u64, Vec::new(), Vec::new());
        let sort = |turn: Turn, tickets: &mut Vec<Ticket>, permits: &mut Vec<Permit>| {
            match turn {
                Turn::Go(permit) => permits.push(permit),
                Turn::Wait { pause, ticket, .. } => {
                    assert!(pause >= Duration::from_millis(50), "{pause:?}");
                    // An hour, the jitter, and eight windows of a quarter of an hour left out; half of one in line.
                    assert!(pause <= Duration::from_secs(3_600 + 2 + 9 * 900), "{pause:?}");
                    tickets.push(ticket);
                }
            }
        };
        for step in all {
            match step {
                Does::Asks { endpoint, deadline } => {
                    let deadline = deadline.map(|after| at(now.saturating_add(after)));
                    let turn = pacer.ask(&Method::GET, &endpoint.to_string(), at(now), now, deadline);
                    sort(turn, &mut tickets, &mut permits);
                }
                Does::Polls(which) if !tickets.is_empty() => {
                    let turn = tickets.swap_remove(which % tickets.len()).poll(at(now));
                    sort(turn, &mut tickets, &mut permits);
                }
                Does::Drops(which) if !tickets.is_empty() => drop(tickets.swap_remove(which % tickets.len())),
                Does::Answers(which, told) if !permits.is_empty() => {
                    tickets.extend(permits.swap_remove(which % permits.len()).on_answer(told, at(now)));
                }
                Does::Loses(which) if !permits.is_empty() => drop(permits.swap_remove(which % permits.len())),
                Does::Passes(time) => now = now.saturating_add(time),
                Does::GoesBack(time) => now = now.saturating_sub(time),
                _ => {}
            }
        }
        // Whatever was answered before, a call that waits is sent; all others have gone.
        drop((tickets, permits));
        for endpoint in 0..3 {
            let mut turn = pacer.ask(&Method::GET, &endpoint.to_string(), at(now), 1, None);
            let mut waited = Duration::ZERO;
            while let Turn::Wait { pause, ticket, .. } = turn {
                waited += pause;
                prop_assert!(waited <= Duration::from_secs(3_600 + 11 * 900), "{:?}", waited);
                now = now.saturating_add(u64::try_from(pause.as_millis()).unwrap());
                if now == u64::MAX {
                    // The end of time.
                    return Ok(());
                }
                turn = ticket.poll(at(now));
            }
        }
    }
}

/// Bounds on figures hold for nearly all seeds: of 100 random ones, one had a third refusal. The same cases each time, so that
/// only a change of the rule breaks one.
fn same_cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: proptest::test_runner::RngSeed::Fixed(28), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(same_cases(8))]

    /// Alive, in order and polite, with random limits, delays, losses, rivals and cancellations, on windows of both kinds.
    #[test]
    fn the_guarantees_hold_on_a_window(
        seed in any::<u64>(),
        limit in prop::sample::select(vec![5_u64, 7, 15, 60]),
        round_trip in prop::sample::select(vec![50_u64, 300, 2_000]),
        into_window in prop::option::of(0..MINUTE),
        rival in prop::sample::select(vec![0_u64, 0, 3]),
        lost in prop::sample::select(vec![0_u64, 0, 50]),
        cancelled in prop::sample::select(vec![0_usize, 0, 60]),
    ) {
        let mut server = into_window.map_or(Server::fixed(limit), |into| Server::clock(limit, into));
        (server.rival, server.lost) = (rival, lost);
        let mut world = World::new(server, 1, 120).seeded(seed).slow(round_trip);
        world.run_until(seed % MINUTE);
        world.cancel(cancelled);
        world.run();
        prop_assert_eq!(world.done.len() + world.cancelled, 120);
        // Sent within two windows of the server's having room; the answers that were lost take five seconds each.
        prop_assert!(world.silence <= 2 * MINUTE + 10_000 + 4 * round_trip, "silent for {}", world.silence);
        prop_assert!(world.overtaken <= limit + 8, "{} overtook", world.overtaken);
        if rival == 0 && lost == 0 {
            prop_assert!(world.refused <= 2 + world.done.len() / 100, "{} refused", world.refused);
        }
        for (waiter, polls) in &world.polls {
            let most = 2 + world.waited.get(waiter).copied().unwrap_or_default() / 50;
            prop_assert!(*polls <= most, "{polls} polls of {most}");
        }
    }
}

proptest! {
    #![proptest_config(same_cases(2))]

    /// Equal processes that share nothing, forty windows of both kinds. The simulator runs a hundred, with closer bounds.
    #[test]
    fn equal_processes_share_a_window(
        seed in any::<u64>(),
        processes in 2..=10_usize,
        into_window in prop::option::of(0..MINUTE),
    ) {
        let server = into_window.map_or(Server::fixed(7), |into| Server::clock(7, into));
        let mut world = World::new(server, processes, 280).seeded(seed);
        world.run();
        prop_assert_eq!(world.done.len(), 280);
        let mut shares = vec![0_usize; processes];
        for (_, process) in &world.done[..140] {
            shares[*process] += 1;
        }
        shares.sort_unstable();
        let fair = 140 / processes;
        prop_assert!(shares[0] * 5 >= fair && shares[processes / 2] * 2 >= fair, "{shares:?}");
    }
}

#[test]
fn a_ticket_that_is_dropped_holds_no_other_up() {
    let pacer = Pacer::new();
    let opener = go(ask(&pacer, 0));
    let (first, second) = (wait(ask(&pacer, 0)).2, wait(ask(&pacer, 0)).2);
    assert!(opener.on_answer(taken(7, 1), at(1)).is_none());
    drop(first);
    drop(go(second.poll(at(1))));
}

/// Numbers as an endpoint says them: how long to sleep, and how long until the turn.
fn later(asked: Result<endpoint::Leave, endpoint::Later>) -> (u128, u128) {
    let later = asked.unwrap_err();
    (later.pause.as_millis(), later.turn.as_millis())
}

#[test]
fn those_that_wait_for_an_opening_wake_a_millisecond_apart() {
    let mut endpoint = Endpoint::new();
    let first = endpoint.join();
    let leave = endpoint.ask(first, at(0), None, 0).unwrap();
    let refused = endpoint.answer(first, leave, refused(Some(30_000)), at(0), None, 0).unwrap();
    assert_eq!(refused.pause, Duration::from_secs(30));
    // The refused one keeps its place before them. Half of a window after the opening all are awake.
    let pauses: Vec<_> = (0..30_010)
        .map(|_| {
            let number = endpoint.join();
            later(endpoint.ask(number, at(0), None, 0)).0
        })
        .collect();
    assert_eq!(pauses[..3], [30_001, 30_002, 30_003]);
    assert_eq!((pauses[29_998], pauses[30_009]), (59_999, 60_000));
}

#[test]
fn one_that_sleeps_for_longer_than_its_endpoint_is_closed_is_in_no_others_way() {
    let mut endpoint = Endpoint::new();
    let (first, next) = (endpoint.join(), endpoint.join());
    let leave = endpoint.ask(first, at(0), None, 0).unwrap();
    let refused = endpoint.answer(first, leave, refused(Some(7_200_000)), at(0), None, 0).unwrap();
    assert_eq!(refused.pause, Duration::from_secs(3_600));
    assert_eq!(later(endpoint.ask(next, at(0), None, 0)).0, 3_600_000);
}

#[test]
fn those_that_wait_in_an_open_window_poll_the_less_the_more_are_before_them() {
    let mut endpoint = Endpoint::new();
    for told in [Some(taken(60, 0)), None] {
        let number = endpoint.join();
        let leave = endpoint.ask(number, at(0), None, 0).unwrap();
        if let Some(told) = told {
            assert!(endpoint.answer(number, leave, told, at(0), None, 0).is_none());
        }
    }
    let waits: Vec<_> = (0..800)
        .map(|_| {
            let number = endpoint.join();
            later(endpoint.ask(number, at(0), None, 0))
        })
        .collect();
    assert_eq!(waits[..2], [(50, 60_000), (70, 60_000)]);
    assert_eq!((waits[749].0, waits[750].0, waits[799].0), (15_030, 15_050, 15_050));
    assert_eq!(waits[60].1, 120_000);
}

#[test]
fn a_clock_that_is_read_a_second_late_was_not_set() {
    let mut endpoint = Endpoint::new();
    let number = endpoint.join();
    let leave = endpoint.ask(number, at(10_000), None, 0).unwrap();
    let _ = endpoint.answer(number, leave, refused(Some(10_000)), at(10_000), None, 0).unwrap();
    assert_eq!(later(endpoint.ask(number, at(9_000), None, 0)).1, 10_000);
    assert_eq!(later(endpoint.ask(number, at(10_500), None, 0)).1, 9_500);
}
