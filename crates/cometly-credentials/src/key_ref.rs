//! A reference to a key, parsed without IO.

use std::{fmt, path::PathBuf, str::FromStr};

/// A reference to a key, that is, where a key is to be read: `env:NAME`, `file:PATH` or `cmd:PROGRAM ARGS…`. Parsing it
/// ([`FromStr`]) fails with [`InvalidKeyRef`] for any other text and reads nothing; [`read`](KeyRef::read) does.
///
/// ```
/// use cometly_credentials::KeyRef;
///
/// let reference: KeyRef = "cmd:op read 'op://My vault/Cometly/key'".parse()?;
/// assert_eq!(reference.to_string(), "cmd:op …"); // an argument may be a secret
/// assert_eq!(reference.text(), "cmd:op read 'op://My vault/Cometly/key'");
/// assert!("12|abcdef".parse::<KeyRef>().is_err()); // a key is no reference
/// # Ok::<(), cometly_credentials::InvalidKeyRef>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRef {
    text: String,
    pub(crate) place: Place,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Environment(String),
    File(PathBuf),
    Command { program: String, arguments: Vec<String> },
}

impl KeyRef {
    /// The reference as it was written, to be stored in a configuration file. It holds the arguments of a command, which may be
    /// secret.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The secret of a key has 40 characters and more.
const LONG_TOKEN: usize = 32;

impl FromStr for KeyRef {
    type Err = InvalidKeyRef;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').ok_or(InvalidKeyRef::Scheme)?;
        if rest.contains('\0') {
            return Err(InvalidKeyRef::Nul);
        }
        let place = match scheme {
            "env" if is_variable(rest) => Place::Environment(rest.to_owned()),
            "env" => return Err(InvalidKeyRef::Variable),
            "file" if rest.is_empty() => return Err(InvalidKeyRef::Path),
            "file" => Place::File(rest.into()),
            "cmd" => {
                let mut words = split(rest)?.into_iter();
                let program = words.next().filter(|program| !program.is_empty()).ok_or(InvalidKeyRef::Program)?;
                // A value before the program, which would be shown, may be a secret.
                if program.split('/').next().is_some_and(|name| name.contains('=')) {
                    return Err(InvalidKeyRef::Assignment);
                }
                Place::Command { program, arguments: words.collect() }
            }
            _ => return Err(InvalidKeyRef::Scheme),
        };
        if place.is_likely_a_key() {
            return Err(InvalidKeyRef::Key);
        }
        Ok(Self { text: text.to_owned(), place })
    }
}

impl Place {
    /// Whether a key was written where its place is expected; this would be shown.
    fn is_likely_a_key(&self) -> bool {
        let shown = match self {
            Self::Environment(name) => name,
            Self::Command { program, .. } => program,
            Self::File(path) => path.to_str().unwrap_or_default(),
        };
        let is_between = |char: char| char.is_whitespace() || "'\"`=".contains(char);
        !shown.contains('/') && shown.split(is_between).any(|word| is_sanctums(word) || is_long_token(word))
    }
}

/// The shape of Cometly's keys: a number, a bar, a secret.
fn is_sanctums(text: &str) -> bool {
    text.split_once('|')
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Letters and digits at random, as no program, file or variable is named.
fn is_long_token(text: &str) -> bool {
    let has = |is_so: fn(&u8) -> bool| text.as_bytes().iter().any(is_so);
    text.len() >= LONG_TOKEN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

fn is_variable(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The words of a command, parted by white space outside of quotation marks.
fn split(text: &str) -> Result<Vec<String>, InvalidKeyRef> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for char in text.chars() {
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, _) if char.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    if quote.is_some() {
        return Err(InvalidKeyRef::Quote);
    }
    words.extend(word);
    Ok(words)
}

/// A path or a name as it may be shown: what steers a terminal or a log is escaped, and a long one is cut.
pub(crate) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 256;

    let mut shown = String::new();
    for char in text.chars().take(MAX_CHARS) {
        match char {
            '\'' | '"' | '\\' => shown.push(char),
            char => shown.extend(char.escape_debug()),
        }
    }
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// Shows the program of a command without its arguments, one of which may be a secret.
impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Environment(name) => write!(f, "env:{name}"),
            Place::File(path) => write!(f, "file:{}", shown(&path.to_string_lossy())),
            Place::Command { program, arguments } if arguments.is_empty() => write!(f, "cmd:{}", shown(program)),
            Place::Command { program, .. } => write!(f, "cmd:{} …", shown(program)),
        }
    }
}

impl fmt::Debug for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRef({self})")
    }
}

/// Why a text is not a reference to a key; from `FromStr` of [`KeyRef`]. It does not hold the text, which may be the key itself.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKeyRef {
    /// The text begins with none of `env:`, `file:` and `cmd:`.
    Scheme,
    /// The text after `env:` is not the name of a variable: letters, digits and `_`, no digit first.
    Variable,
    /// There is no path after `file:`.
    Path,
    /// There is no program after `cmd:`.
    Program,
    /// The command after `cmd:` begins with `NAME=value`, which only a shell reads as a variable.
    Assignment,
    /// A quotation mark in the command after `cmd:` is not closed.
    Quote,
    /// The text holds a NUL character.
    Nul,
    /// What follows the `:` looks like a key, and not like the place of one: digits and a `|`, or 32 or more letters and digits.
    Key,
}

