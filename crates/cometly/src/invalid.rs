//! What is wrong with a request before it is sent.

use std::{borrow::Cow, convert::Infallible, error::Error, fmt};

/// A request, or a value for one, breaks a documented rule; from the `build` of the request's builder, or from making the
/// value. It has the [field](Self::field) and the [rule](Self::rule). It shows no value that was given but a number or a date,
/// and never a text of a person.
///
/// ```
/// # use cometly::events::ListEvents;
/// let error = ListEvents::between("2026-11-25", "2026-11-24").build().unwrap_err();
/// assert_eq!(error.field(), "end_date");
/// assert_eq!(error.to_string(), "end_date: expected a time after start_date");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidRequest {
    field: Cow<'static, str>,
    rule: Cow<'static, str>,
}

impl InvalidRequest {
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, rule: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), rule: rule.into() }
    }

    /// The same rule, broken by another field.
    pub(crate) fn of(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), ..self }
    }

    /// The name of the field, as the API writes it: `end_date`, `emails.1` (lists are counted from 0). Of a value that is not
    /// in a request yet it is what the value is, as `id` or `time`.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The rule that is broken, as a text for people: what was expected.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

/// As `Display`: `main` prints the `Debug` of the error that it returns.
impl fmt::Debug for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for InvalidRequest {}

/// For a setter's argument that is of the right type already: its conversion cannot fail, and this is never called.
impl From<Infallible> for InvalidRequest {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
