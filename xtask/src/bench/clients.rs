//! The rows of the adapters: our `send` over real sockets, beside the same call by hand on the same client.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use crate::Result;

use super::{
    job::{STACKS, Stack},
    program::{Program, Workspace},
    row::{Cost, Row},
};

/// How many calls the shorter and the longer run make.
const CALLS: (u32, u32) = (200, 1_200);

/// CPU time is only as quiet as the machine: a bound is broken by the best of this many runs.
const TRIES: u32 = 3;

pub(super) fn rows(workspace: &Workspace) -> Result<Vec<Row>> {
    let clients = workspace.program("clients");
    let server = Server::start(&workspace.program("server"))?;
    let mut rows = Vec::new();
    let mut explained = Vec::new();
    for stack in STACKS {
        let count = |who| count(&clients, stack, who, &server.url);
        let (ours, raw, lean, lean_3) = (count("ours")?, count("raw")?, count("lean")?, count("lean-3")?);
        let name = stack.name;
        rows.push(ratio(
            format!("{name}: send over the call as its users write it"),
            ours,
            ("raw", raw),
            Some(stack.over_raw),
        ));
        rows.push(ratio(format!("{name}: send over the leanest by hand"), ours, ("lean", lean), stack.over_lean));
        rows.push(cpu(&clients, stack, &server.url)?);
        explained.push(Row {
            job: format!("{name}: two more headers, by hand"),
            instructions: Some(lean - lean_3),
            ..Row::default()
        });
    }
    rows.extend(explained);
    Ok(rows)
}

/// Instructions of one call; the median if it was counted more than once.
fn count(clients: &Program, stack: &Stack, who: &str, url: &str) -> Result<f64> {
    let arguments = |calls: &str| ["count", stack.name, who, calls, url].map(str::to_owned).to_vec();
    let counts = (0..stack.counts).map(|_| clients.instructions(CALLS, arguments));
    let mut counts = counts.collect::<Result<Vec<f64>>>()?;
    counts.sort_by(f64::total_cmp);
    let middle = counts.len() / 2;
    counts.get(middle).copied().ok_or_else(|| "nothing was counted".into())
}

fn ratio(job: String, ours: f64, (who, other): (&str, f64), bound: Option<f64>) -> Row {
    Row {
        job,
        ours: Some(ours / other),
        instructions: Some(ours),
        bound,
        beside: vec![(who.to_owned(), Cost { instructions: other, allocations: None })],
        ..Row::default()
    }
}

fn cpu(clients: &Program, stack: &Stack, url: &str) -> Result<Row> {
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        best = best.min(clients.output(&["pair", stack.name, url])?.trim().parse()?);
        if stack.cpu_over_lean.is_none_or(|bound| best <= bound) {
            break;
        }
    }
    Ok(Row {
        job: format!("{}: CPU time over the leanest by hand, 64 at once", stack.name),
        ours: Some(best),
        bound: stack.cpu_over_lean,
        is_time: true,
        ..Row::default()
    })
}

/// The server, until it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(program: &Program) -> Result<Self> {
        let mut child = program.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        if let Some(output) = child.stdout.as_mut() {
            BufReader::new(output).read_line(&mut url)?;
        }
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends when its input does; whether it had ended before does not matter.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
