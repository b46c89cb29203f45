//! The picture of `docs/fleet.md`: what it costs to share nothing, by the number of processes.

use std::error::Error;

use plotters::prelude::*;

use crate::{
    caller::Patience,
    server::{Counting, Limit},
    world::{self, Scene},
};

/// Processes, each with an equal part of the calls.
const PROCESSES: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
const CALLS: u64 = 1_000;
const SIZE: (u32, u32) = (720, 420);

/// A `Pacer` in each process, and the same processes as a fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    processes: u64,
    /// Refusals a success.
    alone: f64,
    fleet: f64,
}

/// Its name, its colour, and its height at a point.
type Curve = (&'static str, RGBColor, fn(&Point) -> f64);

pub(crate) fn points(processes: &[u64], seeds: u64) -> Vec<Point> {
    let refused = |processes: u64, engine: Option<u64>| {
        let runs = (1..=seeds).map(|seed| world::run(&scene(processes, engine), true, seed));
        let (refused, done) = runs.fold((0, 0), |(refused, done), run| (refused + run.refused, done + run.done));
        refused as f64 / done.max(1) as f64
    };
    let point = |&processes| Point { processes, alone: refused(processes, None), fleet: refused(processes, Some(1)) };
    processes.iter().map(point).collect()
}

fn scene(processes: u64, engine: Option<u64>) -> Scene {
    Scene {
        limit: Limit { counting: Counting::FirstHit, calls: 60, window: 60_000 },
        processes,
        jobs: CALLS / processes,
        patience: Patience::Hours(399),
        round_trip: 100,
        every: None,
        lost: 0,
        cancelled: 0,
        cancelled_within: 60_000,
        rival: 0,
        rival_until: 0,
        engine,
        loners: 0,
    }
}

pub(crate) fn draw(seeds: u64) -> Result<String, Box<dyn Error>> {
    svg(&points(&PROCESSES, seeds))
}

fn svg(points: &[Point]) -> Result<String, Box<dyn Error>> {
    let most = points.iter().map(|point| point.alone.max(point.fleet)).fold(1.0, f64::max);
    let last = points.last().map_or(1, |point| point.processes);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("1,000 calls, 60 a minute: refusals a success", ("sans-serif", 18))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(48)
            .build_cartesian_2d((1..last + 1).log_scale(), 0.0..most * 1.05)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("processes")
            .x_label_formatter(&|processes| processes.to_string())
            .label_style(("sans-serif", 13))
            .draw()?;
        let curves: [Curve; 2] = [
            ("a Pacer in each process", RGBColor(213, 94, 0), |point| point.alone),
            ("a fleet", RGBColor(0, 114, 178), |point| point.fleet),
        ];
        for (name, color, refused) in curves {
            let places = points.iter().map(|point| (point.processes, refused(point)));
            chart
                .draw_series(LineSeries::new(places, color.stroke_width(2)).point_size(3))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(("sans-serif", 14))
            .draw()?;
        area.present()?;
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_refused_less_than_processes_that_share_nothing() {
        let [one, twenty]: [Point; 2] = points(&[1, 20], 1).try_into().unwrap();
        assert!(one.alone < 0.01 && one.fleet < 0.01, "{one:?}");
        assert!(twenty.alone > 0.1 && twenty.fleet < 0.01, "{twenty:?}");
        let drawn = svg(&[one, twenty]).unwrap();
        assert!(drawn.starts_with("<svg") && drawn.contains("a fleet"), "{drawn}");
    }

    /// It is drawn again by hand: what it shows moves a little with each change to the pacer.
    #[test]
    fn the_page_has_the_picture_with_each_point() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let [page, picture] = ["fleet.md", "fleet.svg"].map(|file| std::fs::read_to_string(docs.join(file)).unwrap());
        assert!(page.contains("](fleet.svg)"));
        assert_eq!(picture.matches("<circle").count(), 2 * PROCESSES.len());
        let drawn = svg(&PROCESSES.map(|processes| Point { processes, alone: 1.0, fleet: 0.0 })).unwrap();
        assert_eq!(drawn.matches("<circle").count(), 2 * PROCESSES.len());
    }
}
