//! What the clients are made of: their builder, and a flow on a client whose calls are futures.

use std::{future::Future, time::Duration};

use cometly_core::{
    Api, AsyncClient, AsyncRun, AuthOutcome, BuildClient, Call, CallError, ClientBuilder, ClientSettings, InvalidProxy,
    Moment, Pages, ProxyScheme, bytes::Bytes,
};
use futures_lite::Stream;

use crate::{flow::List, keep, keep_traits};

/// A client that is nothing but its settings.
struct Client(ClientSettings<u8>);

impl BuildClient for Client {
    type HttpClient = u8;
    type Source = InvalidProxy;

    const PROXIES: &'static [ProxyScheme] = &[ProxyScheme::Http];
    const REUSES_CONNECTIONS: bool = true;

    fn build(settings: ClientSettings<u8>) -> Result<Self, CallError<InvalidProxy>> {
        Ok(Self(settings))
    }

    fn invalid_proxy(error: InvalidProxy) -> InvalidProxy {
        error
    }
}

impl AsyncClient for Client {
    type Source = InvalidProxy;

    async fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, CallError<InvalidProxy>> {
        Ok(call.api().read(cometly_core::http::Response::new(Bytes::new())))
    }

    fn now(&self) -> Moment {
        std::hint::black_box(&self.0);
        Moment::now()
    }

    async fn sleep(&self, _: Duration) {}
}

type Builder = ClientBuilder<Client>;
type Settings = ClientSettings<u8>;
type Run = AsyncRun<'static, Client, Pages<List>>;

/// A future is compiled where it is polled. Its type has no name, so it follows from the function that gives it.
fn keep_future<A, F: Future>(_: impl Fn(A) -> F) {
    keep!(2 <F as Future>::poll);
}

fn keep_stream<S: Stream>(_: fn(Run) -> S) {
    keep!(2 <S as Stream>::poll_next);
}

pub(crate) fn probes() {
    keep!(2 ClientBuilder::<Client>::timeout);
    keep!(2 ClientBuilder::<Client>::attempt_timeout);
    keep!(2 ClientBuilder::<Client>::retry_policy);
    keep!(2 ClientBuilder::<Client>::connect_timeout);
    keep!(2 ClientBuilder::<Client>::max_body_size);
    keep!(2 ClientBuilder::<Client>::proxy);
    keep!(1 ClientBuilder::<Client>::proxy_from_env);
    keep!(2 ClientBuilder::<Client>::reuse_connections);
    keep!(2 ClientBuilder::<Client>::http_client as fn(_, u8) -> _);
    keep!(1 ClientBuilder::<Client>::build);
    keep!(1 <Client as BuildClient>::build);
    keep_traits!(Builder: Debug, Default, Drop);
    keep_traits!(Settings: Debug, Clone, Drop);

    keep!(3 AsyncRun::<'static, Client, Pages<List>>::new as fn(_, &'static Api, _) -> _);
    keep!(2 AsyncRun::<'static, Client, Pages<List>>::within);
    keep_future(async |mut run: Run| AsyncRun::next(&mut run).await.map(|item| item.is_some()));
    keep_future(AsyncRun::<'static, Client, Pages<List>>::end);
    keep_stream(AsyncRun::<'static, Client, Pages<List>>::into_stream);
    keep!(1 AsyncRun::<'static, Client, Pages<List>>::flow);
    keep!(1 AsyncRun::<'static, Client, Pages<List>>::into_flow);
    keep_traits!(Run: Debug, Drop);
}
