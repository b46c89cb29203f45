//! `--fleet`: the limit of a Space, shared with other processes by way of Redis or Valkey; and `cometly fleet status`.
//!
//! A wrong command line is an error of each command. An engine that cannot be used is an error of `fleet status`; other
//! commands say so in one line and pace themselves alone.

use std::{fmt::Write as _, net::IpAddr, time::Duration};

use cometly_core::{InvalidSpace, Pacer};
use cometly_fleet::{EndpointStatus, Fleet, FleetError};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    arguments::{FleetCommand, Global},
    documented,
    environment::variable,
    exit::Exit,
    failure::Failure,
    terminal::console::Console,
};

const URL_VARIABLE: &str = "COMETLY_FLEET_URL";
const SPACE_VARIABLE: &str = "COMETLY_SPACE";
/// How long the end of a command may take, so that the engine hears of the last answers.
const SETTLING: Duration = Duration::from_millis(250);

/// The fleet of a command. Dropped, it sees to it that the engine has the last answers.
pub(crate) struct Member(Fleet);

impl Drop for Member {
    fn drop(&mut self) {
        // An engine that does not hear of them counts the calls as used until their window ends.
        let _ = self.0.settle(SETTLING);
    }
}

/// The pacer of this command, and its fleet if it has one.
pub(crate) fn pacer(global: &Global, console: &Console) -> Result<(Pacer, Option<Member>), Failure> {
    let Some(url) = url(global)? else { return Ok((Pacer::new(), None)) };
    let space = needed_space(global)?;
    let fleet = match Fleet::connect(&url) {
        Ok(fleet) => fleet,
        Err(error @ (FleetError::InvalidUrl | FleetError::TlsIsOff)) => return Err(unusable(&error)),
        Err(error) => {
            alone(&error.to_string(), console);
            return Ok((Pacer::new(), None));
        }
    };
    let pacer = fleet.pacer(&space).map_err(|error| unusable_space(global, &error))?;
    if let Err(problem) = connected(&fleet) {
        alone(&problem, console);
    }
    Ok((pacer, Some(Member(fleet))))
}

fn alone(problem: &str, console: &Console) {
    console.remark(format_args!("{problem}; until a fleet can be used, this command paces itself alone"));
}

/// Why there is no connection, if there is none.
fn connected(fleet: &Fleet) -> Result<(), String> {
    let status = fleet.status();
    if status.is_connected {
        return Ok(());
    }
    Err(status.problem.unwrap_or_else(|| format!("Redis at {}: it does not answer in time", status.engine)))
}

/// The name of the Space, if there is one.
pub(crate) fn space(global: &Global) -> Result<Option<String>, Failure> {
    let Some(space) = global.space.clone().or_else(|| variable(SPACE_VARIABLE)) else { return Ok(None) };
    match Pacer::shared(&space) {
        Ok(_) => Ok(Some(space)),
        Err(error) => Err(unusable_space(global, &error)),
    }
}

fn unusable_space(global: &Global, error: &InvalidSpace) -> Failure {
    let source = if global.space.is_some() { "--space" } else { SPACE_VARIABLE };
    Failure::usage(format!("{source} cannot be used: {error}"))
}

fn needed_space(global: &Global) -> Result<String, Failure> {
    space(global)?.ok_or_else(|| {
        Failure::usage("the name of the Space is missing: a fleet shares the limits of one Space, which its key does not tell")
            .advise(format!(
                "give all processes the same name, such as --space space-42 or {SPACE_VARIABLE}; never the key, nor a hash of it"
            ))
    })
}

/// Where the engine is. No text of a URL is shown, for it may hold a password.
fn url(global: &Global) -> Result<Option<Zeroizing<String>>, Failure> {
    let (url, name) = match (&global.fleet, variable(URL_VARIABLE)) {
        (Some(url), _) if may_hold_password(url) => {
            return Err(Failure::usage(
                "the password of the fleet's engine does not belong on the command line, where every user of this machine and the shell's history see it",
            )
            .advise(format!("put the whole URL into {URL_VARIABLE}, and leave --fleet out")));
        }
        (Some(url), _) => (url.clone(), "--fleet"),
        (None, Some(url)) => (url, URL_VARIABLE),
        (None, None) => return Ok(None),
    };
    let url = Zeroizing::new(url);
    if takes_any_certificate(&url) {
        return Err(Failure::usage(format!("{name} ends in #insecure, by which any certificate would be taken"))
            .advise("leave #insecure out, and let this machine trust the engine's certificate"));
    }
    if is_open(&url) {
        return Err(Failure::usage(format!(
            "{name} names another machine without TLS, where every machine on the way could read and change what is shared"
        ))
        .advise("give rediss:// with a certificate that this machine trusts, or an engine on this machine"));
    }
    Ok(Some(url))
}

/// Whether a URL has a user or a password in it.
fn may_hold_password(url: &str) -> bool {
    url.contains('@') || url.contains("pass=")
}

/// Whether a URL turns off the check of the certificate.
fn takes_any_certificate(url: &str) -> bool {
    url.split_once('#').is_some_and(|(_, fragment)| fragment.to_ascii_lowercase().contains("insecure"))
}

