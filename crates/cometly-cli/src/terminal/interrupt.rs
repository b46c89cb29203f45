//! Ctrl-C and SIGTERM: once to end in order, twice to end now, with the programs that were started for a key. And the hidden
//! prompt, which must leave the terminal as it was however it ends.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process,
    sync::{Arc, Mutex, PoisonError},
};

#[cfg(unix)]
use rustix::termios::SpecialCodeIndex;

use zeroize::Zeroizing;

use crate::{exit::Exit, failure::Failure};

/// The character that turns a special one off: `_POSIX_VDISABLE`.
#[cfg(unix)]
const DISABLED: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };

type Action = Box<dyn FnMut() + Send>;

/// What a signal does; the system takes one handler for the process.
static ACTION: Mutex<Option<Action>> = Mutex::new(None);

/// Calls `notify` at the first signal, and ends the process at the second. The command says how to go on.
pub(crate) fn listen(notify: impl Fn() + Send + 'static) -> Result<(), Failure> {
    let mut is_second = false;
    on_signal(move || {
        if is_second {
            end();
        }
        is_second = true;
        notify();
    })
}

/// Ends the process at a signal, and with it the programs of `cmd:` references, which a terminal's Ctrl-C does not reach.
pub(crate) fn end_on_signal() -> Result<(), Failure> {
    on_signal(|| end())
}

/// Asks on the terminal for what is not shown. While it waits the terminal has no echo, which a signal must not leave behind.
pub(crate) fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("stdin is no terminal to ask on"));
    }
    let modes = Arc::new(Modes::now());
    let saved = Arc::clone(&modes);
    on_signal(move || {
        saved.restore();
        // The shell's prompt is to begin a line. If stderr is closed there is none.
        let _ = writeln!(io::stderr());
        end();
    })?;
    modes.without_quit_and_stop();
    let answer = rpassword::prompt_password(prompt);
    modes.restore();
    match answer {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::new(Exit::Interrupted, "stopped")),
        Err(error) => Err(Failure::local(format!("there is no terminal to ask on ({error})"))),
    }
}

fn on_signal(action: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    if ACTION.lock().unwrap_or_else(PoisonError::into_inner).replace(Box::new(action)).is_some() {
        return Ok(());
    }
    let handler = || {
        if let Some(action) = &mut *ACTION.lock().unwrap_or_else(PoisonError::into_inner) {
            action();
        }
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::local(format!("cannot listen for Ctrl-C: {error}")))
}

fn end() -> ! {
    cometly_credentials::end_commands();
    process::exit(Exit::Interrupted.code().into())
}

/// How the terminal treats what is typed.
struct Modes {
    #[cfg(unix)]
    saved: Option<(std::fs::File, rustix::termios::Termios)>,
}

#[cfg(unix)]
impl Modes {
    fn now() -> Self {
        let terminal = std::fs::File::open("/dev/tty").ok();
        Self {
            saved: terminal
                .and_then(|terminal| rustix::termios::tcgetattr(&terminal).ok().map(|modes| (terminal, modes))),
        }
    }

    /// Takes Ctrl-\ and Ctrl-Z as characters, from before the prompt is shown: they would end or stop the process while the
    /// terminal has no echo, and a core dump would hold what is typed.
    fn without_quit_and_stop(&self) {
        let Some((terminal, saved)) = &self.saved else { return };
        let mut modes = saved.clone();
        for code in [SpecialCodeIndex::VQUIT, SpecialCodeIndex::VSUSP] {
            modes.special_codes[code] = DISABLED;
        }
        // Failing that, they do what they did.
        let _ = rustix::termios::tcsetattr(terminal, rustix::termios::OptionalActions::Now, &modes);
    }

    fn restore(&self) {
        if let Some((terminal, modes)) = &self.saved {
            // A terminal that is gone needs no restoring.
            let _ = rustix::termios::tcsetattr(terminal, rustix::termios::OptionalActions::Now, modes);
        }
    }
}

/// Elsewhere the console keeps the modes of each process apart.
#[cfg(not(unix))]
impl Modes {
    fn now() -> Self {
        Self {}
    }

    #[expect(clippy::unused_self, reason = "as on Unix")]
    fn without_quit_and_stop(&self) {}

    #[expect(clippy::unused_self, reason = "as on Unix")]
    fn restore(&self) {}
}
