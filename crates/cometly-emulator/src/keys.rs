//! API keys: what they look like, which Space they open, and how one is found in a request.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

/// A Space (workspace), to which keys, rate limits and data belong; from [`active`](Self::active) or
/// [`inactive`](Self::inactive). Every Space of an emulator begins with the same seeded data, and what is changed in one is not
/// changed in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    id: u64,
    active: bool,
}

impl Space {
    /// A new Space whose subscription is active. [`Emulator::issue_key`](crate::Emulator::issue_key) makes keys of it. Each
    /// call makes another Space.
    #[must_use]
    pub fn active() -> Self {
        Self { id: next_number(), active: true }
    }

    /// A new Space whose subscription is inactive: its keys are accepted, and its calls are answered by 403, `Your subscription
    /// is inactive.` What the backend refuses before that stays as it is: 404 for an unknown path, 429 beyond the limit.
    /// [`Emulator::issue_key`](crate::Emulator::issue_key) makes keys of it. Each call makes another Space.
    #[must_use]
    pub fn inactive() -> Self {
        Self { id: next_number(), active: false }
    }

    /// A Space that was there before.
    pub(crate) fn kept(id: u64, active: bool) -> Self {
        NEXT.fetch_max(id.saturating_add(1), Ordering::Relaxed);
        Self { id, active }
    }

    /// The Space of a call that needs no key.
    pub(crate) const NONE: Self = Self { id: 0, active: true };

    /// The Space of this number, for callers that only read in it.
    pub(crate) fn of(id: u64) -> Self {
        Self { id, active: true }
    }

    pub(crate) fn is_active(self) -> bool {
        self.active
    }

    pub(crate) fn id(self) -> u64 {
        self.id
    }
}

/// A permission that a key may have; a call for which the key lacks it is answered by 403;
/// [`Emulator::issue_key`](crate::Emulator::issue_key) and [`EmulatorBuilder::key`](crate::EmulatorBuilder::key) give it. The
/// names are the emulator's own: Cometly publishes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ability {
    /// May read events: `GET /events`, and their exports (order and status).
    EventsRead,
    /// May track events: `POST /events/track`.
    EventsWrite,
    /// May read companies: `GET /companies`, one of them, and their exports (order and status).
    CompaniesRead,
    /// May change companies: `PUT /companies/{id}`.
    CompaniesWrite,
    /// May read contacts: `GET /contacts`, one of them, and their exports (order and status).
    ContactsRead,
    /// May create and change contacts: `POST /contacts`, `PUT /contacts/{id}`.
    ContactsWrite,
}

impl Ability {
    /// All six abilities that the emulator knows: those of a key that may do everything.
    pub const ALL: &'static [Ability] = &[
        Ability::EventsRead,
        Ability::EventsWrite,
        Ability::ContactsRead,
        Ability::ContactsWrite,
        Ability::CompaniesRead,
        Ability::CompaniesWrite,
    ];

    /// The one of this name in JSON.
    pub(crate) fn named(name: &Value) -> Option<Self> {
        Self::ALL.iter().copied().find(|ability| name.as_str() == Some(ability.name()))
    }

    /// The name of the ability in JSON, as `events:read` for [`EventsRead`](Self::EventsRead).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventsRead => "events:read",
            Self::EventsWrite => "events:write",
            Self::ContactsRead => "contacts:read",
            Self::ContactsWrite => "contacts:write",
            Self::CompaniesRead => "companies:read",
            Self::CompaniesWrite => "companies:write",
        }
    }
}

/// The three keys that an emulator starts with, each a number, a bar and 48 letters and digits, `12|abc…`, and new in each
/// emulator, unless its data folder has them already; from [`Emulator::keys`](crate::Emulator::keys). `Debug` does not show
/// them. Each is valid until [`Emulator::revoke_key`](crate::Emulator::revoke_key).
#[derive(Clone)]
#[non_exhaustive]
pub struct Keys {
    /// A key with every ability, in the first Space, whose subscription is active.
    pub full: String,
    /// A key of the same Space without any ability: its calls are answered by 403, `This action is unauthorized.`
    pub no_permission: String,
    /// A key with every ability, in a Space whose subscription is inactive: its calls are answered by 403, `Your subscription
    /// is inactive.`
    pub inactive: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// What a key opens.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) space: Space,
    pub(crate) abilities: Vec<Ability>,
}

/// All keys that are valid now.
#[derive(Default)]
pub(crate) struct KeyRing {
    grants: HashMap<String, Grant>,
    secrets: Arc<Secrets>,
}

