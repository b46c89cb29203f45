//! The place in a list from which a page goes on, in Laravel's own encoding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The item beside which the page lies; it is not part of it.
    pub(crate) id: u64,
    /// Whether the page lies after that item or before it.
    pub(crate) forward: bool,
}

impl Cursor {
    pub(crate) fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(json!({ "id": self.id, "_pointsToNextItems": self.forward }).to_string())
    }

    /// `None` for what cannot be read, which Laravel takes for the first page.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        let value: Value = serde_json::from_slice(&json).ok()?;
        Some(Self { id: value.get("id")?.as_u64()?, forward: value.get("_pointsToNextItems")?.as_bool()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_laravels() {
        let cursor = Cursor { id: 15, forward: true };
        let text = "eyJpZCI6MTUsIl9wb2ludHNUb05leHRJdGVtcyI6dHJ1ZX0";
        assert_eq!(cursor.encode(), text);
        assert_eq!(Cursor::decode(text), Some(cursor));
        assert_eq!(Cursor::decode(&format!("{text}=")), Some(cursor));
    }

    #[test]
    fn the_unreadable_is_no_cursor() {
        for text in ["", "?", "bm9uc2Vuc2U", "e30", "eyJpZCI6Ii0xIn0", "W10"] {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
