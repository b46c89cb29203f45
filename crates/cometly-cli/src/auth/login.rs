//! `cometly auth login`: a key is stored once the server has taken it.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use cometly_core::{API_KEY_VARIABLE, ApiKey, KeyStatus};
use cometly_credentials::KeyRef;
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    arguments::Global,
    auth::{
        credentials::{self, DEFAULT_PROFILE, Profile, StoredKey},
        session::{self, KeySource, Session},
        status,
    },
    exit::Exit,
    failure::Failure,
    terminal::{console::Console, interrupt},
    transport::{Patience, Transport},
};

const BYTE_ORDER_MARK: char = '\u{feff}';

pub(crate) fn run(with_token: bool, global: &Global, console: &Console) -> Result<Exit, Failure> {
    let path = credentials::path()?;
    credentials::remove_leftover(&path);
    let name = session::named_profile(global)?.unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let base_url = match session::base_url(global)? {
        Some(base_url) => base_url,
        // To log in again is to log in where the profile is. One that cannot be read is written anew.
        None => credentials::read(&path)
            .ok()
            .flatten()
            .and_then(|mut stored| stored.profiles.remove(&name))
            .map(|profile| profile.base_url)
            .unwrap_or_default(),
    };
    console.note(format_args!("The key will be checked at {base_url} and kept as the profile {name}."));
    session::remark_on(&base_url, console);
    let (key, kept) = match session::key_from(global)? {
        Some(_) if with_token => {
            return Err(Failure::usage("--key-from and --with-token each name a key: give one of them"));
        }
        Some(chain) => {
            let found = session::read(&chain)?;
            (found.key().clone(), StoredKey::At(from_any_folder(found.reference())?))
        }
        None => {
            let key = read_key(with_token)?;
            (key.clone(), StoredKey::Here(key))
        }
    };
    let source = KeySource::Profile { name: name.clone(), file: path.clone(), found: None };
    let session = Session::new(key, base_url.clone(), source)?;
    let transport = Transport::new(global, Patience::Call, console)?;
    let outcome = transport.send(status::probe(&session.api))?;
    let refused = match status::key_status(&outcome) {
        KeyStatus::Accepted => None,
        KeyStatus::NotAllowed => outcome.into_result().err(),
        _ => {
            let failure =
                outcome.into_result().map_or_else(Failure::from, |_| Failure::local("the key was not stored"));
            console.note("The key was not stored.");
            return Err(failure);
        }
    };
    credentials::update(&path, |stored| {
        stored.profiles.insert(name.clone(), Profile { key: kept.clone(), base_url: base_url.clone() });
        stored.current.clone_from(&name);
    })?;
    if console.json {
        let warning = refused.as_ref().map(ToString::to_string);
        console.json_line(
            &json!({"stored": path, "profile": name, "base_url": base_url.to_string(), "warning": warning}),
        )?;
    }
    if let Some(aside) = credentials::put_aside(&path) {
        console.note(session::about_put_aside(&aside));
    }
    let path = path.display();
    let what = match &kept {
        StoredKey::Here(_) => format!("stored in {path}, for you alone to read"),
        StoredKey::At(reference) => format!("stays where it is; {path} says where, {reference}"),
    };
    console.note(format_args!("The key is valid for {base_url} and {what}. {name} is now the profile in use."));
    if let Some(refused) = refused {
        console.note(format_args!("But GET companies was refused: {refused}"));
    }
    if session::environment_key()?.is_some() {
        console.note(format_args!("As long as {API_KEY_VARIABLE} is set, that key is used unless --profile is given."));
    }
    Ok(Exit::Ok)
}

/// The reference as it is kept: it must mean the same in any folder, or another one's file or program would be taken.
fn from_any_folder(reference: &KeyRef) -> Result<KeyRef, Failure> {
    let text = reference.text();
    let unclear = || {
        Failure::usage(format!("{reference} begins in the current folder, and is kept for any"))
            .advise("give the whole path, which begins with /")
    };
    if let Some(path) = text.strip_prefix("file:").filter(|path| Path::new(path).is_relative()) {
        let path = std::path::absolute(path).ok().and_then(|path| path.to_str().map(|path| format!("file:{path}")));
        return path.and_then(|text| text.parse().ok()).ok_or_else(unclear);
    }
    let program = text.strip_prefix("cmd:").map(str::trim_start).unwrap_or_default();
    let program = program.trim_start_matches(['\'', '"']).split([' ', '\t', '\'', '"']).next().unwrap_or_default();
    if program.contains('/') && Path::new(program).is_relative() { Err(unclear()) } else { Ok(reference.clone()) }
}

/// The key that is typed, or piped in.
pub(crate) fn read_key(with_token: bool) -> Result<ApiKey, Failure> {
    // Typed on a terminal, it would be shown.
    let typed = if with_token && !io::stdin().is_terminal() { read_token()? } else { ask()? };
    ApiKey::new(typed.as_str()).map_err(|error| Failure::usage(error.to_string()))
}

fn ask() -> Result<Zeroizing<String>, Failure> {
    interrupt::ask("API key (not shown): ").map_err(|failure| match failure.exit {
        Exit::Interrupted => failure,
        _ => failure.advise("pipe the key in: use --with-token"),
    })
}

/// The first line of stdin. The line feed that `echo` and files end with is no part of the key, nor is the byte order mark
/// that some programs begin with.
fn read_token() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let most = u64::try_from(ApiKey::MAX_LEN).unwrap_or(u64::MAX).saturating_add(16);
    io::stdin().lock().take(most).read_to_string(&mut text).map_err(|error| {
        Failure::local(format!("cannot read the key from stdin: {error}")).advise("pipe in the key and nothing else")
    })?;
    let key = text.trim_end_matches(['\r', '\n']);
    Ok(Zeroizing::new(key.strip_prefix(BYTE_ORDER_MARK).unwrap_or(key).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_that_is_kept_means_the_same_in_any_folder() {
        let kept = |text: &str| from_any_folder(&text.parse().unwrap()).map(|kept| kept.text().to_owned());
        for text in ["env:KEY", "file:/run/secrets/key", "cmd:op read x/y", "cmd:/usr/bin/pass a", "cmd:'/a b/c' ./d"] {
            assert_eq!(kept(text).unwrap(), text);
        }
        let here = std::env::current_dir().unwrap().join("key");
        assert_eq!(kept("file:key").unwrap(), format!("file:{}", here.display()));
        for text in ["cmd:./getkey", "cmd: ../bin/getkey a", "cmd:'tools/get key' b"] {
            assert!(kept(text).unwrap_err().to_string().contains("current folder"), "{text}");
        }
    }
}
