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

/// A count, or that there is none.
fn told(count: Option<u64>) -> String {
    count.map_or_else(|| "?".to_owned(), |count| count.to_string())
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
        let text = |path: &str| told(self.count(path));
        let four =
            |what: &str| ["start", "first", "last", "end"].map(|when| text(&format!("/{when}/{what}"))).join(" ");
        let mib = |when: &str| told(self.count(&format!("/{when}/rss")).map(|kib| kib.div_ceil(1024)));
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
        must_be(self.count("/wrong") == Some(0), format!("wrong outcomes: {}", told(self.count("/wrong"))));
        let strays = self.server.get("strays").and_then(Value::as_u64);
        must_be(strays == Some(0), format!("calls that arrived more or less often than planned: {}", told(strays)));
        for place in PLACES {
            let tries = self.count(&format!("/tries/{place}"));
            let arrivals = self.server.get(place).and_then(Value::as_u64);
            let text = format!("{place}: {} tries, {} arrivals", told(tries), told(arrivals));
            must_be(tries.is_some() && tries == arrivals, text);
        }
        for (name, what, margin) in [
            ("memory, KiB,", "rss", RSS_GROWTH),
            ("files and sockets", "fds", FD_GROWTH),
            ("threads", "threads", THREAD_GROWTH),
        ] {
            let [first, last] = ["first", "last"].map(|when| self.count(&format!("/{when}/{what}")));
            let has_grown = first.zip(last).is_none_or(|(first, last)| last > first.saturating_add(margin));
            must_be(!has_grown, format!("{name} grew from {} to {}", told(first), told(last)));
        }
        for what in ["fds", "threads"] {
            let [start, end] = ["start", "end"].map(|when| self.count(&format!("/{when}/{what}")));
            let text = format!("{what}: {} at the start, {} after the client", told(start), told(end));
            must_be(end.is_some() && end <= start, text);
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
