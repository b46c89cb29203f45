//! JSON as it comes. A pull reader that checks the grammar, reads texts lossily and never recurses by itself: a lone
//! surrogate or a byte that is not UTF-8 costs one character, and input that was cut off is another error than broken input.

use std::{borrow::Cow, ops::BitOr};

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The input ends within a value.
    End,
    /// The input is not JSON.
    Syntax,
}

/// The part of an input that is still to be read.
#[derive(Clone)]
pub(super) struct Json<'a> {
    rest: &'a [u8],
}

/// A string between its quotation marks, escapes not yet resolved.
#[derive(Clone, Copy)]
pub(super) struct RawText<'a> {
    bytes: &'a [u8],
    has_escapes: bool,
}

impl<'a> Json<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The first byte of what comes next, white space skipped; it stays unread.
    pub(super) fn peek(&mut self) -> Result<u8, Broken> {
        self.rest = trim_start(self.rest);
        self.rest.first().copied().ok_or(Broken::End)
    }

    /// Reads one byte, white space skipped, which must be this one.
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.peek()? != byte {
            return Err(Broken::Syntax);
        }
        self.advance(1);
        Ok(())
    }

    /// Checks that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        self.peek().map_or(Ok(()), |_| Err(Broken::Syntax))
    }

    /// Goes to the next entry of a list or an object whose opening bracket was read: false, and past the bracket, if
    /// `close` comes instead.
    pub(super) fn next_entry(&mut self, close: u8, is_first: &mut bool) -> Result<bool, Broken> {
        let byte = self.peek()?;
        if byte == close {
            self.advance(1);
            return Ok(false);
        }
        if !std::mem::take(is_first) {
            self.expect(b',')?;
            if self.peek()? == close {
                return Err(Broken::Syntax);
            }
        }
        Ok(true)
    }

    /// Reads a name and its colon.
    pub(super) fn name(&mut self) -> Result<RawText<'a>, Broken> {
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Reads a string.
    pub(super) fn string(&mut self) -> Result<RawText<'a>, Broken> {
        self.expect(b'"')?;
        let start = self.rest;
        let mut has_escapes = false;
        loop {
            let len = plain_len(self.rest).ok_or(Broken::End)?;
            self.advance(len);
            match self.rest.first() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    let len = escape_len(self.rest)?;
                    self.advance(len);
                }
                _ => return Err(Broken::Syntax),
            }
        }
        let len = start.len().saturating_sub(self.rest.len());
        self.advance(1);
        Ok(RawText { bytes: start.get(..len).unwrap_or_default(), has_escapes })
    }

    /// Reads what is left of a string that was cut off.
    pub(super) fn cut_string(mut self) -> Option<RawText<'a>> {
        self.expect(b'"').ok()?;
        Some(RawText { bytes: self.rest, has_escapes: self.rest.contains(&b'\\') })
    }

    /// Reads a number, `true`, `false` or `null`, and gives it as it was written.
    pub(super) fn scalar(&mut self) -> Result<&'a [u8], Broken> {
        let len = match self.peek()? {
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => number_len(self.rest)?,
        };
        let scalar = self.rest.get(..len).unwrap_or_default();
        self.advance(len);
        Ok(scalar)
    }

    fn literal(&self, word: &[u8]) -> Result<usize, Broken> {
        match self.rest.get(..word.len()) {
            Some(start) if start == word => Ok(word.len()),
            None if word.starts_with(self.rest) => Err(Broken::End),
            _ => Err(Broken::Syntax),
        }
    }

    /// Reads a value of any depth, and drops it.
    pub(super) fn skip(&mut self) -> Result<(), Broken> {
        // The brackets that are to be closed: a list instead of recursion, as depth is the sender's choice.
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                bracket @ (b'{' | b'[') => {
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    self.advance(1);
                    if self.next_entry(close, &mut true)? {
                        open.push(close);
                        if close == b'}' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => drop(self.scalar()?),
            }
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                if !self.next_entry(close, &mut false)? {
                    open.pop();
                    continue;
                }
                if close == b'}' {
                    self.name()?;
                }
                break;
            }
        }
    }

    fn advance(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }
}

/// The four characters of RFC 8259 §2. A byte order mark is none of them: the API sends none, and RFC 8259 §8.1 forbids it.
pub(super) fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The text from its first byte on that is not white space.
pub(super) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text {
        if !is_white_space(*first) {
            break;
        }
        text = rest;
    }
    text
}

/// How many bytes of a string come before its end, an escape, or a control character, which JSON does not allow.
fn plain_len(text: &[u8]) -> Option<usize> {
    const STEP: usize = 16;

    let is_special = |byte: u8| matches!(byte, b'"' | b'\\' | ..=0x1f);
    // A chunk of fixed length is compiled to a few instructions.
    let is_plain = |chunk: &&[u8]| !chunk.iter().map(|byte| is_special(*byte)).fold(false, BitOr::bitor);
    let skipped = text.chunks_exact(STEP).take_while(is_plain).count().saturating_mul(STEP);
    let len = text.get(skipped..)?.iter().position(|byte| is_special(*byte))?;
    Some(skipped.saturating_add(len))
}

fn escape_len(escape: &[u8]) -> Result<usize, Broken> {
    match escape.get(1).ok_or(Broken::End)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(2),
        b'u' => match escape.get(2..6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(6),
            None => Err(Broken::End),
            Some(_) => Err(Broken::Syntax),
        },
        _ => Err(Broken::Syntax),
    }
}

