//! What a row came to, beside what is promised.

use crate::{
    rows::{Kind, Row},
    server::{Limit, Server},
    world::{self, Run, Scene},
};

/// Over all runs of a row.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) successes: f64,
    pub(crate) drain: f64,
    pub(crate) ideal: f64,
    pub(crate) refused: f64,
    pub(crate) refused_in_a_run: f64,
    pub(crate) refused_without: f64,
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) gap: f64,
    pub(crate) silence: f64,
    pub(crate) longest: f64,
    pub(crate) after_rival: f64,
    pub(crate) polls: f64,
    pub(crate) done: f64,
    pub(crate) questions: f64,
    pub(crate) loner: f64,
}

pub(crate) fn measure(row: &Row, first: u64, seeds: u64) -> Measured {
    let scene = &row.scene;
    let window = scene.limit.window as f64;
    let mut measured = Measured { least: f64::INFINITY, loner: f64::INFINITY, ..Measured::default() };
    let mut questions = 0.0;
    let (mut done, mut refused, mut drain) = (0.0, 0.0, 0.0);
    let (mut done_without, mut refused_without, mut drain_without) = (0.0, 0.0, 0.0);
    let (mut shares, mut gaps) = (Vec::new(), Vec::new());
    let mut ideal = 0.0;
    for seed in first..first + seeds {
        let run = world::run(scene, true, seed);
        // A fleet is held to the oracle.
        let without = if row.kind == Kind::Fleet { run.clone() } else { world::run(scene, false, seed) };
        questions += run.questions as f64;
        done += run.done as f64;
        refused += run.refused as f64;
        drain += run.drain as f64;
        done_without += without.done as f64;
        refused_without += without.refused as f64;
        drain_without += without.drain as f64;
        let due = if row.kind == Kind::Fleet { scene.limit.calls - scene.rival } else { scene.limit.calls };
        ideal += Server::ideal(Limit { calls: due, ..scene.limit }, scene.processes * scene.jobs) as f64;
        let in_run = run.refused as f64 / run.done.max(1) as f64;
        measured.refused_in_a_run = measured.refused_in_a_run.max(in_run);
        measured.silence = measured.silence.max(run.silence as f64 / window);
        measured.longest = measured.longest.max(run.longest as f64 / window);
        measured.after_rival = measured.after_rival.max(run.after_rival.unwrap_or_default() as f64 / window);
        measured.polls = measured.polls.max(run.polls as f64 / run.waited.max(1) as f64 * 1_000.0);
        let before = shares.len();
        fairness(scene, &run, &mut shares, &mut gaps);
        if scene.loners > 0 {
            measured.loner = measured.loner.min(shares.get(before).copied().unwrap_or_default());
        }
    }
    measured.questions = questions / f64::max(done, 1.0);
    shares.sort_by(f64::total_cmp);
    gaps.sort_by(f64::total_cmp);
    measured.least = shares.first().copied().unwrap_or(1.0);
    measured.median = shares.get(shares.len() / 2).copied().unwrap_or(1.0);
    measured.gap = gaps.get(gaps.len() * 99 / 100).copied().unwrap_or_default() / window;
    measured.successes = done / done_without.max(1.0);
    measured.drain = drain / drain_without.max(1.0);
    measured.ideal = drain / ideal.max(1.0);
    measured.refused = refused / f64::max(done, 1.0);
    measured.refused_without = refused_without / done_without.max(1.0);
    measured.done = done / (seeds * scene.processes * scene.jobs) as f64;
    measured
}

/// Each process's part of its fair share when half of all jobs were done, and its times between two successes.
fn fairness(scene: &Scene, run: &Run, shares: &mut Vec<f64>, gaps: &mut Vec<f64>) {
    let mut all: Vec<u64> = run.successes.iter().flatten().copied().collect();
    all.sort_unstable();
    let Some(half) = all.get(all.len() / 2).copied() else { return };
    let fair = all.len() as f64 / 2.0 / scene.processes as f64;
    for successes in &run.successes {
        if scene.processes > 1 && scene.jobs > 1 {
            shares.push(successes.iter().filter(|at| **at <= half).count() as f64 / fair);
        }
        let mut last = 0;
        for at in successes {
            gaps.push((at - last) as f64);
            last = *at;
        }
    }
}

pub(crate) fn head(is_json: bool) {
    if !is_json {
        println!(
            "| row | done | of without | drain of without | of ideal | 429 a success | in a run | without | least share | median | gap | silence | polls | after rival | questions | loner |"
        );
        println!(
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        );
    }
}

