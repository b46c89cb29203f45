//! The rows: what is simulated, and what is promised of each.

use crate::{
    caller::Patience,
    server::{Counting, Limit},
    world::Scene,
};

const MINUTE: u64 = 60_000;

pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) scene: Scene,
    /// Whether it is one of the quick form.
    pub(crate) is_quick: bool,
    pub(crate) bounds: Bounds,
}

/// Which guarantees a row measures, besides those that all do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One process.
    Alone,
    /// Equal processes that share nothing but a window.
    Fair,
    /// Processes on a sliding window or a bucket, where none sees that another lost.
    Blind,
    /// A hundred processes or more.
    Crowd,
    /// Beside a rival without a pacer.
    Rival,
    /// A fleet that shares an engine.
    Fleet,
}

/// What is promised; `f64::INFINITY` if nothing is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Successes, at least, as a part of those without a pacer.
    pub(crate) successes: f64,
    /// The last success, at most, as a multiple of that without a pacer, and of an oracle's.
    pub(crate) drain: f64,
    pub(crate) ideal: f64,
    /// Refusals a success: pooled, and of any run.
    pub(crate) refused: f64,
    pub(crate) refused_in_a_run: f64,
    /// Shares at half time, at least: the least of a process, and the median.
    pub(crate) least: f64,
    pub(crate) median: f64,
    /// The 99th percentile of the time between two successes of a process, at most, in windows.
    pub(crate) gap: f64,
    /// Windows in which the server had room, a caller waited and none was sent, at most.
    pub(crate) silence: f64,
    /// Questions to a fleet's engine for each success, at most.
    pub(crate) questions: f64,
    /// What a process that shares no engine gets, as a part of its fair share at half time, at least.
    pub(crate) loner: f64,
}

const NONE: Bounds = Bounds {
    successes: 0.99,
    drain: f64::INFINITY,
    ideal: f64::INFINITY,
    refused: f64::INFINITY,
    refused_in_a_run: f64::INFINITY,
    least: 0.0,
    median: 0.0,
    gap: f64::INFINITY,
    silence: 2.0,
    questions: f64::INFINITY,
    loner: 0.0,
};

fn scene(counting: Counting, calls: u64, processes: u64, windows: u64) -> Scene {
    Scene {
        limit: Limit { counting, calls, window: MINUTE },
        processes,
        jobs: (calls * windows).div_ceil(processes),
        patience: Patience::Hours(399),
        round_trip: 100,
        every: None,
        lost: 0,
        cancelled: 0,
        cancelled_within: MINUTE,
        rival: 0,
        rival_until: 0,
        engine: None,
        loners: 0,
    }
}

