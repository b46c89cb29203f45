//! The shared rule by itself, and processes that ask it.

#![allow(clippy::arithmetic_side_effects, reason = "numbers of the tests' own")]

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Wake,
    thread,
    time::Duration,
};

use http::Method;

use super::{
    super::{Permit, Ticket, Told, Turn},
    lane::{EVENT, SharedLane, event},
    *,
};
use crate::retry::Jitter;

const START: u64 = 1_764_000_000_000;
const MINUTE: u64 = 60_000;

/// An answer of the engine, by the names of what the tests look at.
#[derive(Clone, Copy, Debug)]
struct Leave {
    granted: u64,
    epoch: u64,
    window: u64,
    at: u64,
    start: u64,
    count: u64,
    wait: u64,
    kept_for: u64,
}

fn answer(lane: &mut SharedLane, now: u64, events: &[[u64; EVENT]]) -> Leave {
    // The engine holds integers between two questions.
    *lane = SharedLane::from_fields(&lane.fields());
    let events: Vec<u64> = events.iter().flatten().copied().collect();
    let [granted, epoch, window, at, start, count, wait, _, _, _, _, kept_for, _] = lane.answer(START + now, &events);
    Leave { granted, epoch, window, at, start, count, wait, kept_for }
}

fn ask(lane: &mut SharedLane, now: u64, want: u64) -> Leave {
    answer(lane, now, &[[event::ASK, 0, 0, 0, want, 0, 0, 0]])
}

/// Asks again with the place in line that an earlier answer gave.
fn ask_again(lane: &mut SharedLane, now: u64, place: Leave, want: u64) -> Leave {
    answer(lane, now, &[[event::ASK, place.epoch, place.start, place.count, want, 0, 0, 0]])
}

fn told(lease: Leave, limit: u64, remaining: u64) -> [u64; EVENT] {
    let flags = event::IS_SUCCESS | event::HAS_LIMIT | event::HAS_REMAINING;
    [event::TOLD, lease.epoch, lease.window, lease.at, flags, limit, remaining, 0]
}

fn refused(lease: Leave, limit: u64, wait: u64) -> [u64; EVENT] {
    let flags = event::IS_REFUSED | event::HAS_LIMIT | event::HAS_REMAINING | event::HAS_WAIT;
    [event::TOLD, lease.epoch, lease.window, lease.at, flags, limit, 0, wait]
}

fn left(lane: &SharedLane) -> Option<u64> {
    lane.fields()[6].checked_sub(1)
}

fn under_way(lane: &SharedLane) -> u64 {
    lane.fields()[17]
}

/// A lane whose window was opened at 100 ms by a call that left `remaining` of `limit`.
fn opened(limit: u64, remaining: u64) -> SharedLane {
    let mut lane = SharedLane::default();
    let first = ask(&mut lane, 0, 1);
    assert_eq!(first.granted, 1);
    answer(&mut lane, 100, &[told(first, limit, remaining)]);
    lane
}

#[test]
fn one_call_opens_an_unknown_endpoint_and_what_fits_goes_at_once() {
    let mut lane = SharedLane::default();
    let first = ask(&mut lane, 0, 30);
    assert_eq!(first.granted, 1);
    assert_eq!(ask(&mut lane, 50, 1).granted, 0);
    answer(&mut lane, 100, &[told(first, 60, 59)]);
    let rest = ask_again(&mut lane, 100, first, 29);
    assert_eq!((rest.granted, rest.count, under_way(&lane), lane.under_way()), (29, 0, 29, 29));
}

#[test]
fn a_window_ends_a_minute_after_its_first_answer_unless_more_is_known() {
    assert_eq!(SharedLane::default().ends(), 0);
    assert_eq!(opened(60, 59).ends(), START + 100 + MINUTE);
}

#[test]
fn no_leave_is_given_beyond_what_was_left() {
    for seed in 0..300 {
        let mut jitter = Jitter::new(seed);
        let mut below = |ceiling: u64| (jitter.seed() >> 8) % ceiling;
        let (mut lane, mut now, mut leases) = (SharedLane::default(), 0, Vec::<Leave>::new());
        for _ in 0..200 {
            now += below(20) * below(200);
            let lease = leases.get(usize::try_from(below(8)).unwrap()).copied();
            let events = match (below(5), lease) {
                (0, Some(lease)) => [refused(lease, 15, below(MINUTE))],
                (1 | 2, Some(lease)) => [told(lease, 15, below(15))],
                (3, Some(lease)) => [[event::LOST, lease.epoch, lease.window, 0, 0, 0, 0, 0]],
                _ => [[event::ASK, 0, 0, 0, below(20), 0, 0, 0]],
            };
            let given = answer(&mut lane, now, &events);
            if given.granted > 0 {
                leases.insert(0, given);
                let free = left(&lane).map(|left| left.max(1));
                assert!(free.is_none_or(|free| under_way(&lane) <= free), "seed {seed}: {lane:?}");
            }
            assert!(given.kept_for >= 2 * 250, "{given:?}");
        }
    }
}

