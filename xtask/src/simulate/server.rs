//! The modelled server: how it counts, and what it answers.

use std::collections::VecDeque;

use super::clock::Seconds;

/// How a server counts the calls of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    /// As Laravel's `throttle` does: a window begins at its first call, and a refused call does not count.
    Fixed,
    /// Each call counts for the length of a window; a refused one does not.
    Sliding,
    /// As sliding, and a refused call counts too: who hammers never gets in.
    All,
}

impl Counting {
    pub(super) const ALL: [Self; 3] = [Self::Fixed, Self::Sliding, Self::All];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sliding => "sliding",
            Self::All => "counting",
        }
    }
}

pub(super) struct Server {
    counting: Counting,
    limit: u32,
    window: Seconds,
    ends: Seconds,
    used: u32,
    /// When the calls came that count.
    counted: VecDeque<Seconds>,
}

#[derive(Clone, Copy)]
pub(super) enum Answer {
    Taken {
        remaining: u32,
    },
    /// In whole seconds, rounded up.
    Refused {
        retry_after: f64,
    },
}

impl Server {
    pub(super) fn new(counting: Counting, limit: u32, window: Seconds) -> Self {
        Self { counting, limit, window, ends: 0.0, used: 0, counted: VecDeque::new() }
    }

    pub(super) fn answer(&mut self, now: Seconds) -> Answer {
        match self.counting {
            Counting::Fixed => self.fixed(now),
            Counting::Sliding | Counting::All => self.sliding(now),
        }
    }

    fn fixed(&mut self, now: Seconds) -> Answer {
        if now >= self.ends {
            self.ends = now + self.window;
            self.used = 0;
        }
        if self.used >= self.limit {
            return Answer::Refused { retry_after: (self.ends - now).ceil() };
        }
        self.used = self.used.saturating_add(1);
        Answer::Taken { remaining: self.limit.saturating_sub(self.used) }
    }

    fn sliding(&mut self, now: Seconds) -> Answer {
        while self.counted.front().is_some_and(|first| first + self.window <= now) {
            self.counted.pop_front();
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let is_taken = self.counted.len() < limit;
        if is_taken || self.counting == Counting::All {
            self.counted.push_back(now);
        }
        let used = self.counted.len();
        if is_taken {
            let remaining = u32::try_from(limit.saturating_sub(used)).unwrap_or_default();
            return Answer::Taken { remaining };
        }
        // When so many have gone that one more has room.
        let last_in_the_way = self.counted.get(used.saturating_sub(limit)).copied().unwrap_or(now);
        Answer::Refused { retry_after: (last_in_the_way + self.window - now).ceil() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which calls come, and what is left after each, or how long it has to wait.
    fn answers(counting: Counting, calls: &[Seconds]) -> Vec<Result<u32, f64>> {
        let mut server = Server::new(counting, 2, 60.0);
        let answer = |call: &Seconds| match server.answer(*call) {
            Answer::Taken { remaining } => Ok(remaining),
            Answer::Refused { retry_after } => Err(retry_after),
        };
        calls.iter().map(answer).collect()
    }

    #[test]
    fn a_fixed_window_begins_at_its_first_call_and_is_empty_at_its_end() {
        let expected = [Ok(1), Ok(0), Err(31.0), Ok(1), Ok(0), Err(58.0)];
        assert_eq!(answers(Counting::Fixed, &[10.0, 30.0, 39.5, 70.0, 71.0, 72.5]), expected);
    }

    #[test]
    fn a_sliding_window_gives_back_call_by_call() {
        let expected = [Ok(1), Ok(0), Err(31.0), Ok(0), Err(19.0), Ok(0)];
        assert_eq!(answers(Counting::Sliding, &[10.0, 30.0, 39.5, 70.0, 71.0, 90.0]), expected);
    }

    #[test]
    fn where_refused_calls_count_the_wait_grows_with_each() {
        let expected = [Ok(1), Ok(0), Err(51.0), Err(60.0), Ok(0)];
        assert_eq!(answers(Counting::All, &[10.0, 30.0, 39.5, 40.0, 99.5]), expected);
    }
}
