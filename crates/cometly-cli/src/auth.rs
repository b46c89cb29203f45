//! Whose key a command uses: the environment's, or a stored one. `login` stores a key once the server has taken it, `status`
//! asks the server about it, `rotate` puts another one in its place, `logout` removes it. A key is bound to the address that
//! it was checked against.

pub(crate) mod credentials;
mod login;
mod rotate;
pub(crate) mod session;
mod status;

use std::collections::BTreeMap;

use cometly_core::API_KEY_VARIABLE;
use serde_json::json;

use crate::{
    arguments::{AuthCommand, Global},
    auth::credentials::{Credentials, Profile, StoredKey},
    exit::Exit,
    failure::{Failure, INTEGRATIONS},
    terminal::{argv, console::Console},
};

pub(crate) fn run(command: AuthCommand, global: &Global, console: &Console) -> Result<Exit, Failure> {
    match command {
        AuthCommand::Login { misplaced, .. } if !misplaced.is_empty() => Err(argv::refusal()),
        AuthCommand::Login { with_token, .. } => login::run(with_token, global, console),
        AuthCommand::Status { limits } => status::run(limits, global, console),
        AuthCommand::List => list(console),
        AuthCommand::Switch { name } => switch(&name, console),
        AuthCommand::Rotate { misplaced, .. } if !misplaced.is_empty() => Err(argv::refusal()),
        AuthCommand::Rotate { with_token, .. } => rotate::run(with_token, global, console),
        AuthCommand::Logout => logout(global, console),
    }
}

/// The profiles, without their keys.
fn list(console: &Console) -> Result<Exit, Failure> {
    let stored = credentials::read(&credentials::path()?)?;
    let (current, profiles) = stored.map_or_else(Default::default, |stored| (stored.current, stored.profiles));
    if console.json {
        let profiles: Vec<_> = profiles
            .iter()
            .map(|(name, profile)| {
                let (ending, reference) = match &profile.key {
                    StoredKey::Here(key) => (session::ending(key), None),
                    StoredKey::At(reference) => (None, Some(reference.to_string())),
                };
                let base_url = profile.base_url.to_string();
                let mut line =
                    json!({"name": name, "base_url": base_url, "key_ending": ending, "current": *name == current});
                if let (Some(line), Some(reference)) = (line.as_object_mut(), reference) {
                    line.insert("reference".to_owned(), reference.into());
                }
                line
            })
            .collect();
        console.json_line(&json!({ "profiles": profiles }))?;
        return Ok(Exit::Ok);
    }
    let lines = table(&current, &profiles);
    console.data(lines.iter().map(String::as_bytes))?;
    if lines.is_empty() {
        console.note("There are no stored keys; store one with `cometly auth login`.");
    }
    Ok(Exit::Ok)
}

fn table(current: &str, profiles: &BTreeMap<String, Profile>) -> Vec<String> {
    let width = profiles.keys().map(String::len).max().unwrap_or_default();
    let line = |(name, profile): (&String, &Profile)| {
        let mark = if name == current { '*' } else { ' ' };
        let ending = match &profile.key {
            StoredKey::Here(key) => {
                session::ending(key).map_or(String::new(), |ending| format!(", key ends in {ending}"))
            }
            StoredKey::At(reference) => format!(", key from {reference}"),
        };
        format!("{mark} {name:width$}  {}{ending}", profile.base_url)
    };
    profiles.iter().map(line).collect()
}

/// Makes a profile the one that is used if none is named.
fn switch(name: &str, console: &Console) -> Result<Exit, Failure> {
    let path = credentials::path()?;
    let missing = || session::no_such_profile(name);
    if !credentials::read(&path)?.ok_or_else(missing)?.profiles.contains_key(name) {
        return Err(missing());
    }
    credentials::update(&path, |stored| name.clone_into(&mut stored.current))?;
    if console.json {
        console.json_line(&json!({ "current": name }))?;
    }
    console.note(format_args!("{name} is now the profile in use."));
    if session::environment_key()?.is_some() {
        console.note(format_args!("As long as {API_KEY_VARIABLE} is set, that key is used unless --profile is given."));
    }
    Ok(Exit::Ok)
}

fn logout(global: &Global, console: &Console) -> Result<Exit, Failure> {
    let path = credentials::path()?;
    credentials::remove_leftover(&path);
    let named = session::named_profile(global)?;
    let (removed, left) = match credentials::read(&path) {
        Ok(None) if named.is_none() => (None, Vec::new()),
        Ok(stored) => {
            let stored = stored.unwrap_or_default();
            if let Some(name) = named.as_ref().filter(|name| !stored.profiles.contains_key(*name)) {
                return Err(match global.profile {
                    Some(_) => Failure::new(Exit::Unauthenticated, format!("there is no profile {name} to forget"))
                        .advise("see those that there are with `cometly auth list`"),
                    None => session::named_by_variable(name),
                });
            }
            let name = named.unwrap_or(stored.current);
            let is_stored = stored.profiles.contains_key(&name);
            let left = credentials::update(&path, |stored| remove(stored, &name))?;
            (is_stored.then(|| format!("profile {name}")), left)
        }
        // Which profiles are in it is not known, so one alone cannot be taken out.
        Err(failure) if named.is_some() => return Err(failure),
        // It may hold keys all the same.
        Err(_) => (credentials::remove(&path)?.then(|| format!("file {}", path.display())), Vec::new()),
    };
    // All is to be forgotten: a file that was put aside holds keys too.
    let is_all = left.is_empty() && global.profile.is_none();
    let gone = if is_all { credentials::remove_put_aside(&path)? } else { None };
    let aside = credentials::put_aside(&path);
    if console.json {
        let mut told = json!({"removed": removed.is_some(), "left": left});
        if let (Some(told), Some(aside)) = (told.as_object_mut(), &aside) {
            told.insert("put_aside".to_owned(), json!(aside));
        }
        console.json_line(&told)?;
    }
    console.note(match &removed {
        Some(what) => format!("The key in the {what} is forgotten; to make it useless, delete it at {INTEGRATIONS}."),
        None => "There was no stored key.".to_owned(),
    });
    if !left.is_empty() {
        console.note(format_args!("Still stored: {}.", left.join(", ")));
    }
    if let Some(gone) = gone {
        console.note(format_args!("{}, with keys of an earlier file, is removed.", gone.display()));
    }
    if let Some(aside) = aside {
        console.note(format_args!("{}", session::about_put_aside(&aside)));
    }
    if session::environment_key()?.is_some() {
        console.note(format_args!("{API_KEY_VARIABLE} is still set in this shell."));
    }
    Ok(Exit::Ok)
}

/// Removes a profile; the names of those that are left.
fn remove(stored: &mut Credentials, name: &str) -> Vec<String> {
    stored.profiles.remove(name);
    if stored.current == name {
        // The only one that is left is meant. Of several, the next command has to name one.
        let only = stored.profiles.keys().next().filter(|_| stored.profiles.len() == 1);
        stored.current = only.cloned().unwrap_or_default();
    }
    stored.profiles.keys().cloned().collect()
}
