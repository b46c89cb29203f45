//! The secret that opens the API.

use std::{env, fmt, str::FromStr};

use bytes::Bytes;
use http::HeaderValue;
use memchr::arch::all::packedpair::Pair;
use zeroize::Zeroizing;

/// The environment variable that [`ApiKey::from_env`] reads: `COMETLY_API_KEY`. If it is not set, that fails with
/// [`InvalidApiKey::NotSet`].
pub const API_KEY_VARIABLE: &str = "COMETLY_API_KEY";

const SCHEME: &str = "Bearer ";

/// A Cometly API key, ready to be sent as `Authorization: Bearer …`
/// ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)). [`new`](Self::new), [`from_env`](Self::from_env) and
/// [`FromStr`] make one, and fail with [`InvalidApiKey`].
///
/// A key opens one Space. It is shown once, when it is generated, on
/// [the Integrations page](https://app.cometly.com/integrations).
///
/// 1 to 4096 characters of visible ASCII, without a comma, are accepted: Cometly's backend cuts the header at the first comma,
/// and its keys may hold a `|`, which RFC 6750's `b64token` does not allow. Nothing is trimmed and no prefix is expected. What
/// is pasted in place of a key by mistake is refused, each with an error of its own: a key in quotation marks, `Bearer …`,
/// `COMETLY_API_KEY=…`, a JSON object, a URL, and a placeholder or reference, such as `$NAME`, `file:PATH` or `null`.
///
/// # In memory
/// The whole header value lives in one allocation, which requests share and which is wiped when the key and the
/// last request made from it are dropped; so is the text that it was made from. A test searches a process for
/// any eight bytes of its key after that: `cargo test -p cometly-conformance --test key_memory`. It cannot reach:
///
/// - the environment that [`from_env`](ApiKey::from_env) reads: the system hands it to the process and to each child,
///   `/proc/PID/environ` shows it, and it stays until the process ends;
/// - a literal: it is in the program's file, and so in each process that runs it;
/// - where the text was before: a buffer that grew, a parsed configuration;
/// - what an HTTP client copies: its buffers are freed as they are, and each adapter says what was found there. A body in
///   which the server quotes the key is one of them, and so is what a JSON parser unpacks of it;
/// - registers that a function saved on the stack, until the next calls write over them; swap, and core dumps.
///
/// # In print
/// `Debug` shows nothing of the key. It cannot be printed, compared, hashed or serialised:
///
/// ```
/// # use cometly_core::ApiKey;
/// let key = ApiKey::new("12|abcdef")?;
/// assert_eq!(format!("{key:?}"), "ApiKey([redacted])");
/// assert_eq!(key.expose_secret(), "12|abcdef");
/// # Ok::<(), cometly_core::InvalidApiKey>(())
/// ```
#[derive(Clone)]
pub struct ApiKey {
    header: HeaderValue,
    /// Where the secret half begins in the header, for a key as Laravel makes it: `id|secret`, split at the first bar.
    half: Option<usize>,
    /// The byte of the last of the [`secrets`](Self::secrets) that is the rarest in other text, and its offset in that secret.
    rarest: (u8, usize),
    has_backslash: bool,
}

impl ApiKey {
    /// The longest key that is accepted: 4096 bytes. A longer text is [`InvalidApiKey::TooLong`].
    pub const MAX_LEN: usize = 4096;

