//! The cases, by what they are about.

use crate::Case;

mod classification;

/// Names a case after its function.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        &[$(crate::Case { name: stringify!($case), play: $case }),*]
    };
}
pub(crate) use cases;

/// All of them.
#[must_use]
pub fn all() -> Vec<Case> {
    [classification::CASES].concat()
}
