//! `cometly emulator`: a Cometly on this machine, until Ctrl-C, a signal, or the end of its stdin.

use std::{
    io::{self, Read as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::mpsc,
    thread,
};

use cometly_core::BaseUrl;
use cometly_emulator::{Ability, Emulator};
use serde_json::json;

use crate::{
    arguments::EmulatorArguments,
    exit::Exit,
    failure::Failure,
    terminal::{console::Console, interrupt},
};

pub(crate) fn run(arguments: EmulatorArguments, console: &Console) -> Result<Exit, Failure> {
    let fixed = arguments.key.iter().map(|text| fixed_key(text)).collect::<Result<Vec<_>, _>>()?;
    let emulator = start(&arguments, &fixed, console)?;
    // Signals are handled before the address is printed.
    let (stop, stopped) = mpsc::channel();
    let closed = stop.clone();
    interrupt::listen(move || {
        // Sent once, to a receiver that waits.
        let _ = stop.send(());
    })?;
    if stdin_is_a_pipe() {
        thread::spawn(move || {
            let mut ignored = [0; 512];
            while io::stdin().lock().read(&mut ignored).is_ok_and(|read| read > 0) {}
            let _ = closed.send(());
        });
    }
    tell(&emulator, &fixed, arguments.public_url.is_some(), console)?;
    let _ = stopped.recv();
    console.note(format_args!("stopped after {} calls", emulator.request_count()));
    Ok(Exit::Ok)
}

fn start(
    arguments: &EmulatorArguments,
    fixed: &[(&str, Vec<Ability>)],
    console: &Console,
) -> Result<Emulator, Failure> {
    let EmulatorArguments { port, listen, public_url, downloads_port, key: _, data_dir, seed } = arguments;
    let address = address(listen.as_deref(), *port)?;
    let mut builder = Emulator::builder();
    if let Some(url) = public_url {
        builder = builder.public_url(url);
    }
    for (index, (key, abilities)) in fixed.iter().enumerate() {
        if fixed.iter().take(index).any(|(earlier, _)| earlier == key) {
            return Err(Failure::usage("--key names the same key twice").advise("name it once, with all its abilities"));
        }
        builder = builder.key(*key, abilities);
    }
    let options = builder.clone();
    builder = builder.listen(address).downloads_port(downloads_port.unwrap_or_default());
    if let Some(seed) = seed {
        builder = builder.seed(*seed);
    }
    if let Some(folder) = data_dir {
        builder = builder.data_dir(folder);
    }
    let started = builder.start().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::local(format!("port {} of {} is in use", address.port(), address.ip()))
            .advise("name another with --port, or leave it out for a free one"),
        // A folder that does not fit is of this kind too: the options alone tell which it is.
        io::ErrorKind::InvalidInput if options.start().is_err() => {
            Failure::usage(format!("--key or --public-url: {error}"))
        }
        _ => Failure::local(format!("cannot start the emulator: {error}")),
    })?;
    if !address.ip().is_loopback() {
        console.warn(format_args!(
            "Other machines can reach {}, over plain http, and its page with the token in the address below: use it in a test network, with made-up data.",
            started.address()
        ));
    }
    Ok(started)
}

/// Where to listen: an address, or an address and a port.
fn address(listen: Option<&str>, port: Option<u16>) -> Result<SocketAddr, Failure> {
    let Some(listen) = listen else { return Ok((Ipv4Addr::LOCALHOST, port.unwrap_or_default()).into()) };
    if let Ok(ip) = listen.parse::<IpAddr>() {
        return Ok((ip, port.unwrap_or_default()).into());
    }
    let address: SocketAddr = listen.parse().map_err(|_| {
        Failure::usage(
            "--listen is no address: expected a number as 0.0.0.0 or [::1], and a port if any as 0.0.0.0:8080",
        )
    })?;
    if port.is_some_and(|port| port != address.port()) {
        return Err(Failure::usage("--listen and --port name different ports").advise("leave --port out"));
    }
    Ok(address)
}

/// A key, and what it may do: all, unless abilities are named behind an equals sign. A key has no comma, but may have that.
fn fixed_key(text: &str) -> Result<(&str, Vec<Ability>), Failure> {
    let known = |name: &str| Ability::ALL.iter().copied().find(|ability| ability.name() == name);
    let (key, names) = match text.rsplit_once('=') {
        Some((key, "none")) => return Ok((key, Vec::new())),
        Some((key, names)) if names.contains(':') => (key, names),
        _ => return Ok((text, Ability::ALL.to_vec())),
    };
    let abilities = names.split(',').map(|name| {
        known(name).ok_or_else(|| {
            let all: Vec<_> = Ability::ALL.iter().map(|ability| ability.name()).collect();
            Failure::usage(format!("--key names an ability that there is not: expected {}", all.join(", ")))
        })
    });
    Ok((key, abilities.collect::<Result<_, _>>()?))
}

