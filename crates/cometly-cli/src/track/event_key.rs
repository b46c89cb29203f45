//! The idempotency key of an event: its own, or one that its line alone decides, so that a second run gives the same.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// What a line says, in 16 bytes.
pub(crate) type Fingerprint = [u8; 16];

const PREFIX: &str = "cl1-";

/// 16 bytes for a made key, the text for a given one: a million of them are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EventKey {
    Made(Fingerprint),
    Given(Box<str>),
}

impl EventKey {
    /// The key of a line that brings none: `cl1-` and 32 hex digits of SHA-256(batch, 0x00, line, 0x00, n), where n, in
    /// decimal digits, is how many equal lines came before.
    pub(crate) fn made(batch: &str, line: &[u8], equal_before: u64) -> Self {
        let mut hash = Sha256::new();
        for part in [batch.as_bytes(), &[0], line, &[0], equal_before.to_string().as_bytes()] {
            hash.update(part);
        }
        Self::Made(first_half(&hash.finalize()))
    }
}

/// Reads what [`Display`](fmt::Display) wrote: a given key that looks as a made one is the same.
impl From<&str> for EventKey {
    fn from(text: &str) -> Self {
        match text.strip_prefix(PREFIX).and_then(from_hex) {
            Some(bytes) => Self::Made(bytes),
            None => Self::Given(text.into()),
        }
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(bytes) => {
                f.write_str(PREFIX)?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Given(key) => f.write_str(key),
        }
    }
}

/// To tell whether two lines are the same.
pub(crate) fn fingerprint(line: &[u8]) -> Fingerprint {
    first_half(&Sha256::digest(line))
}

fn first_half(digest: &[u8]) -> Fingerprint {
    let mut half = Fingerprint::default();
    half.iter_mut().zip(digest).for_each(|(to, from)| *to = *from);
    half
}

fn from_hex(text: &str) -> Option<Fingerprint> {
    let mut bytes = Fingerprint::default();
    if text.len() != bytes.len().saturating_mul(2)
        || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        let start = place.saturating_mul(2);
        *byte = u8::from_str_radix(text.get(start..start.saturating_add(2))?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_the_promised_hash() {
        // printf '%s\0%s\0%s' "$batch" "$line" "$n" | sha256sum
        for (batch, line, n, expected) in [
            ("", "{}", 0, "cl1-6d417395c0ac78ae1786faa9d9c42660"),
            ("may", r#"{"event_name":"purchase"}"#, 12, "cl1-b41a1982b9fe8dc9d2d34cfbd964ee07"),
        ] {
            let key = EventKey::made(batch, line.as_bytes(), n);
            assert_eq!(key.to_string(), expected);
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let made = EventKey::made("", b"{}", 3);
        let upper = made.to_string().to_uppercase();
        for key in [made, EventKey::Given("order-7".into()), EventKey::Given("cl1-00".into()), EventKey::from(&*upper)]
        {
            assert_eq!(EventKey::from(&*key.to_string()), key);
        }
        assert!(matches!(EventKey::from(&*upper), EventKey::Given(_)));
    }

    #[test]
    fn batch_line_and_number_do_not_run_into_each_other() {
        let keys = [("a", "b", 0), ("", "ab", 0), ("ab", "", 0), ("a", "b", 1), ("a", "b\0", 0)];
        let keys: std::collections::HashSet<_> =
            keys.iter().map(|(batch, line, n)| EventKey::made(batch, line.as_bytes(), *n)).collect();
        assert_eq!(keys.len(), 5);
    }
}