/// A lane of 7 calls a minute whose window others opened with 2 calls, and of which none is left since 200 ms.
fn opened_by_others() -> SharedLane {
    let mut lane = opened(7, 4);
    let four = ask(&mut lane, 150, 4);
    answer(&mut lane, 200, &[3, 2, 1, 0].map(|remaining| told(four, 7, remaining)));
    assert_eq!((four.granted, left(&lane)), (4, Some(0)));
    lane
}

#[test]
fn a_window_that_others_opened_is_a_window_whose_length_is_not_known() {
    let mut lane = opened_by_others();
    let ends = |lane: &SharedLane| lane.fields()[9] - START;
    assert_eq!(ends(&lane), MINUTE + 100);
    // Asked at none left, half of the limit is there again: the window before is over, though it was thought to end later.
    let question = ask(&mut lane, MINUTE + 50, 1);
    answer(&mut lane, MINUTE + 90, &[told(question, 7, 4)]);
    assert_eq!(ends(&lane), 2 * MINUTE + 90);
    // The next one begins full, soon after this one was seen: that says nothing of how long this one was.
    let next = ask(&mut lane, MINUTE + 100, 1);
    answer(&mut lane, MINUTE + 150, &[told(next, 7, 6)]);
    assert_eq!((ends(&lane), lane.fields()[5]), (2 * MINUTE + 150, MINUTE));
    // Of a window that began full it is seen.
    let last = ask(&mut lane, MINUTE + 160, 6);
    answer(&mut lane, MINUTE + 200, &[told(last, 7, 0)]);
    answer(&mut lane, MINUTE + 200, &[[event::BACK, last.epoch, last.window, 5, 0, 0, 0, 0]]);
    let next = ask(&mut lane, MINUTE + 1_200, 1);
    answer(&mut lane, MINUTE + 1_250, &[told(next, 7, 6)]);
    assert_eq!(lane.fields()[5], 1_100);
}

#[test]
fn calls_that_come_back_all_at_once_do_not_come_back_sooner_when_most_are_left() {
    let mut lane = opened_by_others();
    let question = ask(&mut lane, 1_000, 1);
    answer(&mut lane, 1_200, &[refused(question, 7, MINUTE)]);
    let regain = lane.fields()[15];
    assert_eq!(regain, MINUTE + 1_000);
    let next = ask(&mut lane, 3 * MINUTE, 1);
    answer(&mut lane, 3 * MINUTE + 100, &[told(next, 7, 6)]);
    assert_eq!((next.granted, lane.fields()[15]), (1, regain));
}

#[test]
fn until_a_limit_is_known_no_process_sleeps_through_the_first_window() {
    let mut lane = SharedLane::default();
    assert_eq!(ask(&mut lane, 0, 1).granted, 1);
    for number in 0..100 {
        let place = ask(&mut lane, 10, 1);
        assert!(place.wait <= 1 + 2 * number, "{number}: {place:?}");
    }
}

#[test]
fn answers_out_of_order_never_open_a_window() {
    let mut lane = opened(60, 40);
    let (first, second) = (ask(&mut lane, 200, 1), ask(&mut lane, 210, 1));
    answer(&mut lane, 300, &[told(second, 60, 10)]);
    // It was sent before the last answer came, so it cannot tell of a new window.
    answer(&mut lane, 310, &[told(first, 60, 59)]);
    assert_eq!(left(&lane), Some(10));

    // One of an earlier window opens nothing, and a refusal closes for its own wait.
    let before = ask(&mut lane, 400, 1);
    answer(&mut lane, 500, &[refused(before, 60, 10_000)]);
    answer(&mut lane, 600, &[told(before, 60, 59)]);
    assert_eq!(left(&lane), None);
    let place = ask(&mut lane, 700, 1);
    assert_eq!((place.granted, place.wait), (0, 11_300));
    assert_eq!(ask_again(&mut lane, 12_000, place, 1).granted, 1);
}

