//! The rule of a fleet: one endpoint of one Space as all processes see it. A step function on integers, and all of it.
//!
//! It is [`window`](crate::pacer) for many processes: what the server told is the truth, a lease is leave for one call,
//! and the lowest `Remaining` of the window less the leases is what may go. What differs:
//!
//! - The processes see each other's answers, so none has to guess: no jitter, no windows left out, no meekness. Only while
//!   strangers call too, which share no engine, a window opens late, and its first half goes one by one.
//! - Processes wait in a line of numbers. `issued` counts those given out and `served` those that went, so a place is one
//!   subtraction, and the line takes two integers however long it is. A number that does not come is passed.
//! - A process that waits learns one time at which to ask again: its place in the window, or half a window before, if it is
//!   far back.
//!
//! A lease of a crashed process ends with its window, and counts as used until then; 30 s after the last call, where no
//! window is known. Times are milliseconds of the engine's clock. `rule.lua` in the crate `cometly-fleet` is this file in
//! another language, held to it by a test.

use super::super::sight::{DOCUMENTED, LONGEST_CLOSED, LONGEST_WINDOW, Refusal, SHORTEST_WINDOW, Sight};

/// How long an answer may take before one more call goes instead, and before none is expected.
const PATIENCE: u64 = 1_000;
const LOST: u64 = 30_000;

/// How late the first in line may ask before others pass. Each further such time doubles how many are passed.
const PASSED: u64 = 250;
const MOST_DOUBLED: u64 = 20;

/// A line of as many windows is long: strangers may leave while it lasts.
const LONG: u64 = 32;

/// How much later than it could a window opens that strangers use too; a fortieth of a short one.
const LATE_OPENING: u64 = 1_500;

/// How far apart in time two neighbours in line ask.
const STAGGER: u64 = 2;

/// The slowest answer that is believed to be usual.
const SLOWEST_TRIP: u64 = 5_000;

/// A clock that goes back by more than this was set, and so was one that a time is so far ahead of.
const CLOCK_SET: u64 = 1_000;
const FURTHEST: u64 = 3 * LONGEST_CLOSED;

/// Leases for one question; and how long the state is kept beyond its last moment, in windows.
const MOST_AT_ONCE: u64 = 64;
const KEPT_WINDOWS: u64 = 2;

/// Bounds of what comes in, so that all sums and products stay below 2^53, which Lua counts to.
const MOST_TIME: u64 = 1 << 50;
const MOST_COUNT: u64 = 1 << 20;

/// The rule by which an engine shares one endpoint's limit among all processes, with the state that it keeps for that endpoint
/// of one Space. [`Default`] makes a new state, [`from_fields`](Self::from_fields) one from the integers that were kept;
/// nothing of it can fail.
///
/// The engine of `cometly-fleet` runs the same rule as a script. This is for tests, simulations and engines of your own; see
/// [`Mailbox`](super::Mailbox).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedLane {
    /// When this state began; 0 before. Leases and numbers of another state are strangers'.
    epoch: u64,
    /// The latest time seen.
    seen: u64,
    /// What the server showed to any process. Its others are strangers, which share no engine.
    sight: Sight,
    /// How long an answer takes.
    trip: u64,
    /// The line: numbers given out, numbers that went or were passed, and those of them that were passed and may yet come.
    issued: u64,
    served: u64,
    passed: u64,
}

/// What an event is, first of its eight integers.
pub(super) mod event {
    pub(in super::super) const TOLD: u64 = 1;
    pub(in super::super) const LOST: u64 = 2;
    pub(in super::super) const BACK: u64 = 3;
    pub(in super::super) const ASK: u64 = 4;

    /// Of an answer: what it says, one bit each.
    pub(in super::super) const IS_REFUSED: u64 = 1;
    pub(in super::super) const IS_SUCCESS: u64 = 2;
    pub(in super::super) const HAS_LIMIT: u64 = 4;
    pub(in super::super) const HAS_REMAINING: u64 = 8;
    pub(in super::super) const HAS_WAIT: u64 = 16;
    /// The call went without a lease, and its answer took `at` milliseconds.
    pub(in super::super) const IS_UNLEASED: u64 = 32;
}