impl KeyRing {
    pub(crate) fn insert(&mut self, key: String, space: Space, abilities: &[Ability]) {
        Arc::make_mut(&mut self.secrets).insert(secret_half(&key));
        self.grants.insert(key, Grant { space, abilities: abilities.to_vec() });
    }

    /// Puts back a key that was kept.
    pub(crate) fn restore(&mut self, key: &str, space: u64, body: &Map<String, Value>) -> Option<()> {
        let abilities = body.get("abilities")?.as_array()?.iter().map(Ability::named).collect::<Option<Vec<_>>>()?;
        let number = number(key).parse::<u64>().ok()?;
        NEXT.fetch_max(number.saturating_add(1), Ordering::Relaxed);
        self.insert(key.to_owned(), Space::kept(space, body.get("active")?.as_bool()?), &abilities);
        Some(())
    }

    pub(crate) fn revoke(&mut self, key: &str) -> Option<Grant> {
        let grant = self.grants.remove(key)?;
        Arc::make_mut(&mut self.secrets).remove(secret_half(key));
        Some(grant)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Grant)> {
        self.grants.iter().map(|(key, grant)| (key.as_str(), grant))
    }

    /// The Space of this number, if a valid key opens it.
    pub(crate) fn space(&self, id: u64) -> Option<Space> {
        self.grants.values().map(|grant| grant.space).find(|space| space.id == id)
    }

    /// What must not be shown, for callers that write texts without holding the key ring.
    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets)
    }

    /// Whether a valid key occurs in a text.
    pub(crate) fn occurs_in(&self, text: &str) -> bool {
        text.contains('|') && self.grants.keys().any(|key| text.contains(key))
    }

    /// The grant of the key in the `Authorization` header, if there is one such header and its key is valid.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Option<&Grant> {
        self.grants.get(bearer_token(headers)?)
    }
}

/// The secret halves of all valid keys, by their length: any number of them is found in one walk over a text.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    by_length: BTreeMap<usize, HashSet<String>>,
}

impl Secrets {
    fn insert(&mut self, secret: &str) {
        self.by_length.entry(secret.len()).or_default().insert(secret.to_owned());
    }

    fn remove(&mut self, secret: &str) {
        if let Some(secrets) = self.by_length.get_mut(&secret.len()) {
            secrets.remove(secret);
            if secrets.is_empty() {
                self.by_length.remove(&secret.len());
            }
        }
    }

    /// The first `most` characters of a text without any secret in it: neither one of these nor `token`. What lies behind
    /// those characters is not looked at, however long the text is.
    pub(crate) fn mask(&self, text: &str, token: &str, most: usize) -> String {
        let secret_at = |rest: &str| {
            let is_token = token.len() >= 4 && rest.starts_with(token);
            let longest = self.by_length.iter().rev();
            let mut found =
                longest.filter_map(|(length, secrets)| secrets.get(rest.get(..*length)?).map(String::as_str));
            found.next().filter(|secret| !secret.is_empty()).or(is_token.then_some(token))
        };
        let shortest = self.by_length.keys().next().copied().unwrap_or(usize::MAX);
        if text.len() < shortest && (token.len() < 4 || !text.contains(token)) {
            return text.chars().take(most).collect();
        }
        let (mut masked, mut rest) = (String::new(), text);
        let mut left = most;
        while let Some(char) = rest.chars().next().filter(|_| left > 0) {
            let length = if let Some(secret) = secret_at(rest) {
                masked.push_str(&hidden(secret));
                secret.len()
            } else {
                masked.push(char);
                char.len_utf8()
            };
            left = left.saturating_sub(1);
            rest = rest.get(length..).unwrap_or_default();
        }
        masked
    }
}

/// What follows the bar of a key; all of it, if it has none.
fn secret_half(key: &str) -> &str {
    key.split_once('|').map_or(key, |(_, secret)| secret)
}

/// Laravel's `bearerToken()`: what follows the last `Bearer ` in any case, up to the first comma.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    const SCHEME: &str = "bearer ";
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // Web servers disagree on which of two headers counts; a client that sends two should not get in by luck.
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?;
    let start = text.to_ascii_lowercase().rfind(SCHEME)?.checked_add(SCHEME.len())?;
    text.get(start..)?.split(',').next()
}

/// Whether a header is there to bring a secret.
pub(crate) fn is_secret(name: &HeaderName) -> bool {
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
}

