//! Times, reckoned so that the compiler sees that nothing overflows: std's own subtraction and division of them keep a
//! panic in the program, though none can be met.

use std::time::Duration;

/// What is left of `whole` after `part`; nothing, if that is more.
pub(crate) fn left(whole: Duration, part: Duration) -> Duration {
    let (nanos, less) = (whole.subsec_nanos(), part.subsec_nanos());
    let (borrowed, nanos) = if nanos < less { (1, nanos.saturating_add(1_000_000_000)) } else { (0, nanos) };
    let seconds = whole.as_secs().checked_sub(part.as_secs()).and_then(|seconds| seconds.checked_sub(borrowed));
    let nanos = Duration::from_nanos(nanos.saturating_sub(less).into());
    seconds.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds).saturating_add(nanos))
}

/// One of so many equal parts; nothing of none.
pub(crate) fn part(of: Duration, parts: u32) -> Duration {
    let each = |number: u64| number.checked_div(parts.into()).unwrap_or_default();
    let rest = of.as_secs().checked_rem(parts.into()).unwrap_or_default();
    let nanos = rest.saturating_mul(1_000_000_000).saturating_add(of.subsec_nanos().into());
    Duration::from_secs(each(of.as_secs())).saturating_add(Duration::from_nanos(each(nanos)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_time_are_reckoned_with() {
        assert_eq!(left(Duration::MAX, Duration::ZERO), Duration::MAX);
        assert_eq!(left(Duration::MAX, Duration::MAX), Duration::ZERO);
        assert_eq!(left(Duration::ZERO, Duration::MAX), Duration::ZERO);
        assert_eq!(part(Duration::MAX, 1), Duration::MAX);
        assert_eq!(part(Duration::MAX, 0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn it_is_what_std_says(whole in any::<Duration>(), other in any::<Duration>(), parts in 1..u32::MAX) {
            prop_assert_eq!(left(whole, other), whole.saturating_sub(other));
            prop_assert_eq!(Some(part(whole, parts)), whole.checked_div(parts));
        }
    }
}
