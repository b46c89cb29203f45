//! The path of a call as people type it, as the template and values that the core takes.

use cometly_core::{Api, BaseUrl, Call, http::Method};

use crate::failure::Failure;

/// The most segments of a path.
const MAX_SEGMENTS: usize = 16;

/// A call of `method` on `path`.
pub(crate) fn call(api: &Api, method: Method, path: &str) -> Result<Call, Failure> {
    let path = if is_whole_url(path) { within(path, api.base_url())? } else { path };
    let (template, values) = split(path, api.base_url().path())?;
    let call = api.request(method, template);
    Ok(values.into_iter().fold(call, Call::segment))
}

/// The same call at the page that begins with `cursor`.
pub(crate) fn with_cursor(call: Call, cursor: Option<&str>) -> Call {
    match cursor {
        Some(cursor) => call.query("cursor", cursor),
        None => call,
    }
}

/// `contacts/42` as `contacts/{id}` and `42`, so that all contacts share one lane of the pacer, as they share one limit.
fn split<'p>(path: &'p str, base: &str) -> Result<(String, Vec<&'p str>), Failure> {
    if path.contains(['?', '#']) {
        return Err(Failure::usage("the path has a query or a fragment in it").advise("use --query NAME=VALUE"));
    }
    if path.contains('%') {
        return Err(Failure::usage("the path is percent-encoded: expected it plain, it is encoded on the way"));
    }
    // As the documentation writes it, or with what the base URL has already.
    let path = path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.split('/').count() > MAX_SEGMENTS {
        return Err(Failure::usage(format!(
            "the path has more than {MAX_SEGMENTS} segments: expected one as contacts/42"
        )));
    }
    let mut values = Vec::new();
    let segments: Vec<_> = path
        .split('/')
        .map(|segment| {
            if is_name(segment) {
                return segment;
            }
            values.push(segment);
            "{id}"
        })
        .collect();
    Ok((segments.join("/"), values))
}

/// Whether a path is a URL copied from somewhere.
pub(crate) fn is_whole_url(path: &str) -> bool {
    path.contains("://")
}

/// The path of a whole URL within the API's own address: where the key goes is not for a path to say.
fn within<'p>(url: &'p str, base: &BaseUrl) -> Result<&'p str, Failure> {
    let own = format!("{}://{}{}", base.scheme(), base.authority(), base.path());
    let start = if base.path().is_empty() { "the host" } else { base.path() };
    match url.strip_prefix(&own).filter(|path| path.starts_with('/')) {
        Some(path) => Ok(path),
        None => Err(Failure::usage(format!("the path is a whole URL, and not one within this API's address, {base}"))
            .advise(format!("a path begins after {start}, as in contacts/42"))),
    }
}

/// What the API's own names look like; the rest are ids.
fn is_name(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_values_and_names_stay() {
        for (path, template, expected) in [
            ("events/track", "events/track", vec![]),
            ("/contacts/42", "contacts/{id}", vec!["42"]),
            ("/public-api/v1/events/exports/9f-A", "events/exports/{id}", vec!["9f-A"]),
            ("contacts/é b", "contacts/{id}", vec!["é b"]),
            ("contacts//", "contacts/{id}/{id}", vec!["", ""]),
            ("contacts/..", "contacts/{id}", vec![".."]),
        ] {
            assert_eq!(split(path, "/public-api/v1").unwrap(), (template.to_owned(), expected), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_and_not_quoted() {
        for path in ["events?canary=1", "a#canary", "a%2fcanary", &"canary/".repeat(17)] {
            assert!(!split(path, "").unwrap_err().to_string().contains("canary"));
        }
    }

    // `docs/faults.md` 121.
    #[test]
    fn a_whole_url_is_refused_without_advice_to_send_the_key_there() {
        let base = BaseUrl::default();
        let refused = |url: &str| within(url, &base).unwrap_err().to_string();
        let foreign = refused("https://evil.example/canary?x");
        assert!(
            foreign.contains("not one within this API's address") && foreign.contains("after /public-api/v1"),
            "{foreign}"
        );
        assert!(!foreign.contains("COMETLY_BASE_URL") && !foreign.contains("canary"), "{foreign}");
        for other in [
            "https://app.cometly.com.evil.example/public-api/v1/x",
            "https://app.cometly.com/public-api/v11",
            "https://app.cometly.com/public-api/v1",
            "http://app.cometly.com/public-api/v1/x",
            "https://app.cometly.com@evil.example/public-api/v1/x",
            "://",
        ] {
            assert!(refused(other).contains("not one within"), "{other}");
        }
        assert_eq!(within("https://app.cometly.com/public-api/v1/contacts/42", &base).unwrap(), "/contacts/42");
    }
}
