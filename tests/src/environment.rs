//! What the environment of the cases holds.

use std::{io, sync::OnceLock};

use crate::{BoxError, fault_server::Authority};

/// Set in the process that runs the cases, to the file with the certificate authority that it trusts.
pub(crate) const AUTHORITY_FILE: &str = "COMETLY_CONFORMANCE_AUTHORITY";

/// What is set beside the variables that name a proxy.
pub(crate) const NO_PROXY: &str = ".internal.example, localhost\t10.0.0.0/8";

static AUTHORITY: OnceLock<Authority> = OnceLock::new();

/// The authority that every client trusts, as if it were in the system's store.
///
/// # Errors
/// Outside of [`run`](crate::run).
pub fn authority() -> Result<&'static Authority, BoxError> {
    AUTHORITY.get().ok_or_else(|| "the authority is made by `run`".into())
}

/// Makes it the authority that is trusted.
pub(crate) fn trust(authority: Authority) -> io::Result<()> {
    AUTHORITY.set(authority).map_err(|_| io::Error::other("the suite runs once a process"))
}
