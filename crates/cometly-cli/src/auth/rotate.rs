//! `cometly auth rotate`: a new key in place of the one in use, once the server has taken it. The old one stays valid until
//! it is deleted by hand, for the API has no call for that.

use std::{fs, io::Write as _, path::Path};

use cometly_core::{API_KEY_VARIABLE, ApiKey, KeyStatus};
use serde_json::json;

use crate::{
    arguments::Global,
    auth::{
        credentials::{self, StoredKey},
        login,
        session::{KeySource, Session},
        status,
    },
    exit::Exit,
    failure::{Failure, INTEGRATIONS},
    terminal::console::Console,
    transport::{Patience, Transport},
};

/// After this, a watcher has the new key, and calls that began with the old one have ended.
const OLD_KEY_IN_USE_SECONDS: u32 = 120;

pub(crate) fn run(with_token: bool, global: &Global, console: &Console) -> Result<Exit, Failure> {
    let session = Session::find(global, console)?.ok_or_else(Session::missing)?;
    let place = Place::of(&session.source)?;
    console.note(format_args!("The new key will be checked at {} and put into {place}.", session.api.base_url()));
    let key = login::read_key(with_token)?;
    let old = session.api.clone();
    if session.is_key(&key) {
        return Err(
            Failure::usage("this is the key in use already").advise(format!("make a new one at {INTEGRATIONS}"))
        );
    }
    let base_url = session.api.base_url().clone();
    let new = Session::new(key.clone(), base_url.clone(), KeySource::Environment)?;
    let transport = Transport::new(global, Patience::Call, console)?;
    let outcome = transport.send(status::probe(&new.api))?;
    match status::key_status(&outcome) {
        KeyStatus::Accepted => {}
        // A key that may not read companies is as good as the one before it, if that may not either.
        KeyStatus::NotAllowed if status::key_status(&transport.send(status::probe(&old))?) == KeyStatus::NotAllowed => {
        }
        _ => {
            console.note("The key in use stays.");
            return Err(outcome
                .into_result()
                .map_or_else(Failure::from, |_| Failure::local("the new key was not accepted")));
        }
    }
    place.put(key, &session)?;
    if console.json {
        console.json_line(&json!({
            "rotated": place.to_string(),
            "base_url": base_url.to_string(),
            "key_ending": new.key_ending,
            "old_key_ending": session.key_ending,
            "delete_old_key_after_seconds": OLD_KEY_IN_USE_SECONDS,
        }))?;
    }
    let which = session.key_ending.map_or(String::new(), |ending| format!(", which ends in {ending},"));
    console.note(format_args!("The new key is valid for {base_url} and is now in {place}."));
    console.note(format_args!(
        "The old key{which} still opens the API. Delete it at {INTEGRATIONS} in two minutes: by then programs that watch \
         the key have the new one, and calls with the old one have ended. Restart programs that read it only once first."
    ));
    Ok(Exit::Ok)
}

/// Where the new key goes.
enum Place {
    Profile { name: String, store: std::path::PathBuf },
    File(std::path::PathBuf),
}

impl Place {
    fn of(source: &KeySource) -> Result<Self, Failure> {
        let elsewhere = |where_from: &str| {
            Err(Failure::usage(format!("the key comes from {where_from}, which only its owner can change")).advise(
                "put the new key there; commands and watchers take it over, and `cometly auth status` checks it",
            ))
        };
        if let Some(found) = source.found() {
            return match found.reference().text().strip_prefix("file:") {
                Some(path) => Ok(Self::File(path.into())),
                None => elsewhere(&found.reference().to_string()),
            };
        }
        match source {
            KeySource::Profile { name, file, .. } => Ok(Self::Profile { name: name.clone(), store: file.clone() }),
            _ => elsewhere(&format!("the environment ({API_KEY_VARIABLE})")),
        }
    }

    fn put(&self, key: ApiKey, old: &Session) -> Result<(), Failure> {
        match self {
            Self::File(path) => replace(path, &key).map_err(|error| Failure::file("replace", path, &error)),
            Self::Profile { name, store } => {
                let is_kept = credentials::update(store, |stored| {
                    let profile = stored.profiles.get_mut(name)?;
                    // Not one that another command has put there meanwhile.
                    let is_old = matches!(&profile.key, StoredKey::Here(key) if old.is_key(key));
                    is_old.then(|| profile.key = StoredKey::Here(key))
                })?;
                is_kept.ok_or_else(|| {
                    Failure::local(format!("another command has changed the profile {name} meanwhile"))
                        .advise("see `cometly auth status`, then rotate again")
                })
            }
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Profile { name, store } => write!(f, "the profile {name} in {}", store.display()),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Writes beside the file, and renames it into place: a reader sees the old key or the new one.
fn replace(path: &Path, key: &ApiKey) -> std::io::Result<()> {
    // Where a symlink points to, so that it stays one.
    let target = path.canonicalize()?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(key.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    #[cfg(unix)]
    keep_owner(&target, file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// The mode and the owner that the file had; `file` was readable by this user alone until now.
#[cfg(unix)]
fn keep_owner(target: &Path, file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let found = target.metadata()?;
    let mine = file.metadata()?;
    if (found.uid(), found.gid()) != (mine.uid(), mine.gid()) {
        std::os::unix::fs::fchown(file, Some(found.uid()), Some(found.gid()))?;
    }
    file.set_permissions(found.permissions())
}
