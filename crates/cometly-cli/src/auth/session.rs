//! Whose key a command uses, and where its calls go.
//!
//! | the command names | key | address |
//! | --- | --- | --- |
//! | `--key-from REF` | the one there, whatever else is set | `--base-url`, else `COMETLY_BASE_URL`, else Cometly's |
//! | `--profile NAME` | the stored one of this name | the one it was stored for |
//! | nothing, and `COMETLY_API_KEY` is set | that one | `--base-url`, else `COMETLY_BASE_URL`, else Cometly's |
//! | nothing else | the stored one that `COMETLY_PROFILE` names, else the current one | the one it was stored for |
//!
//! A stored key may be a reference to one, which is read when it is used. A file or a command is watched while the command runs.
//! A stored key goes to no other server than it was stored for, and the environment may name only Cometly's servers and
//! this machine.

use std::{
    env,
    path::{Path, PathBuf},
};

use cometly_core::{API_KEY_VARIABLE, Api, ApiKey, BASE_URL_VARIABLE, BaseUrl, InvalidBaseUrl, Pacer};
use cometly_credentials::{FoundKey, KeyChain, KeyRef, Watcher};

use crate::{
    arguments::{self, Global},
    auth::credentials::{self, Credentials, Profile, StoredKey},
    environment::variable,
    exit::Exit,
    failure::{Failure, INTEGRATIONS},
    fleet,
    terminal::{console::Console, interrupt},
};

const PROFILE_VARIABLE: &str = "COMETLY_PROFILE";
const USER_AGENT: &str = concat!("cometly-cli/", env!("CARGO_PKG_VERSION"));

/// Where the key came from.
pub(crate) enum KeySource {
    Environment,
    /// `--key-from`.
    Reference(FoundKey),
    Profile {
        name: String,
        file: PathBuf,
        /// Where the key is, if not in the file.
        found: Option<FoundKey>,
    },
}

impl KeySource {
    /// The profile whose key it is.
    pub(crate) fn profile(&self) -> Option<&str> {
        match self {
            Self::Profile { name, .. } => Some(name),
            Self::Environment | Self::Reference(_) => None,
        }
    }

    /// The reference that had the key, if it came from one.
    pub(crate) fn found(&self) -> Option<&FoundKey> {
        match self {
            Self::Environment => None,
            Self::Reference(found) => Some(found),
            Self::Profile { found, .. } => found.as_ref(),
        }
    }
}

/// The API as the key of this command sees it.
pub(crate) struct Session {
    /// Dropped before the last clone of the pacer, for which it waits.
    _member: Option<fleet::Member>,
    pub(crate) api: Api,
    pub(crate) source: KeySource,
    key: ApiKey,
    /// The end of the key, enough for its owner to tell which it is.
    pub(crate) key_ending: Option<String>,
    /// Puts a new key in place of one that changed where it came from.
    _watcher: Option<Watcher>,
}

/// A key, where it came from and where it may go.
struct Found {
    key: ApiKey,
    base_url: BaseUrl,
    source: KeySource,
}

impl Session {
    /// The session of this command, whose calls wait for their turn among those of its fleet.
    pub(crate) fn open(global: &Global, console: &Console) -> Result<Self, Failure> {
        let Found { key, base_url, source } = Found::look(global, console)?.ok_or_else(Self::missing)?;
        remark_on(&base_url, console);
        let (pacer, member) = fleet::pacer(global, console)?;
        Self::with_pacer(key, base_url, source, pacer, member)
    }

    pub(crate) fn missing() -> Failure {
        Failure::new(Exit::Unauthenticated, "there is no API key").advise(Self::to_have_one())
    }

    /// How to get a key.
    pub(crate) fn to_have_one() -> String {
        format!("run `cometly auth login`, or set {API_KEY_VARIABLE}; a key is made at {INTEGRATIONS}")
    }

    /// As [`open`](Self::open), without a fleet; `None` if there is no key.
    pub(crate) fn find(global: &Global, console: &Console) -> Result<Option<Self>, Failure> {
        let found = Found::look(global, console)?;
        if let Some(found) = &found {
            remark_on(&found.base_url, console);
        }
        found.map(|Found { key, base_url, source }| Self::new(key, base_url, source)).transpose()
    }

    pub(crate) fn new(key: ApiKey, base_url: BaseUrl, source: KeySource) -> Result<Self, Failure> {
        Self::with_pacer(key, base_url, source, Pacer::new(), None)
    }

