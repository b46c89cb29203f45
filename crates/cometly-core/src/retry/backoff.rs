//! How far a job without a pacer spreads its attempts after refusals.

use std::time::Duration;

/// A window as Cometly documents it, until an endpoint has shown another.
pub(crate) const DOCUMENTED_WINDOW: Duration = Duration::from_secs(60);

/// The most windows that a call on its own is spread over. With more, windows stay empty when few calls are left;
/// with fewer, too many calls are sent in each window and refused.
pub(crate) const MOST_ALONE: u32 = 15;

/// After this many refusals in a row, there are more callers than any spread so far has room for.
const TOO_MANY: u32 = 40;

/// Over how many whole windows to spread after `refusals` in a row: 1, 3, 7, then `most`, which doubles with each four
/// refusals beyond 40.
///
/// Jitter inside a window cuts the peak and not the number of refusals: each caller still asks in every window. Only
/// leaving out whole windows does. A server that counts what it refuses lets no call through while too many ask,
/// so in the end they must become fewer, however many they are.
pub(crate) fn windows(refusals: u32, most: u32) -> u32 {
    let doublings = refusals.saturating_sub(TOO_MANY).div_ceil(4);
    let most = most.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
    1_u32.checked_shl(refusals).map_or(most, |doubled| doubled.saturating_sub(1)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_doubles_over_whole_windows_up_to_its_cap() {
        let spread = [0, 1, 2, 3, 4, 5, 31, 32, 40].map(|refusals| windows(refusals, MOST_ALONE));
        assert_eq!(spread, [0, 1, 3, 7, 15, 15, 15, 15, 15]);
    }
    #[test]
    fn who_is_refused_without_end_asks_ever_more_seldom() {
        let spread = [41, 44, 45, 48, 52, 60].map(|refusals| windows(refusals, MOST_ALONE));
        assert_eq!(spread, [30, 30, 60, 60, 120, 480]);
        assert_eq!(windows(u32::MAX, MOST_ALONE), u32::MAX);
    }
}
