//! What the command says of itself to shells and to `man`.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use clap::{Command, CommandFactory as _, builder::PossibleValuesParser};
use clap_complete::Shell;

use crate::{arguments::Arguments, auth::credentials, documented, exit::Exit, failure::Failure};

/// A script for a shell. It knows the methods, the documented paths, and the profiles that there are now.
pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let request = |request: Command| {
        let methods = PossibleValuesParser::new(documented::METHODS);
        let paths = PossibleValuesParser::new(documented::PATHS);
        request.mut_arg("method", |arg| arg.value_parser(methods)).mut_arg("path", |arg| arg.value_parser(paths))
    };
    let mut command = Arguments::command().mut_subcommand("request", request);
    let profiles = profiles();
    if !profiles.is_empty() {
        let names = PossibleValuesParser::new(profiles);
        command = command.mut_arg("profile", |arg| arg.value_parser(names.clone())).mut_subcommand("auth", |auth| {
            auth.mut_subcommand("switch", |switch| switch.mut_arg("name", |arg| arg.value_parser(names)))
        });
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "cometly", &mut script);
    print(&script)
}

/// The names of the stored profiles; none if they cannot be read, for a shell that starts is no place for that.
fn profiles() -> Vec<String> {
    let stored = credentials::path().and_then(|path| credentials::read(&path));
    stored.ok().flatten().map(|stored| stored.profiles.into_keys().collect()).unwrap_or_default()
}

pub(crate) fn pages(folder: Option<&Path>) -> Result<Exit, Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(|error| Failure::stdout(&error))?;
        return print(&page);
    };
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map_err(|error| Failure::file("write the pages to", folder, &error))?;
    Ok(Exit::Ok)
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    written.map_err(|error| Failure::stdout(&error))?;
    Ok(Exit::Ok)
}
