//! A key that must not be seen, and the watch for it: in what can be printed, and in every `log` and `tracing` record of
//! the process.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::{self, Debug, Write as _},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tracing_subscriber::{Layer, layer::Context, prelude::*, registry::LookupSpan};

/// What every canary begins with behind its `|`, so that most records need no closer look.
const MARKER: &str = "cnry";

/// Records that are documented to hold the key: what libcurl and ureq put on the wire. The adapters' docs say so.
const DOCUMENTED: [(&str, log::Level); 2] =
    [("isahc::wire", log::Level::Trace), ("ureq_proto::util", log::Level::Trace)];

/// The text without any canary in it.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut parts = text.split(MARKER);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Before the marker is the number of a canary, and behind it are hexadecimal digits.
        if let Some(before) = masked.strip_suffix('|') {
            masked.truncate(before.trim_end_matches(|char: char| char.is_ascii_digit()).len());
        }
        masked.push_str("[key]");
        masked.push_str(part.trim_start_matches(|char: char| char.is_ascii_hexdigit()));
    }
    masked
}

/// A key text that no other case has.
#[derive(Clone)]
pub struct Canary {
    secret: String,
}

/// Where a canary was seen. Does not show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    place: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the canary key is in {}", self.place)
    }
}

impl Error for Leak {}

impl Canary {
    /// A new one, shaped as a key of the API.
    #[must_use]
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        // Spread over all digits, so that no window of one canary is in another.
        let unique = (time ^ u128::from(std::process::id()) << 64).wrapping_add(u128::from(number)).wrapping_mul(ODD);
        Self { secret: format!("{number}|{MARKER}{unique:032x}") }
    }

    /// The key text.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Looks for it in a text, whole or by any twelve characters of its secret half.
    ///
    /// # Errors
    /// [`Leak`] names the place.
    pub fn check_absent(&self, place: &str, text: &str) -> Result<(), Leak> {
        let half = self.secret.rsplit('|').next().unwrap_or_default().as_bytes();
        if half.windows(12).filter_map(|part| std::str::from_utf8(part).ok()).any(|part| text.contains(part)) {
            return Err(Leak { place: place.to_owned() });
        }
        Ok(())
    }

    /// Looks for it in all that can be printed of an error and of its sources.
    ///
    /// # Errors
    /// [`Leak`] names the place.
    pub fn check_error(&self, error: &(dyn Error + 'static)) -> Result<(), Leak> {
        let mut next = Some(error);
        // A chain that does not end is cut: it would be a fault of its own.
        for depth in 0..32 {
            let Some(error) = next else { break };
            self.check_absent(&format!("source {depth} of an error"), &format!("{error} {error:?} {error:#?}"))?;
            next = error.source();
        }
        Ok(())
    }

    /// The records of `log` and `tracing` in which it was seen: level and target.
    #[must_use]
    pub fn leaks(&self) -> Vec<String> {
        lock(&SEEN).iter().filter(|record| self.check_absent("", &record.text).is_err()).map(Record::place).collect()
    }
}

/// An odd number without a pattern: multiplication by it is a permutation.
const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

impl Default for Canary {
    fn default() -> Self {
        Self::new()
    }
}

/// Does not show it.
impl Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canary")
    }
}

/// A record in which some canary was seen.
struct Record {
    level: String,
    target: String,
    text: String,
}

impl Record {
    fn place(&self) -> String {
        format!("a {} record of {}", self.level, self.target)
    }
}

static SEEN: Mutex<Vec<Record>> = Mutex::new(Vec::new());

/// How many records each target has written.
static COUNTS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

/// How many records this target, or one below it, has written since [`capture_logs`]: a watch that saw nothing proves
/// nothing.
#[must_use]
pub fn records_of(target: &str) -> usize {
    lock(&COUNTS).iter().filter(|(name, _)| name.starts_with(target)).map(|(_, count)| count).sum()
}

/// Begins the watch, for the whole process and at every level.
pub fn capture_logs() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // Either may be taken by the program that runs the suite; then that one is not watched.
        if log::set_logger(&Watch).is_ok() {
            log::set_max_level(log::LevelFilter::Trace);
        }
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Watch));
    });
}

fn note(level: &str, target: &str, text: String) {
    lock(&COUNTS).entry(target.to_owned()).and_modify(|count| *count = count.saturating_add(1)).or_insert(1);
    let is_documented = DOCUMENTED.iter().any(|(name, at)| *name == target && at.as_str().eq_ignore_ascii_case(level));
    if !is_documented && text.contains(MARKER) {
        lock(&SEEN).push(Record { level: level.to_owned(), target: target.to_owned(), text });
    }
}

struct Watch;

impl log::Log for Watch {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        note(record.level().as_str(), record.target(), record.args().to_string());
    }

    fn flush(&self) {}
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watch {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Fields::default();
        event.record(&mut text);
        note(event.metadata().level().as_str(), event.metadata().target(), text.0);
    }

    fn on_new_span(&self, attributes: &tracing::span::Attributes<'_>, _: &tracing::Id, _: Context<'_, S>) {
        let mut text = Fields::default();
        attributes.record(&mut text);
        note(attributes.metadata().level().as_str(), attributes.metadata().target(), text.0);
    }

    fn on_record(&self, span: &tracing::Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        let mut text = Fields::default();
        values.record(&mut text);
        if let Some(metadata) = context.metadata(span) {
            note(metadata.level().as_str(), metadata.target(), text.0);
        }
    }
}

#[derive(Default)]
struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        // Writing to a `String` cannot fail.
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