/// Integers of one event.
pub(super) const EVENT: usize = 8;

/// The answer to a call, as an event tells it.
#[derive(Clone, Copy)]
struct Told {
    epoch: u64,
    window: u64,
    at: u64,
    flags: u64,
    limit: Option<u64>,
    remaining: Option<u64>,
    wait: Option<u64>,
}

/// What a question gets.
#[derive(Clone, Copy, Default)]
struct Said {
    granted: u64,
    start: u64,
    count: u64,
    wait: u64,
}

/// The name of an endpoint, the same in each process and with each compiler: FNV-1a, since std's hash may change.
pub(in crate::pacer) fn name(method: &str, path: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;

    let bytes = method.bytes().chain([b' ']).chain(path.bytes());
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// The key of the endpoint of this name.
pub(in crate::pacer) fn key(space: &str, name: u64) -> String {
    format!("cometly:1:{{{space}}}:{name:016x}")
}

impl SharedLane {
    /// How many integers the state has: 30.
    pub const FIELDS: usize = 30;
    /// How many integers the engine's answer to a [`Question`](super::Question) has: 13.
    pub const ANSWER: usize = 13;

    /// The name under which an engine keeps the state of one endpoint, such as `GET` and `contacts/{id}`: the key in Redis. It
    /// has the name of the Space in braces and a hash of the endpoint's, and no API key. Slashes at the start of the path
    /// change nothing.
    #[must_use]
    pub fn key(space: &str, method: &str, path_template: &str) -> String {
        key(space, name(method, path_template.trim_start_matches('/')))
    }

    /// How many calls of all processes were sent and have no answer yet.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.sight.under_way
    }

    /// When the window ends that was seen last, in milliseconds of the engine's clock; 0 in a new state.
    #[must_use]
    pub fn ends(&self) -> u64 {
        self.sight.ends
    }

    /// The state from the integers that the engine keeps. Another count than [`FIELDS`](Self::FIELDS), or an integer above
    /// 2^50, makes a new state, which knows nothing yet; any other integer that does not fit its field is brought into its
    /// range.
    #[must_use]
    pub fn from_fields(fields: &[u64]) -> Self {
        let Ok(fields) = <[u64; Self::FIELDS]>::try_from(fields) else { return Self::default() };
        if fields.iter().any(|field| *field > MOST_TIME) {
            return Self::default();
        }
        let [
            epoch,
            seen,
            window,
            limit,
            length,
            measured,
            left,
            as_of,
            opened,
            ends,
            said_no,
            opens,
            is_aligned,
            is_early,
            emptied,
            regain,
            probes,
            under_way,
            sent,
            last_sent,
            before,
            recent,
            earlier,
            rolled,
            strangers,
            early,
            trip,
            issued,
            served,
            passed,
        ] = fields;
        let sight = Sight {
            number: window,
            limit: limit.min(MOST_COUNT),
            length: length.clamp(SHORTEST_WINDOW, LONGEST_WINDOW),
            measured: measured.clamp(SHORTEST_WINDOW, LONGEST_WINDOW),
            left: left.checked_sub(1).map(|left| left.min(MOST_COUNT)),
            as_of,
            opened,
            ends,
            said_no,
            opens,
            is_aligned: is_aligned == 1,
            is_early: match is_early {
                1 => Some(false),
                2 => Some(true),
                _ => None,
            },
            emptied,
            regain,
            probes,
            under_way,
            sent,
            last_sent,
            before,
            recent,
            earlier,
            rolled,
            others: strangers,
            early,
        };
        let trip = trip.min(SLOWEST_TRIP);
        let served = served.min(issued).max(issued.saturating_sub(MOST_COUNT));
        Self { epoch, seen, sight, trip, issued, served, passed: passed.min(MOST_COUNT) }
    }

    /// The state as integers for the engine to keep; [`from_fields`](Self::from_fields) reads them again.
    #[must_use]
    pub fn fields(&self) -> [u64; Self::FIELDS] {
        [
            self.epoch,
            self.seen,
            self.sight.number,
            self.sight.limit,
            self.sight.length,
            self.sight.measured,
            self.sight.left.map_or(0, |left| left.saturating_add(1)),
            self.sight.as_of,
            self.sight.opened,
            self.sight.ends,
            self.sight.said_no,
            self.sight.opens,
            u64::from(self.sight.is_aligned),
            self.sight.is_early.map_or(0, |is_early| if is_early { 2 } else { 1 }),
            self.sight.emptied,
            self.sight.regain,
            self.sight.probes,
            self.sight.under_way,
            self.sight.sent,
            self.sight.last_sent,
            self.sight.before,
            self.sight.recent,
            self.sight.earlier,
            self.sight.rolled,
            self.sight.others,
            self.sight.early,
            self.trip,
            self.issued,
            self.served,
            self.passed,
        ]
    }

    /// Takes the events of a [`Question`](super::Question) and gives the answer for
    /// [`Mailbox::answer`](super::Mailbox::answer). `now` is the engine's clock in milliseconds, for instance since the Unix
    /// epoch. The same state, time and events give the same answer. Integers behind the last whole event, and events of an
    /// unknown kind, are passed over.
    pub fn answer(&mut self, now: u64, events: &[u64]) -> [u64; Self::ANSWER] {
        let now = self.begin(now.min(MOST_TIME));
        let mut said = Said::default();
        for event in events.chunks_exact(EVENT) {
            let Ok(event) = <[u64; EVENT]>::try_from(event) else { continue };
            let [kind, epoch, third, fourth, fifth, sixth, seventh, eighth] = event.map(|field| field.min(MOST_TIME));
            let is_ours = epoch == self.epoch && third == self.sight.number;
            match kind {
                event::TOLD => {
                    let field = |flag: u64, value: u64| (fifth & flag != 0).then_some(value);
                    let told = Told {
                        epoch,
                        window: third,
                        at: fourth,
                        flags: fifth,
                        limit: field(event::HAS_LIMIT, sixth.min(MOST_COUNT)),
                        remaining: field(event::HAS_REMAINING, seventh.min(MOST_COUNT)),
                        wait: field(event::HAS_WAIT, eighth.min(LONGEST_CLOSED)),
                    };
                    self.told(now, told);
                }
                event::LOST if is_ours => self.sight.lost(),
                event::BACK if is_ours => {
                    let unsent = fourth.min(self.sight.under_way);
                    self.sight.under_way = self.sight.under_way.saturating_sub(unsent);
                    self.sight.sent = self.sight.sent.saturating_sub(unsent);
                }
                event::ASK => {
                    self.suppose(sixth);
                    said = self.ask(now, epoch, third, fourth, fifth.min(MOST_COUNT));
                }
                _ => {}
            }
        }
        [
            said.granted,
            self.epoch,
            self.sight.number,
            now,
            said.start,
            said.count,
            said.wait,
            self.sight.said_no.saturating_sub(now),
            self.sight.limit,
            self.sight.left.map_or(0, |left| left.saturating_add(1)),
            self.issued.saturating_sub(self.served),
            self.kept_for(now),
            self.sight.length,
        ]
    }

    /// How long a window was before the engine forgot all: a process remembers it.
    fn suppose(&mut self, length: u64) {
        if self.sight.limit == 0 && self.sight.left.is_none() && length > 0 {
            self.sight.length = length.clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
            self.sight.measured = self.sight.length;
        }
    }

    /// For how long the engine keeps the state.
    fn kept_for(&self, now: u64) -> u64 {
        let last =
            self.sight.ends.max(self.sight.opens).max(self.sight.others).max(self.sight.last_sent.saturating_add(LOST));
        last.saturating_sub(now).saturating_add(self.sight.length.saturating_mul(KEPT_WINDOWS))
    }

    /// The window may be over, calls lost, the clock set.
    fn begin(&mut self, now: u64) -> u64 {
        if self.epoch == 0 {
            let (now, sight) = (now.max(1), Sight { number: 1, ..Sight::new(DOCUMENTED) });
            *self = Self { epoch: now, seen: now, sight, ..Self::default() };
        }
        let latest = self.sight.ends.max(self.sight.opens).max(self.sight.others);
        if now.saturating_add(CLOCK_SET) < self.seen || latest > now.saturating_add(FURTHEST) {
            // All times are those of another clock. What is no time is kept; leases are of an earlier window.
            self.seen = now;
            self.sight = Sight {
                number: self.sight.number.saturating_add(1),
                limit: self.sight.limit,
                is_early: self.sight.is_early,
                ..Sight::new(self.sight.length)
            };
        }
        let now = now.max(self.seen);
        self.seen = now;
        if self.sight.left.is_some() && now >= self.sight.ends {
            self.close(self.sight.ends.saturating_add(self.lateness(self.sight.ends)));
        }
        if self.sight.left.is_none() && now >= self.sight.last_sent.saturating_add(LOST) {
            self.sight.under_way = 0;
        }
        now
    }

    fn lateness(&self, now: u64) -> u64 {
        if now < self.sight.others { LATE_OPENING.min(self.sight.length / 40) } else { 0 }
    }

    /// Leases for up to `want` calls of a process that holds `count` numbers from `start` on, and when to ask for the rest.
    fn ask(&mut self, now: u64, epoch: u64, start: u64, count: u64, want: u64) -> Said {
        let is_known = epoch == self.epoch && start.saturating_add(count) <= self.issued;
        let mut said = Said { start, count: if is_known { count } else { 0 }, ..Said::default() };
        if said.count > want {
            self.serve(said.count.saturating_sub(want));
            said.count = want;
        }
        while said.granted < want {
            let rest = want.saturating_sub(said.granted);
            if said.count == 0 {
                // A few at a time, so that a process with many takes turns with the others.
                said.start = self.issued;
                said.count = rest.min((self.sight.limit / 8).max(1));
                self.issued = self.issued.saturating_add(said.count);
            }
            let ahead = self.ahead_of(said.start);
            let waiting = self.issued.saturating_sub(self.served).max(said.count).saturating_sub(said.count);
            let waiting = waiting.saturating_add(rest);
            let passed = self.to_pass(now, ahead, waiting);
            let turn = self.turn(now, ahead.saturating_sub(passed), waiting, true);
            if turn > now || said.granted >= MOST_AT_ONCE {
                said.wait = turn.saturating_sub(now).max(1);
                break;
            }
            if said.start < self.served && self.passed > 0 {
                // It was counted when it was passed.
                self.passed = self.passed.saturating_sub(1);
            } else {
                self.serve(passed.saturating_add(1));
                self.passed = self.passed.saturating_add(passed).min(MOST_COUNT);
            }
            said.start = said.start.saturating_add(1);
            said.count = said.count.saturating_sub(1);
            said.granted = said.granted.saturating_add(1);
            self.sight.sends(now);
        }
        said
    }

    fn serve(&mut self, many: u64) {
        self.served = self.served.saturating_add(many).min(self.issued);
        if self.served == self.issued {
            self.passed = 0;
        }
    }

    /// Those that were passed are as many as ever behind the line, in an order of their own, so that they come one by one.
    fn ahead_of(&self, start: u64) -> u64 {
        match start.checked_sub(self.served) {
            Some(ahead) => ahead,
            None => start.checked_rem(self.passed).unwrap_or_default(),
        }
    }

    /// How many of those ahead are passed, because the first does not come.
    fn to_pass(&self, now: u64, ahead: u64, waiting: u64) -> u64 {
        let late = now.saturating_sub(self.turn(now, 0, waiting, false));
        let is_spaced = self.sight.left.is_some_and(|left| left > 0);
        let patience = if is_spaced { PASSED.max(self.gap()) } else { PASSED };
        let few = doubled(1, late, patience).saturating_sub(1).min(self.sight.limit.max(1));
        // One that has more ahead of it has come too early, and the first may be on its way: it passes many windows' calls
        // only where none has come for most of a window.
        doubled(few, late, self.sight.length / 8).min(ahead)
    }

    /// When a call may go that has `ahead` before it of the `waiting` ones: `now` or since when, or later.
    fn turn(&self, now: u64, ahead: u64, waiting: u64, may_be_early: bool) -> u64 {
        if now < self.sight.opens {
            return self.opening(self.sight.opens, ahead, waiting);
        }
        let is_crowded = now < self.sight.others;
        let is_full = self.sight.is_aligned && !is_crowded && self.sight.limit > 0;
        let all = match self.sight.left {
            None if is_full && waiting.saturating_add(self.sight.under_way) <= self.sight.limit => self.sight.limit,
            None => self.sight.probes,
            Some(0) if self.sight.may_ask() => 1,
            Some(left) => left,
        };
        let free = all.saturating_sub(self.sight.under_way);
        let since = self.sight.last_sent.max(self.sight.opens).max(self.sight.as_of).min(now);
        // When the answer to the last call is due, and the waiters ask.
        let answer = self.sight.last_sent.saturating_add(self.trip).saturating_add(self.trip / 2);
        // If none is due, the first in line is late, and it takes a while until others pass.
        let soon = if self.sight.under_way > 0 { self.trip / 4 } else { PASSED };
        let answer = answer.max(now.saturating_add(soon)).saturating_add(1);
        let answer = answer.saturating_add(ahead.saturating_mul(STAGGER));
        if ahead >= free {
            let slow = self.sight.last_sent.saturating_add(self.trip.saturating_mul(2).max(PATIENCE));
            // Until a limit is known, any number of calls may be let go when the first answer comes.
            let is_near = self.sight.limit == 0 || ahead < self.sight.limit;
            return match self.sight.left {
                None if ahead == 0 && now >= slow => slow,
                None if is_near => answer,
                None => {
                    let next = now.saturating_add(self.trip).saturating_add(self.sight.length);
                    self.opening(next, ahead.saturating_sub(self.sight.limit), waiting.saturating_sub(self.sight.limit))
                }
                Some(0) if is_near && self.sight.may_ask() => answer,
                Some(_) => {
                    let next = self.sight.ends.saturating_add(self.lateness(self.sight.ends));
                    self.opening(next, ahead.saturating_sub(free), waiting.saturating_sub(free))
                }
            };
        }
        let is_one_by_one = !self.sight.is_aligned || self.sight.is_early == Some(true);
        if waiting <= free || matches!(self.sight.left, None | Some(0)) || (is_one_by_one && !is_crowded) {
            return since;
        }
        // Half of the limit goes at once, the rest is spaced: a stranger that lost the opening gets in, and is seen.
        let fast = free.saturating_sub(self.sight.limit / 2);
        if ahead < fast {
            let is_now = !is_crowded || (self.sight.under_way == 0 && ahead == 0);
            return if is_now { since } else { answer.saturating_add(ahead.saturating_mul(self.trip)) };
        }
        let place = ahead.saturating_sub(fast).saturating_add(1);
        let slots = free.saturating_sub(fast).saturating_add(1);
        let gap = self.sight.ends.saturating_sub(self.sight.last_sent).checked_div(slots).unwrap_or_default();
        let turn = self.sight.last_sent.saturating_add(gap.saturating_mul(place));
        // The first comes a little before its time rather than ask twice.
        if ahead == 0 && may_be_early { turn.saturating_sub(gap / 4) } else { turn }
    }

    /// When to ask for a call that has `ahead` before it from the opening `at` on.
    fn opening(&self, at: u64, ahead: u64, waiting: u64) -> u64 {
        let Some(most) = ahead.checked_div(self.sight.limit) else {
            return at.saturating_add(ahead.saturating_mul(STAGGER));
        };
        // What strangers leave, except in a long line: they may leave altogether, and it would sleep on.
        let share = if most < LONG { self.share() } else { self.sight.limit };
        let windows = ahead.checked_div(share).unwrap_or_default();
        let place = ahead.saturating_sub(windows.saturating_mul(share));
        let slip = self.sight.length.saturating_add(self.trip);
        if windows > 0 {
            // When it opens is known for certain in the window before.
            return at.saturating_add(windows.saturating_mul(slip)).saturating_sub(slip / 2);
        }
        if place == 0 {
            return at;
        }
        let at = at.saturating_add(self.trip).saturating_add(self.trip / 2).saturating_add(1);
        let half = self.sight.limit.saturating_sub(self.sight.limit / 2);
        if place < half || waiting <= self.sight.limit {
            return at.saturating_add(place.saturating_mul(STAGGER));
        }
        at.saturating_add(self.gap().saturating_mul(place.saturating_sub(half).saturating_add(1)))
    }

    /// How far apart the spaced calls of a window are.
    fn gap(&self) -> u64 {
        self.sight.length.checked_div((self.sight.limit / 2).saturating_add(1)).unwrap_or_default()
    }

    /// How many calls of a window are the fleet's, as far as this one shows: half of the limit at least, as one window may
    /// not be like the next.
    fn share(&self) -> u64 {
        let most = self.sight.limit.max(1);
        let least = most.saturating_sub(most / 2);
        match self.sight.left {
            Some(left) if self.sight.is_early == Some(false) => {
                let ours = self.sight.sent.saturating_sub(self.sight.under_way);
                left.saturating_add(ours).clamp(least, most)
            }
            _ => most,
        }
    }

    /// The window is over, or a call was refused: the next one is not known to be open before `opens`.
    fn close(&mut self, opens: u64) {
        self.sight.close(opens);
        // Of those that were passed some never come.
        self.passed = self.passed.saturating_sub(self.passed.div_ceil(4));
    }

    fn told(&mut self, now: u64, told: Told) {
        let is_ours =
            told.epoch == self.epoch && told.window == self.sight.number && told.flags & event::IS_UNLEASED == 0;
        if told.flags & event::IS_REFUSED != 0 {
            self.refused(now, told, is_ours);
            return;
        }
        if told.flags & event::IS_SUCCESS != 0 || told.remaining.is_some() {
            self.sight.early = 0;
        }
        if told.flags & event::IS_UNLEASED != 0 {
            self.unleased(now, told);
        } else if is_ours {
            self.answered(now, told);
        }
    }

    /// A call that the fleet was not asked for: it counts, and what it tells of this window can only lower what is left.
    fn unleased(&mut self, now: u64, told: Told) {
        if let (Some(left), Some(remaining)) = (self.sight.left, told.remaining) {
            if now.saturating_sub(told.at) > self.sight.opened {
                self.sight.sent = self.sight.sent.saturating_add(1);
                self.sight.left = Some(left.min(remaining));
            }
        }
    }

    fn answered(&mut self, now: u64, told: Told) {
        let took = now.saturating_sub(told.at).min(SLOWEST_TRIP);
        self.trip = if self.trip == 0 { took } else { self.trip.saturating_mul(3).saturating_add(took) / 4 };
        self.sight.answered(now, told.at, told.limit, told.remaining);
    }

    fn refused(&mut self, now: u64, told: Told, is_ours: bool) {
        self.sight.limit = told.limit.unwrap_or(self.sight.limit);
        if !is_ours {
            self.sight.refused_late(now, told.wait);
            return;
        }
        let Refusal { wait, is_question } = self.sight.refused(now, told.wait);
        if wait > self.sight.length / 8 && !is_question && self.sight.sent <= self.sight.limit.max(1) {
            self.sight.others_call(now);
        }
        self.sight.said_no = self.sight.said_no.max(now.saturating_add(wait));
        self.close(self.sight.said_no.saturating_add(self.lateness(now)));
    }
}

/// `number`, doubled once for each whole `step` of `late`.
fn doubled(number: u64, late: u64, step: u64) -> u64 {
    let often = late.checked_div(step).unwrap_or_default().min(MOST_DOUBLED);
    number.saturating_mul(2_u64.saturating_pow(u32::try_from(often).unwrap_or_default()))
}
