//! Whose key a command uses: the environment's, or a stored one. `login` stores a key once the server has taken it, `status`
//! asks the server about it, `logout` removes it. A key is bound to the address that it was checked against.

mod credentials;
pub(crate) mod session;
mod status;

use std::io::{self, IsTerminal as _, Read as _};

use cometly_core::{API_KEY_VARIABLE, ApiKey, KeyStatus};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{
    arguments::{AuthCommand, Global},
    auth::{
        credentials,
        session::{self, KeySource, Session},
        status,
    },
    exit::Exit,
    failure::{Failure, INTEGRATIONS},
    terminal::{argv, console::Console},
    transport::{Patience, Transport},
};

pub(crate) fn run(command: AuthCommand, global: &Global, console: &Console) -> Result<Exit, Failure> {
    match command {
        AuthCommand::Login { misplaced, .. } if !misplaced.is_empty() => Err(argv::refusal()),
        AuthCommand::Login { with_token, .. } => login(with_token, global, console),
        AuthCommand::Status { limits } => status::run(limits, global, console),
        AuthCommand::Logout => logout(console),
    }
}

fn login(with_token: bool, global: &Global, console: &Console) -> Result<Exit, Failure> {
    let base_url = session::base_url()?.unwrap_or_default();
    let path = credentials::path()?;
    let typed = if with_token { read_token()? } else { ask()? };
    let key = ApiKey::new(typed.as_str()).map_err(|error| Failure::usage(error.to_string()))?;
    let session = Session::new(key.clone(), base_url.clone(), KeySource::File(path.clone()))?;
    let transport = Transport::new(global.transport, Patience::Call, global.timeout)?;
    let outcome = transport.send(status::probe(&session.api))?;
    let refused = match outcome.key_status() {
        KeyStatus::Accepted => None,
        KeyStatus::NotAllowed => outcome.into_result().err(),
        _ => {
            let failure =
                outcome.into_result().map_or_else(Failure::from, |_| Failure::local("the key was not stored"));
            console.note("The key was not stored.");
            return Err(failure);
        }
    };
    credentials::write(&path, &key, &base_url)?;
    if console.json {
        let warning = refused.as_ref().map(ToString::to_string);
        console.json_line(&json!({"stored": path, "base_url": base_url.to_string(), "warning": warning}))?;
    }
    console
        .note(format_args!("The key is valid for {base_url} and stored in {}, for you alone to read.", path.display()));
    if let Some(refused) = refused {
        console.note(format_args!("But GET companies was refused: {refused}"));
    }
    if session::environment_key()?.is_some() {
        console.note(format_args!("As long as {API_KEY_VARIABLE} is set, that key is used instead of this one."));
    }
    Ok(Exit::Ok)
}

fn ask() -> Result<Zeroizing<String>, Failure> {
    let asked = if io::stdin().is_terminal() {
        rpassword::prompt_password("API key (not shown): ")
            .map_err(|error| Failure::local(format!("there is no terminal to ask for the key on ({error})")))
    } else {
        Err(Failure::usage("stdin is no terminal to ask for the key on"))
    };
    asked.map(Zeroizing::new).map_err(|failure| failure.advise("pipe the key in: cometly auth login --with-token"))
}

/// The first line of stdin; the line feed that `echo` and files end with is no part of the key.
fn read_token() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let most = u64::try_from(ApiKey::MAX_LEN).unwrap_or(u64::MAX).saturating_add(16);
    io::stdin().lock().take(most).read_to_string(&mut text).map_err(|error| {
        Failure::local(format!("cannot read the key from stdin: {error}")).advise("pipe in the key and nothing else")
    })?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}

fn logout(console: &Console) -> Result<Exit, Failure> {
    let path = credentials::path()?;
    let was_there = credentials::remove(&path)?;
    if console.json {
        console.json_line(&json!({"removed": was_there}))?;
    }
    console.note(if was_there {
        format!("The key in {} is forgotten; to make it useless, delete it at {INTEGRATIONS}.", path.display())
    } else {
        "There was no stored key.".to_owned()
    });
    if session::environment_key()?.is_some() {
        console.note(format_args!("{API_KEY_VARIABLE} is still set in this shell."));
    }
    Ok(Exit::Ok)
}
