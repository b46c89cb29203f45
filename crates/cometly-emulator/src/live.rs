//! News of what happens, for listeners of the page's stream.

use std::sync::{Arc, OnceLock};

use serde_json::json;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::keys::Secrets;
use crate::record::ReceivedRequest;

const MAX_LISTENERS: usize = 32;
/// A listener further behind than this gets the number of missed news instead.
const BACKLOG: usize = 256;

/// Where news goes out.
pub(crate) struct Live {
    news: Sender<Arc<News>>,
    places: Arc<Semaphore>,
}

/// One piece of news. Its text is made once, by the first listener that sends it.
pub(crate) struct News {
    what: What,
    text: OnceLock<String>,
}

enum What {
    Call(Box<ReceivedRequest>, Arc<Secrets>),
    Sent { number: u64, milliseconds: u64 },
    State,
}

impl News {
    /// A call was answered.
    pub(crate) fn call(call: ReceivedRequest, secrets: Arc<Secrets>) -> Self {
        Self::new(What::Call(Box::new(call), secrets))
    }

    /// The answer to a call was sent, or will not be.
    pub(crate) fn sent(number: u64, milliseconds: u64) -> Self {
        Self::new(What::Sent { number, milliseconds })
    }

    /// Something else changed.
    pub(crate) fn state() -> Self {
        Self::new(What::State)
    }

    fn new(what: What) -> Self {
        Self { what, text: OnceLock::new() }
    }

    pub(crate) fn event(&self) -> &'static str {
        match self.what {
            What::Call(..) => "call",
            What::Sent { .. } => "sent",
            What::State => "state",
        }
    }

    /// One line of JSON.
    pub(crate) fn text(&self) -> &str {
        self.text.get_or_init(|| match &self.what {
            What::Call(call, secrets) => call.shown(secrets).to_string(),
            What::Sent { number, milliseconds } => {
                json!({ "number": number, "milliseconds": milliseconds }).to_string()
            }
            What::State => "{}".to_owned(),
        })
    }
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { news: broadcast::channel(BACKLOG).0, places: Arc::new(Semaphore::new(MAX_LISTENERS)) }
    }

    /// Sends news out, if anyone listens.
    pub(crate) fn tell(&self, news: impl FnOnce() -> News) {
        if self.news.receiver_count() > 0 {
            // The last listener may have left just now.
            let _ = self.news.send(Arc::new(news()));
        }
    }

    /// All news from now on, and the place that is held while they are listened to; `None` if every place is taken.
    pub(crate) fn listen(&self) -> Option<(Receiver<Arc<News>>, OwnedSemaphorePermit)> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some((self.news.subscribe(), place))
    }
}