fn name(counting: Counting) -> String {
    match counting {
        Counting::FirstHit => "first hit".into(),
        Counting::Clock(_) => "clock".into(),
        Counting::SlidingLog => "sliding log".into(),
        Counting::SlidingCounter => "sliding counter".into(),
        Counting::Bucket(size) => format!("bucket of {size}"),
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    let models = |calls: u64| {
        [
            Counting::FirstHit,
            Counting::Clock(23_000),
            Counting::SlidingLog,
            Counting::SlidingCounter,
            Counting::Bucket((calls / 5).max(1)),
        ]
    };
    let alone = Bounds { drain: 1.1, ideal: 1.1, refused: 0.01, refused_in_a_run: 0.03, silence: 1.0, ..NONE };
    for calls in [5, 7, 15, 30, 60] {
        for counting in models(calls) {
            rows.push(Row {
                name: format!("alone, {}, {calls} a minute", name(counting)),
                kind: Kind::Alone,
                scene: scene(counting, calls, 1, 50),
                is_quick: calls == 60 || calls == 7,
                bounds: match counting {
                    Counting::SlidingCounter => Bounds { ideal: f64::INFINITY, refused: 0.02, ..alone },
                    Counting::SlidingLog => Bounds { ideal: 1.2, ..alone },
                    _ => alone,
                },
            });
        }
    }
    for round_trip in [50, 500, 2_000] {
        for (calls, counting) in [
            (7, Counting::FirstHit),
            (60, Counting::FirstHit),
            (5, Counting::Clock(19_156)),
            (60, Counting::Clock(23_000)),
        ] {
            rows.push(Row {
                name: format!("alone, {}, {calls} a minute, {round_trip} ms", name(counting)),
                kind: Kind::Alone,
                scene: Scene { round_trip, ..scene(counting, calls, 1, 50) },
                is_quick: round_trip == 2_000,
                bounds: alone,
            });
        }
    }
    rows.push(Row {
        name: "alone, leaky bucket of 12, 60 a minute, 1,200 jobs".into(),
        kind: Kind::Alone,
        scene: Scene { jobs: 1_200, ..scene(Counting::Bucket(12), 60, 1, 20) },
        is_quick: true,
        bounds: Bounds { refused: 0.03, ..alone },
    });
    rows.push(Row {
        name: "alone, first hit, 60 a minute, 1 in 100 answers lost".into(),
        kind: Kind::Alone,
        scene: Scene { lost: 10, ..scene(Counting::FirstHit, 60, 1, 100) },
        is_quick: true,
        bounds: alone,
    });
    rows.push(Row {
        name: "alone, first hit, 60 a minute, half of the callers give up".into(),
        kind: Kind::Alone,
        scene: Scene { cancelled: 500, cancelled_within: 30 * MINUTE, ..scene(Counting::FirstHit, 60, 1, 60) },
        is_quick: true,
        bounds: Bounds { drain: f64::INFINITY, ideal: f64::INFINITY, successes: 0.9, ..alone },
    });
    for every in [5_000, 20_000] {
        rows.push(Row {
            name: format!("alone, first hit, 7 a minute, a call each {} s, default policy", every / 1000),
            kind: Kind::Alone,
            scene: Scene {
                patience: Patience::Default,
                every: Some(every),
                jobs: 500,
                ..scene(Counting::FirstHit, 7, 1, 60)
            },
            is_quick: true,
            bounds: Bounds { successes: 0.98, ..NONE },
        });
    }
    for (processes, calls) in [(2, 60), (5, 60), (10, 60), (2, 15), (5, 15), (10, 15), (2, 7), (5, 7), (10, 7), (2, 5)]
    {
        for counting in models(calls) {
            let is_window = matches!(counting, Counting::FirstHit | Counting::Clock(_));
            let fair = (processes as f64 / calls as f64).max(0.0);
            let fairness = Bounds { drain: 1.1, least: 1.0 / 3.0, median: 0.85, gap: 2.5 * fair + 1.5, ..NONE };
            rows.push(Row {
                name: format!("{processes} processes, {}, {calls} a minute", name(counting)),
                kind: if is_window { Kind::Fair } else { Kind::Blind },
                scene: scene(counting, calls, processes, 100),
                is_quick: is_window && calls < 60 && (processes, calls) != (2, 5),
                bounds: match counting {
                    Counting::FirstHit | Counting::Clock(_) => fairness,
                    Counting::Bucket(1 | 2) => Bounds { drain: 2.0, ..NONE },
                    _ => Bounds { drain: 1.2, ..NONE },
                },
            });
        }
    }
    rows.push(Row {
        name: "2 processes, first hit, 60 a minute, 2,000 ms".into(),
        kind: Kind::Fair,
        scene: Scene { round_trip: 2_000, ..scene(Counting::FirstHit, 60, 2, 100) },
        is_quick: false,
        bounds: Bounds { drain: 1.1, least: 1.0 / 3.0, ..NONE },
    });
    for (processes, jobs, calls, refused, ideal) in
        [(100, 100, 60, 1.5, 1.04), (10_000, 1, 60, 25.0, 1.05), (100, 100, 7, 7.0, 1.1), (10_000, 1, 7, 175.0, 1.1)]
    {
        rows.push(Row {
            name: format!("{processes} processes × {jobs}, first hit, {calls} a minute"),
            kind: Kind::Crowd,
            scene: Scene { jobs, ..scene(Counting::FirstHit, calls, processes, 1) },
            is_quick: calls == 60 && jobs == 1,
            bounds: Bounds {
                drain: 1.1,
                ideal,
                refused,
                refused_in_a_run: f64::INFINITY,
                gap: if calls == 60 && jobs > 1 { 20.0 } else { f64::INFINITY },
                silence: 9.0,
                ..NONE
            },
        });
    }
    rows.push(Row {
        name: "1,000 processes × 3, sliding counter, 60 a minute".into(),
        kind: Kind::Crowd,
        scene: Scene { jobs: 3, ..scene(Counting::SlidingCounter, 60, 1_000, 1) },
        is_quick: false,
        bounds: Bounds { drain: 1.3, refused: 25.0, silence: 9.0, ..NONE },
    });
    for (calls, rival) in [(15, 13), (60, 50)] {
        for counting in [Counting::FirstHit, Counting::Clock(23_000)] {
            rows.push(Row {
                name: format!("a rival takes {rival} of {calls}, {}, default policy", name(counting)),
                kind: Kind::Rival,
                scene: Scene {
                    patience: Patience::Default,
                    every: Some(MINUTE / (calls - rival)),
                    jobs: 200,
                    rival,
                    rival_until: u64::MAX / 2,
                    ..scene(counting, calls, 1, 1)
                },
                is_quick: true,
                bounds: Bounds { successes: 0.97, ..NONE },
            });
            rows.push(Row {
                name: format!("a rival takes {rival} of {calls} for an hour, {}, jobs", name(counting)),
                kind: Kind::Rival,
                scene: Scene { rival, rival_until: 60 * MINUTE, ..scene(counting, calls, 1, 100) },
                is_quick: calls == 15,
                bounds: Bounds { drain: 1.1, ..NONE },
            });
        }
    }
    rows.extend(fleets());
    rows
}

/// Processes that share an engine.
fn fleets() -> Vec<Row> {
    let alone = Bounds { ideal: 1.01, refused: 0.001, ..NONE };
    let mut rows = Vec::new();
    let mut row = |what: &str, engine: u64, scene: Scene, bounds: Bounds, is_quick: bool| {
        let Limit { counting, calls, .. } = scene.limit;
        rows.push(Row {
            name: format!(
                "fleet of {} × {}, {}, {calls} a minute, engine {engine} ms{what}",
                scene.processes - scene.loners,
                scene.jobs,
                name(counting)
            ),
            kind: Kind::Fleet,
            scene: Scene { engine: Some(engine), ..scene },
            is_quick,
            bounds,
        });
    };
    for (processes, jobs) in [(100, 100), (10_000, 1)] {
        for calls in [7, 15, 60] {
            for counting in [Counting::FirstHit, Counting::Clock(23_000)] {
                let scene = Scene { jobs, ..scene(counting, calls, processes, 1) };
                // The aim is 4 a call. Where each of thousands of processes has one call, that is the least: one to join the
                // line, one half a window before its turn, one for the leave and one that tells the answer. Beside strangers
                // such a line moves slower than it may, so each asks more often how far it is.
                let (questions, beside_strangers) = match (jobs, calls) {
                    (1, _) => (5.5, 21.0),
                    (_, 60) => (4.0, 4.0),
                    _ => (5.0, 14.0),
                };
                let alone = Bounds { questions, ..alone };
                for engine in [0, 1, 20] {
                    row("", engine, scene, alone, calls == 60 && engine == 1);
                }
                let beside = Scene { rival: calls / 3, rival_until: u64::MAX / 2, ..scene };
                let bounds = Bounds { ideal: 1.05, refused: 0.01, questions: beside_strangers, ..alone };
                row(", strangers take a third", 1, beside, bounds, calls == 60 && jobs > 1);
            }
        }
    }
    for counting in [Counting::SlidingLog, Counting::SlidingCounter, Counting::Bucket(12)] {
        let scene = Scene { jobs: 20, ..scene(counting, 60, 100, 1) };
        row("", 1, scene, NONE, false);
    }
    for calls in [7, 15, 60] {
        // Equal processes: ten in the fleet, and one that knows nothing of it.
        let scene = Scene { loners: 1, ..scene(Counting::FirstHit, calls, 11, 100) };
        row(", a loner", 1, scene, Bounds { loner: 0.5, ..NONE }, calls == 60);
    }
    rows
}
