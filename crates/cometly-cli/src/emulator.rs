//! `cometly emulator`: a Cometly on this machine, as long as somebody wants it.

use std::{
    io::{self, Read as _},
    sync::mpsc,
    thread,
};

use cometly_emulator::Emulator;
use serde_json::json;

use crate::{
    arguments::EmulatorArguments,
    exit::Exit,
    failure::Failure,
    terminal::{console::Console, interrupt},
};

pub(crate) fn run(arguments: EmulatorArguments, console: &Console) -> Result<Exit, Failure> {
    let emulator = start(arguments)?;
    // Heard before anybody is told that it runs.
    let (stop, stopped) = mpsc::channel();
    let closed = stop.clone();
    interrupt::listen(move || {
        // It is sent once, and there is somebody who waits.
        let _ = stop.send(());
    })?;
    if stdin_is_a_pipe() {
        thread::spawn(move || {
            let mut ignored = [0; 512];
            while io::stdin().lock().read(&mut ignored).is_ok_and(|read| read > 0) {}
            let _ = closed.send(());
        });
    }
    tell(&emulator, console)?;
    let _ = stopped.recv();
    console.note(format_args!("stopped after {} calls", emulator.request_count()));
    Ok(Exit::Ok)
}

fn start(arguments: EmulatorArguments) -> Result<Emulator, Failure> {
    let EmulatorArguments { port, data_dir, seed } = arguments;
    let mut builder = Emulator::builder().port(port.unwrap_or_default());
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    if let Some(folder) = data_dir {
        builder = builder.data_dir(folder);
    }
    builder.start().map_err(|error| match (error.kind(), port) {
        (io::ErrorKind::AddrInUse, Some(port)) => Failure::local(format!("port {port} of 127.0.0.1 is in use"))
            .advise("name another with --port, or leave it out for a free one"),
        _ => Failure::local(format!("cannot start the emulator: {error}")),
    })
}

fn tell(emulator: &Emulator, console: &Console) -> Result<(), Failure> {
    let (base_url, keys) = (emulator.base_url(), emulator.keys());
    if console.json {
        return console.json_line(&json!({
            "base_url": base_url,
            "keys": {"full": keys.full, "no_permission": keys.no_permission, "inactive": keys.inactive},
        }));
    }
    let lines = [
        format!("A Cometly listens at {base_url}"),
        format!("What it does shows at {}", emulator.page_url()),
        String::new(),
        "To use it:".to_owned(),
        format!("  export COMETLY_BASE_URL='{base_url}'"),
        format!("  export COMETLY_API_KEY='{}'", keys.full),
        String::new(),
        "Other keys to try:".to_owned(),
        format!("  '{}'  has no permission", keys.no_permission),
        format!("  '{}'  belongs to an inactive subscription", keys.inactive),
        String::new(),
        "Ctrl-C ends it.".to_owned(),
    ];
    console.data(lines.iter().map(String::as_bytes))
}

/// Whoever started us holds the other end, and closes it to be rid of us. `/dev/null` is no such sign: a shell gives it to
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