/// A key's last four letters, if it is long enough to have others.
pub(crate) fn hidden(key: &str) -> String {
    let last = key.char_indices().rev().nth(3).and_then(|(start, _)| key.get(start..));
    format!("••••{}", last.filter(|_| key.chars().count() >= 12).unwrap_or_default())
}

/// What a key goes by where it is not shown: the number before the bar.
pub(crate) fn number(key: &str) -> &str {
    key.split_once('|').map_or(key, |(number, _)| number)
}

/// How many letters and digits follow the bar of a key.
const SECRET_LEN: usize = 48;

/// A key as Laravel Sanctum makes it: a number, a bar, and 48 letters and digits.
pub(crate) fn new_key() -> String {
    format!("{}|{}", next_number(), random_text(SECRET_LEN))
}

/// `length` letters and digits that are not guessed.
pub(crate) fn random_text(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // `RandomState` is seeded by the system: enough for what opens nothing but an emulator, without a dependency.
    let random = RandomState::new();
    let letters = (0..length).filter_map(|n| {
        let pick = usize::try_from(random.hash_one(n) % 62).ok()?;
        ALPHABET.get(pick).copied().map(char::from)
    });
    letters.collect()
}

/// Numbers Spaces and keys across all emulators of the program, so that none is ever mistaken for another's.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next_number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn the_token_is_what_laravel_takes_it_to_be() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&["Bearer 1|abc"], Some("1|abc")),
            (&["bEARER 1|abc"], Some("1|abc")),
            (&["Bearer 1|abc,rest"], Some("1|abc")),
            (&["Basic eA==, Bearer 1|abc"], Some("1|abc")),
            (&["Bearer 2|xyz Bearer 1|abc"], Some("1|abc")),
            (&["Bearer  1|abc"], Some(" 1|abc")),
            (&["1|abc"], None),
            (&["Basic eA=="], None),
            (&[], None),
            (&["Bearer 1|abc", "Bearer 1|abc"], None),
        ];
        for (values, token) in cases {
            assert_eq!(bearer_token(&headers(values)), *token, "{values:?}");
        }
    }

    #[test]
    fn keys_look_like_sanctums_and_differ() {
        let (one, other) = (new_key(), new_key());
        let (number, secret) = one.split_once('|').unwrap();
        assert!(number.parse::<u64>().is_ok());
        assert_eq!(secret.len(), 48);
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(secret, other.split_once('|').unwrap().1);
    }

    #[test]
    fn a_revoked_key_opens_nothing() {
        let mut ring = KeyRing::default();
        let key = new_key();
        ring.insert(key.clone(), Space::active(), Ability::ALL);
        let request = headers(&[&format!("Bearer {key}")]);
        assert!(ring.authenticate(&request).is_some());
        ring.revoke(&key);
        assert!(ring.authenticate(&request).is_none());
    }

    #[test]
    fn a_key_is_masked_whole_and_by_its_secret_half() {
        let (mut ring, key) = (KeyRing::default(), new_key());
        ring.insert(key.clone(), Space::active(), Ability::ALL);
        let secret = key.split_once('|').unwrap().1;
        let secrets = ring.secrets();
        for text in
            [key.clone(), secret.into(), format!("a={secret}&b"), key.replace('|', "%7C"), format!("x{secret}é")]
        {
            for most in [1, 40, 48, 60, usize::MAX] {
                let masked = secrets.mask(&text, "", most);
                assert!(!masked.contains(secret.get(..9).unwrap()), "{masked} of {text}");
                assert!(masked.contains(secret.get(44..).unwrap()) || most < 10, "{masked} of {text}");
            }
        }
        assert_eq!(secrets.mask("1|plain", "", 99), "1|plain");
        assert_eq!(secrets.mask("a token-12345 b", "token-12345", 99), "a •••• b");
        assert_eq!(secrets.mask("é1234", "", 3), "é12");
        ring.revoke(&key);
        assert_eq!(ring.secrets().mask(secret, "", 99), secret);
    }

    #[test]
    fn a_long_text_with_many_keys_is_masked_at_once() {
        let mut ring = KeyRing::default();
        for _ in 0..300 {
            ring.insert(new_key(), Space::NONE, &[]);
        }
        let (text, secrets) = ("x".repeat(8 << 20), ring.secrets());
        let began = std::time::Instant::now();
        for _ in 0..200 {
            secrets.mask(&text, "", 2048);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn debug_hides_the_keys() {
        let keys = Keys { full: "1|full".into(), no_permission: "2|none".into(), inactive: "3|off".into() };
        assert_eq!(format!("{keys:?}"), "Keys { .. }");
    }
}
