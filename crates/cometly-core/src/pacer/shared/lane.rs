//! The rule of a fleet: one endpoint of one Space as all processes see it. A step function on integers, and all of it.
//!
//! It is [`window`](crate::pacer) for many processes: what the server told is the truth, a lease is leave for one call,
//! and the lowest `Remaining` of the window less the leases is what may go. What differs:
//!
//! - The processes see each other's answers, so none has to guess: no jitter, no windows left out, no meekness. Only while
//!   strangers call too, which share no engine, a window opens late, and its first half goes one by one.
//! - Processes wait in a line of numbers. `issued` counts those given out and `served` those that went, so a place is one
//!   subtraction, and the line takes two integers however long it is. A number that does not come is passed.
//! - A process that waits learns one time at which to ask again: its place in the window, or half a window before, if it is far back.
//!
//! A lease of a crashed process ends with its window, and counts as used until then; 30 s after the last call, where no
//! window is known. Times are milliseconds of the engine's clock. `rule.lua` in the crate `cometly-fleet` is this file in
//! another language, held to it by a test.

/// A window as Cometly documents it, until an endpoint shows another; the shortest and the longest that are learnt.
const DOCUMENTED: u64 = 60_000;
const SHORTEST_WINDOW: u64 = 250;
const LONGEST_WINDOW: u64 = 15 * 60_000;

/// The longest that one refusal closes an endpoint.
const LONGEST_CLOSED: u64 = 60 * 60_000;

/// How long an answer may take before one more call goes instead, and before none is expected.
const PATIENCE: u64 = 1_000;
const LOST: u64 = 30_000;

/// How late the first in line may ask before others pass. Each further such time doubles how many are passed.
const PASSED: u64 = 250;
const MOST_DOUBLED: u64 = 20;

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

/// One endpoint of one Space as a whole fleet sees it: the state that the engine holds, and the rule.
///
/// The engine runs the same rule as a script. This is for tests, simulations and engines of your own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedLane {
    /// When this state began; 0 before. Leases and numbers of another state are strangers'.
    epoch: u64,
    /// The latest time seen.
    seen: u64,
    /// Counts refusals and turn-overs: an answer to a call of an earlier number opens nothing.
    window: u64,
    limit: u64,
    length: u64,
    /// The last measured length that has not been believed yet.
    measured: u64,
    /// The lowest `Remaining` told in this window; none before the first.
    left: Option<u64>,
    as_of: u64,
    opened: u64,
    ends: u64,
    said_no: u64,
    opens: u64,
    /// Whether this window began full with a call of the fleet, so that it is known when it ends.
    is_aligned: bool,
    /// Whether room comes back before `ends`, as in a bucket; asked once at none left.
    is_early: Option<bool>,
    emptied: u64,
    regain: u64,
    probes: u64,
    under_way: u64,
    sent: u64,
    last_sent: u64,
    before: u64,
    recent: u64,
    earlier: u64,
    rolled: u64,
    /// Strangers are taken to call too until then.
    strangers: u64,
    /// Refusals in a row that told a short wait.
    early: u64,
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

impl SharedLane {
    /// How many integers the state is, and an answer.
    pub const FIELDS: usize = 30;
    /// How many integers an answer is.
    pub const ANSWER: usize = 13;

