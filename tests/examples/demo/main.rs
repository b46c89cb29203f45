//! `cargo xtask demo`: what a key is worth, on every HTTP stack.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use cometly_conformance::{BoxError, ClientUnderTest, Settings, adapters};
use cometly_core::{Api, ApiKey, BaseUrl};

mod calls;
mod command_line;
mod scene;
mod table;

use table::{Made, Table};

type Result<T> = std::result::Result<T, BoxError>;

enum Place {
    Emulator,
    Server(BaseUrl),
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nowhere to say that standard error is closed.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all came out as expected.
fn run() -> Result<bool> {
    let (mut place, mut arguments) = (Place::Emulator, lexopt::Parser::from_env());
    while let Some(argument) = arguments.next()? {
        place = match argument {
            lexopt::Arg::Long("live") => Place::Server(BaseUrl::default()),
            lexopt::Arg::Long("base-url") => Place::Server(arguments.value()?.to_string_lossy().parse()?),
            other => return Err(format!("{}; `cargo xtask demo --help` says what is known", other.unexpected()).into()),
        };
    }
    let flavours = adapters::all();
    match place {
        Place::Emulator => {
            let table = on_the_emulator(&flavours)?;
            say(&table.to_string())?;
            Ok(command_line::play()? && table.is_as_expected())
        }
        Place::Server(base_url) => {
            let table = on_a_server(&flavours, base_url)?;
            say(&table.to_string())?;
            Ok(table.is_as_expected())
        }
    }
}

fn say(text: &str) -> Result<()> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn on_the_emulator(flavours: &[Box<dyn ClientUnderTest>]) -> Result<Table> {
    let mut table = Table::new(flavours.iter().map(|flavour| flavour.name()));
    for row in calls::ROWS {
        table.begin(row.asked, Some(row.expected));
        for flavour in flavours {
            // Each stack meets servers of its own, so that none eats up the limit of another.
            let scene = scene::Scene::new()?;
            let settings = Settings::default().retry_policy((row.retry_policy)());
            let client = flavour.connect(&settings)?.ok_or("every stack has its default settings")?;
            table.add(Made::of((row.play)(&scene, &*client)?));
        }
    }
    Ok(table)
}

fn on_a_server(flavours: &[Box<dyn ClientUnderTest>], base_url: BaseUrl) -> Result<Table> {
    let key = ApiKey::from_env()?;
    let api = Api::builder(key).base_url(base_url).build();
    let mut table = Table::new(flavours.iter().map(|flavour| flavour.name()));
    table.begin("GET /companies, the first one", None);
    for flavour in flavours {
        let client = flavour.connect(&Settings::default())?.ok_or("every stack has its default settings")?;
        table.add(Made::of(client.send(calls::first_company(&api))));
    }
    Ok(table)
}
