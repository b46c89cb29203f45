//! The path of a call as people type it, as the template and values that the core takes.

use cometly_core::{Api, BaseUrl, Call, http::Method};

use crate::failure::Failure;

/// The most segments of a path.
const MAX_SEGMENTS: usize = 16;

/// A call of `method` on `path`.
pub(crate) fn call(api: &Api, method: Method, path: &str) -> Result<Call, Failure> {
    if let Some((_, rest)) = path.split_once("://") {
        return Err(whole_url(rest, api.base_url()));
    }
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

/// A URL copied from somewhere: it says where the key would go, which is not for a path to say. `rest` is what follows the
/// scheme.
fn whole_url(rest: &str, base: &BaseUrl) -> Failure {
    let own = format!("{}{}", base.authority(), base.path());
    let is_own = rest.strip_prefix(&own).is_some_and(|path| path.is_empty() || path.starts_with('/'));
    let what = if is_own {
        "the path is a whole URL".to_owned()
    } else {
        format!("the path is a whole URL, and not one of this API's address, {base}")
    };
    let start = if base.path().is_empty() { "the host" } else { base.path() };
    Failure::usage(what).advise(format!("a path begins after {start}, as in contacts/42"))
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

    #[test]
    fn a_whole_url_is_refused_without_advice_to_send_the_key_there() {
        let base = BaseUrl::default();
        let foreign = whole_url("evil.example/canary?x", &base).to_string();
        assert!(
            foreign.contains("not one of this API's address") && foreign.contains("after /public-api/v1"),
            "{foreign}"
        );
        assert!(!foreign.contains("COMETLY_BASE_URL") && !foreign.contains("canary"), "{foreign}");
        for other in ["app.cometly.com.evil.example/public-api/v1/x", "app.cometly.com/public-api/v11", ""] {
            assert!(whole_url(other, &base).to_string().contains("not one of"), "{other}");
        }
        assert!(!whole_url("app.cometly.com/public-api/v1/x", &base).to_string().contains("not one of"));
    }
}
