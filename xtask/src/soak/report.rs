//! What one flavour came to.

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::Value;

/// By how much the mean of the last third of a run may exceed that of the first, in KiB: what an allocator has not given
/// back yet. Two minutes show a leak of 700 bytes a call, half an hour one of 50.
const RSS_GROWTH: u64 = 8 * 1024;
/// The same for file descriptors: how many are in use at a time is chance.
const FD_GROWTH: u64 = 8;
/// The same for threads: callers are all there from the first sample on, but clients have some that come and go.
const THREAD_GROWTH: u64 = 4;

pub(crate) struct Report {
    flavour: &'static str,
    client: Value,
    server: Value,
}

impl Report {
    /// From what the two processes said last; one that did not come to its end said nothing.
    pub(crate) fn new(flavour: &'static str, client: &str, server: &str) -> Self {
        let read = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Self { flavour, client: read(client), server: read(server) }
    }

    fn count(&self, path: &str) -> Option<u64> {
        self.client.pointer(path)?.as_u64()
    }

    fn total(counts: Option<&Value>) -> u64 {
        let counts = PLACES.iter().filter_map(|place| counts?.get(place)?.as_u64());
        counts.fold(0, u64::saturating_add)
    }

    fn row(&self) -> Vec<String> {
        let text = |path: &str| self.count(path).map_or_else(|| "?".to_owned(), |count| count.to_string());
        let four =
            |what: &str| ["start", "first", "last", "end"].map(|when| text(&format!("/{when}/{what}"))).join(" ");
        let mib = |when: &str| {
            let kib = self.count(&format!("/{when}/rss"));
            kib.map_or_else(|| "?".to_owned(), |kib| kib.div_ceil(1024).to_string())
        };
        vec![
            self.flavour.to_owned(),
            text("/calls"),
            Self::total(self.client.get("tries")).to_string(),
            Self::total(Some(&self.server)).to_string(),
            text("/faults"),
            text("/wrong"),
            ["start", "first", "last", "end"].map(mib).join(" "),
            four("fds"),
            four("threads"),
        ]
    }

    /// What must not be, a line each.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut must_be = |is_so: bool, text: String| {
            if !is_so {
                found.push(format!("{}: {text}", self.flavour));
            }
        };
        must_be(self.count("/calls").is_some_and(|calls| calls > 0), "there were no calls".into());
        must_be(self.count("/wrong") == Some(0), format!("wrong outcomes: {:?}", self.count("/wrong")));
        must_be(
            self.server.get("strays").and_then(Value::as_u64) == Some(0),
            format!("calls that arrived more or less often than planned: {:?}", self.server.get("strays")),
        );
        for place in PLACES {
            let (tries, arrivals) = (self.client.pointer(&format!("/tries/{place}")), self.server.get(place));
            must_be(tries.is_some() && tries == arrivals, format!("{place}: {tries:?} tries, {arrivals:?} arrivals"));
        }
        for (what, margin) in [("rss", RSS_GROWTH), ("fds", FD_GROWTH), ("threads", THREAD_GROWTH)] {
            let first = self.count(&format!("/first/{what}"));
            let last = self.count(&format!("/last/{what}"));
            let has_grown = first.zip(last).is_none_or(|(first, last)| last > first.saturating_add(margin));
            must_be(!has_grown, format!("{what} grew from {first:?} to {last:?}"));
        }
        for what in ["fds", "threads"] {
            let (start, end) = (self.count(&format!("/start/{what}")), self.count(&format!("/end/{what}")));
            must_be(end.is_some() && end <= start, format!("{what}: {start:?} at the start, {end:?} after the client"));
        }
        found
    }
}

/// The servers of a flavour that count what arrives.
const PLACES: [&str; 4] = ["plain", "tls", "closing", "emulator"];

pub(crate) fn table(reports: &[Report]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["flavour", "calls", "tries", "arrivals", "faults", "wrong", "MiB", "files, sockets", "threads"]);
    for report in reports {
        table.add_row(report.row());
    }
    format!(
        "{table}\nThe last three: before the first call; the mean of the first third of the run, and of the last; after \
         the client was dropped.\n"
    )
}
