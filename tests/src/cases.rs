//! The cases, by what they are about. A name that begins with `row_` names the rows of the fault list that it covers.

use crate::Case;

mod authentication;
mod classification;
mod deadlines;
mod delivery;
mod framing;
mod load;
mod pacing;
mod proxies;
mod redirects;
mod retries;
mod wire;

/// Names a case after its function.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        &[$(crate::Case { name: stringify!($case), play: $case }),*]
    };
}
use cases;

/// All of them.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        authentication::CASES,
        classification::CASES,
        wire::CASES,
        redirects::CASES,
        proxies::CASES,
        delivery::CASES,
        deadlines::CASES,
        framing::CASES,
        retries::CASES,
        pacing::CASES,
        load::CASES,
    ]
    .concat()
}
