//! The end of the demo: the same questions on the command line, for users with a key and no program yet.

use std::{env, path::PathBuf, process::Command};

use cometly_emulator::Emulator;

use crate::{Result, say};

/// What is typed, with which key, and the exit code that it ends with.
const LINES: [(&[&str], Key, i32); 3] = [
    (&["auth", "status"], Key::Full, 0),
    (&["request", "GET", "companies", "--query", "per_page=1"], Key::Full, 0),
    (&["auth", "status"], Key::Wrong, 3),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Full,
    Wrong,
}

pub(crate) fn play() -> Result<bool> {
    let program = program()?;
    say("\nThe same on the command line:\n")?;
    let emulator = Emulator::start()?;
    let mut is_well = true;
    for (words, key, code) in LINES {
        let comment = if key == Key::Wrong { "   # with a wrong key" } else { "" };
        say(&format!("\n$ cometly {}{comment}\n", words.join(" ")))?;
        let key = if key == Key::Full { emulator.keys().full.as_str() } else { "1|wrong" };
        let status = Command::new(&program)
            .args(words)
            .env("COMETLY_API_KEY", key)
            .env("COMETLY_BASE_URL", emulator.base_url())
            .status()?;
        if status.code() != Some(code) {
            say(&format!("It ended with {status}, and not with exit code {code}.\n"))?;
            is_well = false;
        }
    }
    Ok(is_well)
}

/// The command, which is built into the folder above that of the examples.
fn program() -> Result<PathBuf> {
    let demo = env::current_exe()?;
    let folder = demo.parent().and_then(|examples| examples.parent()).ok_or("a program is in a folder")?;
    let program = folder.join("cometly").with_extension(env::consts::EXE_EXTENSION);
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} is not built yet: `cargo xtask demo` does that first", program.display()).into())
}
