//! The host's clock as a call sees it: it never goes back, and a sleep always moves it on.

use std::{
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use cometly_core::Moment;

use crate::Host;

/// After this many sleeps without the clock having moved, the pause counts as gone by.
const MAX_IDLE_WAKES: u32 = 100;

/// The shortest sleep after an idle one, so that a clock that shows only milliseconds moves.
const MIN_NAP: Duration = Duration::from_millis(1);

/// The host's clock for one call.
#[derive(Clone)]
pub(crate) struct Clock<H> {
    host: H,
    /// The latest moment seen or slept until.
    latest: Moment,
}

impl<H: Host> Clock<H> {
    pub(crate) fn new(host: H) -> Self {
        let latest = host.now();
        Self { host, latest }
    }

    pub(crate) fn host(&self) -> &H {
        &self.host
    }

    pub(crate) fn now(&mut self) -> Moment {
        self.latest = self.latest.max(self.host.now());
        self.latest
    }

    /// Takes a moment for gone by, whatever the host's clock says.
    pub(crate) fn pass(&mut self, moment: Moment) {
        self.latest = self.latest.max(moment);
    }

    /// Sleeps until `time` has gone by on the clock. If the clock did not move meanwhile, it sleeps the rest in 100 slices,
    /// the last of which ends the sleep: twice the time at most.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        let end = self.now().saturating_add(time);
        let (mut nap, mut idle_wakes) = (time, 0_u32);
        loop {
            let before = self.latest;
            self.host.sleep(nap).await;
            let now = self.now();
            if now >= end || idle_wakes >= MAX_IDLE_WAKES {
                return self.pass(end);
            }
            (nap, idle_wakes) = (end.duration_since(now), if now > before { 0 } else { idle_wakes.saturating_add(1) });
            if idle_wakes > 0 {
                nap = nap.checked_div(MAX_IDLE_WAKES).unwrap_or(nap).max(MIN_NAP);
            }
            // A sleep that is over at once must not keep all others from their turn.
            yield_now().await;
        }
    }
}

/// Lets others have a turn.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context: &mut Context<'_>| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The value, or `None` if `end` is there first. If both are there at once, the value.
pub(crate) async fn before<T>(
    mut end: std::pin::Pin<&mut impl Future<Output = ()>>,
    value: impl Future<Output = T>,
) -> Option<T> {
    let mut value = pin!(value);
    std::future::poll_fn(|context| match value.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}
