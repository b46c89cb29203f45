//! Two who do the same, in turn.

use crate::{AT_ONCE, Stack, Who, clock::process_cpu};

/// Calls in a batch: ten rounds of all that are under way.
const BATCH: u64 = AT_ONCE as u64 * 10;
const BATCHES: usize = 20;

/// The CPU time of ours over that of the leanest by hand: the median over batches that take turns, so that whatever else
/// the machine does strikes both.
pub fn ratio(stack: &dyn Stack) -> f64 {
    let time = |who| {
        let begun = process_cpu();
        assert!(stack.at_once(who, BATCH) > 0, "no body was read");
        (process_cpu() - begun) as f64
    };
    // Connections are made, and memory grown, before it counts.
    time(Who::Ours);
    time(Who::Lean);
    let mut ratios: Vec<f64> = (0..BATCHES)
        .map(|batch| {
            if batch % 2 == 0 {
                let ours = time(Who::Ours);
                ours / time(Who::Lean)
            } else {
                let lean = time(Who::Lean);
                time(Who::Ours) / lean
            }
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[BATCHES / 2]
}
