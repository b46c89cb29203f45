//! What is left of a key in the memory of a program once its last owner is gone.
//!
//! Each scene is played in a process of its own, which makes up a key, does something with it, and searches its own memory
//! for any eight bytes of it. The table is printed last; `cargo test -p cometly-conformance --test key_memory`.
#![forbid(unsafe_code)]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "this is a test, though without a harness"
)]

mod clients;
mod core;
mod scan;
mod secret;
mod stage;

use std::{
    env,
    io::{self, Write as _},
    path::Path,
    process::{Command, ExitCode},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use cometly_conformance::BoxError;
use cometly_emulator::Emulator;
use libtest_mimic::{Arguments, Failed, Trial};

use scan::{Found, MEMORY};
use secret::Recipe;
use stage::{Looks, Scene, Stage};

/// How long the keys are: as the API's, and longer than what allocators and clients treat as small.
const LENGTHS: [usize; 3] = [40, 200, 1000];

/// Set in the processes that play: the scene's name, the key's length and seed, and the server.
const PART: &str = "COMETLY_KEY_MEMORY_PART";

fn main() -> Result<ExitCode, BoxError> {
    match env::var(PART) {
        Ok(part) => {
            let (alive, left) = play(&part).map(|looks| (looks.alive.unwrap_or_default(), looks.left))?;
            writeln!(io::stdout(), "{alive} {} {} {}", left.windows, left.longest, left.spilled)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(_) => watch(),
    }
}

fn scenes() -> impl Iterator<Item = &'static Scene> {
    core::SCENES.iter().chain(clients::SCENES)
}

/// In the child.
fn play(part: &str) -> Result<Looks, BoxError> {
    let mut fields = part.split('\n');
    let mut next = || fields.next().ok_or("a part has four lines");
    let name = next()?;
    let recipe = Recipe { length: next()?.parse()?, seed: next()?.parse()? };
    let stage = Stage::new(recipe, next()?.to_owned())?;
    stage.play(scenes().find(|scene| scene.name == name).ok_or("there is no such scene")?)
}

/// In the parent, which never has the key.
fn watch() -> Result<ExitCode, BoxError> {
    let emulator = Emulator::start()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let rows = Arc::<Mutex<Vec<String>>>::default();
    let mut trials = Vec::new();
    for scene in scenes() {
        for length in LENGTHS {
            let (rows, base_url) = (Arc::clone(&rows), emulator.base_url().to_owned());
            let name = format!("key_memory::{}, {length} characters", scene.name);
            let trial = Trial::test(name, move || {
                let recipe = Recipe { seed, length };
                let looks =
                    looks_of_child(scene, recipe, &base_url).map_err(|error| Failed::from(error.to_string()))?;
                let row = row(scene, recipe, &looks);
                rows.lock().unwrap_or_else(PoisonError::into_inner).push(row.clone());
                looks.complaint(scene.left).map_or(Ok(()), |complaint| Err(format!("{complaint}: {row}").into()))
            });
            trials.push(trial.with_ignored_flag(!Path::new(MEMORY).exists()));
        }
    }
    let mut arguments = Arguments::from_args();
    // In the table's order.
    arguments.test_threads = Some(1);
    let conclusion = libtest_mimic::run(&arguments, trials);
    let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    if !rows.is_empty() {
        writeln!(io::stdout(), "{HEAD}\n{}\n", rows.join("\n"))?;
    }
    Ok(conclusion.exit_code())
}

fn looks_of_child(scene: &Scene, recipe: Recipe, server: &str) -> Result<Looks, BoxError> {
    let part = format!("{}\n{}\n{}\n{server}", scene.name, recipe.length, recipe.seed);
    let output = Command::new(env::current_exe()?).env(PART, part).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<usize> = told.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        &[alive, windows, longest, spilled] => {
            Ok(Looks { alive: Some(alive), left: Found { windows, longest, spilled } })
        }
        _ => Err(format!("the child failed: {told}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

const HEAD: &str = "
Places in memory where eight bytes of the key stand, while it has an owner and after; then the longest piece of it that is
left, in bytes, and the longest that a register left below the end of the stack.
                                              key   alive    left    piece    stack";

fn row(scene: &Scene, recipe: Recipe, looks: &Looks) -> String {
    let (alive, left) = (looks.alive.unwrap_or_default(), looks.left);
    format!("{:<42}{:>7}{alive:>8}{:>8}{:>9}{:>9}", scene.name, recipe.length, left.windows, left.longest, left.spilled)
}