/// What a key may do, in words.
fn abilities(abilities: &[Ability]) -> String {
    match abilities.len() {
        0 => "has no permission".to_owned(),
        len if len == Ability::ALL.len() => "has all permissions".to_owned(),
        _ => format!("has {}", abilities.iter().map(|ability| ability.name()).collect::<Vec<_>>().join(", ")),
    }
}

fn tell(
    emulator: &Emulator,
    fixed: &[(&str, Vec<Ability>)],
    has_public_url: bool,
    console: &Console,
) -> Result<(), Failure> {
    let (base_url, keys, page_url) = (emulator.base_url(), emulator.keys(), emulator.page_url());
    let address = emulator.address();
    if console.json {
        let fixed: Vec<_> = fixed
            .iter()
            .map(|(key, abilities)| {
                json!({"key": key, "abilities": abilities.iter().map(|ability| ability.name()).collect::<Vec<_>>()})
            })
            .collect();
        return console.json_line(&json!({
            "base_url": base_url,
            "keys": {"full": keys.full, "no_permission": keys.no_permission, "inactive": keys.inactive},
            "fixed_keys": fixed,
            "page_url": page_url,
            "address": address.to_string(),
        }));
    }
    let by = if has_public_url { format!(", by {address}") } else { String::new() };
    let mut lines = vec![
        format!("A Cometly listens at {base_url}{by}"),
        format!("What it does shows at {page_url}"),
        String::new(),
        "To use it:".to_owned(),
    ];
    match BaseUrl::insecure_http(base_url) {
        // The environment may not name another machine.
        Ok(url) if BaseUrl::from_untrusted(base_url).is_err() => {
            lines.push(format!("  export COMETLY_API_KEY='{}'", keys.full));
            lines.push(format!("  cometly auth status --base-url '{base_url}' --insecure-http '{}'", url.authority()));
        }
        _ => {
            lines.push(format!("  export COMETLY_BASE_URL='{base_url}'"));
            lines.push(format!("  export COMETLY_API_KEY='{}'", keys.full));
        }
    }
    lines.extend([
        String::new(),
        "Other keys to try:".to_owned(),
        format!("  '{}'  has no permission", keys.no_permission),
        format!("  '{}'  belongs to an inactive subscription", keys.inactive),
    ]);
    lines.extend(fixed.iter().map(|(key, may)| format!("  '{key}'  {}", abilities(may))));
    lines.extend([String::new(), "Ctrl-C ends it.".to_owned()]);
    console.data(lines.iter().map(String::as_bytes))
}

/// The program that started us holds the other end and closes it to end us. `/dev/null` is no such sign: a shell gives it to
/// what runs in the background.
#[cfg(unix)]
fn stdin_is_a_pipe() -> bool {
    use std::os::{fd::AsFd as _, unix::fs::FileTypeExt as _};
    let kind = io::stdin().as_fd().try_clone_to_owned().and_then(|fd| std::fs::File::from(fd).metadata());
    kind.is_ok_and(|kind| kind.file_type().is_fifo() || kind.file_type().is_socket())
}

#[cfg(not(unix))]
fn stdin_is_a_pipe() -> bool {
    use std::io::IsTerminal as _;
    !io::stdin().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_have_an_equals_sign_and_names_its_abilities_behind_the_last() {
        let read =
            |text| fixed_key(text).map(|(key, abilities)| (key, abilities.len())).map_err(|failure| failure.exit);
        assert_eq!(read("1|abc"), Ok(("1|abc", Ability::ALL.len())));
        assert_eq!(read("1|abc="), Ok(("1|abc=", Ability::ALL.len())));
        assert_eq!(read("1|a=c=none"), Ok(("1|a=c", 0)));
        assert_eq!(read("1|abc==events:read,contacts:write"), Ok(("1|abc=", 2)));
        assert_eq!(read("1|abc=events:burn"), Err(Exit::Usage));
    }

    #[test]
    fn an_address_may_bring_its_port() {
        let read =
            |listen, port| address(listen, port).map(|address| address.to_string()).map_err(|failure| failure.exit);
        assert_eq!(read(None, Some(80)).as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(read(Some("0.0.0.0"), Some(80)).as_deref(), Ok("0.0.0.0:80"));
        assert_eq!(read(Some("[::1]:81"), None).as_deref(), Ok("[::1]:81"));
        assert_eq!(read(Some("::"), None).as_deref(), Ok("[::]:0"));
        for (listen, port) in [("localhost", None), ("0.0.0.0:80", Some(81)), ("", None)] {
            assert_eq!(read(Some(listen), port), Err(Exit::Usage), "{listen}");
        }
    }
}
