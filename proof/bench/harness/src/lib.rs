//! Named pieces of work, run often enough for callgrind to count one, and their allocations.
//!
//! A name is `JOB/WHO`. What is not to be counted of a piece, because it only sets the scene, is in another one,
//! `JOB/WHO.without`, or `JOB/without` for all of that job.

mod counting;

use std::process::ExitCode;

pub use counting::Counting;

const USAGE: &str = "\
BIN list              the names
BIN allocations       each name, and its calls of malloc, calloc and realloc
BIN count NAME TIMES  does it TIMES times, and nothing else
";

/// How often a piece is done to count its allocations.
const ROUNDS: u32 = 100;

/// Pieces of work.
#[derive(Default)]
pub struct Suite(Vec<(String, Box<dyn FnMut()>)>);

impl Suite {
    /// One more.
    pub fn add(&mut self, job: &str, who: &str, work: impl FnMut() + 'static) {
        self.0.push((format!("{job}/{who}"), Box::new(work)));
    }

    /// Does what the arguments of this program say.
    pub fn main(mut self) -> ExitCode {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["list"] => self.0.iter().for_each(|(name, _)| println!("{name}")),
            ["allocations"] => self.0.iter_mut().for_each(|(name, work)| println!("{name}\t{}", allocations(work))),
            ["count", name, times] => {
                let work = self.0.iter_mut().find(|(known, _)| known == name).map(|(_, work)| work);
                let (Some(work), Ok(times)) = (work, times.parse::<u32>()) else {
                    eprintln!("no such piece of work, or no number: {name} {times}");
                    return ExitCode::from(2);
                };
                (0..times).for_each(|_| work());
            }
            _ => {
                eprint!("{USAGE}");
                return ExitCode::from(2);
            }
        }
        ExitCode::SUCCESS
    }
}

/// Of one, once all is warm.
fn allocations(work: &mut dyn FnMut()) -> f64 {
    work();
    work();
    let calls = counting::during(|| (0..ROUNDS).for_each(|_| work()));
    f64::from(calls) / f64::from(ROUNDS)
}
