//! The endpoints of a pacer: found in O(1), and bounded.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{BuildHasherDefault, Hash as _, Hasher as _},
    sync::{Arc, Mutex, Weak},
};

use http::Method;

use super::{
    endpoint::Endpoint,
    shared::{
        lane,
        post::{Asks, Post},
        share::Share,
    },
};

pub(super) type SharedEndpoint = Arc<Mutex<Endpoint>>;

/// An endpoint by the hash of its method and path: a path may be long and may name a person, so none is kept.
type Generation = HashMap<u64, SharedEndpoint, BuildHasherDefault<DefaultHasher>>;

/// Two generations. One that is asked for moves to the young; when that is full it becomes the old one, and of those that
/// were old, which were not asked for since, only those in use are kept.
#[derive(Default)]
pub(super) struct Endpoints {
    young: Generation,
    old: Generation,
    most: usize,
    /// By what a fleet is asked, if one shares the limits.
    post: Option<Arc<Post>>,
}

impl Endpoints {
    /// Half of the most that are kept beside those in use.
    const GENERATION: usize = 128;

    /// Endpoints that a fleet shares.
    pub(super) fn shared(post: Arc<Post>) -> Self {
        Self { post: Some(post), ..Self::default() }
    }

    pub(super) fn find(&mut self, method: &Method, path: &str) -> SharedEndpoint {
        let mut hasher = DefaultHasher::new();
        (method, path).hash(&mut hasher);
        let key = hasher.finish();
        if let Some(found) = self.young.get(&key) {
            return Arc::clone(found);
        }
        let found = self.old.remove(&key).unwrap_or_else(|| self.new_endpoint(method, path));
        if self.young.len() >= self.most.max(Self::GENERATION) {
            self.turn_over();
        }
        self.young.insert(key, Arc::clone(&found));
        found
    }

    fn new_endpoint(&self, method: &Method, path: &str) -> SharedEndpoint {
        let Some(post) = &self.post else { return Arc::new(Mutex::new(Endpoint::new())) };
        let name = lane::name(method.as_str(), path);
        Arc::new_cyclic(|endpoint: &Weak<Mutex<Endpoint>>| {
            let asks: Weak<dyn Asks> = endpoint.clone();
            Mutex::new(Endpoint::shared(name, Share::new(Arc::clone(post), asks)))
        })
    }

    fn turn_over(&mut self) {
        let mut in_use = std::mem::take(&mut self.old);
        in_use.retain(|_, endpoint| Arc::strong_count(endpoint) > 1);
        in_use.shrink_to(Self::GENERATION);
        // As many again before the next time, so that this costs O(1) for each.
        self.most = in_use.len().saturating_mul(2);
        self.old = std::mem::replace(&mut self.young, in_use);
    }

    pub(super) fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }
}
