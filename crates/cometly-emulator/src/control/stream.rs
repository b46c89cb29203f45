//! What happens, as it happens: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_lite::stream;
use http::StatusCode;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;

use super::reply::error;
use crate::backend::Backend;

/// A line for every listener each 15 s shows it that the emulator runs, and the emulator that a listener is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) async fn open(State(backend): State<Arc<Backend>>) -> Response {
    let Some((news, place)) = backend.live().listen() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "32 listeners are enough");
    };
    let greeting = Event::default().retry(Duration::from_secs(1)).event("state").data("{}");
    let events = stream::unfold((Some(greeting), news, place), async |(greeting, mut news, place)| {
        let event = match greeting {
            Some(greeting) => greeting,
            None => match news.recv().await {
                Ok(one) => {
                    // Its text is made off the thread that answers calls.
                    let text = spawn_blocking(move || (one.event(), one.text().to_owned())).await;
                    let (event, text) = text.ok()?;
                    Event::default().event(event).data(text)
                }
                Err(RecvError::Lagged(missed)) => Event::default().event("missed").data(missed.to_string()),
                Err(RecvError::Closed) => return None,
            },
        };
        Some((Ok::<_, Infallible>(event), (None, news, place)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here")).into_response()
}
