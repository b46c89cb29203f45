//! tokio's timers, on a clock that is also looked at when no thread of the runtime is free to fire them: a time-out then ends at
//! the next poll.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

pub(crate) async fn sleep(time: Duration) {
    let begun = Instant::now();
    let mut timer = pin!(tokio::time::sleep(time));
    poll_fn(|context| if begun.elapsed() >= time { Poll::Ready(()) } else { timer.as_mut().poll(context) }).await;
}

/// `None` if the future takes longer.
pub(crate) async fn timeout<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    let (mut future, mut end) = (pin!(future), pin!(sleep(time)));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        task::{Context, Waker},
        thread,
    };

    use super::*;

    #[test]
    fn a_time_out_ends_at_the_next_poll_though_no_thread_fires_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let time = Duration::from_millis(20);
        let mut ended = pin!(timeout(time, pending::<()>()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(ended.as_mut().poll(&mut context).is_pending());
        thread::sleep(time);
        assert_eq!(ended.as_mut().poll(&mut context), Poll::Ready(None));
    }
}