    /// Checks that a text is a key, and takes it over: the memory of `key` is wiped before this returns, also on an error.
    /// Nothing is trimmed.
    ///
    /// # Errors
    /// [`InvalidApiKey`] says what is wrong and where, and never shows the key: the text is empty, longer than
    /// [`MAX_LEN`](Self::MAX_LEN), holds a comma or a character that is not visible ASCII, or is plainly something else than a
    /// key, such as a URL.
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidApiKey> {
        let key = Zeroizing::new(key.into());
        check(&key)?;
        // Exact capacity: a buffer that grows leaves an unwiped copy behind.
        let mut header = Zeroizing::new(Vec::with_capacity(SCHEME.len().saturating_add(key.len())));
        header.extend_from_slice(SCHEME.as_bytes());
        header.extend_from_slice(key.as_bytes());
        // `check` lets only visible ASCII through, which a header value holds.
        let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(header))
            .map_err(|_| InvalidApiKey::Control { position: 0 })?;
        header.set_sensitive(true);
        let half =
            key.bytes().position(|byte| byte == b'|').map(|bar| SCHEME.len().saturating_add(bar).saturating_add(1));
        let mut key = Self { header, half, rarest: (0, 0), has_backslash: key.contains('\\') };
        key.rarest = key.secrets().last().and_then(rarest).unwrap_or_default();
        Ok(key)
    }

    /// Reads the key from the environment variable `COMETLY_API_KEY`, as [`new`](ApiKey::new) does.
    ///
    /// The environment itself keeps its copy: the promise of [wiped memory](ApiKey#in-memory) does not reach it.
    ///
    /// # Errors
    /// [`InvalidApiKey::NotSet`] if the variable is not set; else any other [`InvalidApiKey`] that [`ApiKey::new`] gives for
    /// its value.
    pub fn from_env() -> Result<Self, InvalidApiKey> {
        Self::from_variable(env::var(API_KEY_VARIABLE))
    }

    fn from_variable(read: Result<String, env::VarError>) -> Result<Self, InvalidApiKey> {
        match read {
            Ok(key) => Self::new(key),
            Err(env::VarError::NotPresent) => Err(InvalidApiKey::NotSet),
            Err(env::VarError::NotUnicode(raw)) => {
                let raw = Zeroizing::new(raw.into_encoded_bytes());
                let position = raw.iter().position(|b| !b.is_ascii()).unwrap_or_default();
                Err(InvalidApiKey::NonAscii { position })
            }
        }
    }

    /// The key as text, as it was given: visible ASCII without a comma, at most [`MAX_LEN`](Self::MAX_LEN) bytes, without
    /// `Bearer`. Each use of it is a place where the key can leak.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        let key = self.header.as_bytes().get(SCHEME.len()..);
        // Only ASCII was let in, so this cannot fail.
        key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default()
    }

    /// What must not be shown: the key, and its secret half, since a backend may well quote that alone. A half that
    /// is too short to be told from other text is not among them.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        const SHORTEST_HALF: usize = 8;

        let header = self.header.as_bytes();
        let half = self.half.and_then(|half| header.get(half..)).filter(|half| half.len() >= SHORTEST_HALF);
        header.get(SCHEME.len()..).into_iter().chain(half)
    }

    /// What a search for the last of the [`secrets`](Self::secrets) begins with: its rarest byte, and the place of it there.
    pub(crate) fn rarest(&self) -> (u8, usize) {
        self.rarest
    }

    /// Whether there is a backslash in the key, so that escaping other text can make a key of it.
    pub(crate) fn has_backslash(&self) -> bool {
        self.has_backslash
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

/// The byte that is the rarest in other text, and its place.
fn rarest(secret: &[u8]) -> Option<(u8, usize)> {
    let place = Pair::new(secret).map_or(0, |pair| usize::from(pair.index1()));
    Some((*secret.get(place)?, place))
}

impl FromStr for ApiKey {
    type Err = InvalidApiKey;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        Self::new(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

/// What must not compile.
///
/// ```compile_fail,E0277
/// # use cometly_core::ApiKey;
/// println!("{}", ApiKey::new("12|abcdef").unwrap()); // no `Display`
/// ```
///
/// ```compile_fail,E0369
/// # use cometly_core::ApiKey;
/// let same = ApiKey::new("a").unwrap() == ApiKey::new("a").unwrap(); // no `PartialEq`
/// ```
///
/// ```compile_fail,E0277
/// # use cometly_core::ApiKey;
/// serde_json::to_string(&ApiKey::new("a").unwrap()).unwrap(); // no `Serialize`
/// ```
#[cfg(doctest)]
struct Misuse;

debug_as_display!(InvalidApiKey);

/// Why a text is not an API key, or why there is none; from [`ApiKey::new`], [`ApiKey::from_env`] and `FromStr` of [`ApiKey`].
/// It says what is wrong and, if that has a place in the text, at which byte (from 0); it never shows the text.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidApiKey {
    /// The environment variable `COMETLY_API_KEY` is not set.
    #[error("the environment variable {API_KEY_VARIABLE} is not set: put the key there, or give it to `ApiKey::new`")]
    NotSet,
    /// The text is empty.
    #[error(
        "the API key is empty: copy it from https://app.cometly.com/integrations, where it is shown when generated"
    )]
    Empty,
    /// The text begins or ends with a quotation mark of any kind, which `docker --env-file` and the like keep.
    #[error("the API key is in quotation marks (at byte {position}): give it without them; `--env-file` keeps them")]
    Quoted {
        /// The byte offset, from 0, of the mark at the beginning, or else of the one at the end.
        position: usize,
    },
    /// The text begins with `Bearer` as a word of its own, or with `Authorization:` or `Authorization=`.
    #[error(
        "the API key begins with the name of a scheme or header, as in `Bearer KEY`: give what comes after it alone"
    )]
    Scheme,
    /// The text is an assignment, such as `COMETLY_API_KEY=KEY` or `token: KEY`, and not the key alone.
    #[error("the API key is a whole assignment, as in `{API_KEY_VARIABLE}=KEY`: give what comes after the sign alone")]
    Assignment,
    /// The text is not a key but what is written where one belongs: a variable that was not expanded, the placeholder of an
    /// example, the path or reference of a secret, such as `$NAME`, `${NAME}`, `<key>`, `***`, `null`, `/run/secrets/key` or
    /// `file:PATH`.
    #[error(
        "the API key is a placeholder, a path, a reference or a variable that was not expanded, as in `$NAME`, `<key>`, `file:PATH` or `***`: put the key in its place"
    )]
    Placeholder,
    /// The text is a JSON object: it begins with `{` and ends with `}`.
    #[error("the API key is a JSON object, as in `{{\"key\":\"KEY\"}}`: give the text of its field alone")]
    Json,
    /// The text is a URL, of any scheme.
    #[error("the API key is a URL: copy the key itself from https://app.cometly.com/integrations")]
    Url,
    /// The text begins or ends with a space or a tab.
    #[error("the API key has white space around it, at byte {position}: remove it, nothing is trimmed silently")]
    Padded {
        /// The byte offset of the first such space or tab, from 0.
        position: usize,
    },
    /// The text holds a line break, CR or LF, usually a line feed at its end that was pasted or read along with the key.
    #[error("the API key has a line break at byte {position}: trim what was pasted or read from a file")]
    LineBreak {
        /// The byte offset of the first line break, from 0.
        position: usize,
    },
    /// The text holds a space or a tab between other characters.
    #[error("the API key has white space within, at byte {position}: is it one key, whole?")]
    Space {
        /// The byte offset of the first such space or tab, from 0.
        position: usize,
    },
    /// The text holds a comma, at which Cometly's backend would cut it.
    #[error("the API key has a comma at byte {position}: the server would cut it there")]
    Comma {
        /// The byte offset of the first comma, from 0.
        position: usize,
    },
    /// The text holds an ASCII control character other than a tab or a line break.
    #[error("the API key has a control character at byte {position}: copy it again as plain text")]
    Control {
        /// The byte offset of the first such control character, from 0.
        position: usize,
    },
    /// The text holds a character beyond ASCII.
    #[error("the API key has a non-ASCII character at byte {position}: copy it again as plain text")]
    NonAscii {
        /// The byte offset of the first such character, from 0.
        position: usize,
    },
    /// The text is longer than [`ApiKey::MAX_LEN`], 4096 bytes.
    #[error("the API key is {length} bytes long, at most {} are expected: is it the key, not a file?", ApiKey::MAX_LEN)]
    TooLong {
        /// The length of the text in bytes.
        length: usize,
    },
}

