//! What was read, as a key.

use std::ffi::OsString;

use cometly_core::{ApiKey, InvalidApiKey};
use zeroize::Zeroizing;

use crate::problem::Problem;

/// The most that is read: the longest key, its line feed, and what tells that there is more.
pub(crate) const MAX_SIZE: usize = 2 * ApiKey::MAX_LEN;

/// Some editors and shells begin a file with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The key in `bytes`, without a byte order mark before it and the one line feed at its end.
pub(crate) fn key(bytes: &[u8]) -> Result<ApiKey, Problem> {
    let line = line(bytes);
    if line.trim_ascii_start().starts_with(b"{") || line.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::Json);
    }
    let key = std::str::from_utf8(line).map_err(|_| {
        let position = line.iter().position(|byte| !byte.is_ascii()).unwrap_or_default();
        Problem::Key(InvalidApiKey::NonAscii { position })
    })?;
    ApiKey::new(key).map_err(Problem::Key)
}

/// The bytes that are to be the key.
pub(crate) fn line(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if line.len() < bytes.len() { line.strip_suffix(b"\r").unwrap_or(line) } else { line }
}

pub(crate) fn of_variable(value: Option<OsString>) -> Result<ApiKey, Problem> {
    key(&Zeroizing::new(value.ok_or(Problem::NotSet)?.into_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_by_kind_and_never_quoted() {
        use InvalidApiKey as E;
        let long = "canary".repeat(1000);
        for (bytes, expected) in [
            ("", Problem::Key(E::Empty)),
            ("\n", Problem::Key(E::Empty)),
            ("\r\n", Problem::Key(E::Empty)),
            (" 12|canary\n", Problem::Key(E::Padded { position: 0 })),
            ("12|canary \n", Problem::Key(E::Padded { position: 9 })),
            ("12|canary\n\n", Problem::Key(E::LineBreak { position: 9 })),
            ("12|canary\n13|canary\n", Problem::Key(E::LineBreak { position: 9 })),
            ("12|canary\r", Problem::Key(E::LineBreak { position: 9 })),
            ("\"12|canary\"\n", Problem::Key(E::Quoted { position: 0 })),
            ("COMETLY_API_KEY=12|canary\n", Problem::Key(E::Assignment)),
            ("{\"key\": \"12|canary\"}\n", Problem::Json),
            ("\n [\"12|canary\"]", Problem::Json),
            ("12|canary\0", Problem::Key(E::Control { position: 9 })),
            ("\u{feff}\n", Problem::Key(E::Empty)),
            ("\u{feff}\u{feff}12|canary\n", Problem::Key(E::NonAscii { position: 0 })),
            ("\u{feff}{\"key\": \"12|canary\"}", Problem::Json),
            (&long, Problem::Key(E::TooLong { length: 6000 })),
        ] {
            let problem = key(bytes.as_bytes()).unwrap_err();
            assert_eq!(problem, expected, "{bytes:?}");
            assert!(!problem.to_string().contains("canary") && !format!("{problem:?}").contains("canary"));
        }
        assert_eq!(key(b"12|\xff\n").unwrap_err(), Problem::Key(E::NonAscii { position: 3 }));
        assert_eq!(of_variable(None).unwrap_err(), Problem::NotSet);
        for bytes in ["12|abc", "12|abc\n", "12|abc\r\n", "\u{feff}12|abc\r\n"] {
            assert_eq!(key(bytes.as_bytes()).unwrap().expose_secret(), "12|abc");
        }
    }
}
