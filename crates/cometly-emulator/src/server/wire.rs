//! A connection that shows when it moves, ends if its client reads nothing, and can be reset instead of being closed.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::faults::delivery::Breaker;
use crate::server::table::Pulse;

pub(crate) struct Wire {
    stream: TcpStream,
    breaker: Breaker,
    pulse: Pulse,
    patience: Duration,
    /// Runs while the client takes nothing of what is there for it.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// A client that reads nothing for as long as `patience` is given up.
    pub(crate) fn new(stream: TcpStream, breaker: Breaker, pulse: Pulse, patience: Duration) -> Self {
        Self { stream, breaker, pulse, patience, stuck: None }
    }

    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stuck = None;
            self.pulse.set_stuck(false);
            self.pulse.beat();
            return written;
        }
        let patience = self.patience;
        self.pulse.set_stuck(true);
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stuck.as_mut().poll(cx));
        // Polled again, it is late at once.
        stuck.as_mut().reset(Instant::now());
        self.breaker.reset();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.breaker.is_reset() {
            // With linger set to zero, closing a socket sends RST.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        // A client that goes on sending while it reads nothing is as good as silent.
        if buf.filled().len() > before && self.stuck.is_none() {
            self.pulse.beat();
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.breaker.is_reset() {
            // A polite end would come before the rude one.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::table::Table;
    use tokio::io::AsyncWriteExt as _;

    #[test]
    fn a_client_that_reads_nothing_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let (place, _) = Table::new(1).enter();
            let patience = Duration::from_millis(100);
            let mut wire = Wire::new(stream, Breaker::default(), place.pulse.clone(), patience);
            let began = Instant::now();
            let error = wire.write_all(&vec![b'x'; 64 << 20]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!((patience..Duration::from_secs(20)).contains(&began.elapsed()), "{:?}", began.elapsed());
        });
    }
}