fn check(key: &str) -> Result<(), InvalidApiKey> {
    let length = key.len();
    if length == 0 {
        return Err(InvalidApiKey::Empty);
    }
    if length > ApiKey::MAX_LEN {
        return Err(InvalidApiKey::TooLong { length });
    }
    check_mistake(key)?;
    for (position, byte) in key.bytes().enumerate() {
        return Err(match byte {
            b',' => InvalidApiKey::Comma { position },
            0x21..=0x7e => continue,
            b'\r' | b'\n' => InvalidApiKey::LineBreak { position },
            b' ' | b'\t' if position == 0 || key.as_bytes().get(position..).is_some_and(all_blank) => {
                InvalidApiKey::Padded { position }
            }
            b' ' | b'\t' => InvalidApiKey::Space { position },
            0x80.. => InvalidApiKey::NonAscii { position },
            _ => InvalidApiKey::Control { position },
        });
    }
    Ok(())
}

/// What the place of a key begins with, as files and `cometly-credentials` name it.
const PLACES: [&str; 11] =
    ["env:", "file:", "cmd:", "/run/", "/etc/", "/var/", "/home/", "/secrets/", "~/", "./", "../"];

/// What programs and examples write where there is no key.
const PLACEHOLDERS: [&str; 10] = [
    "null",
    "undefined",
    "none",
    "nil",
    "changeme",
    "placeholder",
    "your_api_key",
    "your-api-key",
    "your_key",
    "api_key",
];

