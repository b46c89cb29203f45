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

impl fmt::Display for CallName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.template {
            Some(template) => write!(f, "{} {template}", self.method),
            None => write!(f, "{} request", self.method),
        }
    }
}
