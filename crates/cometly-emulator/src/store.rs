//! Where changes are kept beyond the emulator's life. Nothing is changed in memory before it is written here.

use std::io;

use http::StatusCode;

use crate::refusal::Refusal;

/// One thing to remember: of a kind, in a Space, under an id. Without a body, it is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) space: u64,
    pub(crate) id: String,
    pub(crate) body: Option<String>,
}

#[derive(Default)]
pub(crate) enum Store {
    /// Nowhere: all ends with the emulator.
    #[default]
    Nowhere,
}

impl Store {
    /// All of `rows` or none of them.
    #[expect(clippy::unnecessary_wraps, reason = "a store that writes somewhere can fail")]
    pub(crate) fn write(&self, _rows: &[Row]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
        }
    }

    /// The same, on behalf of a call.
    pub(crate) fn keep(&self, rows: &[Row]) -> Result<(), Refusal> {
        self.write(rows).map_err(|error| {
            Refusal::status(StatusCode::INTERNAL_SERVER_ERROR, format!("The emulator cannot store this: {error}"))
        })
    }
}
