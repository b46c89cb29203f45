//! The paths of a program's own text, each checked and made a URI once.

use std::{ptr, sync::OnceLock};

use http::Uri;

/// More than the API has endpoints; what comes later is made anew each time.
const MOST: usize = 24;

#[derive(Default)]
pub(crate) struct UriCache([OnceLock<Path>; MOST]);

/// A path that is well-formed.
struct Path {
    template: &'static str,
    uri: Option<Uri>,
}

impl UriCache {
    /// The number of the path that stands at this very place of the program, which is the same text each time.
    pub(crate) fn find(&self, template: &'static str) -> Option<usize> {
        self.0.iter().map_while(OnceLock::get).position(|path| ptr::eq(path.template, template))
    }

    /// Where the path of this number leads; one with placeholders leads nowhere yet.
    pub(crate) fn uri(&self, number: usize) -> Option<&Uri> {
        self.0.get(number)?.get()?.uri.as_ref()
    }

    /// Takes it up, if there is room, and gives it a number.
    pub(crate) fn note(&self, template: &'static str, uri: Option<Uri>) -> Option<usize> {
        let mut path = Path { template, uri };
        for (number, slot) in self.0.iter().enumerate() {
            match slot.set(path) {
                Ok(()) => return Some(number),
                Err(unset) => path = unset,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_by_its_place_and_the_rest_is_made_anew() {
        let text: &'static str = "contacts/contacts";
        let (one, other) = text.split_at(8);
        let paths = UriCache::default();
        assert!(paths.find(one).is_none());
        paths.note(one, Some(Uri::from_static("https://a.example/contacts")));
        assert!(paths.find(one).is_some_and(|number| paths.uri(number).is_some()));
        assert!(paths.find(&other[1..]).is_none() && paths.find(&text[..7]).is_none());
        for at in 0..2 * MOST {
            paths.note(&text[..at % 8], None);
        }
        assert!(paths.find(one).is_some());
    }
}
