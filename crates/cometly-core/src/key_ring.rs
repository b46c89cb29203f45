//! The keys of an [`Api`](crate::Api): the one in use, and the last ones before it, which are still masked.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use crate::ApiKey;

/// How many keys before the current one are still masked.
const MOST_PREVIOUS: usize = 4;

/// The key in use, the ones before it, and the headers that every request carries.
pub(crate) struct Keys {
    pub(crate) current: ApiKey,
    /// An answer to a request that left before a rotation may still quote an old key. The latest first, none twice.
    pub(crate) previous: Vec<ApiKey>,
    /// Grows by one with each rotation, so that an attempt can tell whether its key is still the current one.
    pub(crate) generation: u64,
    pub(crate) headers: HeaderMap,
}

impl Keys {
    pub(crate) fn new(current: ApiKey, user_agent: HeaderValue) -> Self {
        let json = HeaderValue::from_static("application/json");
        // Room for the headers that HTTP clients add, so that they need not grow the map.
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(header::AUTHORIZATION, current.header().clone());
        headers.insert(header::ACCEPT, json.clone());
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, user_agent);
        Self { current, previous: Vec::new(), generation: 0, headers }
    }

    /// The ring and the key of an attempt, which may have been replaced more often than the ring goes back.
    pub(crate) fn and(self: Arc<Self>, of_attempt: &Self) -> Arc<Self> {
        let is_in = |key: &ApiKey| key.expose_secret() == of_attempt.current.expose_secret();
        if of_attempt.generation == self.generation || is_in(&self.current) || self.previous.iter().any(is_in) {
            return self;
        }
        let previous = self.previous.iter().chain([&of_attempt.current]).cloned().collect();
        let (current, generation) = (self.current.clone(), self.generation);
        Arc::new(Self { current, previous, generation, headers: HeaderMap::new() })
    }

    /// The ring with `key` as the current one; `None` if it is that already: a program that watches a file may put the
    /// same key in place again.
    pub(crate) fn rotated(&self, key: ApiKey) -> Option<Self> {
        let is_new = |other: &&ApiKey| other.expose_secret() != key.expose_secret();
        if !is_new(&&self.current) {
            return None;
        }
        let mut headers = self.headers.clone();
        headers.insert(header::AUTHORIZATION, key.header().clone());
        let before = std::iter::once(&self.current).chain(&self.previous);
        let previous = before.filter(is_new).take(MOST_PREVIOUS).cloned().collect();
        Some(Self { current: key, previous, generation: self.generation.wrapping_add(1), headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `docs/faults.md` 92.
    #[test]
    fn the_last_five_different_keys_are_kept_however_often_they_come_back() {
        let key = |key: &str| ApiKey::new(key).unwrap();
        let mut ring = Keys::new(key("C"), HeaderValue::from_static("test"));
        let all = |ring: &Keys| {
            let keys = std::iter::once(&ring.current).chain(&ring.previous);
            keys.map(ApiKey::expose_secret).collect::<String>()
        };
        for (next, expected) in [
            ("A", "AC"),
            ("B", "BAC"),
            ("A", "ABC"),
            ("B", "BAC"),
            ("A", "ABC"),
            ("D", "DABC"),
            ("E", "EDABC"),
            ("F", "FEDAB"),
            ("C", "CFEDA"),
            ("A", "ACFED"),
        ] {
            ring = ring.rotated(key(next)).unwrap();
            assert_eq!(all(&ring), expected);
            assert_eq!(ring.headers["authorization"], format!("Bearer {next}"));
        }
        assert_eq!(ring.generation, 10);
        assert!(ring.rotated(key("A")).is_none());
    }

    #[test]
    fn the_key_of_an_attempt_is_added_only_to_a_ring_that_does_not_have_it() {
        let key = |key: &str| ApiKey::new(key).unwrap();
        let first = Arc::new(Keys::new(key("A"), HeaderValue::from_static("test")));
        let second = Arc::new(first.rotated(key("B")).unwrap());
        let third = Arc::new(second.rotated(key("A")).unwrap());
        for (ring, of_attempt) in [(&first, &first), (&second, &first), (&third, &first), (&third, &second)] {
            assert!(Arc::ptr_eq(&Arc::clone(ring).and(of_attempt), ring));
        }
        let other = Keys::new(key("C"), HeaderValue::from_static("test"));
        let with = Arc::clone(&second).and(&other);
        let keys: String = with.previous.iter().map(ApiKey::expose_secret).collect();
        assert_eq!((with.current.expose_secret(), keys.as_str(), with.generation), ("B", "AC", 1));
    }
}
