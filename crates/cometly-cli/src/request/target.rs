//! The path of a call as people type it, as the template and values that the core takes.

use cometly_core::{Api, Call, http::Method};

use crate::failure::Failure;

/// The most segments of a path.
const MAX_SEGMENTS: usize = 16;

/// A call of `method` on `path`.
pub(crate) fn call(api: &Api, method: Method, path: &str) -> Result<Call, Failure> {
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
    if path.contains("://") {
        return Err(Failure::usage(
            "the path is a whole URL: expected what comes after the base URL, as in contacts/42",
        )
        .advise("for another base URL set COMETLY_BASE_URL"));
    }
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
        for path in
            ["https://app.cometly.com/x?canary", "events?canary=1", "a#canary", "a%2fcanary", &"canary/".repeat(17)]
        {
            assert!(!split(path, "").unwrap_err().to_string().contains("canary"));
        }
    }
}
