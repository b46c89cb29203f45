//! A success of another shape than expected.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};

use crate::{Reply, call_name::CallName};

mod located;

use located::Mismatch;

/// The JSON of a success is not what the caller expected. From [`Reply::json`], [`Reply::decode`],
/// [`CallError::decode_error`](crate::CallError::decode_error) of a client's typed call, and
/// [`FlowError::Decode`](crate::FlowError::Decode).
///
/// It says where and what: `data[3].amount: expected a number, found a string`, or `missing field "event_name"`. It never shows
/// a value of the body, unless a type quotes one in its own words of what it expects. Names of fields are those of the caller's
/// own types; the keys of a map print as `*`, since they can be addresses. Behind `#[serde(flatten)]`, `tag` and `untagged`, serde
/// reads a copy that has no places: the path ends there, and what does not fit is `within data[3]`.
pub struct DecodeError(Box<Details>);

struct Details {
    category: DecodeCategory,
    line: usize,
    column: usize,
    /// Where in the JSON it is, and what.
    mismatch: Option<Mismatch>,
    reply: Option<Reply<Bytes>>,
    call: Option<CallName>,
    attempts: u32,
}

/// The kind of thing that is wrong with the JSON; from [`DecodeError::category`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeCategory {
    /// The text is not well-formed JSON.
    Syntax,
    /// The text is JSON, but of another shape or type than expected, or with a value that the type cannot hold, such as `1e999`.
    Data,
    /// The text ends before its JSON does.
    Eof,
}

impl fmt::Display for DecodeCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "is not well-formed JSON",
            Self::Data => "has a wrong type or value",
            Self::Eof => "ends too early",
        })
    }
}

impl DecodeError {
    /// The error of reading `body` as a `T`, with its place, for which the body is read once more.
    #[cold]
    pub(super) fn new<'a, T: Deserialize<'a>>(
        error: &serde_json::Error,
        body: &'a [u8],
        call: Option<CallName>,
        attempts: u32,
    ) -> Self {
        let category = match error.classify() {
            serde_json::error::Category::Data => DecodeCategory::Data,
            serde_json::error::Category::Eof => DecodeCategory::Eof,
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => DecodeCategory::Syntax,
        };
        // serde_json calls some wrong types and values broken JSON: a number in place of an enum, a tuple with an entry more, a
        // number that is too large.
        let category = match category {
            DecodeCategory::Syntax if serde_json::from_slice::<IgnoredAny>(body).is_ok() => DecodeCategory::Data,
            category => category,
        };
        let mismatch = if category == DecodeCategory::Data { Mismatch::find::<T>(body) } else { None };
        Self(Box::new(Details {
            category,
            line: error.line(),
            column: error.column(),
            mismatch,
            reply: None,
            call,
            attempts,
        }))
    }

    /// The same error with the reply that could not be read, in place of an earlier one, which [`into_reply`](Self::into_reply)
    /// then gives. For authors of clients.
    #[must_use]
    pub fn with_reply(mut self, reply: Reply<Bytes>) -> Self {
        self.0.reply = Some(reply);
        self
    }

    /// The reply that could not be read, after a client's `call` or `json` and after [`Reply::decode`], which take the reply.
    /// `None` after [`Reply::json`], which leaves it with the caller, for a row of [`Pages::lossy`](crate::Pages::lossy), and
    /// in an error of a flow (a client's `run`).
    #[must_use]
    pub fn into_reply(self) -> Option<Reply<Bytes>> {
        self.0.reply
    }

    /// The error of reading a line of a file as a `T`.
    pub(crate) fn of_line<'a, T: Deserialize<'a>>(error: &serde_json::Error, line: &'a [u8]) -> Self {
        Self::new::<T>(error, line, None, 0)
    }

    /// What is wrong and where, without the call.
    pub(crate) fn fmt_problem(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.mismatch {
            Some(mismatch) => write!(f, "{mismatch}"),
            None => write!(f, "the JSON {} at column {}", self.0.category, self.0.column),
        }
    }

    /// The same error, of a part that is an item of a list in the whole: the places are those of the whole.
    pub(super) fn within(mut self, whole: &[u8], part: &[u8], item: (&'static str, usize)) -> Self {
        let offset = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
        let before = whole.get(..offset).unwrap_or_default();
        let mut lines = before.rsplit(|byte| *byte == b'\n');
        let last_line = lines.next().unwrap_or_default();
        let breaks = lines.count();
        if self.0.line == 1 {
            self.0.column = self.0.column.saturating_add(last_line.len());
        }
        self.0.line = self.0.line.saturating_add(breaks);
        self.0.mismatch = self.0.mismatch.map(|mismatch| mismatch.in_list(item));
        self
    }

    pub(crate) fn call(&self) -> Option<&CallName> {
        self.0.call.as_ref()
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// What is wrong with the JSON: it is not well-formed, it is of another shape or type than expected, or it ends too early.
    #[must_use]
    pub fn category(&self) -> DecodeCategory {
        self.0.category
    }

    /// The place of the problem in the JSON: `data[3].amount`; the key of a map is `*`. Empty if it is the JSON as a whole, if
    /// the place is not known, and unless the [category](Self::category) is [`Data`](DecodeCategory::Data).
    #[must_use]
    pub fn path(&self) -> String {
        self.0.mismatch.as_ref().map(Mismatch::path).unwrap_or_default()
    }

    /// The line of the JSON where reading failed, from 1; 0 if it is not known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column in that [line](Self::line) where reading failed, in bytes, from 1; 0 directly after a line break, or before
    /// the first byte.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }
}

/// What is wrong with the JSON, and where.
impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { category, line, column, mismatch, call, .. } = &*self.0;
        if let Some(call) = call {
            write!(f, "{call}: ")?;
        }
        write!(f, "the call succeeded, but its JSON {category} at line {line} column {column}")?;
        mismatch.as_ref().map_or(Ok(()), |mismatch| write!(f, ": {mismatch}"))
    }
}

debug_as_display!(DecodeError);

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests;
