//! What a client needs beside a service.

use std::time::Duration;

use cometly_core::{Moment, TransportError};

use crate::ServiceError;

/// The surroundings of a client: its clock, its sleep, its random numbers, and what it knows of the service's errors.
///
/// The [front page](crate) has the one for tokio. Where std has no clock (`wasm32-unknown-unknown`), [`now`](Self::now) is
/// [`Moment::since_origin`] of the host's own.
pub trait Host: Clone {
    /// The future of a sleep under way. It has to be [`Send`] if the client's futures have to be; a `Pin<Box<dyn Future<Output
    /// = ()> + Send>>` will do.
    type Sleep: Future<Output = ()>;

    /// The current moment. All clients that share a [`Pacer`](cometly_core::Pacer) need the same origin.
    ///
    /// A clock that goes back counts as one that does not move. If it does not move while the host sleeps, the time slept
    /// counts instead, and a wait takes at most twice as long as it should.
    fn now(&self) -> Moment;

    /// Lets `time` pass. If the sleep ends too early by [`now`](Self::now), the client sleeps again for the rest.
    fn sleep(&self, time: Duration) -> Self::Sleep;

    /// A random number, another one for each call: it spreads the waits of many callers. It need not be hard to guess.
    fn seed(&self) -> u64;

    /// Says whether the request may have arrived, given an error of the service; see the table of [`TransportError`].
    /// [`ServiceError::find`] looks for the error of an HTTP stack below layers. By default the request may have arrived, which
    /// is never wrong: a wrong [`not_sent`](TransportError::not_sent) is a conversion counted twice.
    fn failure(&self, error: ServiceError) -> TransportError<ServiceError> {
        TransportError::unknown(error)
    }
}
