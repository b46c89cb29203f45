//! The rows of the core: requests built and answers read, without sockets.

use std::{collections::BTreeMap, thread};

use crate::Result;

use super::{
    job::{Allowance, JOBS, Job, LINES, MOST_APART, MOST_OF_A_PAGE, MOST_OF_WAITERS},
    program::{Program, Workspace},
    row::{Cost, Row},
};

/// How often a piece is done in the shorter and in the longer run; others' are slower.
const OURS: (u32, u32) = (100, 1_100);
const PEERS: (u32, u32) = (100, 500);

pub(super) fn rows(workspace: &Workspace, peers: Option<&Workspace>) -> Result<Vec<Row>> {
    let ours = Costs::count(&workspace.program("micro"), OURS)?;
    let jobs = Costs::count(&workspace.program("jobs"), OURS)?;
    let peers = peers.map(|peers| Costs::count(&peers.program("peers"), PEERS)).transpose()?.unwrap_or_default();
    let mut rows = Vec::new();
    for job in JOBS {
        rows.push(row(job, &ours, &peers)?);
        if job.slug == "read-200-1mb" {
            rows.push(apart("1 MB and 2 B apart", &ours, ("read-200-1mb", "read-200-2b"), MOST_APART)?);
        }
    }
    let page = jobs.of("page", "ours")?.instructions / jobs.of("page", "lean")?.instructions;
    rows.push(Row {
        job: "a page of 100 events to its rows, over serde_json alone".to_owned(),
        ours: Some(page),
        instructions: Some(jobs.of("page", "ours")?.instructions),
        bound: Some(MOST_OF_A_PAGE),
        beside: vec![("lean".to_owned(), jobs.of("page", "lean")?)],
        ..Row::default()
    });
    for (slug, line) in LINES {
        rows.push(explain(&format!("wait in a pacer's line and leave it, {line}"), jobs.of(slug, "ours")?));
    }
    rows.push(apart("10,000 waiters and 1 apart", &jobs, ("leave-10000", "leave-1"), MOST_OF_WAITERS)?);
    rows.push(apart("300 endpoints and 1 apart", &jobs, ("leave-300-endpoints", "leave-1"), MOST_OF_WAITERS)?);
    rows.push(explain("two more headers, by hand", ours.allowance("get", Allowance::Headers)?));
    for job in JOBS.iter().filter(|job| job.allowance == Allowance::Masking) {
        let name = format!("masking a message, by hand: {}", job.slug.trim_start_matches("read-"));
        rows.push(explain(&name, ours.allowance(job.slug, Allowance::Masking)?));
    }
    Ok(rows)
}

fn row(job: &Job, ours: &Costs, peers: &Costs) -> Result<Row> {
    let cost = ours.of(job.slug, "ours")?;
    let by_hand = ["lean", "naive"].map(|who| Ok((who.to_owned(), ours.of(job.slug, who)?)));
    let others = peers.all_of(job.slug).map(|who| Ok((who.to_owned(), peers.of(job.slug, who)?)));
    // The two headers cost the same in whichever request.
    let allowance = match job.allowance {
        Allowance::None => 0.0,
        Allowance::Headers => ours.allowance("get", job.allowance)?.instructions,
        Allowance::Masking => ours.allowance(job.slug, job.allowance)?.instructions,
    };
    Ok(Row {
        job: job.name.to_owned(),
        ours: Some(cost.instructions),
        instructions: Some(cost.instructions),
        allocations: cost.allocations,
        bound: job.instructions.map(|most| most + allowance),
        allowance,
        most_allocations: job.allocations,
        is_time: false,
        beside: by_hand.into_iter().chain(others).collect::<Result<_>>()?,
    })
}

/// By how many instructions two pieces differ.
fn apart(job: &str, costs: &Costs, (one, other): (&str, &str), bound: f64) -> Result<Row> {
    let difference = costs.of(one, "ours")?.without(costs.of(other, "ours")?);
    Ok(Row {
        job: job.to_owned(),
        ours: Some(difference.instructions.abs()),
        instructions: Some(difference.instructions.abs()),
        bound: Some(bound),
        ..Row::default()
    })
}

fn explain(name: &str, cost: Cost) -> Row {
    Row { job: name.to_owned(), instructions: Some(cost.instructions), allocations: cost.allocations, ..Row::default() }
}

/// What each piece of work of one program costs, by `JOB/WHO`.
#[derive(Default)]
struct Costs(BTreeMap<String, Cost>);

impl Costs {
    /// On all cores; other processes are not counted.
    fn count(program: &Program, rounds: (u32, u32)) -> Result<Self> {
        let pieces: Vec<(String, f64)> = program.allocations()?.into_iter().collect();
        let count = |(name, allocations): &(String, f64)| {
            let arguments = |rounds: &str| vec!["count".to_owned(), name.clone(), rounds.to_owned()];
            let instructions = program.instructions(rounds, arguments)?;
            Ok((name.clone(), Cost { instructions, allocations: Some(*allocations) }))
        };
        let share = pieces.len().div_ceil(thread::available_parallelism()?.get()).max(1);
        thread::scope(|scope| {
            let threads: Vec<_> = pieces
                .chunks(share)
                .map(|share| scope.spawn(move || share.iter().map(count).collect::<Result<Vec<_>>>()))
                .collect();
            let counted = threads.into_iter().map(|thread| thread.join().map_err(|_| "a count ended in a panic")?);
            Ok(Self(counted.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()))
        })
    }

    /// Without what only sets the scene for it.
    fn of(&self, job: &str, who: &str) -> Result<Cost> {
        let whole = self.0.get(&format!("{job}/{who}")).ok_or_else(|| format!("no job is named `{job}/{who}`"))?;
        let scene = self.0.get(&format!("{job}/{who}.without")).or_else(|| self.0.get(&format!("{job}/without")));
        Ok(scene.map_or(*whole, |scene| whole.without(*scene)))
    }

    fn all_of<'a>(&'a self, job: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.0.keys().filter_map(move |name| name.strip_prefix(job)?.strip_prefix('/'));
        names.filter(|name| !name.ends_with("without"))
    }

    /// What it costs the leanest by hand to do more than the yardstick.
    fn allowance(&self, job: &str, allowance: Allowance) -> Result<Cost> {
        let (with, without) = match allowance {
            Allowance::Masking => ("lean-masked", "lean"),
            Allowance::Headers | Allowance::None => ("lean", "lean-3-headers"),
        };
        Ok(self.of(job, with)?.without(self.of(job, without)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_sets_the_scene_is_subtracted() {
        let costs = [("a/x", 10.0), ("a/without", 3.0), ("a/y", 10.0), ("a/y.without", 4.0), ("ab/z", 1.0)];
        let cost = |instructions| Cost { instructions, allocations: Some(instructions) };
        let costs = Costs(costs.into_iter().map(|(name, count)| (name.to_owned(), cost(count))).collect());
        assert_eq!(costs.of("a", "x").unwrap(), cost(7.0));
        assert_eq!(costs.of("a", "y").unwrap(), cost(6.0));
        assert_eq!(costs.of("ab", "z").unwrap(), cost(1.0));
        assert_eq!(costs.all_of("a").collect::<Vec<_>>(), ["x", "y"]);
        assert!(costs.of("a", "z").is_err());
    }
}