#[test]
fn a_lease_of_a_crashed_process_counts_as_used_and_ends_with_its_window() {
    let mut lane = opened(15, 14);
    assert_eq!(ask(&mut lane, 200, 14).granted, 14);
    // Those that ask are late, or the endpoint is asked once at none left; the leases are not given again.
    assert_eq!(ask(&mut lane, 30_000, 1).granted, 0);
    assert_eq!(ask(&mut lane, 100 + MINUTE, 1).granted, 1);

    // Where no window is known, it ends after a while.
    let mut lane = SharedLane::default();
    let first = ask(&mut lane, 0, 1);
    assert_eq!(ask(&mut lane, 900, 1).granted, 0);
    assert_eq!(ask(&mut lane, 31_000, 1).granted, 1);
    // Its answer may still come.
    answer(&mut lane, 31_100, &[told(first, 15, 14)]);
    assert_eq!(left(&lane), Some(14));
}

#[test]
fn leases_that_are_given_back_go_to_others() {
    let mut lane = opened(15, 14);
    let all = ask(&mut lane, 200, 14);
    answer(&mut lane, 300, &[[event::BACK, all.epoch, all.window, 10, 0, 0, 0, 0]]);
    assert_eq!(ask(&mut lane, 300, 10).granted, 10);
    // Of another epoch, they are a stranger's.
    answer(&mut lane, 400, &[[event::BACK, all.epoch + 1, all.window, 10, 0, 0, 0, 0]]);
    assert_eq!(ask(&mut lane, 400, 10).granted, 0);
}

/// A lane of 7 calls a minute that is closed until a minute after 100 ms.
fn closed() -> SharedLane {
    let mut lane = opened(7, 6);
    let six = ask(&mut lane, 100, 6);
    answer(&mut lane, 100, &[5, 4, 3, 2, 1, 0].map(|remaining| told(six, 7, remaining)));
    let last = ask(&mut lane, 100, 1);
    assert_eq!((six.granted, last.granted), (6, 1));
    answer(&mut lane, 100, &[refused(last, 7, MINUTE)]);
    lane
}

#[test]
fn the_line_is_served_in_the_order_of_its_numbers() {
    let mut lane = closed();
    let places: Vec<Leave> = (0..10).map(|at| ask(&mut lane, 200 + at, 1)).collect();
    assert!(places.iter().all(|place| place.granted == 0 && place.count == 1), "{places:?}");
    assert!(places.windows(2).all(|two| two[0].start < two[1].start), "{places:?}");

    assert!(places[..7].windows(2).all(|two| two[0].wait < two[1].wait), "{places:?}");

    // The window opens: the last in line does not pass the first.
    let opens = 100 + MINUTE;
    assert_eq!(ask_again(&mut lane, opens, places[9], 1).granted, 0);
    let first = ask_again(&mut lane, opens, places[0], 1);
    assert_eq!(first.granted, 1);
    answer(&mut lane, opens + 100, &[told(first, 7, 6)]);
    // Half of the limit goes at once, and the rest is spaced.
    for place in &places[1..=3] {
        let leave = ask_again(&mut lane, opens + 100, *place, 1);
        assert_eq!(leave.granted, 1, "{place:?} {leave:?} {lane:?}");
    }
    let spaced = ask_again(&mut lane, opens + 100, places[4], 1);
    assert!(spaced.granted == 0 && spaced.wait > 1_000, "{spaced:?}");

    // Those that do not come are passed: by one of the next window's calls soon, and by one that is farther behind much later.
    let mut lane = closed();
    let places: Vec<Leave> = (0..10).map(|at| ask(&mut lane, 200 + at, 1)).collect();
    let far = ask_again(&mut lane, opens + 5_000, places[9], 1);
    assert!(far.granted == 0 && far.wait >= 250, "{far:?}");
    assert_eq!(ask_again(&mut lane.clone(), opens + 10_000, places[9], 1).granted, 1);
    let near = ask_again(&mut lane, opens + 5_000, places[6], 1);
    assert_eq!(near.granted, 1, "{near:?} {lane:?}");
}

#[test]
fn one_that_comes_too_early_does_not_take_the_place_of_one_that_sleeps() {
    let mut lane = opened(7, 6);
    let head = ask(&mut lane, 200, 30);
    assert!((1..6).contains(&head.granted) && head.wait > MINUTE / 8, "{head:?}");
    let far = (0..20).map(|_| ask(&mut lane, 210, 1)).last().unwrap();
    // One call of this window is left, in its middle. The first is late by less than the time between two calls, and one of a
    // later window asks.
    let middle = MINUTE / 3 * 2;
    let asked = ask_again(&mut lane, middle, far, 1);
    assert_eq!(asked.granted, 0, "{asked:?} {lane:?}");
    assert!(ask_again(&mut lane, middle, head, 30 - head.granted).granted > 0);
}