/// Prints the row; what is worse than promised.
pub(crate) fn line(row: &Row, m: &Measured, is_json: bool) -> Vec<String> {
    let b = &row.bounds;
    if is_json {
        println!(
            "{{\"row\": \"{}\", \"done\": {:.4}, \"successes\": {:.4}, \"drain\": {:.4}, \"ideal\": {:.4}, \"refused\": {:.4}, \
             \"refused_in_a_run\": {:.4}, \"refused_without\": {:.4}, \"least\": {:.4}, \"median\": {:.4}, \"gap\": {:.4}, \
             \"silence\": {:.4}, \"polls\": {:.4}}}",
            row.name,
            m.done,
            m.successes,
            m.drain,
            m.ideal,
            m.refused,
            m.refused_in_a_run,
            m.refused_without,
            m.least,
            m.median,
            m.gap,
            m.silence,
            m.polls
        );
    } else {
        println!(
            "| {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.4} | {:.3} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} | {:.2} |",
            row.name,
            m.done,
            m.successes,
            m.drain,
            m.ideal,
            m.refused,
            m.refused_in_a_run,
            m.refused_without,
            m.least,
            m.median,
            m.gap,
            m.silence,
            m.polls,
            m.after_rival,
            m.questions,
            if m.loner.is_finite() { m.loner } else { 0.0 }
        );
    }
    let mut broken = Vec::new();
    let mut check = |what: &str, is_kept: bool, got: f64, bound: f64| {
        if !is_kept {
            broken.push(format!("{}: {what} {got:.3}, promised {bound:.3}", row.name));
        }
    };
    check("successes", m.successes >= b.successes, m.successes, b.successes);
    for (what, got, bound) in [
        ("drain", m.drain, b.drain),
        ("drain of the ideal", m.ideal, b.ideal),
        ("refusals", m.refused, b.refused),
        ("refusals in a run", m.refused_in_a_run, b.refused_in_a_run),
        ("gap", m.gap, b.gap),
        ("silence", m.silence, b.silence),
        ("silence after the rival left", m.after_rival, b.silence),
        ("polls", m.polls, if row.kind == Kind::Fleet { f64::INFINITY } else { 20.0 }),
        ("questions", m.questions, b.questions),
    ] {
        check(what, got <= bound, got, bound);
    }
    check("least share", m.least >= b.least, m.least, b.least);
    check("a loner's share", m.loner >= b.loner, m.loner, b.loner);
    check("median share", m.median >= b.median, m.median, b.median);
    broken
}

/// The guarantees: the worst row of each, beside what is promised of that row.
pub(crate) fn summary(all: &[(&Row, Measured)], seeds: u64) {
    const SUMMARY: [Guarantee; 11] = [
        ("alive: silence in windows, at most", |_| true, |m| m.silence, |b| b.silence, true),
        ("no worse than none: successes, at least", |_| true, |m| m.successes, |b| b.successes, false),
        ("no worse than none: drain, at most", |_| true, |m| m.drain, |b| b.drain, true),
        ("unfelt: alone, drain of an oracle's, at most", |kind| kind == Kind::Alone, |m| m.ideal, |b| b.ideal, true),
        ("fair: least share at half time, at least", |kind| kind == Kind::Fair, |m| m.least, |b| b.least, false),
        ("fair: median share at half time, at least", |kind| kind == Kind::Fair, |m| m.median, |b| b.median, false),
        ("fair: gap in windows, at most", |kind| kind == Kind::Fair, |m| m.gap, |b| b.gap, true),
        ("polite: alone, refusals a success, at most", |kind| kind == Kind::Alone, |m| m.refused, |b| b.refused, true),
        (
            "polite: a crowd, refusals a success, at most",
            |kind| kind == Kind::Crowd,
            |m| m.refused,
            |b| b.refused,
            true,
        ),
        ("polite: a crowd, gap in windows, at most", |kind| kind == Kind::Crowd, |m| m.gap, |b| b.gap, true),
        ("cheap: polls a second and waiter, at most", |_| true, |m| m.polls, |_| 20.0, true),
    ];
    println!("\n| guarantee, {seeds} seeds a row | mean of the rows | worst | promised | which row |");
    println!("| --- | ---: | ---: | ---: | --- |");
    for (name, is_about, measured, bound, is_at_most) in SUMMARY {
        // Next to its bound, from below or from above: above 1 is broken.
        let strain = |got: f64, bound: f64| if is_at_most { got / bound } else { bound / got };
        let rows = || {
            let about = all.iter().filter(|(row, _)| is_about(row.kind));
            about.map(|(row, m)| (row, measured(m), bound(&row.bounds))).filter(|(_, _, b)| b.is_finite() && *b > 0.0)
        };
        let worst = rows().max_by(|one, other| strain(one.1, one.2).total_cmp(&strain(other.1, other.2)));
        let Some((row, got, promised)) = worst else { continue };
        let mean = rows().map(|(_, got, _)| got).sum::<f64>() / rows().count() as f64;
        println!("| {name} | {mean:.3} | {got:.3} | {promised:.3} | {} |", row.name);
    }
}

/// Its name, the rows that it is about, what they came to, what is promised, and whether that is the most or the least.
type Guarantee = (&'static str, fn(Kind) -> bool, fn(&Measured) -> f64, fn(&crate::rows::Bounds) -> f64, bool);