    fn with_pacer(
        key: ApiKey,
        base_url: BaseUrl,
        source: KeySource,
        pacer: Pacer,
        member: Option<fleet::Member>,
    ) -> Result<Self, Failure> {
        let key_ending = ending(&key);
        let api = api(key.clone(), base_url, pacer)?;
        let watch = |found: &FoundKey| Watcher::start(found.reference().clone(), &api);
        let watcher = source.found().map(watch).transpose();
        let watcher = watcher.map_err(|error| Failure::local(format!("cannot watch the key: {error}")))?;
        Ok(Self { _member: member, api, source, key, key_ending, _watcher: watcher })
    }

    /// Whether the session began with this key.
    pub(crate) fn is_key(&self, key: &ApiKey) -> bool {
        self.key.expose_secret() == key.expose_secret()
    }

    /// The session of this command, or one without a key: for a call that is shown and not sent.
    pub(crate) fn for_show(global: &Global, console: &Console) -> Result<Self, Failure> {
        Self::find(global, console)?.map_or_else(|| Self::without_key(global), Ok)
    }

    /// A session without a key, for calls that are described and not sent.
    pub(crate) fn without_key(global: &Global) -> Result<Self, Failure> {
        let key = ApiKey::new("keyless").map_err(|error| Failure::local(error.to_string()))?;
        Self::new(key, base_url(global)?.unwrap_or_default(), KeySource::Environment)
    }
}

impl Found {
    /// Looks for the key of this command.
    fn look(global: &Global, console: &Console) -> Result<Option<Self>, Failure> {
        if let Some(chain) = key_from(global)? {
            if global.profile.is_some() {
                return Err(Failure::usage("--key-from and --profile each name a key: give one of them"));
            }
            let found = read(&chain)?;
            let base_url = base_url(global)?.unwrap_or_default();
            return Ok(Some(Self { key: found.key().clone(), base_url, source: KeySource::Reference(found) }));
        }
        if global.profile.is_none()
            && let Some(key) = environment_key()?
        {
            if let Some(name) = named_profile(global)? {
                console.remark(format_args!(
                    "{PROFILE_VARIABLE} names {name}, which is not used, since {API_KEY_VARIABLE} is set; --profile {name} uses it"
                ));
            }
            let base_url = base_url(global)?.unwrap_or_default();
            return Ok(Some(Self { key, base_url, source: KeySource::Environment }));
        }
        let wanted = match (&global.base_url, &global.profile) {
            (None, Some(_)) => None,
            _ => base_url(global)?,
        };
        let file = credentials::path()?;
        let stored = credentials::read(&file)?;
        let named = named_profile(global)?;
        let is_any = stored.is_some();
        let Some((name, profile)) = chosen(stored, named.as_deref()) else {
            return match named {
                Some(name) if global.profile.is_some() => Err(no_such_profile(&name)),
                Some(name) => Err(named_by_variable(&name)),
                None if is_any => Err(none_in_use()),
                None => Ok(None),
            };
        };
        let base_url = bound(&name, profile.base_url, wanted)?;
        let (key, found) = match profile.key {
            StoredKey::Here(key) => (key, None),
            StoredKey::At(reference) => {
                let found = read(&KeyChain::from(reference))?;
                (found.key().clone(), Some(found))
            }
        };
        Ok(Some(Self { key, base_url, source: KeySource::Profile { name, file, found } }))
    }
}

/// The references of `--key-from`, if there are any.
pub(crate) fn key_from(global: &Global) -> Result<Option<KeyChain>, Failure> {
    let references: Result<Vec<KeyRef>, _> = global.key_from.iter().map(|text| text.parse()).collect();
    let references = references.map_err(|error| Failure::usage(format!("--key-from cannot be used: {error}")))?;
    if references.iter().any(|reference| wants_shell(reference.text())) {
        return Err(Failure::usage(
            "--key-from cmd: runs a program without a shell, which a pipe or several commands need",
        )
        .advise("name the shell: --key-from \"cmd:sh -c 'PROGRAM | PROGRAM'\""));
    }
    Ok(Some(references).filter(|references| !references.is_empty()).map(KeyChain::from))
}

