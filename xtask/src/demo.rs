//! `cargo xtask demo`: what a key is worth, on every HTTP stack.

use std::io::{self, Write as _};

use cometly_conformance::{Flavour, Settings, adapters};
use cometly_core::{Api, ApiKey, BaseUrl};

use crate::{Outcome, Result, say};

mod calls;
mod command_line;
mod scene;
mod table;

use table::{Made, Table};

const HELP: &str = "\
cargo xtask demo                  the calls of Cometly's authentication page, on the built-in emulator, and on the command line
cargo xtask demo --base-url URL   one call that reads, on another server; the key is taken from COMETLY_API_KEY
cargo xtask demo --live           the same on Cometly itself; it changes nothing, and counts against the Space's limit

Prints what every HTTP stack made of each call. Ends with 1 if two of them disagree, or an outcome is not the one
expected.
";

enum Place {
    Emulator,
    Server(BaseUrl),
}

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut place = Place::Emulator;
    while let Some(argument) = arguments.next()? {
        place = match argument {
            lexopt::Arg::Long("live") => Place::Server(BaseUrl::default()),
            lexopt::Arg::Long("base-url") => Place::Server(arguments.value()?.to_string_lossy().parse()?),
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return say(HELP),
            other => return Err(other.unexpected().into()),
        };
    }
    // Standard error may be closed, and nobody then waits for a word on it.
    let _ = writeln!(io::stderr(), "This takes half a minute: some calls wait for a rate limit.");
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

fn on_the_emulator(flavours: &[Box<dyn Flavour>]) -> Result<Table> {
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

fn on_a_server(flavours: &[Box<dyn Flavour>], base_url: BaseUrl) -> Result<Table> {
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
