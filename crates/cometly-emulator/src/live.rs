//! News of what happens, for those who listen to the page's stream.

use std::sync::Arc;

use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MAX_LISTENERS: usize = 32;
/// A listener further behind than these is told how many it missed.
const BACKLOG: usize = 256;

/// Where news goes out.
pub(crate) struct Live {
    news: Sender<Arc<str>>,
    places: Arc<Semaphore>,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { news: broadcast::channel(BACKLOG).0, places: Arc::new(Semaphore::new(MAX_LISTENERS)) }
    }

    /// Sends out what `data` tells, if anyone listens. It is one line of JSON.
    pub(crate) fn tell(&self, event: &str, data: impl FnOnce() -> String) {
        if self.news.receiver_count() > 0 {
            // The last listener may have left just now.
            let _ = self.news.send(format!("event: {event}\ndata: {}\n\n", data()).into());
        }
    }

    /// All news from now on, and the place that is held while they are listened to; `None` if every place is taken.
    pub(crate) fn listen(&self) -> Option<(Receiver<Arc<str>>, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some((self.news.subscribe(), place))
    }
}
