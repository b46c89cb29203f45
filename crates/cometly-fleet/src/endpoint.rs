//! What the engine holds of an endpoint, read without changing it.

use std::time::Duration;

use cometly_core::SharedLane;

/// What the engine of a fleet holds of one endpoint of a Space; from [`Fleet::endpoints`](crate::Fleet::endpoints).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStatus {
    /// How many calls the server allows in a window; `None` if it did not say.
    pub limit: Option<u64>,
    /// How many of them are left, by the lowest number that the server gave in this window; `None` before its first answer, and
    /// once the window is over.
    pub left: Option<u64>,
    /// How many calls of all processes were sent and have no answer yet.
    pub under_way: u64,
    /// How many calls of all processes wait in line.
    pub waiting: u64,
    /// How long until the window ends, in whole milliseconds; `None` if no window is known to be open.
    pub resets_in: Option<Duration>,
    /// How long the endpoint stays closed after a refusal (429), in whole milliseconds; zero if it is open.
    pub closed_for: Duration,
}

impl EndpointStatus {
    /// From the text that the engine holds, at this time of its clock. `None` if the text is no state.
    pub(crate) fn read(held: &str, now: u64) -> Option<Self> {
        let fields: Vec<u64> = held.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let mut lane = SharedLane::from_fields(&fields);
        if lane == SharedLane::default() {
            return None;
        }
        // No event: only the end of the window is taken in, as with the next question.
        let [.., closed_for, limit, left, waiting, _, _] = lane.answer(now, &[]);
        let left = left.checked_sub(1);
        Some(Self {
            limit: Some(limit).filter(|limit| *limit > 0),
            left,
            under_way: lane.under_way(),
            waiting,
            resets_in: left.map(|_| Duration::from_millis(lane.ends().saturating_sub(now))),
            closed_for: Duration::from_millis(closed_for),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_at_a_later_time_and_rubbish_is_none() {
        let mut lane = SharedLane::default();
        let [granted, epoch, window, at, ..] = lane.answer(10_000, &[4, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(granted, 1);
        lane.answer(10_050, &[1, epoch, window, at, 14, 7, 6, 0]);
        let held = lane.fields().map(|field| field.to_string()).join(" ");
        let status = EndpointStatus::read(&held, 20_050).unwrap();
        assert_eq!((status.limit, status.left, status.under_way, status.waiting), (Some(7), Some(6), 0, 0));
        assert_eq!(status.resets_in, Some(Duration::from_secs(50)));
        let over = EndpointStatus::read(&held, 80_000).unwrap();
        assert_eq!((over.limit, over.left, over.resets_in), (Some(7), None, None));
        for rubbish in ["", "1 2 3", "words", "18446744073709551616"] {
            assert_eq!(EndpointStatus::read(rubbish, 20_050), None, "{rubbish}");
        }
    }
}
