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
            // What is shown must be the same for any other text of the same make.
            let other: String = text.chars().map(|char| if is_plain(char) { 'k' } else { char }).collect();
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

/// What is wrong with it: its length, or its first character that is not plain.
fn fault(text: &str) -> Option<InvalidApiKey> {
    use InvalidApiKey as E;
    match text.len() {
        0 => return Some(E::Empty),
        length @ 4097.. => return Some(E::TooLong { length }),
        _ => {}
    }
    let (position, char) = text.char_indices().find(|(_, char)| !is_plain(*char))?;
    let only_blanks_follow = text[position..].chars().all(|char| char == ' ' || char == '\t');
    Some(match char {
        ',' => E::Comma { position },
        '\r' | '\n' => E::LineBreak { position },
        ' ' | '\t' if position == 0 || only_blanks_follow => E::Padded { position },
        ' ' | '\t' => E::Space { position },
        char if char.is_ascii() => E::Control { position },
        _ => E::NonAscii { position },
    })
}
