//! What of a server's text may be shown: keys are masked, characters that steer a terminal are escaped, the length is
//! capped.

use std::{borrow::Cow, iter, ops::BitOr};

use memchr::{memchr_iter, memchr2_iter};

use super::json::read_escape;
use crate::{ApiKey, key_ring::Keys};

/// The longest message or field error, in bytes.
pub(crate) const MAX_LEN: usize = 1024;
const MASK: &str = "[redacted]";

/// Masks the keys, escapes control and bidirectional characters, and cuts at `max` bytes: in this order, so that no cut
/// leaves half a key. Reads no more of a long text than it shows.
pub(super) fn clean<'a>(text: &'a str, max: usize, secrets: &Secrets<'_>) -> Cow<'a, str> {
    if is_fit_to_show(text, max) && !secrets.are_in(text.as_bytes()) {
        return text.into();
    }
    let shown = rewrite(text, max, |rest| secrets.at_start_of(rest.as_bytes()));
    // A key with a backslash may come about by escaping.
    if secrets.are_in(shown.as_bytes()) { MASK.into() } else { shown.into() }
}

/// The same for a text that is known to hold no key.
pub(crate) fn escape(text: &str, max: usize) -> Cow<'_, str> {
    if is_fit_to_show(text, max) { text.into() } else { rewrite(text, max, |_| None).into() }
}

/// Whether a text is shown as it is, if no key is in it.
pub(super) fn is_fit_to_show(text: &str, max: usize) -> bool {
    text.len() <= max && (is_plain(text.as_bytes()) || !text.chars().any(steers_terminal))
}

/// Copies a text up to `max` bytes. `secret` gives the length of the key that a rest begins with.
fn rewrite(text: &str, max: usize, secret: impl Fn(&str) -> Option<usize>) -> String {
    let mut shown = String::with_capacity(text.len().min(max));
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let before = shown.len();
        let secret = secret(rest);
        match secret {
            Some(_) => shown.push_str(MASK),
            None if steers_terminal(char) => shown.extend(char.escape_default()),
            None => shown.push(char),
        }
        if shown.len() > max {
            while shown.len() > before.min(max.saturating_sub('…'.len_utf8())) {
                shown.pop();
            }
            shown.push('…');
            break;
        }
        rest = rest.get(secret.unwrap_or(char.len_utf8())..).unwrap_or_default();
    }
    shown
}

/// The keys that must not be shown.
pub(super) struct Secrets<'a> {
    keys: &'a Keys,
}

impl<'a> Secrets<'a> {
    pub(super) fn of(keys: &'a Keys) -> Self {
        Self { keys }
    }

    /// Whether a key or its secret half is in a text, also as JSON may write it, `\/` for a slash, or a URL, `%2F`.
    pub(super) fn are_in(&self, text: &[u8]) -> bool {
        self.all().any(|key| is_in(text, key)) || self.are_escaped_in(text)
    }

    fn are_escaped_in(&self, text: &[u8]) -> bool {
        has_escape(text)
            && self.all().map(shortest).any(|secret| {
                (0..text.len())
                    .any(|at| starts(text, at, secret).is_some_and(|rest| len_escaped(rest, secret).is_some()))
            })
    }

    /// Whether escaping a text can make a key of it.
    pub(super) fn have_backslash(&self) -> bool {
        self.all().any(ApiKey::has_backslash)
    }

    /// The offset of a key whose end the cut took away; the text's length if there is none.
    pub(super) fn torn_at(&self, cut: &[u8]) -> usize {
        let secrets = || self.all().flat_map(ApiKey::secrets);
        let longest = secrets().map(<[u8]>::len).max().unwrap_or_default();
        // Each character may be written as an escape of six.
        let first = cut.len().saturating_sub(longest.saturating_mul(6));
        let is_torn =
            |at: &usize| secrets().any(|secret| starts(cut, *at, secret).is_some_and(|rest| is_torn(rest, secret)));
        (first..cut.len()).find(is_torn).unwrap_or(cut.len())
    }

