//! URIs of literal paths, checked and made once for each [`Api`](crate::Api): half of the cost of a call without values.

use std::{ptr, sync::OnceLock};

use http::Uri;

/// More than the API has endpoints; further paths are not cached.
const CAPACITY: usize = 24;

/// A fixed list that only grows, so that it is read without a lock.
#[derive(Default)]
pub(crate) struct UriCache([OnceLock<Entry>; CAPACITY]);

/// A template that is well-formed.
struct Entry {
    template: &'static str,
    /// `None` if the template has placeholders.
    uri: Option<Uri>,
}

impl UriCache {
    /// Index of a cached template. Literals are compared by address and length, not by their text.
    pub(crate) fn find(&self, template: &'static str) -> Option<usize> {
        self.0.iter().map_while(OnceLock::get).position(|entry| ptr::eq(entry.template, template))
    }

    /// The URI of the template at `index`; `None` if it has placeholders.
    pub(crate) fn uri(&self, index: usize) -> Option<&Uri> {
        self.0.get(index)?.get()?.uri.as_ref()
    }

    /// Adds a template and returns its index; `None` if the cache is full.
    pub(crate) fn insert(&self, template: &'static str, uri: Option<Uri>) -> Option<usize> {
        let mut entry = Entry { template, uri };
        for (index, slot) in self.0.iter().enumerate() {
            match slot.set(entry) {
                Ok(()) => return Some(index),
                Err(refused) => entry = refused,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_found_by_its_address_and_a_full_cache_takes_no_more() {
        let text: &'static str = "contacts/contacts";
        let (one, other) = text.split_at(8);
        let cache = UriCache::default();
        assert!(cache.find(one).is_none());
        cache.insert(one, Some(Uri::from_static("https://a.example/contacts")));
        assert!(cache.find(one).is_some_and(|index| cache.uri(index).is_some()));
        assert!(cache.find(&other[1..]).is_none() && cache.find(&text[..7]).is_none());
        for at in 0..2 * CAPACITY {
            cache.insert(&text[..at % 8], None);
        }
        assert!(cache.find(one).is_some());
        assert_eq!(cache.insert(&text[..3], None), None);
    }
}
