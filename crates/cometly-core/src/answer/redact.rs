//! What of a text may be shown: the keys in it are masked, characters that steer a terminal are escaped, and its length is
//! capped.

use std::{borrow::Cow, iter, ops::BitOr};

use crate::{ApiKey, key_ring::Keys};

/// The longest text that is told, in bytes.
pub(crate) const MAX_LEN: usize = 1024;
const MASK: &str = "[redacted]";

/// Masks the keys, escapes control and bidirectional characters, and cuts what is too long: in this order, so that no cut
/// leaves half a key. Reads no more of a long text than it shows.
pub(crate) fn clean<'a>(text: &'a str, secrets: &Secrets<'_>) -> Cow<'a, str> {
    // Plain ASCII steers nothing.
    let is_plain = || !any(text.as_bytes(), |byte| !matches!(byte, b' '..=b'~')) || !text.chars().any(steers_terminal);
    if text.len() <= MAX_LEN && is_plain() && !secrets.are_in(text.as_bytes()) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len().min(MAX_LEN));
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let before = shown.len();
        let secret = secrets.at_start_of(rest);
        match secret {
            Some(_) => shown.push_str(MASK),
            None if steers_terminal(char) => shown.extend(char.escape_default()),
            None => shown.push(char),
        }
        if shown.len() > MAX_LEN {
            while shown.len() > before.min(MAX_LEN.saturating_sub('…'.len_utf8())) {
                shown.pop();
            }
            shown.push('…');
            break;
        }
        rest = rest.get(secret.map_or(char.len_utf8(), <[u8]>::len)..).unwrap_or_default();
    }
    // A key with a backslash may come about by escaping.
    if secrets.are_in(shown.as_bytes()) { MASK.into() } else { shown.into() }
}

/// What must not be shown of the keys.
pub(crate) struct Secrets<'a> {
    keys: &'a Keys,
    /// What any text holds that holds the current key, or its half.
    current: &'a [u8],
}

impl<'a> Secrets<'a> {
    pub(crate) fn of(keys: &'a Keys) -> Self {
        Self { keys, current: least(&keys.current) }
    }

    fn are_in(&self, text: &[u8]) -> bool {
        is_in(text, self.current) || self.keys.previous.iter().any(|key| is_in(text, least(key)))
    }

    /// The longest, for one key may be the beginning of another.
    fn at_start_of(&self, text: &str) -> Option<&'a [u8]> {
        let secrets = iter::once(&self.keys.current).chain(&self.keys.previous).flat_map(ApiKey::secrets);
        secrets.filter(|secret| text.as_bytes().starts_with(secret)).max_by_key(|secret| secret.len())
    }
}

/// The last is in all others.
fn least(key: &ApiKey) -> &[u8] {
    key.secrets().last().unwrap_or_default()
}

fn is_in(text: &[u8], secret: &[u8]) -> bool {
    let Some(first) = secret.first() else { return false };
    text.len() >= secret.len()
        && any(text, |byte| byte == *first)
        && text.windows(secret.len()).any(|window| window == secret)
}

/// As of an iterator, but many bytes at a time: a chunk of fixed length is compiled to a few instructions, and the last
/// one may overlap the one before, so that no rest is left.
fn any(text: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let is_in = |chunk: &[u8]| chunk.iter().map(|byte| is(*byte)).fold(false, BitOr::bitor);
    match text.last_chunk::<16>() {
        Some(last) => text.chunks_exact(16).any(&is_in) || is_in(last),
        None => is_in(text),
    }
}

