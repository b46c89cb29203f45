//! Events of a fleet, with the feature `tracing`: the engine went, and is back.

/// The processes pace themselves from now on.
#[cfg(feature = "tracing")]
pub(crate) fn gone(engine: &str, problem: &str) {
    tracing::warn!(target: "cometly_fleet", engine, problem, "the engine is gone; this process paces itself");
}

#[cfg(feature = "tracing")]
pub(crate) fn back(engine: &str) {
    tracing::info!(target: "cometly_fleet", engine, "the engine is back");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn gone(_: &str, _: &str) {}

#[cfg(not(feature = "tracing"))]
pub(crate) fn back(_: &str) {}
