//! What a client needs beside a service.

use std::time::Duration;

use cometly_core::{Moment, TransportError};

use crate::ServiceError;

/// Where a client runs: its clock, its sleep, its random numbers, and what it knows of the service's errors.
///
/// The [front page](crate) has the one for tokio. Where std has no clock (`wasm32-unknown-unknown`), [`now`](Self::now) is
/// [`Moment::since_origin`] of the host's own.
pub trait Host: Clone {
    /// A sleep under way. [`Send`] if the client's futures have to be; a `Pin<Box<dyn Future<Output = ()> + Send>>` will do.
    type Sleep: Future<Output = ()>;

    /// The current moment. All who share a [`Pacer`](cometly_core::Pacer) need one origin.
    ///
    /// A clock that goes back counts as one that does not move. If it does not move while the host sleeps, the time slept counts
    /// instead, and a wait takes at most twice as long as it should.
    fn now(&self) -> Moment;

    /// Sleeps. If it ends too early by the clock, the client sleeps again for the rest.
    fn sleep(&self, time: Duration) -> Self::Sleep;

    /// Another number for each call: it spreads the waits of many callers. It need not be hard to guess.
    fn seed(&self) -> u64;

    /// What an error of the service says of the request, by [`TransportError`]'s table; [`ServiceError::find`] looks for the
    /// error of an HTTP stack below layers. By default the request may have arrived, which is never wrong: a wrong
    /// [`not_sent`](TransportError::not_sent) is a conversion counted twice.
    fn failure(&self, error: ServiceError) -> TransportError<ServiceError> {
        TransportError::unknown(error)
    }
}
