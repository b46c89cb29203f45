//! A success of another shape than expected.

use std::fmt;

/// A success whose body was not the JSON that the caller expected. Tells the place, never the content.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call succeeded, but its JSON {category} at line {line} column {column}")]
pub struct DecodeError {
    category: DecodeCategory,
    line: usize,
    column: usize,
}

/// What kind of thing is wrong with the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeCategory {
    /// It is not well-formed.
    Syntax,
    /// It is JSON, but of another shape or type.
    Data,
    /// It ends too early.
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
    pub(crate) fn new(error: &serde_json::Error) -> Self {
        let category = match error.classify() {
            serde_json::error::Category::Data => DecodeCategory::Data,
            serde_json::error::Category::Eof => DecodeCategory::Eof,
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => DecodeCategory::Syntax,
        };
        Self { category, line: error.line(), column: error.column() }
    }

    /// What kind of thing is wrong.
    #[must_use]
    pub fn category(&self) -> DecodeCategory {
        self.category
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in bytes, from 1; 0 right behind a line break, or before the first byte.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

debug_as_display!(DecodeError);