#[test]
fn beside_strangers_a_short_line_is_told_to_wait_for_what_they_leave() {
    // Of 7 a minute strangers took 3, and the line is of 40.
    let mut lane = opened(7, 3);
    let three = ask(&mut lane, 150, 3);
    answer(&mut lane, 200, &[2, 1, 0].map(|remaining| told(three, 7, remaining)));
    let question = ask(&mut lane, 1_000, 1);
    answer(&mut lane, 1_100, &[refused(question, 7, MINUTE - 1_000)]);
    let opens = lane.fields()[11] - START;
    let next = ask(&mut lane, opens, 1);
    answer(&mut lane, opens + 100, &[told(next, 7, 3)]);
    let places: Vec<Leave> = (0..40).map(|_| ask(&mut lane, opens + 150, 1)).collect();
    // One and the three that are left are ours in this window, so 40 take ten.
    let last = places[39].wait;
    assert!(last > 8 * MINUTE && last < 10 * MINUTE, "{last} {:?}", lane.fields());
    // Strangers may leave before a long line is served.
    let far = (0..300).map(|_| ask(&mut lane, opens + 160, 1)).last().unwrap();
    assert!(far.wait < 50 * MINUTE, "{far:?}");
}

#[test]
fn what_is_no_state_is_one_that_knows_nothing() {
    let lane = opened(60, 40);
    assert_eq!(SharedLane::from_fields(&lane.fields()), lane);
    let nothing = SharedLane::default();
    assert_eq!(SharedLane::from_fields(&[]), nothing);
    assert_eq!(SharedLane::from_fields(&[1; SharedLane::FIELDS + 1]), nothing);
    assert_eq!(SharedLane::from_fields(&[u64::MAX; SharedLane::FIELDS]), nothing);
}

#[test]
fn an_engine_that_forgot_all_is_told_how_long_a_window_is() {
    let mut lane = SharedLane::default();
    let asking = |length| [[event::ASK, 0, 0, 0, 1, length, 0, 0]];
    let first = answer(&mut lane, 0, &asking(1_000));
    answer(&mut lane, 100, &[told(first, 7, 0)]);
    assert_eq!(lane.fields()[4], 1_000);
    // It is not believed any more.
    answer(&mut lane, 200, &asking(30_000));
    assert_eq!(lane.fields()[4], 1_000);
}

#[test]
fn a_clock_that_jumps_by_an_hour_heals_within_a_window() {
    for jump in [60 * MINUTE, 0] {
        let mut lane = SharedLane::default();
        let start = 30 * MINUTE;
        let first = ask(&mut lane, start, 1);
        answer(&mut lane, start + 100, &[told(first, 60, 0)]);
        let place = ask(&mut lane, jump, 1);
        let waits = if place.granted > 0 { 0 } else { place.wait };
        assert!(waits <= MINUTE, "{place:?}");
        assert_eq!(ask_again(&mut lane, jump + waits, place, 1).granted + place.granted, 1, "{place:?}");
    }
}

/// A process with calls of one endpoint.
struct Process {
    pacer: Pacer,
    mailbox: Mailbox,
}

fn at(now: u64) -> Moment {
    Moment::since_origin(Duration::from_millis(now))
}

fn goes(turn: Turn) -> Permit {
    match turn {
        Turn::Go(permit) => permit,
        Turn::Wait { pause, .. } => panic!("it waits for {pause:?}"),
    }
}

fn waits(turn: Turn) -> (Duration, Ticket) {
    match turn {
        Turn::Wait { pause, ticket, .. } => (pause, ticket),
        Turn::Go(permit) => panic!("it goes: {permit:?}"),
    }
}

impl Process {
    fn new() -> Self {
        let (pacer, mailbox) = Pacer::shared("space-42").unwrap();
        Self { pacer, mailbox }
    }

    fn ask(&self, now: u64) -> Turn {
        self.pacer.ask(&Method::GET, "events", at(now), 1, None)
    }

    fn question(&self) -> Question {
        self.mailbox.next_question().unwrap()
    }

    /// Carries all questions to the engine at once.
    fn carry(&self, lane: &mut SharedLane, now: u64) {
        while let Some(question) = self.mailbox.next_question() {
            let answer = lane.answer(START + now, question.events());
            self.mailbox.answer(question, &answer, at(now)).unwrap();
        }
    }
}

fn taken(limit: u64, remaining: u64) -> Told {
    Told { is_success: true, limit: Some(limit), remaining: Some(remaining), ..Told::default() }
}