/// What is pasted in place of a key. It is looked for in the text without the white space around it, since the mistake
/// explains more than the white space does.
fn check_mistake(key: &str) -> Result<(), InvalidApiKey> {
    let text = key.trim();
    let padding = key.len().saturating_sub(key.trim_start().len());
    if text.starts_with(is_quotation_mark) {
        return Err(InvalidApiKey::Quoted { position: padding });
    }
    // As HTML and URLs write the mark.
    if ["&quot;", "&#34;", "&#39;", "%22", "%27"].iter().any(|mark| text.starts_with(mark)) {
        return Err(InvalidApiKey::Quoted { position: padding });
    }
    if let Some(last) = text.chars().next_back().filter(|last| is_quotation_mark(*last)) {
        let position = padding.saturating_add(text.len()).saturating_sub(last.len_utf8());
        return Err(InvalidApiKey::Quoted { position });
    }
    let begins = |word: &str| {
        let head = text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word));
        head.and_then(|_| text.get(word.len()..))
    };
    let is_scheme = begins("Bearer").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', ':', '=']));
    if is_scheme || begins("Authorization").is_some_and(|rest| rest.trim_start().starts_with([':', '='])) {
        return Err(InvalidApiKey::Scheme);
    }
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ');
    if let Some((name, _)) = text.split_once(['=', ':']).filter(|(name, _)| name.bytes().all(is_of_name)) {
        let last = name.trim_end().rsplit(['_', '-', ' ']).next().unwrap_or_default();
        if ["key", "apikey", "token", "secret"].iter().any(|word| last.eq_ignore_ascii_case(word)) {
            return Err(InvalidApiKey::Assignment);
        }
    }
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty() && is_scheme(scheme)) {
        return Err(InvalidApiKey::Url);
    }
    let within = |open: &str, close: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_variable = text.strip_prefix('$').is_some_and(is_name)
        || within("%", "%").is_some_and(is_name)
        || within("${", "}").is_some()
        || within("$(", ")").is_some()
        || within("{{", "}}").is_some()
        || within("<", ">").is_some()
        || (within("[", "]").is_some_and(is_name));
    if !is_variable && within("{", "}").is_some() {
        return Err(InvalidApiKey::Json);
    }
    let is_reference = PLACES.iter().any(|place| begins(place).is_some());
    let is_word = PLACEHOLDERS.iter().any(|word| text.eq_ignore_ascii_case(word)) || text.contains("[redacted]");
    let is_masked = !text.is_empty() && text.chars().all(|char| matches!(char, '*' | '•' | '…' | '.'));
    if is_variable || is_reference || is_word || is_masked { Err(InvalidApiKey::Placeholder) } else { Ok(()) }
}

/// Straight, typographic and angled quotation marks, the backtick and the primes.
fn is_quotation_mark(char: char) -> bool {
    matches!(
        char,
        '"' | '\'' | '`' | '´' | '«' | '»' | '\u{2018}'
            ..='\u{201f}' | '‹' | '›' | '′' | '″' | '❛'..='❞' | '「'..='』' | '〝'..='〟' | '＂' | '＇' | '｢' | '｣'
    )
}

