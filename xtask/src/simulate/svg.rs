//! Calls of a second and those refused, over time: one panel for each row.

use std::fmt::Write as _;

use super::report::Row;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 110.0;
const GAP: f64 = 46.0;
const LEFT: f64 = 60.0;

/// Points of a panel: each shows the busiest second of its share of the time.
const POINTS: usize = 450;

pub(super) fn draw(rows: &[Row]) -> String {
    let panels = u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let (width, height) = (LEFT + WIDTH + 20.0, (HEIGHT + GAP) * f64::from(panels) + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let mut top = 30.0;
    for row in rows {
        panel(&mut svg, row, top);
        top += HEIGHT + GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, row: &Row, top: f64) {
    let seconds = &row.run.seconds;
    let share = seconds.len().div_ceil(POINTS).max(1);
    let busiest = |count: fn(&(u32, u32)) -> u32| -> Vec<u32> {
        seconds.chunks(share).map(|chunk| chunk.iter().map(count).max().unwrap_or_default()).collect()
    };
    let (calls, refused) = (busiest(|second| second.0), busiest(|second| second.1));
    let most = calls.iter().copied().max().unwrap_or_default();
    let bottom = top + HEIGHT;
    let minutes = seconds.len().div_ceil(60);
    // Writing to a `String` does not fail.
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}, {}: {} refused of {} done</text>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}/s</text>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{minutes} min</text>\n\
         <path d=\"M{LEFT} {top}V{bottom}H{}\" fill=\"none\" stroke=\"#888\"/>\n",
        top - 8.0,
        row.name(),
        row.shape(),
        row.run.refused,
        row.run.done,
        LEFT - 6.0,
        top + 10.0,
        LEFT + WIDTH,
        bottom + 15.0,
        LEFT + WIDTH,
    );
    bars(svg, &calls, most, bottom, "#4a7ebb");
    bars(svg, &refused, most, bottom, "#d9483b");
}

/// Drawn to the square root, so that a herd at the start does not flatten all that follows.
fn bars(svg: &mut String, counts: &[u32], most: u32, bottom: f64, colour: &str) {
    let width = WIDTH / f64::from(u32::try_from(counts.len().max(1)).unwrap_or(u32::MAX));
    let mut left = LEFT;
    let _ = write!(svg, "<path fill=\"{colour}\" d=\"");
    for count in counts {
        if *count > 0 {
            let height = HEIGHT * (f64::from(*count) / f64::from(most.max(1))).sqrt();
            let _ = write!(svg, "M{left:.1} {bottom}v-{height:.1}h{width:.2}v{height:.1}z");
        }
        left += width;
    }
    svg.push_str("\"/>\n");
}