#[test]
fn processes_that_share_an_engine_share_what_is_left() {
    let (one, other, mut lane) = (Process::new(), Process::new(), SharedLane::default());
    let (pause, ticket) = waits(one.ask(0));
    assert_eq!(pause, Duration::from_millis(1));
    one.carry(&mut lane, 1);
    let permit = goes(ticket.poll(at(1)));
    assert!(permit.on_answer(taken(7, 1), at(100)).is_none());
    one.carry(&mut lane, 100);

    let (_, ticket) = waits(other.ask(200));
    other.carry(&mut lane, 201);
    let permit = goes(ticket.poll(at(201)));
    let (_, ticket) = waits(one.ask(202));
    one.carry(&mut lane, 203);
    let (pause, _ticket) = waits(ticket.poll(at(203)));
    assert!(pause > Duration::from_millis(50), "{pause:?}");
    drop(permit);
}

#[test]
fn an_engine_that_says_nothing_holds_a_call_up_for_50_ms() {
    let process = Process::new();
    let (mut now, mut turn, mut polls) = (0, process.ask(0), 0);
    let question = process.question();
    while let Turn::Wait { pause, ticket, .. } = turn {
        now += u64::try_from(pause.as_millis()).unwrap();
        polls += 1;
        turn = ticket.poll(at(now));
    }
    assert_eq!(now, 50);
    assert!(polls <= 7, "{polls}");
    assert!(process.mailbox.is_away(at(now)));
    assert!(goes(turn).on_answer(taken(7, 6), at(60)).is_none());

    // An answer that is late is given back when the engine is asked again.
    let mut lane = SharedLane::default();
    let answer = lane.answer(START + 70, question.events());
    assert_eq!(answer[0], 1);
    process.mailbox.back(at(70));
    process.mailbox.answer(question, &answer, at(70)).unwrap();
    assert_eq!(under_way(&lane), 1);
    process.carry(&mut lane, 71);
    assert_eq!(under_way(&lane), 0);
}

#[test]
fn an_engine_that_fails_is_left_alone_for_1_2_4_to_30_s() {
    let process = Process::new();
    let mut now = 0;
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        process.mailbox.away(at(now));
        assert!(process.mailbox.is_away(at(now + pause * 1_000 - 1)), "{pause}");
        now += pause * 1_000;
        assert!(!process.mailbox.is_away(at(now)), "{pause}");
    }
    // Meanwhile a call goes at once, and asks nothing.
    process.mailbox.away(at(now));
    let permit = goes(process.ask(now));
    assert!(process.mailbox.next_question().is_none());
    drop(permit);
    // One answer, and the next failure counts as the first.
    process.mailbox.back(at(now));
    let (_, ticket) = waits(process.ask(now));
    process.carry(&mut SharedLane::default(), now);
    process.mailbox.away(at(now));
    assert!(!process.mailbox.is_away(at(now + 1_000)));
    drop(ticket);
}

#[test]
fn an_answer_of_another_rule_is_an_error_and_the_pacer_goes_on_alone() {
    let process = Process::new();
    let (_, ticket) = waits(process.ask(0));
    let error = process.mailbox.answer(process.question(), &[1, 2], at(1)).unwrap_err();
    assert!(error.to_string().contains("2 integers, expected 13"), "{error}");
    drop(goes(ticket.poll(at(1))));
}

#[test]
fn leases_of_calls_that_gave_up_or_slept_are_given_back() {
    let (process, mut lane) = (Process::new(), opened(60, 50));
    let (_, ticket) = waits(process.ask(200));
    let question = process.question();
    let answer = lane.answer(START + 201, question.events());
    assert_eq!(answer[0], 1);
    drop(ticket);
    process.mailbox.answer(question, &answer, at(201)).unwrap();
    process.carry(&mut lane, 202);
    assert_eq!(under_way(&lane), 0);

    let (_, ticket) = waits(process.ask(300));
    process.carry(&mut lane, 301);
    assert_eq!(under_way(&lane), 1);
    // The machine slept: the window may be over.
    let (_, ticket) = waits(ticket.poll(at(5_000)));
    process.carry(&mut lane, 5_001);
    drop(goes(ticket.poll(at(5_002))));
}