fn all_blank(rest: &[u8]) -> bool {
    rest.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_bad_key_names_its_kind_and_position_and_never_itself() {
        use InvalidApiKey as E;
        let table = [
            ("", E::Empty),
            (" canary", E::Padded { position: 0 }),
            ("\tcanary", E::Padded { position: 0 }),
            ("canary ", E::Padded { position: 6 }),
            ("canary  ", E::Padded { position: 6 }),
            ("canary \n", E::Padded { position: 6 }),
            ("canary\n", E::LineBreak { position: 6 }),
            ("canary\r\n", E::LineBreak { position: 6 }),
            ("can\r\nX: ary", E::LineBreak { position: 3 }),
            ("can ary", E::Space { position: 3 }),
            ("can\tary", E::Space { position: 3 }),
            ("can,ary", E::Comma { position: 3 }),
            ("can\0ary", E::Control { position: 3 }),
            ("can\u{7f}ary", E::Control { position: 3 }),
            ("canåry", E::NonAscii { position: 3 }),
            ("\u{feff}canary", E::NonAscii { position: 0 }),
        ];
        for (text, expected) in table {
            let error = ApiKey::new(text).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("can") && !shown.contains("ary"), "{shown}");
        }
        let long = "k".repeat(ApiKey::MAX_LEN + 1);
        assert_eq!(ApiKey::new(long).unwrap_err(), E::TooLong { length: 4097 });
        assert!(ApiKey::new("k".repeat(ApiKey::MAX_LEN)).is_ok());
    }

    // `docs/faults.md` 98.
    #[test]
    fn what_is_pasted_in_place_of_a_key_is_recognised_and_never_shown() {
        use InvalidApiKey as E;
        for (text, expected) in [
            ("\"12|canary\"", E::Quoted { position: 0 }),
            ("'12|canary'", E::Quoted { position: 0 }),
            ("`12|canary`", E::Quoted { position: 0 }),
            ("“12|canary”", E::Quoted { position: 0 }),
            ("‘12|canary’", E::Quoted { position: 0 }),
            ("„12|canary“", E::Quoted { position: 0 }),
            ("«12|canary»", E::Quoted { position: 0 }),
            ("12|canary\"", E::Quoted { position: 9 }),
            ("12|canary”", E::Quoted { position: 9 }),
            ("\"12|canary", E::Quoted { position: 0 }),
            ("\"12|canary\"\n", E::Quoted { position: 0 }),
            (" '12|canary'", E::Quoted { position: 1 }),
            ("\"", E::Quoted { position: 0 }),
            ("Bearer 12|canary", E::Scheme),
            ("bearer\t12|canary", E::Scheme),
            ("BEARER", E::Scheme),
            (" Bearer: 12|canary", E::Scheme),
            ("Authorization: Bearer 12|canary", E::Scheme),
            ("authorization:12|canary", E::Scheme),
            ("COMETLY_API_KEY=12|canary", E::Assignment),
            ("COMETLY_API_KEY=\"12|canary\"", E::Quoted { position: 26 }),
            ("export COMETLY_API_KEY=12|canary", E::Assignment),
            ("cometly_api_key: 12|canary", E::Assignment),
            ("API_KEY = 12|canary", E::Assignment),
            ("$COMETLY_API_KEY", E::Placeholder),
            ("${COMETLY_API_KEY}", E::Placeholder),
            ("${{ secrets.CANARY }}", E::Placeholder),
            ("$(op read op://canary)", E::Placeholder),
            ("%COMETLY_API_KEY%", E::Placeholder),
            ("<your canary>", E::Placeholder),
            ("[redacted]", E::Placeholder),
            ("********", E::Placeholder),
            ("••••", E::Placeholder),
            ("https://app.cometly.com/integrations", E::Url),
            ("HTTP://canary", E::Url),
            ("op://vault/canary", E::Url),
            ("「12|canary」", E::Quoted { position: 0 }),
            ("❝12|canary❞", E::Quoted { position: 0 }),
            ("&quot;12|canary&quot;", E::Quoted { position: 0 }),
            ("%2212|canary%22", E::Quoted { position: 0 }),
            ("COMETLY_KEY=12|canary", E::Assignment),
            ("token=12|canary", E::Assignment),
            ("X-API-Key: 12|canary", E::Assignment),
            ("export Secret = 12|canary", E::Assignment),
            (r#"{"key":"12|canary"}"#, E::Json),
            ("{\n  \"token\": \"12|canary\"\n}\n", E::Json),
            ("file:/run/canary", E::Placeholder),
            ("cmd:pass canary", E::Placeholder),
            ("ENV:CANARY", E::Placeholder),
            ("/run/secrets/canary", E::Placeholder),
            ("~/.canary", E::Placeholder),
            ("YOUR_API_KEY", E::Placeholder),
            ("null", E::Placeholder),
            ("undefined\n", E::Placeholder),
            ("ApiKey([redacted])", E::Placeholder),
        ] {
            let error = ApiKey::new(text).unwrap_err();
            assert_eq!(error, expected, "{text:?}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        for good in [
            "bearer12",
            "12|a=b",
            "12|a\"b",
            "$a$b",
            "a%b%",
            "12|<a>",
            "authorization",
            "x=API_KEY",
            "12|token=a",
            "nullable",
            "keys",
            "{a",
            "/abc",
            "12|://a",
        ] {
            assert!(ApiKey::new(good).is_ok(), "{good}");
        }
        let error = ApiKey::new("\"12|abc\"").unwrap_err();
        assert!(error.to_string().contains("in quotation marks"), "{error}");
    }

    #[test]
    fn the_environment_gives_a_key_or_the_reason_why_not() {
        use InvalidApiKey as E;
        assert_eq!(ApiKey::from_variable(Ok("12|abcdef".into())).unwrap().expose_secret(), "12|abcdef");
        let not_unicode = env::VarError::NotUnicode("canåry".into());
        for (read, expected) in [
            (Err(env::VarError::NotPresent), E::NotSet),
            (Ok(String::new()), E::Empty),
            (Ok("canary\n".into()), E::LineBreak { position: 6 }),
            (Err(not_unicode), E::NonAscii { position: 3 }),
        ] {
            assert_eq!(ApiKey::from_variable(read).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_key_is_shown_as_nothing_but_a_key() {
        assert_eq!(format!("{:?}", ApiKey::new("12|abcdef").unwrap()), "ApiKey([redacted])");
    }

    #[test]
    fn every_single_byte_is_accepted_only_if_visible_ascii_without_comma() {
        for byte in 0..=127_u8 {
            let accepted = ApiKey::new(format!("a{}b", char::from(byte))).is_ok();
            assert_eq!(accepted, byte.is_ascii_graphic() && byte != b',', "byte {byte}");
        }
    }

    #[test]
    fn the_header_is_one_sensitive_bearer_value() {
        let key = ApiKey::new("12|abcdef").unwrap();
        assert_eq!(key.header().as_bytes(), b"Bearer 12|abcdef");
        assert!(key.header().is_sensitive());
        assert!(key.clone().header().is_sensitive());
        assert_eq!(key.expose_secret(), "12|abcdef");
    }

    #[test]
    fn a_clone_shares_the_secret_instead_of_copying_it() {
        let key = ApiKey::new("12|abcdef").unwrap();
        let header = key.clone().header().clone();
        assert_eq!(key.expose_secret().as_ptr(), header.as_bytes()[SCHEME.len()..].as_ptr());
    }

    #[test]
    fn bytes_drops_the_owner_only_with_the_last_header() {
        struct Probe(Arc<AtomicBool>);
        impl AsRef<[u8]> for Probe {
            fn as_ref(&self) -> &[u8] {
                b"Bearer x"
            }
        }
        impl Drop for Probe {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicBool::new(false));
        let header = HeaderValue::from_maybe_shared(Bytes::from_owner(Probe(dropped.clone()))).unwrap();
        let request = http::Request::builder().header("authorization", header.clone()).body(()).unwrap();
        drop(header);
        assert!(!dropped.load(Ordering::SeqCst));
        drop(request);
        assert!(dropped.load(Ordering::SeqCst));
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_a_clear_error(text in any::<String>()) {
            match ApiKey::new(text.clone()) {
                Ok(key) => prop_assert_eq!(key.expose_secret(), text),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
