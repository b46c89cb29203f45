//! What a fleet says of itself.

use std::fmt;

/// How a fleet's engine is. `Display` is one line for a log, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// Host and port of the engine.
    pub engine: String,
    /// Whether there is a connection.
    pub is_connected: bool,
    /// Why not, or what failed since the last answer.
    pub problem: Option<String>,
    /// Questions that were answered, and those that were not.
    pub answered: u64,
    /// Questions that the engine did not answer or could not be asked.
    pub failed: u64,
    /// One for each pacer that is in use.
    pub spaces: Vec<SpaceStatus>,
}

/// How one pacer of a fleet is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceStatus {
    /// The name of the Space.
    pub name: String,
    /// Whether it decides alone now, since the engine failed or took longer than 50 ms.
    pub is_alone: bool,
}

impl fmt::Display for FleetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, answered, failed, .. } = self;
        let connected = if self.is_connected { "connected" } else { "not connected" };
        write!(f, "fleet on Redis at {engine}: {connected}, {answered} questions answered, {failed} not")?;
        let alone = self.spaces.iter().filter(|space| space.is_alone).count();
        if alone > 0 {
            write!(f, ", {alone} of {} pacers alone", self.spaces.len())?;
        }
        if let Some(problem) = &self.problem {
            write!(f, ": {problem}")?;
        }
        Ok(())
    }
}
