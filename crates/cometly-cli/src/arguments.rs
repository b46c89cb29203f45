//! What can be asked for on the command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use cometly_core::http::uri::Authority;

pub(crate) use self::resources::{
    CompaniesCommand, ContactDetail, ContactDetails, ContactExportInclude, ContactExportIncludes, ContactInclude,
    ContactIncludes, ContactList, ContactsCommand, CreateContactArguments, EventFilter, EventsCommand, ExportArguments,
    Format, GetArguments, ListArguments, NoFilter, Optional, OutputArguments, Period, Required, ShownArguments,
    UpdateCompanyArguments, UpdateContactArguments,
};
use crate::exit;

mod resources;

/// Cometly on the command line: check a key, call the API, list and export, track events, try without an account.
#[derive(Debug, Parser)]
#[command(name = "cometly", version, propagate_version = true, after_help = exit::help())]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// For every command.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Args, Debug)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Global {
    /// Results as JSON on stdout, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress and no remarks; errors are still told
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Tell each attempt and each wait: method, path, status, time, reason
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Whether words are coloured
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// The stored key to use, by the name of its profile
    #[arg(long, global = true, value_name = "NAME", value_parser = profile_name)]
    pub(crate) profile: Option<String>,
    /// Where the key is: `env:NAME`, `file:PATH` or `cmd:PROGRAM ARGS…`, without a shell; of several, the first that has one
    #[arg(long, global = true, value_name = "REF")]
    pub(crate) key_from: Vec<String>,
    /// Where the API is
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// A host that may be called over plain http, for a closed test network; everybody on the way can read the key
    #[arg(long, global = true, value_name = "HOST[:PORT]", value_parser = host)]
    pub(crate) insecure_http: Vec<String>,
    /// The proxy for calls over https, as `http://proxy.example:3128`; for USER@ before the host the password is asked for
    #[arg(long, global = true, value_name = "URL", conflicts_with = "proxy_from_env")]
    pub(crate) proxy: Option<String>,
    /// Use the proxy that the environment names (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`)
    #[arg(long, global = true)]
    pub(crate) proxy_from_env: bool,
    /// A file of certificates (PEM) to trust besides the system's, as a company's proxy needs it
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// The HTTP client that sends the calls
    #[arg(long, global = true, value_name = "NAME", default_value = "reqwest")]
    pub(crate) transport: TransportName,
    /// How long one call may take, with all its attempts and waits [default: 60, for lists, exports and events track 3600]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<Duration>,
    /// How long one attempt may take [default: as long as --timeout says; 30 without it]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) attempt_timeout: Option<Duration>,
    /// The Redis or Valkey by which processes share the limits of a Space: `redis://HOST:PORT`; with a password only in
    /// `COMETLY_FLEET_URL`
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) fleet: Option<String>,
    /// A name of yours for the Space, the same for all processes of a fleet; never the key [default: `COMETLY_SPACE`]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) space: Option<String>,
    /// Write what happens to each call to a new file, for a support ticket: no key, no value of yours, no address
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

/// The HTTP clients that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportName {
    Reqwest,
    /// Hidden where it is not built in, but known: its error says how to get it.
    #[cfg_attr(not(feature = "ureq"), value(hide = true))]
    Ureq,
    #[cfg_attr(not(feature = "isahc"), value(hide = true))]
    Isahc,
}

/// What a profile's name is.
pub(crate) const PROFILE_NAME: &str = "expected 1 to 32 letters, digits, - _ or .";

/// Reads a profile's name; says nothing of the text, since a key may stand there by mistake.
pub(crate) fn profile_name(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=32).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with(['-', '.']) {
        return Ok(text.to_owned());
    }
    Err(PROFILE_NAME.to_owned())
}

/// Reads the host of `--insecure-http`, which is compared with that of a URL: any other text would never be one.
fn host(text: &str) -> Result<String, String> {
    let expected = || "expected HOST or HOST:PORT as in emulator:8080, without http:// and path".to_owned();
    let authority: Authority = text.parse().map_err(|_| expected())?;
    let (host, whole) = (authority.host(), authority.as_str());
    if host.is_empty() || whole.contains('@') || (whole != host && authority.port_u16().is_none()) {
        return Err(expected());
    }
    Ok(text.to_owned())
}

