//! tokio's timers, on a clock that is also looked at when no thread of the runtime is free to fire them: a time-out then ends at
//! the next poll.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

pub(crate) async fn sleep(time: Duration) {
    if Handle::try_current().is_err() {
        return sleep_without_runtime(time).await;
    }
    let begun = Instant::now();
    let mut timer = pin!(tokio::time::sleep(time));
    poll_fn(|context| if begun.elapsed() >= time { Poll::Ready(()) } else { timer.as_mut().poll(context) }).await;
}

/// For a call that is made outside a runtime and has to wait for its turn: it fails when it is sent, and tokio's timer would panic
/// before. A thread wakes it.
async fn sleep_without_runtime(time: Duration) {
    let begun = Instant::now();
    let waiter = Arc::new(Mutex::new(Waker::noop().clone()));
    let sleeper = Arc::clone(&waiter);
    let timer = thread::Builder::new().spawn(move || {
        thread::sleep(time);
        sleeper.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    });
    poll_fn(|context| {
        waiter.lock().unwrap_or_else(PoisonError::into_inner).clone_from(context.waker());
        // Looked at behind the lock, so that it is over or will be woken.
        if timer.is_err() || begun.elapsed() >= time { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
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
        task::{Context, Wake},
        thread::Thread,
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

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    // `docs/faults.md` 144.
    #[test]
    fn a_sleep_outside_a_runtime_ends_by_itself() {
        let (begun, time) = (Instant::now(), Duration::from_millis(50));
        let mut sleep = pin!(sleep(time));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        while sleep.as_mut().poll(&mut context).is_pending() {
            thread::park_timeout(Duration::from_secs(30));
        }
        assert!((time..Duration::from_secs(20)).contains(&begun.elapsed()));
    }
}
