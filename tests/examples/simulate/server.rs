//! The modelled server: how it counts, and what it answers. Times are milliseconds.

use std::collections::VecDeque;

/// How a server counts calls. A refused call counts nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// As Laravel's `throttle` does: a window begins at its first call.
    FirstHit,
    /// Windows begin at whole minutes of the server's clock, which is this far into one at the start.
    Clock(u64),
    /// Each call counts for the length of a window.
    SlidingLog,
    /// The calls of this window of the clock, and the share of those of the last one that is still in sight.
    SlidingCounter,
    /// A bucket of this size, filled at the rate of the limit, of which each call takes one.
    Bucket(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) counting: Counting,
    pub(crate) calls: u64,
    pub(crate) window: u64,
}

pub(crate) struct Server {
    limit: Limit,
    ends: u64,
    /// Calls of this window and of the last; in thousandths of a call for a bucket.
    used: u64,
    used_before: u64,
    log: VecDeque<u64>,
    filled_at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken {
        limit: u64,
        remaining: u64,
    },
    /// In whole seconds, rounded up.
    Refused {
        limit: u64,
        retry_after: u64,
    },
}

impl Server {
    pub(crate) fn new(limit: Limit) -> Self {
        let ends = match limit.counting {
            Counting::Clock(into) => limit.window - into % limit.window,
            Counting::SlidingCounter => limit.window,
            _ => 0,
        };
        Self { limit, ends, used: 0, used_before: 0, log: VecDeque::new(), filled_at: 0 }
    }

    /// The window that is open, by its end; for a rival that takes its part of each.
    pub(crate) fn window(&mut self, now: u64) -> u64 {
        self.turn_over(now);
        match self.limit.counting {
            Counting::FirstHit if now >= self.ends => now + self.limit.window,
            Counting::FirstHit | Counting::Clock(_) | Counting::SlidingCounter => self.ends,
            _ => now / self.limit.window,
        }
    }

    /// How many calls would be taken now.
    pub(crate) fn room(&mut self, now: u64) -> u64 {
        self.turn_over(now);
        let limit = self.limit.calls;
        match self.limit.counting {
            Counting::FirstHit if now >= self.ends => limit,
            Counting::FirstHit | Counting::Clock(_) => limit.saturating_sub(self.used),
            Counting::SlidingLog => limit.saturating_sub(self.log.len() as u64),
            Counting::SlidingCounter => limit.saturating_sub(self.sliding(now)),
            Counting::Bucket(_) => self.used / 1000,
        }
    }

    fn sliding(&self, now: u64) -> u64 {
        let in_sight = self.ends.saturating_sub(now);
        self.used + (self.used_before * in_sight).div_ceil(self.limit.window)
    }

    fn turn_over(&mut self, now: u64) {
        let Limit { counting, calls, window } = self.limit;
        match counting {
            Counting::FirstHit => {}
            Counting::Clock(_) | Counting::SlidingCounter => {
                while now >= self.ends {
                    self.ends += window;
                    (self.used_before, self.used) = (self.used, 0);
                }
            }
            Counting::SlidingLog => {
                while self.log.front().is_some_and(|first| first + window <= now) {
                    self.log.pop_front();
                }
            }
            Counting::Bucket(size) => {
                if self.filled_at == 0 && self.used == 0 {
                    self.used = size * 1000;
                }
                // Thousandths of a call in whole steps, so that nothing is lost between two looks.
                let step = window / calls;
                let gained = (now - self.filled_at) * 1000 / step;
                self.filled_at += gained * step / 1000;
                self.used = (self.used + gained).min(size * 1000);
            }
        }
    }

    pub(crate) fn answer(&mut self, now: u64) -> Answer {
        let Limit { counting, calls, window } = self.limit;
        let told = if let Counting::Bucket(size) = counting { size } else { calls };
        if self.room(now) == 0 {
            let wait = match counting {
                Counting::FirstHit | Counting::Clock(_) => self.ends - now,
                Counting::SlidingLog => self.log.front().map_or(0, |first| first + window - now),
                Counting::SlidingCounter => {
                    let mut wait = 0;
                    while wait < self.ends - now && self.sliding(now + wait) >= calls {
                        wait += 100;
                    }
                    wait
                }
                Counting::Bucket(_) => (1000 - self.used % 1000) * (window / calls) / 1000,
            };
            return Answer::Refused { limit: told, retry_after: wait.div_ceil(1000) };
        }
        match counting {
            Counting::FirstHit => {
                if now >= self.ends {
                    (self.ends, self.used) = (now + window, 0);
                }
                self.used += 1;
            }
            Counting::Clock(_) | Counting::SlidingCounter => self.used += 1,
            Counting::SlidingLog => self.log.push_back(now),
            Counting::Bucket(_) => self.used -= 1000,
        }
        Answer::Taken { limit: told, remaining: self.room(now) }
    }

    /// When the last of this many calls would be taken if each went as soon as there is room.
    pub(crate) fn ideal(limit: Limit, calls: u64) -> u64 {
        match limit.counting {
            Counting::Bucket(size) => calls.saturating_sub(size) * limit.window / limit.calls,
            Counting::Clock(into) => (calls.div_ceil(limit.calls).saturating_sub(1) * limit.window)
                .saturating_sub(if calls > limit.calls { into } else { 0 }),
            _ => calls.div_ceil(limit.calls).saturating_sub(1) * limit.window,
        }
    }
}