#[test]
fn a_waker_may_carry_the_question_at_once() {
    struct Carrier {
        mailbox: Mailbox,
        carried: AtomicUsize,
    }
    impl Wake for Carrier {
        fn wake(self: Arc<Self>) {
            while let Some(question) = self.mailbox.next_question() {
                let answer = SharedLane::default().answer(START, question.events());
                self.mailbox.answer(question, &answer, at(0)).unwrap();
                self.carried.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    // On a thread, so that a lock that is held is a failure and no endless test.
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let (pacer, mailbox) = Pacer::shared("space-42").unwrap();
        let carrier = Arc::new(Carrier { mailbox, carried: AtomicUsize::new(0) });
        let ask = |now: u64| pacer.ask(&Method::GET, "events", at(now), 1, None);
        let (_, ticket) = waits(ask(0));
        carrier.mailbox.set_waker(Arc::clone(&carrier).into());
        let permit = goes(ticket.poll(at(1)));
        drop(permit);
        drop(ask(2));
        done.send(carrier.carried.load(Ordering::Relaxed)).unwrap();
    });
    let carried = result.recv_timeout(Duration::from_secs(30)).expect("nothing is locked while a waker runs");
    assert!(carried >= 3, "{carried}");
}

#[test]
fn a_mailbox_knows_when_its_pacer_is_gone_and_a_pacer_goes_on_without_its_mailbox() {
    let Process { pacer, mailbox } = Process::new();
    let ticket = waits(pacer.ask(&Method::GET, "events", at(0), 1, None)).1;
    drop(pacer);
    assert!(!mailbox.is_closed());
    drop(ticket);
    assert!(mailbox.is_closed());

    let Process { pacer, mailbox } = Process::new();
    drop(mailbox);
    drop(goes(pacer.ask(&Method::GET, "events", at(0), 1, None)));
}

#[test]
fn names_of_spaces_are_checked_and_never_shown() {
    let long = "x".repeat(129);
    for (space, problem) in [
        ("", "is empty"),
        (long.as_str(), "has 129 bytes"),
        ("12|secret", "looks like an API key"),
        ("Bearer secret", "looks like an API key"),
        ("space\n42", "at byte 5"),
        ("space{42", "at byte 5"),
    ] {
        let error = Pacer::shared(space).unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("secret"), "{error}");
    }
    let (pacer, mailbox) = Pacer::shared(&"x".repeat(128)).unwrap();
    let _ticket = waits(pacer.ask(&Method::GET, "events", at(0), 1, None)).1;
    assert!(mailbox.next_question().unwrap().key().starts_with("cometly:1:{xxx"));
}

impl Process {
    /// Carries one question, and gives the engine's answer: what was granted, and the lease.
    fn carry_one(&self, lane: &mut SharedLane, now: u64) -> [u64; 4] {
        let question = self.question();
        let answer = lane.answer(START + now, question.events());
        self.mailbox.answer(question, &answer, at(now)).unwrap();
        let [granted, epoch, window, at, ..] = answer;
        [granted, epoch, window, at]
    }

    fn ask_until(&self, now: u64, deadline: u64) -> Turn {
        self.pacer.ask(&Method::GET, "events", at(now), 1, Some(at(deadline)))
    }
}

#[test]
fn the_engine_is_told_what_each_call_was_answered() {
    let refused = Told { is_refused: true, wait: Some(7), ..Told::default() };
    let is_taken = event::IS_SUCCESS | event::HAS_LIMIT | event::HAS_REMAINING;
    for (told, flags, numbers) in [
        (taken(60, 49), is_taken, [60, 49, 0]),
        (Told { is_success: false, ..taken(60, 49) }, event::HAS_LIMIT | event::HAS_REMAINING, [60, 49, 0]),
        (refused, event::IS_REFUSED | event::HAS_WAIT, [0, 0, 7]),
        (Told { limit: Some(60), ..Told::default() }, event::HAS_LIMIT, [60, 0, 0]),
        (Told { remaining: Some(5), ..Told::default() }, event::HAS_REMAINING, [0, 5, 0]),
        (Told::default(), 0, [0, 0, 0]),
    ] {
        let (process, mut lane) = (Process::new(), opened(60, 50));
        let (_, ticket) = waits(process.ask(200));
        let [_, epoch, window, leased] = process.carry_one(&mut lane, 201);
        let _kept = goes(ticket.poll(at(201))).on_answer(told, at(300));
        let [limit, remaining, wait] = numbers;
        let expected = [event::TOLD, epoch, window, leased, flags, limit, remaining, wait];
        assert_eq!(process.question().events(), expected, "{told:?}");
    }

    // Of a call that went alone there is no lease, but how long its answer took.
    let process = Process::new();
    process.mailbox.away(at(0));
    let permit = goes(process.ask(0));
    process.mailbox.back(at(10));
    let _kept = permit.on_answer(taken(60, 49), at(60));
    let expected = [event::TOLD, 0, 0, 60, is_taken | event::IS_UNLEASED, 60, 49, 0];
    assert_eq!(process.question().events(), expected);

    let (process, mut lane) = (Process::new(), opened(60, 50));
    let (_, ticket) = waits(process.ask(200));
    let [_, epoch, window, _] = process.carry_one(&mut lane, 201);
    drop(goes(ticket.poll(at(201))));
    assert_eq!(process.question().events(), [event::LOST, epoch, window, 0, 0, 0, 0, 0]);
}