impl fmt::Display for InvalidKeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "a reference to a key is `env:NAME`, `file:PATH` or `cmd:PROGRAM ARGS…`, not the key itself"
            }
            Self::Variable => "`env:` is followed by the name of an environment variable: letters, digits and _",
            Self::Path => "`file:` is followed by the path of the file that holds the key",
            Self::Program => "`cmd:` is followed by the program that prints the key, and its arguments",
            Self::Assignment => {
                "`cmd:` runs a program without a shell, which alone reads NAME=value before it: write `cmd:env NAME=value \
                 PROGRAM ARGS…`"
            }
            Self::Quote => "a quotation mark in the command is not closed",
            Self::Nul => "the reference holds a NUL character, which no path and no argument can hold",
            Self::Key => {
                "what follows the `:` looks like a key, not like the place of one: `file:` is followed by the path of a file, \
                 `cmd:` by a program, `env:` by a variable's name; write ./ before a file that has such a name"
            }
        })
    }
}

/// `Debug` is `Display`, because `fn main() -> Result` prints the `Debug` of the error that it returns.
impl fmt::Debug for InvalidKeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for InvalidKeyRef {}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "file:canary0123456789ABCDEFGHIJKLMNOP";

    #[test]
    fn a_command_is_split_into_words_without_a_shell() {
        let words = |text: &str| match text.parse::<KeyRef>().map(|reference| reference.place) {
            Ok(Place::Command { program, arguments }) => std::iter::once(program).chain(arguments).collect::<Vec<_>>(),
            _ => panic!("{text}"),
        };
        for (text, expected) in [
            ("cmd:pass", vec!["pass"]),
            ("cmd: op  read\top://v/i/f ", vec!["op", "read", "op://v/i/f"]),
            (r#"cmd:op read "op://My vault/i'f""#, vec!["op", "read", "op://My vault/i'f"]),
            ("cmd:a b'c d'e ''", vec!["a", "bc de", ""]),
            (r"cmd:echo $HOME | sh; `id` \n *", vec!["echo", "$HOME", "|", "sh;", "`id`", r"\n", "*"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    // `docs/faults.md` 152.
    #[test]
    fn what_is_no_reference_is_refused_by_kind_and_never_quoted() {
        use InvalidKeyRef as E;
        for (text, expected) in [
            ("", E::Scheme),
            ("12|canary", E::Scheme),
            ("ENV:canary", E::Scheme),
            ("env:", E::Variable),
            ("env:12|canary", E::Variable),
            ("env:1canary", E::Variable),
            ("file:", E::Path),
            ("file:canary\0", E::Nul),
            ("cmd:", E::Program),
            ("cmd:  ", E::Program),
            ("cmd:'' canary", E::Program),
            ("cmd:echo 'canary", E::Quote),
            ("cmd:TOKEN=canary op read x", E::Assignment),
            ("cmd:TOKEN=/canary/x op read x", E::Assignment),
            ("cmd:'TOKEN=canary'", E::Assignment),
            ("file:COMETLY_API_KEY=12|canary", E::Key),
            (&LONG.replace("file:", "file:key="), E::Key),
            ("cmd:12|canary", E::Key),
            ("cmd: 12|canary now", E::Key),
            ("cmd:'12|canary'", E::Key),
            ("cmd:12|canarycanary|canarycanary", E::Key),
            ("file:12|canary", E::Key),
            ("cmd:'Bearer 12|canary'", E::Key),
            ("file: \"12|canary\" ", E::Key),
            ("file:Bearer 12|canary", E::Key),
            (LONG, E::Key),
            (&LONG.replace("file", "cmd"), E::Key),
            (&LONG.replace("file", "env"), E::Key),
            (&LONG.replace("file:", "cmd:Bearer\u{20}'"), E::Quote),
        ] {
            let error = text.parse::<KeyRef>().unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_path_or_a_program_that_no_key_looks_like_is_taken() {
        let bare = LONG.trim_start_matches("file:");
        for text in [
            "file:./12|x",
            "file:/run/12|x",
            "file:key-of-12|x",
            "cmd:./12|x",
            "cmd:printf 12|x",
            "cmd:./a=b/c",
            "cmd:env TOKEN=x op read y",
            "env:COMETLY_API_KEY_OF_SPACE_NUMBER_42",
            "env:COMETLYAPIKEYOFOURSPACEATHOMEANDABROAD",
            &format!("file:./{bare}"),
            &format!("file:{bare}.txt"),
            &format!("cmd:/usr/bin/{bare}"),
        ] {
            assert!(text.parse::<KeyRef>().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_a_long_path_is_cut() {
        let shown = |text: &str| text.parse::<KeyRef>().map(|reference| format!("{reference} {reference:?}")).unwrap();
        let text = shown("file:/nx/\u{1b}[31m\u{202e}it's\nx");
        assert!(text.starts_with("file:/nx/\\u{1b}[31m\\u{202e}it's\\nx "), "{text}");
        let text = shown("cmd:a\u{7f}\u{feff}b x");
        assert!(text.starts_with("cmd:a\\u{7f}\\u{feff}b … "), "{text}");
        assert!(shown(&format!("file:/{}", "x".repeat(100_000))).len() < 600);
    }

    #[test]
    fn a_reference_shows_no_argument_and_comes_back_from_its_text() {
        for (text, shown) in [
            ("env:COMETLY_API_KEY", "env:COMETLY_API_KEY"),
            ("file:/run/secrets/cometly key", "file:/run/secrets/cometly key"),
            ("cmd:pass", "cmd:pass"),
            ("cmd:vault -token=canary read x", "cmd:vault …"),
        ] {
            let reference: KeyRef = text.parse().unwrap();
            assert_eq!((reference.to_string().as_str(), reference.text()), (shown, text));
            assert!(!format!("{reference:?}").contains("canary"));
            assert!(reference.text().parse::<KeyRef>().unwrap() == reference);
        }
    }
}
