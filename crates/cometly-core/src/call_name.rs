//! How a call is named in errors and logs.

use std::{borrow::Cow, fmt};

use http::Method;

/// The method and the path template of a call: never a value of the path, a query or a body.
#[derive(Clone)]
pub(crate) struct CallName {
    pub(crate) method: Method,
    /// As it was given, without values; `None` for a request that the caller made.
    pub(crate) template: Option<Cow<'static, str>>,
    pub(crate) is_idempotent: bool,
}

/// A name that a caller gave, to be shown in an error: `*` for what does not look like the name of a header, a parameter or a
/// field, and so may be an address, a key, or a text that steers a terminal.
pub(crate) fn name_to_show(name: &str) -> &str {
    const MAX_LEN: usize = 64;

    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte);
    if !name.is_empty() && name.len() <= MAX_LEN && name.bytes().all(is_usual) { name } else { "*" }
}

impl fmt::Display for CallName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.template {
            Some(template) => write!(f, "{} {template}", self.method),
            None => write!(f, "{} request", self.method),
        }
    }
}
