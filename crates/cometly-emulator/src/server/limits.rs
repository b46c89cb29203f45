//! How much the server holds at once, and for how long.

use std::time::Duration;

/// Connections at once. One more takes the place of the one that has been quiet for longest.
pub(crate) const CONNECTIONS: usize = 1024;
/// How long a connection may take to bring the head of its next request.
pub(crate) const HEAD: Duration = Duration::from_secs(60);
/// How long a request may take to bring its body.
pub(crate) const BODY: Duration = Duration::from_secs(60);
/// How long a client may read nothing of what is there for it.
pub(crate) const WRITE: Duration = Duration::from_secs(30);
/// Bytes of bodies that are held at once, of requests that bring a valid key: those under way wait for their turn.
pub(crate) const BODIES: usize = 64 << 20;
/// The same of requests without a valid key, all together and each. What is beyond is read and not kept.
pub(crate) const BODIES_OF_STRANGERS: usize = 8 << 20;
pub(crate) const BODY_OF_A_STRANGER: usize = 64 << 10;
/// The most bytes of answers that their clients have not read yet; a further answer waits, unless it is small.
pub(crate) const ANSWERS: usize = 64 << 20;
pub(crate) const SMALL_ANSWER: usize = 64 << 10;
/// How much of a body that is too large is read and thrown away, so that its sender gets to read the 413.
pub(crate) const DISCARDED: usize = 64 << 20;