/// Whether a command has an operator of a shell among its words, outside of quotation marks.
fn wants_shell(reference: &str) -> bool {
    let Some(command) = reference.strip_prefix("cmd:") else { return false };
    let mut quote = None;
    let plain: String = command
        .chars()
        .map(|char| match (quote, char) {
            (None, '\'' | '"') => {
                quote = Some(char);
                '_'
            }
            (Some(open), _) => {
                if open == char {
                    quote = None;
                }
                '_'
            }
            (None, char) => char,
        })
        .collect();
    plain.split_ascii_whitespace().any(|word| ["|", "||", "&&", ";", ">", "<", "&"].contains(&word))
}

/// The key of the first reference that has one.
pub(crate) fn read(chain: &KeyChain) -> Result<FoundKey, Failure> {
    interrupt::end_on_signal()?;
    chain.read().map_err(|error| Failure::new(Exit::Unauthenticated, error.to_string()))
}

/// What to do about the file that a login put aside.
pub(crate) fn about_put_aside(path: &Path) -> String {
    format!(
        "{} holds keys of an earlier file that could not be read; remove it when you need none of them",
        path.display()
    )
}

/// The profile that the command line or the environment names.
pub(crate) fn named_profile(global: &Global) -> Result<Option<String>, Failure> {
    if let Some(name) = &global.profile {
        return Ok(Some(name.clone()));
    }
    let Some(name) = variable(PROFILE_VARIABLE) else { return Ok(None) };
    let name = arguments::profile_name(&name)
        .map_err(|expected| Failure::usage(format!("{PROFILE_VARIABLE} is no name of a profile: {expected}")))?;
    Ok(Some(name))
}

pub(crate) fn no_such_profile(name: &str) -> Failure {
    Failure::new(Exit::Unauthenticated, format!("there is no profile {name}")).advise(format!(
        "see those that there are with `cometly auth list`, or log in: cometly auth login --profile {name}"
    ))
}

/// As [`no_such_profile`], if the environment names it.
pub(crate) fn named_by_variable(name: &str) -> Failure {
    Failure::new(Exit::Unauthenticated, format!("{PROFILE_VARIABLE} names the profile {name}, which there is not"))
        .advise(format!("set it to one that `cometly auth list` shows, or log in: cometly auth login --profile {name}"))
}

fn none_in_use() -> Failure {
    Failure::new(Exit::Unauthenticated, "the profile that was in use is gone")
        .advise("name another one with --profile, or choose one: cometly auth switch NAME")
}

fn chosen(stored: Option<Credentials>, named: Option<&str>) -> Option<(String, Profile)> {
    let mut stored = stored?;
    let name = named.unwrap_or(&stored.current).to_owned();
    stored.profiles.remove_entry(&name)
}

/// An API with our name on it, whose calls wait for their turn.
fn api(key: ApiKey, base_url: BaseUrl, pacer: Pacer) -> Result<Api, Failure> {
    let builder = Api::builder(key).base_url(base_url).pacer(pacer);
    // Our own name is plain ASCII.
    let builder = builder.user_agent(USER_AGENT).map_err(|error| Failure::local(error.to_string()))?;
    Ok(builder.build())
}

/// An address without a path is one from which the path was forgotten, or a server of the user's own.
pub(crate) fn remark_on(base_url: &BaseUrl, console: &Console) {
    if base_url.path().is_empty() {
        console.remark(format_args!("{base_url} has no path; that of Cometly's API is {}", BaseUrl::default().path()));
    }
}

/// Where calls go, if the command line or the environment says so.
pub(crate) fn base_url(global: &Global) -> Result<Option<BaseUrl>, Failure> {
    if let Some(url) = &global.base_url {
        return parse(url, &global.insecure_http)
            .map(Some)
            .map_err(|error| Failure::usage(format!("--base-url cannot be used: {error}")));
    }
    let Some(url) = variable(BASE_URL_VARIABLE) else { return Ok(None) };
    match BaseUrl::from_untrusted(&url) {
        Ok(url) => Ok(Some(url)),
        // Another URL than one of a server is not shown: it may hold a password.
        Err(InvalidBaseUrl::ForeignHost) => Err(Failure::usage(format!(
            "{BASE_URL_VARIABLE} names {url}, which is neither a server of Cometly's nor this machine: a file with such a \
             variable could carry the key away"
        ))
        .advise(format!("if that is where the key belongs, say so on the command line: --base-url {url}"))),
        Err(error) => Err(Failure::usage(format!("{BASE_URL_VARIABLE} cannot be used: {error}"))),
    }
}