#[test]
fn a_question_says_for_how_many_and_how_long_a_window_is() {
    let (process, mut lane) = (Process::new(), opened(60, 50));
    let (_, ticket) = waits(process.ask(200));
    let asked = |length| [event::ASK, 0, 0, 0, 1, length, 0, 0];
    let question = process.question();
    assert_eq!(question.events(), asked(0));
    assert!(format!("{question:?}").contains(&question.key()), "{question:?}");
    let mut answer = lane.answer(START + 201, question.events());
    // As if windows of 7 s had been seen.
    answer[SharedLane::ANSWER - 1] = 7_000;
    process.mailbox.answer(question, &answer, at(201)).unwrap();
    let permit = goes(ticket.poll(at(201)));

    let (_, ticket) = waits(process.ask(300));
    let (question, asks) = (process.question(), |asks: &[u64]| asks[asks.len() - EVENT..][4..6].to_vec());
    assert_eq!(asks(question.events()), [1, 7_000]);
    // An engine that forgot all knows no limit, and hears what it said before.
    let answer = SharedLane::default().answer(START + 301, &[]);
    process.mailbox.answer(question, &answer, at(301)).unwrap();
    let (_, _again) = waits(ticket.poll(at(400)));
    assert_eq!(asks(process.question().events()), [1, 7_000]);
    drop(permit);
}

#[test]
fn a_call_goes_with_the_lease_that_was_given_for_it() {
    let (process, mut lane) = (Process::new(), SharedLane::default());
    let other = ask(&mut lane, 0, 1);
    // Nothing is granted until the answer to the first call comes.
    let (_, ticket) = waits(process.ask(10));
    assert_eq!(process.carry_one(&mut lane, 11)[0], 0);
    answer(&mut lane, 100, &[told(other, 60, 59)]);
    let mut goes_with_its_lease = |ticket: Ticket, now: u64| {
        let [granted, epoch, window, leased] = process.carry_one(&mut lane, now);
        assert_eq!(granted, 1);
        let _ = goes(ticket.poll(at(now))).on_answer(taken(60, 50), at(now + 10));
        assert_eq!(process.question().events()[..4], [event::TOLD, epoch, window, leased]);
    };
    goes_with_its_lease(waits(ticket.poll(at(300))).1, 301);
    goes_with_its_lease(waits(process.ask(400)).1, 401);
}

#[test]
fn what_is_granted_at_once_goes_to_as_many_calls() {
    let (process, mut lane) = (Process::new(), opened(60, 50));
    let tickets = [(); 3].map(|()| waits(process.ask(300)).1);
    assert_eq!(process.carry_one(&mut lane, 301)[0], 3);
    let permits = tickets.map(|ticket| goes(ticket.poll(at(301))));
    assert!(process.mailbox.next_question().is_none());
    drop(permits);

    let (process, mut lane) = (Process::new(), SharedLane::default());
    let [first, second] = [(); 2].map(|()| waits(process.ask(300)).1);
    assert_eq!(process.carry_one(&mut lane, 301)[0], 1);
    let (_, _second) = waits(second.poll(at(301)));
    drop(goes(first.poll(at(301))));
}

#[test]
fn a_lease_in_hand_is_of_use_for_a_second() {
    for (slept, goes_at_once) in [(1_000, true), (1_001, false)] {
        let (process, mut lane) = (Process::new(), opened(60, 50));
        let (_, ticket) = waits(process.ask(300));
        process.carry(&mut lane, 301);
        let turn = ticket.poll(at(301 + slept));
        assert_eq!(matches!(turn, Turn::Go(_)), goes_at_once, "{slept}");
    }
}

#[test]
fn a_place_in_line_that_nobody_needs_is_given_back_and_nothing_that_was_not_given() {
    let (process, mut lane) = (Process::new(), closed());
    let (_, ticket) = waits(process.ask(200));
    let question = process.question();
    let answer = lane.answer(START + 201, question.events());
    let [granted, epoch, _, _, start, count, ..] = answer;
    assert_eq!((granted, count), (0, 1));
    process.mailbox.answer(question, &answer, at(201)).unwrap();
    drop(ticket);
    assert_eq!(process.question().events(), [event::ASK, epoch, start, 1, 0, 0, 0, 0]);

    // An answer that comes too late and grants nothing.
    let process = Process::new();
    let (_, ticket) = waits(process.ask(200));
    let question = process.question();
    let (_, ticket) = waits(ticket.poll(at(210)));
    let _alone = goes(ticket.poll(at(250)));
    process.mailbox.back(at(260));
    let answer = lane.answer(START + 260, question.events());
    assert_eq!(answer[0], 0);
    process.mailbox.answer(question, &answer, at(260)).unwrap();
    assert!(process.mailbox.next_question().is_none());
}

