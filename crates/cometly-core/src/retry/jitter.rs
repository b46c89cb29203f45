//! Numbers that look random, from a seed that the caller gives.

use std::time::Duration;

/// A stream of draws (`SplitMix64`): the same seed gives the same draws, so that every wait can be played again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed for another stream.
    pub(crate) fn seed(&mut self) -> u64 {
        self.draw()
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A time below `ceiling`, each as likely as any other; zero below zero.
    pub(crate) fn below(&mut self, ceiling: Duration) -> Duration {
        // Two factors of 64 bits fit into 128.
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        let scaled = u128::from(nanos).wrapping_mul(u128::from(self.draw())) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that everyone's `SplitMix64` draws from this seed.
    #[test]
    fn the_draws_are_the_known_ones() {
        let mut jitter = Jitter::new(1_234_567);
        for expected in [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423] {
            assert_eq!(jitter.seed(), expected);
        }
    }

    #[test]
    fn draws_are_spread_evenly_and_stay_below_their_ceiling() {
        for seed in [0, 1, 2, u64::MAX] {
            let mut jitter = Jitter::new(seed);
            let mut tenths = [0_u32; 10];
            for _ in 0..10_000 {
                let drawn = jitter.below(Duration::from_secs(10));
                tenths[usize::try_from(drawn.as_secs()).unwrap()] += 1;
            }
            assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
        }
    }

    #[test]
    fn seeds_that_follow_each_other_do_not_draw_alike() {
        let mut drawn: Vec<_> =
            (0..50).map(|seed| Jitter::new(seed).below(Duration::from_secs(50)).as_secs()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert!(drawn.len() > 25, "50 callers that count their seeds up wake at {} different seconds", drawn.len());
    }

    #[test]
    fn no_ceiling_overflows() {
        let mut jitter = Jitter::new(7);
        assert_eq!(jitter.below(Duration::ZERO), Duration::ZERO);
        assert!(jitter.below(Duration::MAX) < Duration::MAX);
    }
}
