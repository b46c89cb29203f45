//! A case of the suite.

use crate::stage::{Played, Stage};

/// One fault, or one promise: what is done, and what must come of it.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it proves, as a name that reads alone.
    pub name: &'static str,
    /// Plays it.
    pub play: fn(&Stage<'_>) -> Played,
}
