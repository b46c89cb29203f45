//! A case of the suite.

use crate::scenario::{CaseResult, Scenario};

/// One fault, or one promise: what is done, and what must come of it.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it proves, as a name that reads alone.
    pub name: &'static str,
    /// What is done, and checked.
    pub run: fn(&Scenario<'_>) -> CaseResult,
}
