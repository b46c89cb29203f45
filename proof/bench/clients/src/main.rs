//! Our `send` beside the same call written by hand on the same client, over real sockets.

use std::process::ExitCode;

mod by_hand;
mod clock;
mod on_isahc;
mod on_reqwest;
mod on_ureq;
mod pair;

const USAGE: &str = "\
clients count STACK WHO TIMES URL   TIMES calls one after the other, and nothing else
clients pair STACK URL              ours and the leanest by hand in turn, 64 calls at once: the ratio of process CPU

STACK is reqwest, ureq or isahc. WHO is
  ours       a call of ours and `send`
  raw        what one writes with that client
  lean       the client's own types and all that can be prepared, with the same headers
  lean-3     the same with the three headers that Cometly requires
";

/// Who makes a call.
#[derive(Clone, Copy)]
enum Who {
    Ours,
    Raw,
    Lean,
    Lean3,
}

impl Who {
    fn new(name: &str) -> Option<Self> {
        let all = [("ours", Self::Ours), ("raw", Self::Raw), ("lean", Self::Lean), ("lean-3", Self::Lean3)];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, who)| who)
    }
}

/// One client, and our adapter on it. It returns how many bytes came, so that no client can skip reading them.
trait Stack {
    fn one_by_one(&self, who: Who, calls: u64) -> usize;

    /// 64 of them under way.
    fn at_once(&self, who: Who, calls: u64) -> usize;
}

/// How many calls are under way at once.
const AT_ONCE: usize = 64;

fn stack(name: &str, url: &str) -> Option<Box<dyn Stack>> {
    Some(match name {
        "reqwest" => Box::new(on_reqwest::OnReqwest::new(url)),
        "ureq" => Box::new(on_ureq::OnUreq::new(url)),
        "isahc" => Box::new(on_isahc::OnIsahc::new(url)),
        _ => return None,
    })
}

fn run(arguments: &[&str]) -> Option<()> {
    match arguments {
        ["count", name, who, times, url] => {
            let (stack, who, times) = (stack(name, url)?, Who::new(who)?, times.parse().ok()?);
            assert!(stack.one_by_one(who, times) > 0, "no body was read");
        }
        ["pair", name, url] => println!("{:.4}", pair::ratio(&*stack(name, url)?)),
        _ => return None,
    }
    Some(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).is_none() {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}
