//! JSON for a person: indented, and coloured if that is wanted. Order and digits stay as they came, for no value is read.

use anstyle::{AnsiColor, Style};
use serde::de::IgnoredAny;

const NAME: Style = AnsiColor::Blue.on_default().bold();
const TEXT: Style = AnsiColor::Green.on_default();
const PLAIN: Style = Style::new();
const LITERAL: Style = AnsiColor::Cyan.on_default();
/// What is deeper would be mostly indentation.
const MAX_DEPTH: usize = 64;

/// `text` laid out over several lines; `None` if it is no JSON, or too deep.
pub(crate) fn indented(text: &str, is_coloured: bool) -> Option<String> {
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut writer = Writer { out: String::with_capacity(text.len().saturating_mul(2)), depth: 0, is_coloured };
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_len(rest));
        let after = after.trim_start();
        match first {
            '{' | '[' if after.starts_with(['}', ']']) => {
                writer.out.push_str(token);
                writer.out.push_str(after.get(..1)?);
                rest = after.get(1..)?.trim_start();
                continue;
            }
            '{' | '[' => {
                writer.out.push_str(token);
                writer.depth = writer.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
                writer.line();
            }
            '}' | ']' => {
                writer.depth = writer.depth.saturating_sub(1);
                writer.line();
                writer.out.push_str(token);
            }
            ',' => {
                writer.out.push_str(token);
                writer.line();
            }
            ':' => writer.out.push_str(": "),
            '"' if after.starts_with(':') => writer.styled(NAME, token),
            '"' => writer.styled(TEXT, token),
            't' | 'f' | 'n' => writer.styled(LITERAL, token),
            _ => writer.styled(PLAIN, token),
        }
        rest = after;
    }
    Some(writer.out)
}

/// The length of the first token of sound JSON.
fn token_len(text: &str) -> usize {
    if text.starts_with('"') {
        let mut is_escaped = true;
        let end = text.bytes().position(|byte| {
            // The first quotation mark opens.
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        });
        return end.map_or(text.len(), |end| end.saturating_add(1));
    }
    if text.starts_with(['{', '}', '[', ']', ',', ':']) {
        return 1;
    }
    text.find([',', ':', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(text.len())
}

struct Writer {
    out: String,
    depth: usize,
    is_coloured: bool,
}

impl Writer {
    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn styled(&mut self, style: Style, token: &str) {
        if self.is_coloured && style != PLAIN {
            self.out.extend([&style.render().to_string(), token, &style.render_reset().to_string()]);
        } else {
            self.out.push_str(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_the_same_over_several_lines() {
        let text = " {\"a\\\"b\": [ 1.50e3,\"x,]\\\\\",{},[ ] , null],\"c\":\n{\"d\":true}} ";
        let shown = indented(text, false).unwrap();
        assert_eq!(
            shown,
            "{\n  \"a\\\"b\": [\n    1.50e3,\n    \"x,]\\\\\",\n    {},\n    [],\n    null\n  ],\n  \"c\": {\n    \"d\": true\n  }\n}"
        );
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(text));
        let plain = anstream::adapter::strip_str(&indented(text, true).unwrap()).to_string();
        assert_eq!(plain, shown);
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_left_alone() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        for text in ["", "{", "words", "{} {}", &deep] {
            assert_eq!(indented(text, true), None);
        }
        assert_eq!(indented("1", false).as_deref(), Some("1"));
    }
}