/// Reads a base URL. Plain http to another machine has to be allowed by name, and never goes to Cometly.
fn parse(url: &str, insecure: &[String]) -> Result<BaseUrl, String> {
    let refused = match BaseUrl::new(url) {
        Ok(url) => return Ok(url),
        Err(error) => error.to_string(),
    };
    let Ok(insecure_url) = BaseUrl::insecure_http(url) else { return Err(refused) };
    let (host, authority) = (insecure_url.authority().host(), insecure_url.authority().as_str());
    if insecure.iter().any(|allowed| [host, authority].iter().any(|name| name.eq_ignore_ascii_case(allowed))) {
        return Ok(insecure_url);
    }
    Err(format!("{refused}; in a closed test network, --insecure-http {authority} allows it for this host"))
}

pub(crate) fn environment_key() -> Result<Option<ApiKey>, Failure> {
    if env::var_os(API_KEY_VARIABLE).is_none_or(|key| key.is_empty()) {
        return Ok(None);
    }
    let key =
        ApiKey::from_env().map_err(|error| Failure::usage(format!("{API_KEY_VARIABLE} cannot be used: {error}")))?;
    Ok(Some(key))
}

/// The base URL for a stored key: another path is possible, another server is not.
fn bound(profile: &str, stored: BaseUrl, wanted: Option<BaseUrl>) -> Result<BaseUrl, Failure> {
    let Some(wanted) = wanted else { return Ok(stored) };
    if wanted.scheme() == stored.scheme() && wanted.authority() == stored.authority() {
        return Ok(wanted);
    }
    Err(Failure::usage(format!(
        "the calls are to go to {wanted}, but the key of the profile {profile} was stored for {stored}, and is not sent elsewhere"
    ))
    .advise("name the profile of that server with --profile, or log in there: cometly auth login --profile NAME --base-url URL"))
}

/// The last 4 characters of a key that is long enough to keep the rest to itself.
pub(crate) fn ending(key: &ApiKey) -> Option<String> {
    let key = key.expose_secret();
    // Visible ASCII, so bytes are characters.
    (key.len() >= 20).then(|| key.get(key.len().saturating_sub(4)..).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str) -> BaseUrl {
        url.parse().unwrap()
    }

    #[test]
    fn at_most_four_characters_of_a_long_key_are_shown() {
        let ending = |key: &str| ending(&ApiKey::new(key).unwrap());
        assert_eq!(ending("12|abcdefghijklmnopqrstuvwxyz").as_deref(), Some("wxyz"));
        assert_eq!(ending("12|short"), None);
    }

    #[test]
    fn a_stored_key_is_not_taken_to_another_server() {
        let stored = url("https://app.cometly.com/public-api/v1");
        assert_eq!(bound("x", stored.clone(), None).unwrap(), stored);
        let v2 = url("https://app.cometly.com/public-api/v2");
        assert_eq!(bound("x", stored.clone(), Some(v2.clone())).unwrap(), v2);
        for other in
            ["https://app.cometly.com.example/public-api/v1", "http://127.0.0.1:1/", "https://app.cometly.com:444/"]
        {
            assert_eq!(bound("x", stored.clone(), Some(url(other))).unwrap_err().exit, Exit::Usage, "{other}");
        }
    }

    #[test]
    fn an_operator_of_a_shell_is_seen_outside_of_quotation_marks() {
        for command in ["cmd:pass show x | head -1", "cmd:a && b", "cmd:a 'b' ; c", "cmd:a > b"] {
            assert!(wants_shell(command), "{command}");
        }
        for command in ["cmd:sh -c 'a | b'", "cmd:printf 12|abc", "cmd:a \"| b\" '&& c'", "file:a | b", "cmd:a '' b"] {
            assert!(!wants_shell(command), "{command}");
        }
    }

    #[test]
    fn plain_http_is_allowed_by_name_and_never_to_cometly() {
        let allowed = |url: &str, names: &[&str]| {
            parse(url, &names.iter().map(ToString::to_string).collect::<Vec<_>>()).map(|url| url.to_string())
        };
        assert!(allowed("http://emulator:8080/x", &[]).unwrap_err().contains("--insecure-http emulator:8080"));
        assert!(allowed("http://emulator:8080/x", &["emulator:8081"]).is_err());
        assert!(allowed("http://emulator:8080/x", &["emulator"]).is_ok());
        assert!(allowed("http://emulator:8080/x", &["other", "emulator:8080"]).is_ok());
        assert!(allowed("http://app.cometly.com/x", &["app.cometly.com"]).is_err());
        assert!(allowed("ftp://emulator/", &["emulator"]).is_err());
    }
}
