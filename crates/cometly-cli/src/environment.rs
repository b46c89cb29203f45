//! Variables of the environment.

use std::{env, ffi::OsString};

/// A variable; an empty one is none.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    Some(value.into_string().unwrap_or_else(|value: OsString| value.to_string_lossy().into_owned()))
}
