//! Text that steers no terminal.

use std::{borrow::Cow, fmt::Write as _};

/// JSON with what steers a terminal written as `\u…`, which says the same.
pub(super) fn for_terminal(json: &[u8]) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(json);
    let steers = |char: char| {
        (char.is_control() && !matches!(char, '\n' | '\t'))
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if let (Cow::Borrowed(text), false) = (&text, text.contains(steers)) {
        return text.as_bytes().into();
    }
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if steers(char) {
            // Writing to a String does not fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(char));
        } else {
            shown.push(char);
        }
    }
    shown.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_as_json_writes_it() {
        let hostile = "{\"name\":\"\u{9b}31mé\u{202e}\"}\n\t\u{1b}";
        let shown = for_terminal(hostile.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), "{\"name\":\"\\u009b31mé\\u202e\"}\n\t\\u001b");
        assert!(matches!(for_terminal(b"{\"plain\": 1}"), Cow::Borrowed(_)));
        assert_eq!(String::from_utf8_lossy(&for_terminal(b"\xff\x1b]0;x\x07")), "\u{fffd}\\u001b]0;x\\u0007");
    }
}
