//! Any text is a key or a clear error, and neither ever shows it.
#![no_main]

use arbitrary::Arbitrary;
use cometly_core::{Api, ApiKey, InvalidApiKey, http::header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Makes it long enough to be too long.
    times: u8,
    text: &'a str,
}

fuzz_target!(|input: Input| {
    let text = input.text.repeat(usize::from(input.times).max(1));
    let expected = fault(&text);
    match (ApiKey::new(text.as_str()), text.parse::<ApiKey>()) {
        (Ok(key), Ok(_)) => {
            assert_eq!(expected, None, "accepted: {text:?}");
            shows_itself_nowhere_but_in_the_header(&text, key);
        }
        (Err(error), Err(same)) => {
            assert_eq!((Some(error), error), (expected, same), "{text:?}");
            if mistake(&text).is_some_and(|error| !matches!(error, InvalidApiKey::Quoted { .. })) {
                // These have no position, and so one message for all texts.
                return;
            }
            // The message must be the same for any other text of the same shape.
            let is_shape = |char: char| !is_plain(char) || MARKS.contains(char);
            let other: String = text.chars().map(|char| if is_shape(char) { char } else { 'k' }).collect();
            let other = ApiKey::new(other).unwrap_err();
            assert_eq!(error.to_string(), other.to_string());
            assert_eq!(format!("{error:?}"), format!("{other:?}"));
        }
        _ => panic!("`new` and `parse` differ: {text:?}"),
    }
});

fn shows_itself_nowhere_but_in_the_header(text: &str, key: ApiKey) {
    assert_eq!(key.expose_secret(), text);
    assert_eq!(format!("{key:?}"), "ApiKey([redacted])");
    let [api, other] = [key, ApiKey::new("other").unwrap()].map(Api::new);
    let (call, plain) = (api.get("events"), other.get("events"));
    let (request, plain_request) = (call.to_request().unwrap(), plain.to_request().unwrap());
    let header = &request.headers()[AUTHORIZATION];
    assert!(header.is_sensitive());
    assert_eq!(header.as_bytes(), format!("Bearer {text}").as_bytes());
    assert_eq!(format!("{api:?} {call:?} {request:?}"), format!("{other:?} {plain:?} {plain_request:?}"));
}

fn is_plain(char: char) -> bool {
    char.is_ascii_graphic() && char != ','
}

/// Quotation marks, straight, typographic, angled and full width; the backtick, the acute and the primes.
const MARKS: &str = "\"'`\u{b4}\u{ab}\u{bb}\u{2018}\u{2019}\u{201a}\u{201b}\u{201c}\u{201d}\u{201e}\u{201f}\
                     \u{2039}\u{203a}\u{2032}\u{2033}\u{301d}\u{301e}\u{301f}\u{ff02}\u{ff07}\
                     \u{275b}\u{275c}\u{275d}\u{275e}\u{300c}\u{300d}\u{300e}\u{300f}\u{ff62}\u{ff63}";

/// What is pasted in place of a key, white space around it apart.
fn mistake(text: &str) -> Option<InvalidApiKey> {
    use InvalidApiKey as E;
    let inner = text.trim();
    let start = text.len() - text.trim_start().len();
    let marks = |(at, char)| MARKS.contains(char).then_some(E::Quoted { position: start + at });
    let is_written = ["&quot;", "&#34;", "&#39;", "%22", "%27"].iter().any(|mark| inner.starts_with(mark));
    let written = is_written.then_some(E::Quoted { position: start });
    let first = inner.char_indices().next().and_then(marks);
    if let Some(quoted) = first.or(written).or_else(|| inner.char_indices().next_back().and_then(marks)) {
        return Some(quoted);
    }
    let lower = inner.to_ascii_lowercase();
    let after_bearer = lower.strip_prefix("bearer").map(|rest| rest.chars().next());
    let after_header = lower.strip_prefix("authorization").map(|rest| rest.trim_start().chars().next());
    if matches!(after_bearer, Some(None | Some(' ' | '\t' | ':' | '=')))
        || matches!(after_header, Some(Some(':' | '=')))
    {
        return Some(E::Scheme);
    }
    let name = lower.find([':', '=']).map(|sign| &lower[..sign]);
    let is_plain_name = |name: &&str| name.chars().all(|char| char.is_ascii_alphanumeric() || "_- ".contains(char));
    let last = name.filter(is_plain_name).and_then(|name| name.trim_end().split(['_', '-', ' ']).next_back());
    if matches!(last, Some("key" | "apikey" | "token" | "secret")) {
        return Some(E::Assignment);
    }
    if let Some((scheme, _)) = lower.split_once("://") {
        if !scheme.is_empty() && scheme.chars().all(|char| char.is_ascii_alphanumeric() || "+-.".contains(char)) {
            return Some(E::Url);
        }
    }
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|char| char == '_' || char.is_ascii_alphanumeric());
    let within = |open: &str, close: &str| {
        let is_long_enough = lower.len() >= open.len() + close.len();
        (is_long_enough && lower.starts_with(open) && lower.ends_with(close))
            .then(|| &lower[open.len()..lower.len() - close.len()])
    };
    let is_variable =
        [("$", ""), ("%", "%"), ("[", "]")].iter().any(|(open, close)| within(open, close).is_some_and(is_name))
            || [("${", "}"), ("$(", ")"), ("{{", "}}"), ("<", ">")]
                .iter()
                .any(|(open, close)| within(open, close).is_some());
    if !is_variable && within("{", "}").is_some() {
        return Some(E::Json);
    }
    let places = "env: file: cmd: /run/ /etc/ /var/ /home/ /secrets/ ~/ ./ ../";
    let words = "null undefined none nil changeme placeholder your_api_key your-api-key your_key api_key";
    let is_placeholder = is_variable
        || places.split(' ').any(|place| lower.starts_with(place))
        || words.split(' ').any(|word| lower == word)
        || inner.contains("[redacted]")
        || (!lower.is_empty() && lower.trim_matches(['*', '.', '\u{2022}', '\u{2026}']).is_empty());
    is_placeholder.then_some(E::Placeholder)
}

/// What is wrong with it: its length, what was pasted in its place, or its first character that is not plain.
fn fault(text: &str) -> Option<InvalidApiKey> {
    use InvalidApiKey as E;
    match text.len() {
        0 => return Some(E::Empty),
        length @ 4097.. => return Some(E::TooLong { length }),
        _ => {}
    }
    if let Some(mistake) = mistake(text) {
        return Some(mistake);
    }
    let (position, char) = text.char_indices().find(|(_, char)| !is_plain(*char))?;
    let only_blanks_follow = text[position..].chars().all(|char| matches!(char, ' ' | '\t' | '\r' | '\n'));
    Some(match char {
        ',' => E::Comma { position },
        '\r' | '\n' => E::LineBreak { position },
        ' ' | '\t' if position == 0 || only_blanks_follow => E::Padded { position },
        ' ' | '\t' => E::Space { position },
        char if char.is_ascii() => E::Control { position },
        _ => E::NonAscii { position },
    })
}
