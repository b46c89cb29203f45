//! What a fleet says of itself.

use std::fmt;

/// The state of a fleet's engine, the Redis that its pacers share, and of its pacers, as it was seen last; from
/// [`Fleet::status`](crate::Fleet::status), which asks the engine nothing and cannot fail. A connection that broke is noticed with
/// the next call of a pacer. `Display` is one line for a log, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// The host and port of the engine, as `127.0.0.1:6379`.
    pub engine: String,
    /// Whether there is a connection to the engine, as far as was seen; false before the first one.
    pub is_connected: bool,
    /// Why there is no connection, or what failed since the last answer, as text for logs; `None` if all is well.
    pub problem: Option<String>,
    /// How many questions of the pacers the engine answered since the fleet was connected.
    pub answered: u64,
    /// How many questions of the pacers the engine did not answer, answered in another form, or could not be asked, since the
    /// fleet was connected.
    pub failed: u64,
    /// The pacers that are in use, one item for each; empty if there is none.
    pub spaces: Vec<SpaceStatus>,
}

/// The state of one pacer of a fleet; from [`FleetStatus::spaces`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpaceStatus {
    /// The name of the Space, as it was given to [`Fleet::pacer`](crate::Fleet::pacer).
    pub name: String,
    /// Whether the pacer decides alone now, since the engine failed or took longer than 50 ms; the [front page](crate) says when it
    /// is tried again.
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
