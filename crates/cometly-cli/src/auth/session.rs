//! Whose key a command uses, and where its calls go.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use cometly_core::{API_KEY_VARIABLE, Api, ApiKey, BaseUrl, Pacer};

use crate::{auth::credentials, exit::Exit, failure::Failure};

const BASE_URL_VARIABLE: &str = "COMETLY_BASE_URL";
const USER_AGENT: &str = concat!("cometly-cli/", env!("CARGO_PKG_VERSION"));

/// Where the key came from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    Environment,
    File(PathBuf),
}

/// The API as the key of this command sees it.
pub(crate) struct Session {
    pub(crate) api: Api,
    pub(crate) source: KeySource,
    /// The end of the key, enough for its owner to tell which it is.
    pub(crate) key_ending: Option<String>,
}

impl Session {
    /// The environment's key, else the stored one.
    pub(crate) fn open() -> Result<Self, Failure> {
        Self::find()?.ok_or_else(Self::missing)
    }

    pub(crate) fn missing() -> Failure {
        Failure::new(Exit::Unauthenticated, "there is no API key").advise(Self::to_have_one())
    }

    /// What whoever has no key is to do.
    pub(crate) fn to_have_one() -> String {
        format!("run `cometly auth login`, or set {API_KEY_VARIABLE}; a key is made at {INTEGRATIONS}")
    }

    /// As [`open`](Self::open); `None` if there is no key.
    pub(crate) fn find() -> Result<Option<Self>, Failure> {
        let base_url = base_url()?;
        if let Some(key) = environment_key()? {
            return Self::new(key, base_url.unwrap_or_default(), KeySource::Environment).map(Some);
        }
        let path = credentials::path()?;
        let Some(stored) = credentials::read(&path)? else { return Ok(None) };
        let base_url = bound(&stored.base_url, base_url, &path)?;
        Self::new(stored.key, base_url, KeySource::File(path)).map(Some)
    }

    pub(crate) fn new(key: ApiKey, base_url: BaseUrl, source: KeySource) -> Result<Self, Failure> {
        let key_ending = ending(&key);
        Ok(Self { api: api(key, base_url)?, source, key_ending })
    }
}

/// An API with our name on it, whose calls wait for their turn.
fn api(key: ApiKey, base_url: BaseUrl) -> Result<Api, Failure> {
    let builder = Api::builder(key).base_url(base_url).pacer(Pacer::new());
    // Our own name is plain ASCII.
    let builder = builder.user_agent(USER_AGENT).map_err(|error| Failure::local(error.to_string()))?;
    Ok(builder.build())
}

/// Where calls go, if the environment says so.
pub(crate) fn base_url() -> Result<Option<BaseUrl>, Failure> {
    let Some(url) = env::var_os(BASE_URL_VARIABLE).filter(|url| !url.is_empty()) else { return Ok(None) };
    let url = url.into_string().unwrap_or_else(|url: OsString| url.to_string_lossy().into_owned());
    let parsed = url.parse().map_err(|error| Failure::usage(format!("{BASE_URL_VARIABLE} cannot be used: {error}")))?;
    Ok(Some(parsed))
}

pub(crate) fn environment_key() -> Result<Option<ApiKey>, Failure> {
    if env::var_os(API_KEY_VARIABLE).is_none_or(|key| key.is_empty()) {
        return Ok(None);
    }
    let key =
        ApiKey::from_env().map_err(|error| Failure::usage(format!("{API_KEY_VARIABLE} cannot be used: {error}")))?;
    Ok(Some(key))
}

/// The base URL for a stored key. The environment's wins, but takes the key to no other server than it was stored for.
fn bound(stored: &BaseUrl, wanted: Option<BaseUrl>, path: &Path) -> Result<BaseUrl, Failure> {
    let Some(wanted) = wanted else { return Ok(stored.clone()) };
    if wanted.scheme() == stored.scheme() && wanted.authority() == stored.authority() {
        return Ok(wanted);
    }
    Err(Failure::usage(format!(
        "{BASE_URL_VARIABLE} is {wanted}, but the key in {} was stored for {stored}, and is not sent elsewhere",
        path.display()
    ))
    .advise(format!("set {API_KEY_VARIABLE} too, or log in there: cometly auth login")))
}

/// The last 4 characters of a key that is long enough to keep the rest to itself.
fn ending(key: &ApiKey) -> Option<String> {
    let key = key.expose_secret();
    // Visible ASCII, so bytes are characters.
    (key.len() >= 20).then(|| key.get(key.len().saturating_sub(4)..).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_four_characters_of_a_long_key_are_shown() {
        let ending = |key: &str| ending(&ApiKey::new(key).unwrap());
        assert_eq!(ending("12|abcdefghijklmnopqrstuvwxyz").as_deref(), Some("wxyz"));
        assert_eq!(ending("12|short"), None);
    }

    #[test]
    fn a_stored_key_is_not_taken_to_another_server() {
        let url = |url: &str| url.parse::<BaseUrl>().unwrap();
        let stored = url("https://app.cometly.com/public-api/v1");
        let path = Path::new("credentials.json");
        assert_eq!(bound(&stored, None, path).unwrap(), stored);
        let v2 = url("https://app.cometly.com/public-api/v2");
        assert_eq!(bound(&stored, Some(v2.clone()), path).unwrap(), v2);
        for other in
            ["https://app.cometly.com.example/public-api/v1", "http://127.0.0.1:1/", "https://app.cometly.com:444/"]
        {
            assert_eq!(bound(&stored, Some(url(other)), path).unwrap_err().exit, Exit::Usage, "{other}");
        }
    }
}
