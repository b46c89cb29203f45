//! What an endpoint sees of a call.

use crate::keys::Space;
use crate::laravel::input::Input;
use crate::laravel::refusal::FieldErrors;
use crate::store::records::Records;
use crate::store::seeds::Seeds;

/// What an endpoint sees of a call that got as far as to it.
pub(crate) struct Visit<'a> {
    pub(crate) input: &'a Input,
    /// What the path has in place of `{id}`.
    pub(crate) id: &'a str,
    /// The Space of the key.
    pub(crate) space: Space,
    pub(crate) records: &'a mut Records,
    pub(crate) seeds: Seeds,
    /// Seconds since 1970.
    pub(crate) now: u64,
    /// Whether an export that is ordered now is to fail.
    pub(crate) doomed: bool,
    /// The origin of the host from which exports are downloaded.
    pub(crate) files: &'a str,
    /// The endpoint's own URL.
    pub(crate) url: String,
}

impl Visit<'_> {
    /// The id in the path, which must be a number.
    pub(crate) fn number(&self, errors: &mut FieldErrors) -> u64 {
        let wrong = match self.id.parse::<i64>() {
            Ok(id @ 1..) => return id.unsigned_abs(),
            Ok(_) => "The :attribute field must be at least 1.",
            Err(_) => "The :attribute field must be an integer.",
        };
        errors.add("id", wrong);
        0
    }
}