/// Control characters, line and paragraph separators, and those that turn the direction of text around
/// ([UAX #9](https://www.unicode.org/reports/tr9/)).
fn steers_terminal(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Api;

    const KEY: &str = "12|canary-secret";

    fn keys() -> std::sync::Arc<Keys> {
        Api::new(ApiKey::new(KEY).unwrap()).keys()
    }

    fn cleaned(text: &str) -> String {
        clean(text, &Secrets::of(&keys())).into_owned()
    }

    #[test]
    fn a_text_in_which_nothing_is_to_be_changed_is_borrowed() {
        // The second and third begin as the key does.
        for text in ["Too Many Attempts.", "1 more error", "12|canary", "Ünïcödé stays – 完", &"x".repeat(MAX_LEN)]
        {
            assert!(matches!(clean(text, &Secrets::of(&keys())), Cow::Borrowed(shown) if shown == text), "{text}");
        }
    }

    #[test]
    fn a_key_that_escaping_would_write_is_masked() {
        let keys = Api::new(ApiKey::new(r"12|abcdefgh\nsecret").unwrap()).keys();
        assert_eq!(clean("12|abcdefgh\nsecret", &Secrets::of(&keys)), MASK);
    }

    // Texts are looked through in chunks.
    #[test]
    fn what_must_not_be_shown_is_found_wherever_it_stands() {
        for (hidden, shown) in [(KEY, MASK), ("canary-secret", MASK), ("\n", "\\n"), ("\u{202e}", "\\u{202e}")] {
            for before in 0..40 {
                for behind in [0, 1, 15, 16, 17] {
                    let [before, behind] = [before, behind].map(|len| "x".repeat(len));
                    assert_eq!(cleaned(&format!("{before}{hidden}{behind}")), format!("{before}{shown}{behind}"));
                }
            }
        }
    }

    #[test]
    fn our_key_is_masked_whole_or_by_its_secret_half() {
        assert_eq!(cleaned(&format!("bad token {KEY}!")), "bad token [redacted]!");
        assert_eq!(cleaned("bad token canary-secret"), "bad token [redacted]");
        assert_eq!(cleaned("12%7Ccanary-secret"), "12%7C[redacted]");
        // A half that is short may be a word.
        for (key, text, shown) in [
            ("1|12345678", "in 12345678 s", "in [redacted] s"),
            ("1|1234567", "in 1234567 s", "in 1234567 s"),
            ("1|a|1234567", "in a|1234567 s", "in [redacted] s"),
            ("aaaa", "aaaa", "[redacted]"),
        ] {
            assert_eq!(clean(text, &Secrets::of(&Api::new(ApiKey::new(key).unwrap()).keys())), shown);
        }
    }

    #[test]
    fn a_one_letter_key_in_a_huge_message_costs_no_more_than_is_shown() {
        let keys = Api::new(ApiKey::new("x").unwrap()).keys();
        let shown = clean(&"x".repeat(30 << 20), &Secrets::of(&keys)).into_owned();
        assert!(shown.len() <= MAX_LEN && !shown.contains('x'));
    }

    #[test]
    fn a_key_that_the_cut_would_tear_is_masked_first() {
        let text = format!("{}{KEY}", "x".repeat(MAX_LEN - 6));
        assert!(!cleaned(&text).contains("12|"));
    }

    // Row 38 of the fault list.
    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(cleaned("\u{1b}[31m\r\n\u{202e}x\u{0}"), "\\u{1b}[31m\\r\\n\\u{202e}x\\u{0}");
        for (text, shown) in [
            ("\n", "\\n"),
            ("\r\n", "\\r\\n"),
            ("two\nlines\n", "two\\nlines\\n"),
            ("\u{200b}", "\\u{200b}"),
            ("it's \"Ünïcödé\" – 完\n", "it's \"Ünïcödé\" – 完\\n"),
        ] {
            assert_eq!(cleaned(text), shown);
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        for text in ["é".repeat(5_000_000), "\n".repeat(2000), "x".repeat(MAX_LEN + 1)] {
            let shown = cleaned(&text);
            assert!(shown.len() <= MAX_LEN && shown.ends_with('…'), "{}", shown.len());
        }
        assert_eq!(cleaned(&"x".repeat(MAX_LEN + 1)), format!("{}…", "x".repeat(MAX_LEN - 3)));
        assert_eq!(cleaned(&format!("{}\n", "x".repeat(MAX_LEN - 2))), format!("{}\\n", "x".repeat(MAX_LEN - 2)));
    }

    proptest! {
        #[test]
        fn no_text_carries_the_key_or_grows_past_the_cap(text in ".{0,40}", more in ".{0,2000}") {
            let shown = cleaned(&format!("{text}{KEY}{more}{KEY}"));
            prop_assert!(!shown.contains("canary") && shown.len() <= MAX_LEN);
            prop_assert!(!shown.chars().any(steers_terminal));
        }
    }
}