/// Whole seconds, at most two days.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=172_800) => Ok(Duration::from_secs(seconds)),
        Ok(seconds) => Err(format!("{seconds} is not in 1..=172800")),
        Err(_) => Err("expected whole seconds".to_owned()),
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store an API key, see what it may do, forget it
    Auth {
        #[command(subcommand)]
        command: AuthCommand,
    },
    /// Make any call of the API
    Request(RequestArguments),
    /// List events, export them, send them
    Events {
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// List contacts, read, create, change and export them
    Contacts {
        #[command(subcommand)]
        command: ContactsCommand,
    },
    /// List companies, read, change and export them
    Companies {
        #[command(subcommand)]
        command: CompaniesCommand,
    },
    /// See what processes share by `--fleet`
    Fleet {
        #[command(subcommand)]
        command: FleetCommand,
    },
    /// Run a Cometly on this machine, to try without an account
    Emulator(EmulatorArguments),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write one page for each command into this folder instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Tell whether the engine can be used, and of each endpoint its limit, what is left and how many calls wait
    #[command(after_help = "Examples:
  cometly fleet status --fleet redis://127.0.0.1:6379 --space space-42
  COMETLY_FLEET_URL=rediss://… COMETLY_SPACE=space-42 cometly fleet status --json")]
    Status,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Check a key against the server and store it, readable by you alone
    #[command(
        after_help = "Examples:\n  cometly auth login\n  cometly auth login --profile staging --base-url https://cometly.staging.example/public-api/v1\n  pass show cometly | cometly auth login --with-token\n  cometly auth login --key-from 'cmd:op read op://vault/cometly/key'"
    )]
    Login {
        /// Read the key from stdin instead of asking for it
        #[arg(long)]
        with_token: bool,
        // Only there to be refused without being quoted.
        #[arg(hide = true)]
        misplaced: Vec<String>,
    },
    /// Tell where the key comes from and what the server says of it
    Status {
        /// Call each list once, to see what the key may read and which limits are left
        #[arg(long)]
        limits: bool,
    },
    /// List the stored profiles
    List,
    /// Choose the profile that is used if none is named
    Switch {
        /// Its name
        #[arg(value_parser = profile_name)]
        name: String,
    },
    /// Put a new key in place of the one in use, once the server has taken it
    #[command(
        after_help = "Examples:\n  cometly auth rotate\n  pass show cometly-new | cometly auth rotate --with-token --profile staging\n  cometly auth rotate --key-from file:/run/secrets/cometly\n\nThe new key is asked for, or read from stdin. --key-from FILE says which key it takes the place of: only one in a file can be changed so."
    )]
    Rotate {
        /// Read the new key from stdin instead of asking for it
        #[arg(long)]
        with_token: bool,
        // Only there to be refused without being quoted.
        #[arg(hide = true)]
        misplaced: Vec<String>,
    },
    /// Forget the stored key of a profile, of the one in use if none is named
    Logout,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  cometly request GET companies --query per_page=50
  cometly request GET events --query 'start_date=2026-11-01 00:00:00' --query 'end_date=2026-11-02 00:00:00' --paginate
  cometly request PUT companies/42 --field name='Example Ltd'
  cometly request POST contacts --field 'emails[]=a@example.com'
  cometly request POST events/track --field event_name=purchase --field email=a@example.com --field amount:=12.5")]
pub(crate) struct RequestArguments {
    /// GET, POST, PUT, PATCH or DELETE
    pub(crate) method: String,
    /// The path after the base URL, as in Cometly's documentation: contacts/42
    pub(crate) path: String,
    /// A parameter of the query; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,
    /// A field of the JSON body: NAME=TEXT, NAME:=JSON for numbers, true, false, null; `NAME[]=TEXT` for each of a list
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "input")]
    pub(crate) field: Vec<String>,
    /// A file with the JSON body, - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Print status and headers before the body
    #[arg(long, conflicts_with = "paginate")]
    pub(crate) include: bool,
    /// Follow the list to its end, one item a line
    #[arg(long)]
    pub(crate) paginate: bool,
    /// Begin at this `next_cursor` instead of the first page
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
    /// Say that doing this call twice does no harm, so that it may be sent again
    #[arg(long)]
    pub(crate) idempotent: bool,
    /// Show the request, with the key hidden, and send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How a file of events is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    Auto,
    Ndjson,
    Csv,
}

#[derive(Args, Debug)]
pub(crate) struct TrackArguments {
    /// A file with one JSON object a line, or CSV with a header row; also packed with gzip; - for stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// What the file is; told by its beginning unless it is said
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) input_format: InputFormat,
    /// Where answers are noted, so that a broken run can go on [default: FILE.cometly-journal]
    #[arg(long, value_name = "PATH")]
    pub(crate) journal: Option<PathBuf>,
    /// Where refused lines are written, with the reason [default: FILE.cometly-refused]
    #[arg(long, value_name = "PATH")]
    pub(crate) refused: Option<PathBuf>,
    /// Keeps files apart whose equal lines are different events
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) batch: String,
    /// Send the valid lines even if others are not
    #[arg(long)]
    pub(crate) skip_invalid: bool,
    /// Where --skip-invalid writes the lines it leaves out, with what is wrong [default: FILE.cometly-skipped]
    #[arg(long, value_name = "PATH", requires = "skip_invalid")]
    pub(crate) skipped: Option<PathBuf>,
    /// Send again what the server refused (422) in an earlier run
    #[arg(long)]
    pub(crate) retry_refused: bool,
    /// Check the lines and say what would be sent
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  cometly emulator
  cometly emulator --listen 0.0.0.0:8080 --public-url http://emulator:8080 --key '1|key-of-our-test-network'
  cometly emulator --key '2|key-that-only-reads=events:read,contacts:read'

Abilities: events:read events:write contacts:read contacts:write companies:read companies:write, or none.
It runs until Ctrl-C, or until stdin closes if that is a pipe.")]
pub(crate) struct EmulatorArguments {
    /// The port to listen on [default: a free one]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// The address to listen on; any but this machine's own is open to others, over plain http [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) listen: Option<String>,
    /// By which URL clients reach it, if not by its address
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// The port from which exports are downloaded [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub(crate) downloads_port: Option<u16>,
    /// A key that is valid from the start, with all abilities or those that are named; no real one
    #[arg(long, value_name = "TEXT[=ABILITY,…]")]
    pub(crate) key: Vec<String>,
    /// Keep keys and data in this folder, so that the next one on it goes on with them
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Another number gives other example data [default: 0]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_host_is_no_url() {
        for text in ["emulator", "emulator:8080", "10.0.0.1", "[fd00::1]:80", "Emulator.Test"] {
            assert_eq!(host(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            " ",
            ":8080",
            "emulator:",
            "http://emulator",
            "emulator/",
            "ada@emulator",
            "a b",
            "emulator:x",
            "a@b:1",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_profile_has_a_plain_name() {
        for name in ["default", "a", "eu-1_test.x"] {
            assert_eq!(profile_name(name).as_deref(), Ok(name));
        }
        for name in ["", "-x", ".x", "a b", "12|canary", "ü", &"x".repeat(33)] {
            assert!(!profile_name(name).unwrap_err().contains("canary"));
        }
    }
}
