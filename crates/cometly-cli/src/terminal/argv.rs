//! The command line as it came: it may hold no key, and a key that it holds all the same is not printed.

use std::{borrow::Cow, ffi::OsString};

use crate::failure::{Failure, INTEGRATIONS};

/// How people try to hand over a key.
const KEY_OPTIONS: [&str; 8] =
    ["--key", "--api-key", "--apikey", "--api_key", "--token", "--secret", "--bearer", "--password"];

/// The commands, so that none is taken for another's argument.
const COMMANDS: [&str; 9] =
    ["auth", "request", "events", "contacts", "companies", "fleet", "emulator", "completions", "man"];

const MASK: &str = "[hidden]";

/// Refuses a key on the command line, whatever the command: said before anything is parsed, for the parser quotes what it
/// does not understand.
pub(crate) fn refuse_keys(arguments: &[OsString]) -> Result<(), Failure> {
    let options = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    // Its keys are made up, and open nothing but the emulator.
    let is_emulators = |option: &str| option == "--key" && command(arguments).is_some_and(|name| name == "emulator");
    let is_key_option = |argument: Cow<'_, str>| {
        let option = argument.split('=').next().unwrap_or_default();
        KEY_OPTIONS.contains(&option) && !is_emulators(option)
    };
    if options.take_while(|argument| argument != "--").any(is_key_option) {
        return Err(refusal());
    }
    Ok(())
}

/// The first argument that is a command's name.
fn command(arguments: &[OsString]) -> Option<&str> {
    arguments.iter().skip(1).filter_map(|argument| argument.to_str()).find(|argument| COMMANDS.contains(argument))
}

pub(crate) fn refusal() -> Failure {
    Failure::usage(
        "an API key does not belong on the command line, where every user of this machine and the shell's history see it",
    )
    .advise(format!(
        "run `cometly auth login` and paste it, pipe it to `cometly auth login --with-token`, or set COMETLY_API_KEY; if \
         that was a real key, make a new one at {INTEGRATIONS} and delete this one"
    ))
}

/// `text` without whatever on the command line looks like a key, also within an argument.
pub(crate) fn mask(text: &str, arguments: &[OsString]) -> String {
    let mut masked = hide_keys(text);
    for argument in arguments.iter().skip(1) {
        let argument = argument.to_string_lossy();
        if let Some(user) = user_of_url(&argument) {
            masked = masked.replace(user, MASK);
        }
        let parts = argument.split(is_between).chain([argument.as_ref()]);
        for part in parts.filter(|part| looks_like_a_key(part)) {
            masked = masked.replace(part, MASK);
        }
    }
    masked
}

/// What is before the host of a URL: a user, a password.
fn user_of_url(argument: &str) -> Option<&str> {
    let (user, _) = argument.split_once("://")?.1.rsplit_once('@')?;
    Some(user).filter(|user| !user.is_empty())
}

/// `text` without what has the shape of a key: a number, a bar, and a secret.
pub(crate) fn hide_keys(text: &str) -> String {
    let keys = text.split(is_between).filter(|part| is_sanctums(part));
    keys.fold(text.to_owned(), |text, key| text.replace(key, MASK))
}

fn is_between(char: char) -> bool {
    !(char.is_ascii_alphanumeric() || "_|.-".contains(char))
}

fn is_sanctums(text: &str) -> bool {
    text.split_once('|').is_some_and(|(number, secret)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && !secret.is_empty()
    })
}

/// Sanctum's `12|…`, or one long word as no path, name or option is.
fn looks_like_a_key(text: &str) -> bool {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-|.".contains(&byte));
    is_sanctums(text) || (text.len() >= 20 && is_word && !text.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_key_is_refused_wherever_it_stands_and_not_quoted() {
        for line in [
            "cometly --key 1|canary",
            "cometly request GET emulator --key 1|canary",
            "cometly emulator --token 1|canary",
            "cometly auth login --token=1|canary",
            "cometly request GET x --api-key k",
        ] {
            let failure = refuse_keys(&arguments(line)).unwrap_err();
            assert!(!failure.to_string().contains("canary"), "{failure}");
        }
        for line in [
            "cometly request GET events --query key=1",
            "cometly auth login --with-token",
            "cometly -- --key",
            "cometly --json emulator --key 1|x",
        ] {
            assert!(refuse_keys(&arguments(line)).is_ok(), "{line}");
        }
    }

    #[test]
    fn what_looks_like_a_key_is_masked_and_what_does_not_is_shown() {
        let line = arguments("cometly 1|canary --x=abcdefghijklmnopqrstuvwxyz contacts --transprot");
        let text = "no 1|canary, abcdefghijklmnopqrstuvwxyz, contacts or --transprot";
        assert_eq!(mask(text, &line), "no [hidden], [hidden], contacts or --transprot");
        let line = ["cometly", "Authorization: Bearer abcdefghijklmnopqrstuvwxyz"].map(OsString::from);
        assert_eq!(mask("no Bearer abcdefghijklmnopqrstuvwxyz'", &line), "no Bearer [hidden]'");
        let line = arguments("cometly redis://user:canary/@127.0.0.1");
        assert_eq!(mask("no redis://user:canary/@127.0.0.1", &line), "no redis://[hidden]@127.0.0.1");
        assert_eq!(
            hide_keys("cannot read '12|canary' of a-long-file-name.ndjson"),
            "cannot read '[hidden]' of a-long-file-name.ndjson"
        );
    }
}