/// Whether the connection would leave this machine without TLS. What is no URL is refused elsewhere.
fn is_open(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let scheme = scheme.to_ascii_lowercase();
    if !["redis", "valkey"].contains(&scheme.as_str()) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(host) => host.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    !(is_loopback || host.eq_ignore_ascii_case("localhost"))
}

fn unusable(error: &FleetError) -> Failure {
    Failure::usage(error.to_string())
}

pub(crate) fn run(command: &FleetCommand, global: &Global, console: &Console) -> Result<Exit, Failure> {
    match command {
        FleetCommand::Status => status(global, console),
    }
}

/// How the engine is, and what it holds of each documented endpoint.
fn status(global: &Global, console: &Console) -> Result<Exit, Failure> {
    let url = url(global)?.ok_or_else(|| {
        Failure::usage("there is no fleet")
            .advise(format!("name its engine with --fleet redis://127.0.0.1:6379 or {URL_VARIABLE}"))
    })?;
    let space = needed_space(global)?;
    let unreachable = |problem: String| {
        Failure::new(Exit::Network, problem).advise(format!(
            "correct --fleet or {URL_VARIABLE}, or see to the engine; until then commands pace themselves alone"
        ))
    };
    let fleet = match Fleet::connect(&url) {
        Ok(fleet) => fleet,
        Err(error @ (FleetError::InvalidUrl | FleetError::TlsIsOff)) => return Err(unusable(&error)),
        Err(error) => return Err(unreachable(error.to_string())),
    };
    connected(&fleet).map_err(unreachable)?;
    let endpoints = fleet.endpoints(&space, &documented::ENDPOINTS).map_err(|error| unreachable(error.to_string()))?;
    let known: Vec<_> =
        documented::ENDPOINTS.iter().zip(endpoints).filter_map(|(call, status)| Some((*call, status?))).collect();
    let engine = fleet.status().engine;
    if console.json {
        let endpoints: Vec<_> = known.iter().map(|(call, status)| to_json(*call, status)).collect();
        console.json_line(&json!({"engine": engine, "connected": true, "space": space, "endpoints": endpoints}))?;
        return Ok(Exit::Ok);
    }
    let mut lines = vec![format!("Engine:  Redis at {engine}, connected"), format!("Space:   {space}")];
    lines.extend(known.iter().map(|(call, status)| format!("Limit:   {}", words(*call, status))));
    if known.is_empty() {
        lines.push("Limit:   no call of this Space in the last two minutes".to_owned());
    }
    console.data(lines.iter().map(String::as_bytes))?;
    Ok(Exit::Ok)
}

fn words((method, path): (&str, &str), status: &EndpointStatus) -> String {
    let left = match (status.left, status.limit) {
        (Some(left), Some(limit)) => format!("{left} of {limit} calls left"),
        (Some(left), None) => format!("{left} calls left"),
        (None, Some(limit)) => format!("the next call opens a window of {limit}"),
        (None, None) => "no limit told".to_owned(),
    };
    let mut words = format!("{method} {path}: {left}, {} under way, {} waiting", status.under_way, status.waiting);
    if let Some(resets_in) = status.resets_in {
        // Writing to a String does not fail.
        let _ = write!(words, ", {} s until the next window", seconds(resets_in));
    }
    if !status.closed_for.is_zero() {
        // Writing to a String does not fail.
        let _ = write!(words, ", refused for {} s more", seconds(status.closed_for));
    }
    words
}

fn to_json((method, path): (&str, &str), status: &EndpointStatus) -> Value {
    json!({
        "call": format!("{method} {path}"),
        "limit": status.limit,
        "left": status.left,
        "under_way": status.under_way,
        "waiting": status.waiting,
        "resets_in": status.resets_in.map(seconds),
        "closed_for": seconds(status.closed_for),
    })
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_tls_is_needed() {
        for url in [
            "redis://127.0.0.1:6379",
            "redis://user:p@ss/x@127.3.2.1",
            "REDIS://localhost/0",
            "valkey://[::1]:1",
            "rediss://redis.example:6380",
            "redis+unix:///run/redis.sock",
            "nonsense",
        ] {
            assert_eq!(is_open(url), url.contains("ss/x"), "{url}");
        }
        for url in [
            "redis://redis.example",
            "redis://10.0.0.1:6379",
            "Redis://127.0.0.1.example",
            "redis://127.0.0.1@redis.example",
            "redis://user:127.0.0.1@redis.example/127.0.0.1",
            "redis://[::2]:6379",
            "redis://127.0.0.1\t.example",
            "valkey://redis.example",
            "redis://",
        ] {
            assert!(is_open(url), "{url}");
        }
    }

    #[test]
    fn certificates_are_checked_on_this_machine_too() {
        for url in ["rediss://localhost#insecure", "rediss://redis.example/0#INSECURE", "rediss://h/#a&insecure=1"] {
            assert!(takes_any_certificate(url), "{url}");
        }
        assert!(!takes_any_certificate("rediss://insecure.example/0"));
    }

    #[test]
    fn a_password_is_seen_wherever_a_url_can_have_one() {
        for url in ["redis://:x@h", "redis://u:x@h", "x@h", "unix:///s?pass=x", "redis://h@"] {
            assert!(may_hold_password(url), "{url}");
        }
        assert!(!may_hold_password("redis://127.0.0.1:6379/0"));
    }
}
