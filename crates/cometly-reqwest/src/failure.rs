//! What a failure of reqwest says of the call: whether it may be sent again.

use std::{error::Error as _, io, iter, time::Duration};

use cometly_core::{CallError, Delivery, ProxyUrl, TransportError};

use http::StatusCode;

use crate::{ClientError, Error};

/// The client cannot be made, or the call not begun.
pub(crate) fn setup(error: impl Into<ClientError>) -> Error {
    CallError::setup(error.into())
}

type Failed = TransportError<ClientError>;

/// How a call goes out, as far as that is known of the client.
#[derive(Clone, Copy, Default)]
pub(crate) struct Way<'a> {
    pub(crate) proxy: Option<&'a ProxyUrl>,
    pub(crate) connect_timeout: Option<Duration>,
}

pub(crate) fn failure(error: reqwest::Error, way: Way<'_>) -> Failed {
    let error = error.without_url();
    let delivery = delivery(&error);
    // Asked first: a time-out while the body comes in is of another kind as well.
    if error.is_timeout() && error.is_connect() && !is_the_systems(&error) {
        return TransportError::connect_timed_out(way.connect_timeout);
    }
    if error.is_timeout() && !error.is_connect() {
        return TransportError::timed_out(delivery);
    }
    if is_head_too_large(&error) {
        return TransportError::too_large(None);
    }
    if let Some(wants_password) = refusal(&error) {
        let (status, proxy) =
            (wants_password.then_some(StatusCode::PROXY_AUTHENTICATION_REQUIRED), way.proxy.map(ToString::to_string));
        return proxy_refused(status, ClientError::ProxyRefused { proxy, wants_password, source: error });
    }
    TransportError::failed(delivery, error.into())
}

/// Final: it would be refused again.
fn proxy_refused(status: Option<StatusCode>, error: ClientError) -> Failed {
    TransportError::proxy_refused(status, error)
}

fn delivery(error: &reqwest::Error) -> Delivery {
    if error.is_connect() {
        // rustls' type is not reqwest's to show, and native-tls has another.
        let is_untrusted = sources(error).any(|source| source.to_string().contains("certificate"));
        return if is_untrusted { Delivery::Untrusted } else { Delivery::NotSent };
    }
    if error.is_builder() { Delivery::NotSent } else { Delivery::Unknown }
}

/// Whether the operating system gave up, which has a time-out of its own for connecting.
fn is_the_systems(error: &reqwest::Error) -> bool {
    sources(error).filter_map(|source| source.downcast_ref()).any(|source: &io::Error| source.raw_os_error().is_some())
}

/// Whether the proxy answered and opened no tunnel, and if so, whether it wants a password. hyper-util keeps the type of
/// this error to itself, and the status.
fn refusal(error: &reqwest::Error) -> Option<bool> {
    if !error.is_connect() {
        return None;
    }
    sources(error).find_map(|source| match source.to_string().as_str() {
        "tunnel error: proxy authorization required" => Some(true),
        "tunnel error: unsuccessful" | "tunnel error: proxy headers too long" => Some(false),
        _ => None,
    })
}

fn is_head_too_large(error: &reqwest::Error) -> bool {
    // hyper tells it by type to servers only.
    sources(error).any(|source| source.to_string() == "message head is too large")
}

type Source<'a> = &'a (dyn std::error::Error + 'static);

fn sources(error: &reqwest::Error) -> impl Iterator<Item = Source<'_>> {
    iter::successors(error.source(), |error| next_source(*error))
}

fn next_source(error: Source<'_>) -> Option<Source<'_>> {
    // `source` of an io::Error passes over the error that it wraps.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

// Without TLS no proxy is asked.
#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
    };

    use cometly_core::{Api, ApiKey, CallErrorKind};

    use super::*;
    use crate::Client;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_time_out_of_the_operating_system_is_not_the_clients() {
        struct Late;
        impl reqwest::dns::Resolve for Late {
            fn resolve(&self, _: reqwest::dns::Name) -> reqwest::dns::Resolving {
                // ETIMEDOUT, as connect(2) gives it.
                Box::pin(async { Err(io::Error::from_raw_os_error(110).into()) })
            }
        }
        let http = crate::HttpClient::from_builder(|| reqwest::Client::builder().dns_resolver(Arc::new(Late)));
        let client = Client::builder().http_client(http).retry_policy(cometly_core::RetryPolicy::none());
        let api = Api::builder(ApiKey::new("12|abcdefghij").unwrap()).base_url("https://a.example/v1".parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(client.build().unwrap().send(api.build().get("events"))).unwrap_err();
        let expected = (CallErrorKind::Transport, Some(Delivery::NotSent), None);
        assert_eq!((error.kind(), error.delivery(), error.limit()), expected, "{error:?}");
        assert!(format!("{error:?}").contains("code: 110"), "{error:?}");
    }

    #[test]
    fn a_refusal_of_the_proxy_of_a_client_that_was_built_already_is_final_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = format!("http://user:canary@{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
            }
        });
        let http = reqwest::Client::builder().no_proxy().proxy(reqwest::Proxy::https(place).unwrap());
        let client = Client::builder().http_client(http.build().unwrap()).build().unwrap();
        let api =
            Api::builder(ApiKey::new("12|abcdefghij").unwrap()).base_url("https://127.0.0.1:1/v1".parse().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(client.send(api.build().get("events"))).unwrap_err();
        let status = StatusCode::PROXY_AUTHENTICATION_REQUIRED;
        assert!(matches!(error.kind(), CallErrorKind::Proxy(Some(told)) if told == status), "{error:?}");
        assert_eq!((error.delivery(), asked.load(Ordering::SeqCst)), (Some(Delivery::NotSent), 1));
        let shown = format!("{error:?} {}", error.source().unwrap());
        assert!(shown.contains("the proxy of the reqwest client answered 407") && !shown.contains("canary"), "{shown}");
    }
}
