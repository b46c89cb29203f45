//! A case of the suite.

use crate::{
    demands::{Demand, demand},
    scenario::{CaseResult, Scenario},
};

/// One fault, or one promise: what is done, and what must come of it.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it proves, as a name that reads alone.
    pub name: &'static str,
    /// What is done, and checked.
    pub run: fn(&Scenario<'_>) -> CaseResult,
}

impl Case {
    /// What it asks of a transport, in words.
    #[must_use]
    pub fn demand(&self) -> Option<&'static Demand> {
        demand(self.name)
    }
}
