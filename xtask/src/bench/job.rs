//! What is measured without sockets, and what it may cost.

/// A job that ours and others do; its name in the programs of `proof/` is `slug`.
pub(super) struct Job {
    pub(super) slug: &'static str,
    pub(super) name: &'static str,
    /// The most instructions, if that is bounded.
    pub(super) instructions: Option<f64>,
    /// What may come on top.
    pub(super) allowance: Allowance,
    /// The most allocations.
    pub(super) allocations: Option<f64>,
}

/// What the yardstick did not do and ours must: as much as that costs in a request or a reader written by hand.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Allowance {
    None,
    /// `User-Agent` and `Accept-Encoding`.
    Headers,
    /// The key masked, and what steers a terminal escaped, in the texts of the same job.
    Masking,
}

const fn job(slug: &'static str, name: &'static str, instructions: f64, allowance: Allowance, allocations: f64) -> Job {
    Job { slug, name, instructions: Some(instructions), allowance, allocations: Some(allocations) }
}

/// Without a bound of instructions: a microsecond less would not be felt beside a call of 100 ms, and would cost code.
const fn unbounded(slug: &'static str, name: &'static str, allocations: Option<f64>) -> Job {
    Job { slug, name, instructions: None, allowance: Allowance::None, allocations }
}

pub(super) const JOBS: &[Job] = &[
    unbounded("get", "build, static GET", Some(2.0)),
    unbounded("get-values", "build, GET with segment and query", Some(3.0)),
    unbounded("get-encoded", "the same, values that need encoding", None),
    job("post", "build, POST of a struct, 164 B of JSON", 4_000.0, Allowance::Headers, 4.0),
    job("read-200-2b", "read 200 with limits, 2 B", 550.0, Allowance::None, 0.0),
    job("read-200-1mb", "read 200 with limits, 1 MB", 550.0, Allowance::None, 0.0),
    unbounded("read-200-limits", "the same, and the limits asked for", Some(0.0)),
    job("read-401", "read 401 and its message", 1_550.0, Allowance::Masking, 0.0),
    unbounded("read-403", "read 403 and its message", Some(0.0)),
    job("read-429", "read 429 and its message", 1_550.0, Allowance::Masking, 0.0),
    job("read-422", "read 422, its message and 3 fields", 5_800.0, Allowance::Masking, 4.0),
    job("read-502", "read 502, 4 KB of HTML", 300.0, Allowance::None, 0.0),
];

/// By how many instructions reading a success of 2 B and one of 1 MB may differ: not even one look at each byte.
pub(super) const MOST_APART: f64 = 5.0;

/// A page of a list with its checks, over the same rows read by `serde_json` alone.
pub(super) const MOST_OF_A_PAGE: f64 = 1.15;

/// The lines of a pacer that a call waits in and leaves.
pub(super) const LINES: &[(&str, &str)] = &[
    ("leave-1", "1 waits"),
    ("leave-100", "100 wait"),
    ("leave-10000", "10,000 wait"),
    ("leave-300-endpoints", "300 endpoints"),
];

/// By how many instructions waiting in a long line may differ from a short one: a search in a tree, not a walk.
pub(super) const MOST_OF_WAITERS: f64 = 1_000.0;

/// One client, and how our `send` on it compares.
pub(super) struct Stack {
    pub(super) name: &'static str,
    /// The most instructions, over those of a call as its users write it.
    pub(super) over_raw: f64,
    /// The same over the leanest that one can write by hand, if that is bounded.
    pub(super) over_lean: Option<f64>,
    /// The most CPU time over that, 64 calls at once. Where the leanest against itself comes out as far, it is reported only.
    pub(super) cpu_over_lean: Option<f64>,
    /// How often it is counted, for the median: what the threads of some clients do differs from run to run.
    pub(super) counts: u32,
}

pub(super) const STACKS: &[Stack] = &[
    Stack { name: "reqwest", over_raw: 0.97, over_lean: Some(1.05), cpu_over_lean: Some(1.03), counts: 1 },
    Stack { name: "ureq", over_raw: 0.95, over_lean: Some(1.02), cpu_over_lean: None, counts: 3 },
    Stack { name: "isahc", over_raw: 1.00, over_lean: None, cpu_over_lean: None, counts: 3 },
];
