//! One suite of cases that every transport of [`cometly_core`] must pass, over real sockets.
//!
//! Each case is run with a fresh key, against a [fault server](fault_server) or the emulator, and passes only if the key
//! is nowhere to be seen, in nothing that can be printed and in no log record, and if as many calls arrived as the
//! transport did not say were never sent.
//!
//! To run it on a transport of your own, implement [`ClientUnderTest`] and [`Transport`] and make it the `main` of a test without
//! a harness (`harness = false` in the manifest):
//!
//! ```no_run
//! # #[cfg(feature = "adapters")]
//! fn main() -> std::io::Result<std::process::ExitCode> {
//!     cometly_conformance::run(cometly_conformance::adapters::all())
//! }
//! # #[cfg(not(feature = "adapters"))]
//! # fn main() {}
//! ```
#![forbid(unsafe_code)]

#[cfg(feature = "adapters")]
pub mod adapters;
pub mod canary;
mod case;
pub mod cases;
pub mod demands;
mod environment;
pub mod fault_server;
mod record;
mod scenario;
mod suite;
mod transport;
mod verdict;

pub use case::Case;
pub use environment::authority;
pub use scenario::{Arrivals, CaseResult, Scenario, wait_until};
pub use suite::{run, run_without};
pub use transport::{
    BoxError, ClientUnderTest, Downloaded, Gap, HttpClient, Proxy, Sent, Settings, Source, Streamed, Transport, piece,
};
