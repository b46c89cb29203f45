//! When a call is sent again. A [`RetryPolicy`] holds the numbers, [`Rules::decide`](policy::Rules) turns them and what is
//! known of the last attempt into a decision, and a [`RetryBudget`] keeps retries of a whole program below a tenth.

mod backoff;
mod budget;
mod decision;
mod jitter;
mod policy;

pub(crate) use backoff::DOCUMENTED_WINDOW;
pub use budget::RetryBudget;
pub(crate) use decision::{Decision, Facts, TryResult};
pub(crate) use jitter::Jitter;
pub(crate) use policy::DEFAULT_TIMEOUT;
pub use policy::{RetryPolicy, RetryReason};
