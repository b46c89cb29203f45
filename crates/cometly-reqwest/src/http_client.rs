//! What a user brings to send calls through.

use std::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
};

/// A reqwest client of your own that calls are sent through, for [`http_client`](cometly_core::ClientBuilder::http_client):
/// from [`from_builder`](Self::from_builder), a function that gives its builder, or by `From`, one that is built already.
/// Making it cannot fail; what reqwest cannot build makes [`build`](cometly_core::ClientBuilder::build), or every call to an
/// `https` URL, fail with [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup).
///
/// ```
/// # fn run(pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// use cometly_reqwest::{Client, HttpClient, reqwest};
///
/// let certificates = reqwest::Certificate::from_pem_bundle(pem)?;
/// let http = HttpClient::from_builder(move || reqwest::Client::builder().tls_certs_merge(certificates.clone()));
/// let client = Client::builder().http_client(http).proxy("http://proxy.example:3128").build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpClient(pub(crate) Brought);

#[derive(Clone)]
pub(crate) enum Brought {
    Builder(MakeBuilder),
    Built(reqwest::Client),
}

#[derive(Clone)]
pub(crate) struct MakeBuilder(Arc<dyn Fn() -> reqwest::ClientBuilder + Send + Sync>);

impl MakeBuilder {
    pub(crate) fn builder(&self) -> reqwest::ClientBuilder {
        (self.0)()
    }
}

// Nothing of a client is half done if it panics: another one takes its place only once it is built.
impl UnwindSafe for MakeBuilder {}
impl RefUnwindSafe for MakeBuilder {}

impl HttpClient {
    /// A client that is built from what `builder` gives, such as one with certificates or headers of your own. What is
    /// [forced](crate#what-is-forced) on a client is forced on it. Each setting of [`ClientBuilder`](crate::ClientBuilder)
    /// counts: the proxies and the time to connect replace those of `builder`; of two other time-outs the shorter one counts,
    /// and connections are kept only if both keep them.
    ///
    /// `builder` is called by [`build`](cometly_core::ClientBuilder::build), and again whenever new connections are needed, as
    /// after [`close_idle`](crate::Client::close_idle). If reqwest cannot build what it gives, `build` fails with
    /// [`CallErrorKind::Setup`](cometly_core::CallErrorKind::Setup), or every call to an `https` URL does if only the trusted
    /// certificates are missing; if that happens later, the old client stays.
    pub fn from_builder(builder: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static) -> Self {
        Self(Brought::Builder(MakeBuilder(Arc::new(builder))))
    }
}

/// A client that is built already. Nothing can be forced on it: see the [crate's front page](crate#what-is-forced).
impl From<reqwest::Client> for HttpClient {
    fn from(http: reqwest::Client) -> Self {
        Self(Brought::Built(http))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

// Elsewhere reqwest makes no client before a crypto provider is installed.
#[cfg(all(test, any(feature = "rustls", feature = "native-tls", not(feature = "rustls-no-provider"))))]
mod tests {
    use cometly_core::{Api, ApiKey, BaseUrl};

    use super::*;
    use crate::Client;

    #[test]
    fn a_client_is_built_by_the_builder_that_was_brought() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = server.local_addr().unwrap();
            // A host that only this builder knows.
            let brought =
                HttpClient::from_builder(move || reqwest::Client::builder().resolve("no-such-host.invalid", address));
            assert_eq!(format!("{brought:?}"), "HttpClient { .. }");
            let client = Client::builder().http_client(brought).build().unwrap();
            let base_url = BaseUrl::insecure_http(&format!("http://no-such-host.invalid:{}", address.port())).unwrap();
            let api = Api::builder(ApiKey::new("1|canary").unwrap()).base_url(base_url).build();
            let call = tokio::spawn(async move { client.send(api.get("events")).await });
            let (stream, _) = server.accept().await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            stream.writable().await.unwrap();
            assert_eq!(stream.try_write(answer).unwrap(), answer.len());
            assert!(call.await.unwrap().unwrap().error().is_none());
        });
    }
}