fn number_len(text: &[u8]) -> Result<usize, Broken> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let past = |len: usize| text.get(len..).unwrap_or_default();
    let least_one = |count: usize, rest: &[u8]| match (count, rest) {
        (0, []) => Err(Broken::End),
        (0, _) => Err(Broken::Syntax),
        (count, _) => Ok(count),
    };

    let mut len = usize::from(text.starts_with(b"-"));
    let whole = least_one(digits(past(len)), past(len))?;
    if whole > 1 && past(len).starts_with(b"0") {
        return Err(Broken::Syntax);
    }
    len = len.saturating_add(whole);
    if past(len).starts_with(b".") {
        len = len.saturating_add(1);
        len = len.saturating_add(least_one(digits(past(len)), past(len))?);
    }
    if matches!(past(len).first(), Some(b'e' | b'E')) {
        len = len.saturating_add(1);
        len = len.saturating_add(usize::from(matches!(past(len).first(), Some(b'+' | b'-'))));
        len = len.saturating_add(least_one(digits(past(len)), past(len))?);
    }
    Ok(len)
}

impl<'a> RawText<'a> {
    /// The text with its escapes resolved; borrowed if there are none and it is UTF-8.
    pub(super) fn text(self) -> Cow<'a, str> {
        if self.has_escapes {
            return unescaped(self.bytes).into();
        }
        // Quicker than the lossy reading, which goes byte by byte.
        std::str::from_utf8(self.bytes).map_or_else(|_| String::from_utf8_lossy(self.bytes), Cow::Borrowed)
    }

    pub(super) fn is(self, expected: &str) -> bool {
        if self.has_escapes { self.text() == expected } else { self.bytes == expected.as_bytes() }
    }
}

fn unescaped(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let plain = bytes.iter().position(|byte| *byte == b'\\').unwrap_or(bytes.len());
        text.push_str(&String::from_utf8_lossy(bytes.get(..plain).unwrap_or_default()));
        bytes = bytes.get(plain..).unwrap_or_default();
        let Some((char, len)) = read_escape(bytes) else { return text };
        text.push(char);
        bytes = bytes.get(len..).unwrap_or_default();
    }
}

/// The character that an escape at the beginning of `bytes` means, and the length of the escape. U+FFFD if it means none.
pub(super) fn read_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at.saturating_add(6))?.strip_prefix(b"\\u")?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        u16::from_str_radix(digits, 16).ok()
    };
    let ([b'\\'] | [b'\\', ..]) = bytes else { return None };
    let char = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        _ => {
            let units = [unit(0), unit(6)];
            let [Some(first), second] = units else { return Some((char::REPLACEMENT_CHARACTER, bytes.len().min(2))) };
            return match char::decode_utf16(std::iter::once(first).chain(second)).next() {
                Some(Ok(char)) => Some((char, char.len_utf16().saturating_mul(6))),
                _ => Some((char::REPLACEMENT_CHARACTER, 6)),
            };
        }
    };
    Some((char, 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn skip(input: &str) -> Result<(), Broken> {
        let mut json = Json::new(input.as_bytes());
        json.skip()?;
        json.end()
    }

    #[test]
    fn the_grammar_is_that_of_rfc_8259() {
        for good in [
            "{}",
            "[]",
            " [ ] ",
            "{\"a\":1}",
            "[1,2,{\"a\":[null,true,false]}]",
            "\"\"",
            "-0",
            "0.5",
            "1e999",
            "-1.5E+7",
            r#""\u00e9\n\"\/""#,
            r#""\ud800""#,
            "\t\r\n 7",
        ] {
            assert_eq!(skip(good), Ok(()), "{good}");
        }
        for broken in [
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":1,}",
            "{1:2}",
            "[1 2]",
            "01",
            "1.x",
            "1ex",
            "+1",
            ".5",
            "tru3",
            "[}",
            "{]",
            "\"\n\"",
            r#""\x""#,
            r#""\u12g4""#,
            "1 2",
            "\u{feff}{}",
            "\u{c}1",
            "nil",
            "'a'",
            "[,1]",
            "-x",
        ] {
            assert_eq!(skip(broken), Err(Broken::Syntax), "{broken}");
        }
        for cut in
            ["", "{", "[", "{\"a", "{\"a\"", "{\"a\":", "[1,", "tr", "\"\\", "\"\\u00", "1.", "1e", "1e+", "-", "[[["]
        {
            assert_eq!(skip(cut), Err(Broken::End), "{cut}");
        }
    }

    // `docs/faults.md` 90.
    #[test]
    fn a_bad_character_costs_that_character_alone() {
        for (raw, expected) in [
            (&br#""a\ud800b""#[..], "a\u{fffd}b"),
            (br#""a\udc00""#, "a\u{fffd}"),
            (br#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
            (br#""\ud800\u0041""#, "\u{fffd}A"),
            (br#""\ud83d\ude00 \u00e9""#, "😀 é"),
            (b"\"a\xffb\"", "a\u{fffd}b"),
            (b"\"\\n\xff\\u0041\"", "\n\u{fffd}A"),
            (br#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        ] {
            assert_eq!(Json::new(raw).string().unwrap().text(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_serde_json_takes_is_taken_and_nothing_else(input in r#"[\[\]{}",:0-9eE.+\-truefalsn \\ua]{0,12}"#) {
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&input).is_ok();
            prop_assert_eq!(skip(&input).is_ok(), theirs, "{}", input);
        }

        #[test]
        fn texts_are_read_as_serde_json_reads_them(text in ".{0,20}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Json::new(json.as_bytes()).string().unwrap().text(), text);
        }
    }
}