    fn all(&self) -> impl Iterator<Item = &'a ApiKey> {
        iter::once(&self.keys.current).chain(&self.keys.previous)
    }

    /// The length of the key at the beginning of a text: the longest one, as one key may be the beginning of another.
    fn at_start_of(&self, text: &[u8]) -> Option<usize> {
        self.all().flat_map(ApiKey::secrets).filter_map(|secret| len_at_start(text, secret)).max()
    }
}

/// The secret half, or the key if it has no half: no text holds the key without it.
fn shortest(key: &ApiKey) -> &[u8] {
    key.secrets().last().unwrap_or_default()
}

fn len_at_start(text: &[u8], secret: &[u8]) -> Option<usize> {
    if text.starts_with(secret) { Some(secret.len()) } else { len_escaped(text, secret) }
}

/// Whether a text may hold an escape of JSON's or of a URL's. The `%` of `width: 100%` is none.
fn has_escape(text: &[u8]) -> bool {
    memchr2_iter(b'\\', b'%', text).any(|at| match text.get(at..) {
        Some([b'%', first, second, ..]) => first.is_ascii_hexdigit() && second.is_ascii_hexdigit(),
        Some([first, ..]) => *first == b'\\',
        _ => false,
    })
}

/// The text from a place on, if the secret may begin there: one byte rules out most places.
fn starts<'a>(text: &'a [u8], at: usize, secret: &[u8]) -> Option<&'a [u8]> {
    let rest = text.get(at..)?;
    (matches!(rest, [b'\\' | b'%', ..]) || rest.first() == secret.first()).then_some(rest)
}

