//! One attempt of a call.

use std::time::{Duration, Instant};

use async_io::Timer;
use bytes::Bytes;
use cometly_core::{Attempt, Delivery, ProxyUrl, TransportError, TransportLimits};
use futures_lite::{AsyncRead, AsyncReadExt as _, future::or};
use http::{Request, Response};

use crate::{
    Client,
    convert::{self, Length, forced, proxy_uri},
    failure::{Way, failure, io_failure},
};

/// The most room that is made for a body at first, whatever length an answer claims; and what is made if it claims none.
const FIRST_ROOM: usize = 16_384;
const ROOM_WITHOUT_LENGTH: usize = 1_024;

/// How much later than libcurl the clock here ends an attempt: libcurl may forget the time when it sends a call again by itself.
const GRACE: Duration = Duration::from_millis(100);

type Failed = TransportError<isahc::Error>;

impl Client {
    /// One attempt.
    pub(crate) async fn exchange(&self, attempt: &Attempt) -> Result<Response<Bytes>, Failed> {
        let (request, timeout, fresh) = (attempt.request(), attempt.timeout(), attempt.needs_fresh_connection());
        or(self.exchange_within(request, timeout, fresh), async {
            Timer::after(timeout.saturating_add(GRACE)).await;
            Err(TransportError::timed_out(Delivery::Unknown))
        })
        .await
    }

    /// How a call goes out from now on, which libcurl ends after `timeout`.
    pub(crate) fn way<'a>(&self, proxy: Option<&'a ProxyUrl>, timeout: Duration) -> Way<'a> {
        let connect_timeout = self.limits.connect_timeout;
        Way { proxy, may_reuse: self.may_reuse, began: Instant::now(), connect_timeout, timeout }
    }

    async fn exchange_within(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
        fresh: bool,
    ) -> Result<Response<Bytes>, Failed> {
        let proxy = self.proxies.proxy_for(request.uri());
        let uri = proxy.map(proxy_uri).transpose()?;
        let is_as_set_up =
            self.clients.is_own() && timeout == TransportLimits::DEFAULT_ATTEMPT_TIMEOUT && uri.is_none();
        let request = convert::request(request, self.may_reuse, |settings| {
            if is_as_set_up {
                return settings;
            }
            forced(settings, timeout, self.limits.connect_timeout, uri)
        })?;
        let http = self.clients.current(fresh);
        let way = self.way(proxy, timeout);
        let (head, body) = http.send_async(request).await.map_err(|error| failure(error, way))?.into_parts();
        let head = convert::head(isahc::http::Response::from_parts(head, ()))?;
        self.limits.check_head(head.status(), head.headers())?;
        let length = Length::of(head.status(), head.headers())?;
        let claimed = body.len().map_or(ROOM_WITHOUT_LENGTH, |len| usize::try_from(len).unwrap_or(FIRST_ROOM));
        let Some(body) = read(body, claimed, self.limits.max_body_size).await.map_err(io_failure)? else {
            return Err(TransportError::too_large(Some(head.status())));
        };
        length.check(body.len())?;
        Ok(head.map(|()| Bytes::from(body)))
    }
}

/// The whole body of an answer that claims this length; `None` if it is longer than `most`. There is never room for more than
/// 16 times what has come.
///
/// `AsyncReadExt::read_to_end` makes the rest of its buffer zero again after each wait for more, which is work that grows
/// with the square of the body. Here room comes zero from the allocator, and what was read is copied to a larger one.
async fn read(mut from: impl AsyncRead + Unpin, claimed: usize, most: usize) -> std::io::Result<Option<Vec<u8>>> {
    // One more than the body shows its end, and one more than may be that there is more.
    let (claimed, most_room) = (claimed.saturating_add(1), most.saturating_add(1));
    let (mut body, mut len) = (vec![0; claimed.min(FIRST_ROOM).min(most_room)], 0_usize);
    loop {
        if len == body.len() {
            let mut larger = vec![0; claimed.min(len.saturating_mul(16)).max(len.saturating_mul(2)).min(most_room)];
            larger.get_mut(..len).unwrap_or_default().copy_from_slice(&body);
            body = larger;
        }
        let read = from.read(body.get_mut(len..).unwrap_or_default()).await?;
        len = len.saturating_add(read);
        if len > most {
            return Ok(None);
        }
        if read == 0 {
            body.truncate(len);
            return Ok(Some(body));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use futures_lite::future::block_on;

    use super::*;

    /// Comes in pieces of this size, and counts the room that it was offered.
    struct Pieces<'a> {
        left: &'a [u8],
        size: usize,
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            assert!(!buf.is_empty(), "no room was made");
            let len = self.size.min(buf.len()).min(self.left.len());
            buf[..len].copy_from_slice(&self.left[..len]);
            self.left = &self.left[len..];
            Poll::Ready(Ok(len))
        }
    }

    #[test]
    fn a_body_is_read_whole_up_to_the_cap_and_not_beyond() {
        let body: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for size in [1, 7, 16_384, 1_000_000] {
            for len in [0, 1, 16_383, 16_384, 16_385, 100_000] {
                let left = &body[..len];
                for first in [0, 1, len, 1_000_000] {
                    let read = |most| block_on(read(Pieces { left, size }, first, most)).unwrap();
                    assert!(read(len).as_deref() == Some(left), "{len}, {size}, {first}");
                    assert!(read(len + 1).as_deref() == Some(left), "{len}, {size}, {first}");
                    assert!(len == 0 || read(len - 1).is_none(), "{len}, {size}, {first}");
                }
            }
        }
        assert_eq!(block_on(read(Pieces { left: b"", size: 1 }, 0, 0)).unwrap(), Some(Vec::new()));
        assert_eq!(block_on(read(Pieces { left: b"", size: 1 }, 0, usize::MAX)).unwrap(), Some(Vec::new()));
    }
}