    /// The state from what the engine holds. Anything else than a state is a lane that knows nothing yet.
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
        Self {
            epoch,
            seen,
            window,
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
            strangers,
            early,
            trip: trip.min(SLOWEST_TRIP),
            issued,
            served: served.min(issued).max(issued.saturating_sub(MOST_COUNT)),
            passed: passed.min(MOST_COUNT),
        }
    }

    /// The state as the engine holds it.
    #[must_use]
    pub fn fields(&self) -> [u64; Self::FIELDS] {
        [
            self.epoch,
            self.seen,
            self.window,
            self.limit,
            self.length,
            self.measured,
            self.left.map_or(0, |left| left.saturating_add(1)),
            self.as_of,
            self.opened,
            self.ends,
            self.said_no,
            self.opens,
            u64::from(self.is_aligned),
            self.is_early.map_or(0, |is_early| if is_early { 2 } else { 1 }),
            self.emptied,
            self.regain,
            self.probes,
            self.under_way,
            self.sent,
            self.last_sent,
            self.before,
            self.recent,
            self.earlier,
            self.rolled,
            self.strangers,
            self.early,
            self.trip,
            self.issued,
            self.served,
            self.passed,
        ]
    }

    /// Takes the events of a [`Question`](super::Question) at this time, and answers it. The same state, time and events give the same.
    pub fn answer(&mut self, now: u64, events: &[u64]) -> [u64; Self::ANSWER] {
        let now = self.begin(now.min(MOST_TIME));
        let mut said = Said::default();
        for event in events.chunks_exact(EVENT) {
            let Ok(event) = <[u64; EVENT]>::try_from(event) else { continue };
            let [kind, epoch, third, fourth, fifth, sixth, seventh, eighth] = event.map(|field| field.min(MOST_TIME));
            let is_ours = epoch == self.epoch && third == self.window;
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
                event::LOST if is_ours => self.lost(),
                event::BACK if is_ours => {
                    let unsent = fourth.min(self.under_way);
                    self.under_way = self.under_way.saturating_sub(unsent);
                    self.sent = self.sent.saturating_sub(unsent);
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
            self.window,
            now,
            said.start,
            said.count,
            said.wait,
            self.said_no.saturating_sub(now),
            self.limit,
            self.left.map_or(0, |left| left.saturating_add(1)),
            self.issued.saturating_sub(self.served),
            self.kept_for(now),
            self.length,
        ]
    }

    /// How long a window was before the engine forgot all: a process remembers it.
    fn suppose(&mut self, length: u64) {
        if self.limit == 0 && self.left.is_none() && length > 0 {
            self.length = length.clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
            self.measured = self.length;
        }
    }

    /// For how long the engine keeps the state.
    fn kept_for(&self, now: u64) -> u64 {
        let last = self.ends.max(self.opens).max(self.strangers).max(self.last_sent.saturating_add(LOST));
        last.saturating_sub(now).saturating_add(self.length.saturating_mul(KEPT_WINDOWS))
    }

    /// The window may be over, calls lost, the clock set.
    fn begin(&mut self, now: u64) -> u64 {
        if self.epoch == 0 {
            *self = Self::at(now.max(1), DOCUMENTED);
        }
        let latest = self.ends.max(self.opens).max(self.strangers);
        if now.saturating_add(CLOCK_SET) < self.seen || latest > now.saturating_add(FURTHEST) {
            // All times are those of another clock. What is no time is kept; leases are of an earlier window.
            let fresh = Self::at(now, self.length);
            *self = Self {
                epoch: self.epoch,
                window: self.window.saturating_add(1),
                limit: self.limit,
                is_early: self.is_early,
                trip: self.trip,
                issued: self.issued,
                served: self.served,
                passed: self.passed,
                ..fresh
            };
        }
        let now = now.max(self.seen);
        self.seen = now;
        if self.left.is_some() && now >= self.ends {
            self.close(self.ends.saturating_add(self.lateness(self.ends)));
        }
        if self.left.is_none() && now >= self.last_sent.saturating_add(LOST) {
            self.under_way = 0;
        }
        now
    }

    fn at(now: u64, length: u64) -> Self {
        Self { epoch: now, seen: now, window: 1, length, measured: length, probes: 1, ..Self::default() }
    }

    fn lateness(&self, now: u64) -> u64 {
        if now < self.strangers { LATE_OPENING.min(self.length / 40) } else { 0 }
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
                said.count = rest.min((self.limit / 8).max(1));
                self.issued = self.issued.saturating_add(said.count);
            }
            let ahead = self.ahead_of(said.start);
            let waiting = self.issued.saturating_sub(self.served).max(said.count).saturating_sub(said.count);
            let waiting = waiting.saturating_add(rest);
            let passed = self.to_pass(now, ahead, waiting);
            let turn = self.turn(now, ahead.saturating_sub(passed), waiting);
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
            self.under_way = self.under_way.saturating_add(1);
            self.sent = self.sent.saturating_add(1);
            self.last_sent = now;
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
        let patience = if self.left.is_some() { PASSED.max(self.length / 60) } else { PASSED };
        let late = now.saturating_sub(self.turn(now, 0, waiting)).checked_div(patience).unwrap_or_default();
        let late = u32::try_from(late.min(MOST_DOUBLED)).unwrap_or_default();
        1_u64.checked_shl(late).unwrap_or_default().saturating_sub(1).min(ahead)
    }

    /// When a call may go that has `ahead` before it of the `waiting` ones: `now` or since when, or later.
    fn turn(&self, now: u64, ahead: u64, waiting: u64) -> u64 {
        if now < self.opens {
            return self.opening(self.opens, ahead, waiting);
        }
        let is_crowded = now < self.strangers;
        let is_full = self.is_aligned && !is_crowded && self.limit > 0;
        let all = match self.left {
            None if is_full && waiting.saturating_add(self.under_way) <= self.limit => self.limit,
            None => self.probes,
            Some(0) if self.may_ask() => 1,
            Some(left) => left,
        };
        let free = all.saturating_sub(self.under_way);
        let since = self.last_sent.max(self.opens).max(self.as_of).min(now);
        // When the answer to the last call is due, and the waiters ask.
        let answer = self.last_sent.saturating_add(self.trip).saturating_add(self.trip / 2);
        let answer = answer.max(now.saturating_add(self.trip / 4)).saturating_add(1);
        let answer = answer.saturating_add(ahead.saturating_mul(STAGGER));
        if ahead >= free {
            let slow = self.last_sent.saturating_add(self.trip.saturating_mul(2).max(PATIENCE));
            let is_near = ahead < self.limit.max(1);
            return match self.left {
                None if ahead == 0 && now >= slow => slow,
                None if is_near => answer,
                None => {
                    let next = now.saturating_add(self.trip).saturating_add(self.length);
                    self.opening(next, ahead.saturating_sub(self.limit), waiting.saturating_sub(self.limit))
                }
                Some(0) if is_near && self.may_ask() => answer,
                Some(_) => {
                    let next = self.ends.saturating_add(self.lateness(self.ends));
                    self.opening(next, ahead.saturating_sub(free), waiting.saturating_sub(free))
                }
            };
        }
        let is_one_by_one = !self.is_aligned || self.is_early == Some(true);
        if waiting <= free || matches!(self.left, None | Some(0)) || (is_one_by_one && !is_crowded) {
            return since;
        }
        // Half of the limit goes at once, the rest is spaced: a stranger that lost the opening gets in, and is seen.
        let fast = free.saturating_sub(self.limit / 2);
        if ahead < fast {
            let is_now = !is_crowded || (self.under_way == 0 && ahead == 0);
            return if is_now { since } else { answer.saturating_add(ahead.saturating_mul(self.trip)) };
        }
        let place = ahead.saturating_sub(fast).saturating_add(1);
        let slots = free.saturating_sub(fast).saturating_add(1);
        let gap = self.ends.saturating_sub(self.last_sent).checked_div(slots).unwrap_or_default();
        let turn = self.last_sent.saturating_add(gap.saturating_mul(place));
        // The first comes a little before its time rather than ask twice.
        if ahead == 0 { turn.saturating_sub(gap / 4) } else { turn }
    }

    /// When to ask for a call that has `ahead` before it from the opening `at` on.
    fn opening(&self, at: u64, ahead: u64, waiting: u64) -> u64 {
        let Some(windows) = ahead.checked_div(self.limit) else {
            return at.saturating_add(ahead.saturating_mul(STAGGER));
        };
        let before = windows.saturating_mul(self.limit);
        let place = ahead.saturating_sub(before);
        let slip = self.length.saturating_add(self.trip);
        if windows > 0 {
            // When it opens is known for certain in the window before.
            return at.saturating_add(windows.saturating_mul(slip)).saturating_sub(slip / 2);
        }
        if place == 0 {
            return at;
        }
        let at = at.saturating_add(self.trip).saturating_add(1);
        let half = self.limit.saturating_sub(self.limit / 2);
        if place < half || waiting <= self.limit {
            return at.saturating_add(place.saturating_mul(STAGGER));
        }
        let gap = self.length.checked_div((self.limit / 2).saturating_add(1)).unwrap_or_default();
        at.saturating_add(gap.saturating_mul(place.saturating_sub(half).saturating_add(1)))
    }

    /// Whether it is worth asking at none left: the window may be over before `ends`.
    fn may_ask(&self) -> bool {
        !self.is_aligned || self.is_early != Some(false)
    }

    /// The window is over, or a call was refused: the next one is not known to be open before `opens`.
    fn close(&mut self, opens: u64) {
        self.window = self.window.saturating_add(1);
        if opens >= self.rolled.saturating_add(self.length) {
            (self.earlier, self.recent, self.rolled) = (self.recent, 0, opens);
        }
        self.opens = self.opens.max(opens);
        // Of those that were passed some never come.
        self.passed = self.passed.saturating_sub(self.passed.div_ceil(4));
        (self.left, self.probes, self.under_way, self.sent) = (None, 1, 0, 0);
    }

    fn told(&mut self, now: u64, told: Told) {
        let is_ours = told.epoch == self.epoch && told.window == self.window && told.flags & event::IS_UNLEASED == 0;
        if told.flags & event::IS_REFUSED != 0 {
            self.refused(now, told, is_ours);
            return;
        }
        if told.flags & event::IS_SUCCESS != 0 || told.remaining.is_some() {
            self.early = 0;
        }
        if told.flags & event::IS_UNLEASED != 0 {
            self.unleased(now, told);
        } else if is_ours {
            self.answered(now, told);
        }
    }

    /// A call that the fleet was not asked for: it counts, and what it tells of this window can only lower what is left.
    fn unleased(&mut self, now: u64, told: Told) {
        if let (Some(left), Some(remaining)) = (self.left, told.remaining) {
            if now.saturating_sub(told.at) > self.opened {
                self.sent = self.sent.saturating_add(1);
                self.left = Some(left.min(remaining));
            }
        }
    }

    fn answered(&mut self, now: u64, told: Told) {
        self.under_way = self.under_way.saturating_sub(1);
        self.recent = self.recent.saturating_add(1);
        let took = now.saturating_sub(told.at).min(SLOWEST_TRIP);
        self.trip = if self.trip == 0 { took } else { self.trip.saturating_mul(3).saturating_add(took) / 4 };
        let Some(remaining) = told.remaining else {
            self.probes = self.probes.saturating_add(1).min(MOST_COUNT);
            return;
        };
        self.limit = told.limit.unwrap_or_else(|| self.limit.max(remaining.saturating_add(1)));
        let used = self.limit.saturating_sub(remaining);
        let in_order = told.at >= self.as_of;
        if used.saturating_mul(4) <= self.limit {
            // Nearly all had come back: each comes back sooner.
            self.regain = self.regain.checked_div(remaining.saturating_add(1)).unwrap_or_default();
        }
        match self.left {
            Some(left) if in_order && remaining > left => {
                // More than before: another window has begun, or calls come back one by one.
                self.sent = self.under_way.saturating_add(1);
                if used <= self.sent {
                    self.learn(now.saturating_sub(self.opened));
                    self.open(now);
                }
                self.is_aligned = used <= self.sent;
                self.before = used.saturating_sub(self.sent);
                self.left = Some(remaining);
            }
            Some(left) => {
                self.left = Some(left.min(remaining));
                if used > self.before.saturating_add(self.sent) {
                    self.strangers = now.saturating_add(self.length.saturating_mul(2));
                    self.before = used.saturating_sub(self.sent);
                }
            }
            None => {
                self.open(now);
                self.is_aligned = used <= self.sent;
                if self.is_aligned {
                    // Over when it was thought to be: a shorter one that was measured before is not its length.
                    self.measured = self.length;
                }
                self.before = used.saturating_sub(self.sent);
                self.left = Some(remaining);
                if self.before > self.recent.saturating_add(self.earlier) {
                    self.strangers = now.saturating_add(self.length.saturating_mul(2));
                }
            }
        }
        if in_order {
            self.as_of = now;
        }
        if self.left == Some(0) && self.may_ask() {
            self.emptied = now;
            let back = now.saturating_add(self.regain);
            if self.is_early == Some(true) {
                self.ends = self.ends.max(back);
            }
            self.opens = self.opens.max(self.ends.min(back));
        }
    }

    fn open(&mut self, now: u64) {
        self.opened = now;
        self.ends = now.saturating_add(self.length);
    }

    fn lost(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.probes = self.probes.saturating_add(1).min(MOST_COUNT);
        // It may have been counted.
        self.left = self.left.map(|left| left.saturating_sub(1));
    }

    fn refused(&mut self, now: u64, told: Told, is_ours: bool) {
        let wait = told.wait.unwrap_or(self.length);
        self.limit = told.limit.unwrap_or(self.limit);
        if !is_ours {
            self.said_no = self.said_no.max(now.saturating_add(wait));
            self.opens = self.opens.max(self.said_no);
            return;
        }
        if self.left.is_some() && self.is_aligned && told.wait.is_some() {
            let length = now.saturating_add(wait).saturating_sub(self.opened);
            if length > self.length {
                self.learn(length);
            }
        }
        let is_question = self.left == Some(0);
        if is_question {
            self.is_early = Some(now.saturating_add(wait).saturating_add(self.length / 8) < self.ends);
            self.regain = now.saturating_add(wait).saturating_sub(self.emptied);
        }
        // A call that came a little too soon was not crowded out; but one that always does must come later.
        self.early = if wait <= self.length / 8 { self.early.saturating_add(1).min(MOST_DOUBLED) } else { 0 };
        let doublings = u32::try_from(self.early).unwrap_or_default();
        let wait = wait.max(500_u64.checked_shl(doublings).unwrap_or(u64::MAX).min(self.length));
        if wait > self.length / 8 && !is_question && self.sent <= self.limit.max(1) {
            self.strangers = now.saturating_add(self.length.saturating_mul(2));
        }
        self.said_no = self.said_no.max(now.saturating_add(wait));
        self.close(self.said_no.saturating_add(self.lateness(now)));
    }

    /// A window took this long. Believed when seen twice: the first of two windows of the clock is seen to be shorter.
    fn learn(&mut self, length: u64) {
        let length = length.clamp(SHORTEST_WINDOW, LONGEST_WINDOW);
        let (low, high) = (length.min(self.measured), length.max(self.measured));
        if high < (self.length / 4).saturating_mul(3) {
            self.length = high;
        } else if low > (self.length / 4).saturating_mul(5) {
            self.length = low;
        }
        self.measured = length;
    }
}