/// The length of the secret at the beginning of a text in which each character may be written as an escape of JSON's or of
/// a URL's.
fn len_escaped(text: &[u8], secret: &[u8]) -> Option<usize> {
    let mut rest = text;
    for byte in secret {
        let (char, len) = first_char(rest)?;
        if char != char::from(*byte) {
            return None;
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    Some(text.len().saturating_sub(rest.len()))
}

/// The first character of a text that may be an escape, and the length of what it is written as.
fn first_char(text: &[u8]) -> Option<(char, usize)> {
    let plain = text.first()?;
    match plain {
        b'\\' => read_escape(text),
        b'%' => {
            let digits = text.get(1..3).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
            let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
            Some(byte.map_or(('%', 1), |byte| (char::from(byte), 3)))
        }
        plain => Some((char::from(*plain), 1)),
    }
}

/// Whether a text is the beginning of the secret and no more, also with escapes.
fn is_torn(text: &[u8], secret: &[u8]) -> bool {
    let mut rest = text;
    for byte in secret {
        let is_cut = match rest {
            [] => true,
            [b'\\', ..] => rest.len() < 6 && matches!(rest.get(1), None | Some(b'u')),
            [b'%', ..] => rest.len() < 3,
            _ => false,
        };
        if is_cut {
            return true;
        }
        let (char, len) = first_char(rest).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        if char != char::from(*byte) {
            return false;
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    false
}

/// Looks for the key's rarest byte, and compares what is around it.
fn is_in(text: &[u8], key: &ApiKey) -> bool {
    let secret = shortest(key);
    let (rarest, before) = key.rarest();
    memchr_iter(rarest, text).any(|at| {
        let begin = at.checked_sub(before).and_then(|at| text.get(at..));
        begin.is_some_and(|begin| begin.starts_with(secret))
    })
}

fn is_plain(text: &[u8]) -> bool {
    !any(text, |byte| !matches!(byte, b' '..=b'~'))
}

/// `Iterator::any`, but many bytes at a time: a chunk of fixed length is compiled to a few instructions, and the last chunk
/// may overlap the one before, so that no rest is left.
fn any(text: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let is_in = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(is(*byte))).fold(0, BitOr::bitor) != 0;
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
        clean(text, MAX_LEN, &Secrets::of(&keys())).into_owned()
    }

    #[test]
    fn a_text_in_which_nothing_is_to_be_changed_is_borrowed() {
        // The second and third begin as the key does.
        for text in ["Too Many Attempts.", "1 more error", "12|canary", "Ünïcödé stays – 完", &"x".repeat(MAX_LEN)]
        {
            assert!(
                matches!(clean(text, MAX_LEN, &Secrets::of(&keys())), Cow::Borrowed(shown) if shown == text),
                "{text}"
            );
        }
    }

    #[test]
    fn a_key_that_escaping_would_write_is_masked() {
        let keys = Api::new(ApiKey::new(r"12|abcdefgh\nsecret").unwrap()).keys();
        assert_eq!(clean("12|abcdefgh\nsecret", MAX_LEN, &Secrets::of(&keys)), MASK);
    }

    #[test]
    fn a_text_is_torn_if_it_is_a_beginning_of_the_key_and_no_more() {
        let is_torn = |text: &str| is_torn(text.as_bytes(), b"abc");
        for torn in ["", "a", "ab", "a\\", "a\\u", "a\\u006", "a%", "a%6", "%61b", "\\u0061"] {
            assert!(is_torn(torn), "{torn}");
        }
        for other in ["x", "ax", "abx", "%78", "\\u0078", "a\\n", "abc", "abcd"] {
            assert!(!is_torn(other), "{other}");
        }
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
        assert_eq!(cleaned("?token=12%7Ccanary-secret&a=100%"), "?token=[redacted]&a=100%");
        assert_eq!(cleaned("%31%32%7c%63anary%2Dsecret"), "[redacted]");
        assert_eq!(cleaned("canary%2Dsecret"), "[redacted]");
        assert_eq!(cleaned("12%7Xcanary-secret 5% %zz"), "12%7X[redacted] 5% %zz");
        // A half that is short may be a word.
        for (key, text, shown) in [
            ("1|12345678", "in 12345678 s", "in [redacted] s"),
            ("1|1234567", "in 1234567 s", "in 1234567 s"),
            ("1|a|1234567", "in a|1234567 s", "in [redacted] s"),
            ("aaaa", "aaaa", "[redacted]"),
        ] {
            assert_eq!(clean(text, MAX_LEN, &Secrets::of(&Api::new(ApiKey::new(key).unwrap()).keys())), shown);
        }
    }

    // PHP writes a slash as `\/`, and any character may be written by its number.
    #[test]
    fn our_key_is_masked_as_json_writes_it() {
        let keys = Api::new(ApiKey::new(r"12|ab/cdef\gh").unwrap()).keys();
        for text in [r"ab/cdef\gh", r"ab\/cdef\\gh", r"12\u007cab/\u0063def\u005Cgh", r"\u0061b\/cdef\\gh"] {
            assert_eq!(clean(text, MAX_LEN, &Secrets::of(&keys)), MASK);
            let shown = clean(&format!("\\ \"{text}\" \\u00"), MAX_LEN, &Secrets::of(&keys)).into_owned();
            assert_eq!(shown, "\\ \"[redacted]\" \\u00");
        }
        assert_eq!(clean(r"ab\/cdef\u", MAX_LEN, &Secrets::of(&keys)), r"ab\/cdef\u");
    }

    #[test]
    fn a_one_letter_key_in_a_huge_message_costs_no_more_than_is_shown() {
        let keys = Api::new(ApiKey::new("x").unwrap()).keys();
        let shown = clean(&"x".repeat(30 << 20), MAX_LEN, &Secrets::of(&keys)).into_owned();
        assert!(shown.len() <= MAX_LEN && !shown.contains('x'));
    }

    #[test]
    fn a_key_that_the_cut_would_tear_is_masked_first() {
        let text = format!("{}{KEY}", "x".repeat(MAX_LEN - 6));
        assert!(!cleaned(&text).contains("12|"));
    }

    // `docs/faults.md` 38.
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
