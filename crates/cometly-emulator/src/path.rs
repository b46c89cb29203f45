//! Paths of the API, as Cometly's documentation writes them.

/// Where the API lives on its host.
pub(crate) const API: &str = "/public-api/v1";

/// A method and a path.
pub(crate) type Endpoint = (&'static str, &'static str);

/// Whether a path fits a template, and what it has in place of `{id}`.
pub(crate) fn fits<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    match template.strip_suffix("{id}") {
        None => (template == path).then_some(""),
        Some(before) => path.strip_prefix(before).filter(|id| !id.is_empty() && !id.contains('/')),
    }
}

/// Where the page and the control API are.
pub(crate) const HOME: &str = "/_emulator";

/// Whether a path is one of theirs.
pub(crate) fn is_control(path: &str) -> bool {
    path.strip_prefix(HOME).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
