//! `NAME=VALUE` on the command line.

use crate::failure::Failure;

/// `name=value`; what is wrong names no value.
pub(crate) fn split<'a>(pair: &'a str, option: &str) -> Result<(&'a str, &'a str), Failure> {
    pair.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::usage(format!("{option} has no name or no =: expected {option} NAME=VALUE")))
}
