//! The URL of a request, made from one of the same origin that was read before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{
    Request, Uri,
    uri::{Authority, Scheme},
};
use reqwest::Url;

use cometly_core::TransportError;

use crate::{
    ClientError,
    failure::{Way, failure},
};

/// The URL that was read last. Reading one is dear, and calls of one [`Api`](cometly_core::Api) differ in path and query
/// only.
#[derive(Clone, Default)]
pub(crate) struct LastUrl {
    last: Arc<Mutex<Option<Arc<Url>>>>,
}

impl LastUrl {
    /// What reqwest would read from `uri`, or its error.
    pub(crate) fn url(&self, uri: &Uri) -> Result<Url, TransportError<ClientError>> {
        let last = self.lock().clone();
        if let Some(url) = last.and_then(|last| like(&last, uri)) {
            return Ok(url);
        }
        // Only reqwest makes an error of reqwest's.
        let mut request = Request::new("");
        *request.uri_mut() = uri.clone();
        let request = reqwest::Request::try_from(request).map_err(|error| failure(error, Way::default()))?;
        *self.lock() = Some(Arc::new(request.url().clone()));
        Ok(request.url().clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Url>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `last` with the path and query of `uri`, if that is all in which they differ.
fn like(last: &Url, uri: &Uri) -> Option<Url> {
    let origin = (uri.scheme().map(Scheme::as_str), uri.authority().map(Authority::as_str));
    if origin != (Some(last.scheme()), Some(last.authority())) {
        return None;
    }
    let mut url = last.clone();
    url.set_path(uri.path());
    url.set_query(uri.query());
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each after each other, so that every one is made from what is like it and from what is not.
    #[test]
    fn a_url_is_the_same_whatever_was_read_before_it() {
        let uris = [
            "https://app.cometly.com/public-api/v1/events?a=1&b=%20%2F",
            "https://app.cometly.com/public-api/v1/contacts/a%2Eb",
            "https://app.cometly.com",
            "https://app.cometly.com/",
            "https://app.cometly.com/?",
            "https://app.cometly.com//a//b",
            "https://app.cometly.com/a/../b/./c/%2e%2e/d",
            "https://app.cometly.com/a|b'c?d'e|f\"g",
            "https://app.cometly.com/a\\b",
            "https://APP.cometly.com/a",
            "https://app.cometly.com:443/a",
            "https://app.cometly.com:8443/a",
            "http://app.cometly.com/a",
            "http://app.cometly.com:443/a",
            "https://user:pass@app.cometly.com/a",
            "https://USER:pass@app.cometly.com/a",
            "http://127.0.0.1:8080/a?b",
            "http://[::1]:8080/a?b",
        ];
        let uris: Vec<Uri> = uris.iter().filter_map(|uri| uri.parse().ok()).collect();
        assert!(uris.len() > 15);
        for first in &uris {
            for then in &uris {
                let last = LastUrl::default();
                last.url(first).unwrap();
                let url = last.url(then).unwrap();
                assert_eq!(url, Url::parse(&then.to_string()).unwrap(), "{then} after {first}");
            }
        }
    }

    #[test]
    fn what_reqwest_cannot_read_is_its_error_and_is_not_kept() {
        let last = LastUrl::default();
        assert!(last.url(&Uri::from_static("/only/a/path")).is_err());
        assert!(last.lock().is_none());
    }

    #[test]
    fn the_next_call_to_the_same_place_is_made_from_the_last_one() {
        let last = Url::parse("https://app.cometly.com/public-api/v1/events?a=1").unwrap();
        let uri = Uri::from_static("https://app.cometly.com/public-api/v1/contacts/a%20b");
        assert_eq!(like(&last, &uri).unwrap().as_str(), uri.to_string());
        for other in ["http://app.cometly.com/", "https://app.cometly.com:8443/", "https://x@app.cometly.com/", "/a"] {
            assert!(like(&last, &Uri::from_static(other)).is_none(), "{other}");
        }
    }
}