#[test]
fn an_answer_to_an_earlier_question_is_none_to_the_one_under_way() {
    let (process, mut lane) = (Process::new(), SharedLane::default());
    let (_, ticket) = waits(process.ask(0));
    let first = process.question();
    let _alone = goes(ticket.poll(at(50)));
    process.mailbox.back(at(60));
    let (_, ticket) = waits(process.ask(70));
    let _second = process.question();
    let answer = lane.answer(START + 71, first.events());
    let [granted, epoch, window, ..] = answer;
    process.mailbox.answer(first, &answer, at(71)).unwrap();
    let (_, _ticket) = waits(ticket.poll(at(72)));
    assert_eq!(process.question().events()[..EVENT], [event::BACK, epoch, window, granted, 0, 0, 0, 0]);
}

#[test]
fn a_call_at_its_deadline_goes_alone_unless_the_server_said_no_until_later() {
    let (process, mut lane) = (Process::new(), closed());
    for _ in 0..20 {
        let _ = ask(&mut lane, 150, 1);
    }
    // The server said no until a minute after 100 ms, and 20 are before it in line.
    let (_, too_short) = waits(process.ask_until(200, 5_000));
    process.carry(&mut lane, 201);
    let (pause, too_short) = waits(too_short.poll(at(201)));
    assert!(pause > Duration::from_secs(60), "{pause:?}");
    let (_, _too_short) = waits(too_short.poll(at(5_000)));

    let (pause, long) = waits(process.ask_until(5_000, 65_000));
    assert_eq!(pause, Duration::from_secs(60));
    drop(goes(long.poll(at(65_000))));
}

#[test]
fn an_answer_that_comes_while_the_engine_is_left_alone_ends_no_row_of_failures() {
    let process = Process::new();
    let (_, _ticket) = waits(process.ask(0));
    let question = process.question();
    process.mailbox.away(at(0));
    let answer = SharedLane::default().answer(START, question.events());
    process.mailbox.answer(question, &answer, at(500)).unwrap();
    process.mailbox.away(at(1_000));
    assert!(process.mailbox.is_away(at(2_999)) && !process.mailbox.is_away(at(3_000)));
    assert_eq!(format!("{:?}", process.mailbox), r#"Mailbox { space: "space-42", .. }"#);
}

#[test]
fn of_what_the_engine_has_not_heard_yet_the_last_64_are_kept() {
    let process = Process::new();
    process.mailbox.away(at(0));
    let (_, ticket) = waits(Process::new().ask(0));
    let permits: Vec<_> = (0..70).map(|_| goes(process.ask_until(0, 0))).collect();
    assert_eq!(format!("{ticket:?} {:?}", permits[0]), "Ticket { .. } Permit { .. }");
    process.mailbox.back(at(10));
    for (remaining, permit) in (0..).zip(permits) {
        let _ = permit.on_answer(taken(70, remaining), at(20));
    }
    let question = process.question();
    let told: Vec<u64> = question.events().chunks(EVENT).map(|event| event[6]).collect();
    assert_eq!(told, (6..70).collect::<Vec<_>>());
}

// Processes of another version, compiler or machine find the same state.
#[test]
fn an_endpoint_has_the_same_key_for_ever() {
    for template in ["contacts/{id}", "/contacts/{id}"] {
        assert_eq!(SharedLane::key("space-42", "GET", template), "cometly:1:{space-42}:4ed482707adae9a6");
    }
}

#[test]
fn a_time_more_than_three_hours_ahead_is_of_another_clock() {
    let lane = opened(60, 40);
    let mut fields = lane.fields();
    let window = fields[2];
    for (ahead, expected) in [(3 * 60 * MINUTE, window), (3 * 60 * MINUTE + 1, window + 1)] {
        fields[9] = START + 100 + ahead;
        assert_eq!(answer(&mut SharedLane::from_fields(&fields), 100, &[]).window, expected);
    }
}

#[test]
fn a_call_without_a_lease_counts_in_the_window_only_if_it_was_sent_after_the_opening() {
    let flags = event::IS_SUCCESS | event::HAS_REMAINING | event::IS_UNLEASED;
    // Opened at 100 ms; the answer comes at 200.
    for (took, expected) in [(101, 50), (100, 50), (99, 7), (0, 7)] {
        let mut lane = opened(60, 50);
        answer(&mut lane, 200, &[[event::TOLD, 0, 0, took, flags, 0, 7, 0]]);
        assert_eq!(left(&lane), Some(expected), "{took} ms");
    }
    // It never raises what is left.
    let mut lane = opened(60, 50);
    answer(&mut lane, 200, &[[event::TOLD, 0, 0, 10, flags, 0, 59, 0]]);
    assert_eq!(left(&lane), Some(50));
}
