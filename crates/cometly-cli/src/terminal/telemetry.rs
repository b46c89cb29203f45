//! What the clients tell of their tries and waits, as values: for the progress bar, for `--verbose` and for `--trace`. Only
//! the events of our own clients are heard: other crates of the program may log what must not be shown.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tracing::{
    Event, Id, Metadata, Subscriber,
    field::{Field, Visit},
    span::Attributes,
};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

/// The call that an event is about.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallName {
    pub(crate) method: String,
    pub(crate) template: String,
}

/// What happened to a call.
#[derive(Debug)]
pub(crate) enum Step {
    /// A try has ended, with a status or with the words of the client.
    Tried { number: u64, result: Result<u16, String>, time: Duration },
    /// A wait begins, before the try of this number.
    Waits { number: u64, wait: Duration, reason: String },
}

/// Hands each step to `on_step`.
pub(crate) struct Listener<F>(pub(crate) F);

/// Kept with the span of a call.
struct Call {
    name: CallName,
    /// When the try that is under way began: the event comes at its end.
    since: Instant,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, F: Fn(&CallName, &Step) + 'static> Layer<S> for Listener<F> {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("cometly_")
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let call = Call { name: CallName { method: fields.method, template: fields.path }, since: Instant::now() };
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(call);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Some(span) = context.event_span(event) else { return };
        let mut extensions = span.extensions_mut();
        let Some(call) = extensions.get_mut::<Call>() else { return };
        let now = Instant::now();
        let step = match fields.wait {
            Some(wait) => {
                call.since = now.checked_add(wait).unwrap_or(now);
                Step::Waits { number: fields.tries, wait, reason: fields.reason }
            }
            None => {
                let time = now.saturating_duration_since(call.since);
                call.since = now;
                Step::Tried { number: fields.tries, result: fields.status.ok_or(fields.message), time }
            }
        };
        let name = call.name.clone();
        drop(extensions);
        (self.0)(&name, &step);
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tried { number, result: Ok(status), time } => {
                write!(f, "HTTP {status} in {:.3} s (try {number})", time.as_secs_f64())
            }
            Self::Tried { number, result: Err(words), time } => {
                write!(f, "no answer in {:.3} s (try {number}): {words}", time.as_secs_f64())
            }
            Self::Waits { number, wait, reason } => {
                write!(f, "waits {:.3} s before try {number}: {reason}", wait.as_secs_f64())
            }
        }
    }
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields {
    message: String,
    method: String,
    path: String,
    reason: String,
    status: Option<u16>,
    tries: u64,
    wait: Option<Duration>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "status" => self.status = value.try_into().ok(),
            "tries" => self.tries = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "reason" => value.clone_into(&mut self.reason),
            "path" => value.clone_into(&mut self.path),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "method" => self.method = format!("{value:?}"),
            "wait" => self.wait = read_duration(&format!("{value:?}")),
            _ => {}
        }
    }
}

/// A `Duration` as its `Debug` writes it.
fn read_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_they_are_logged() {
        for millis in [1, 250, 999, 1_000, 1_500, 60_000, 3_600_000] {
            let wait = Duration::from_millis(millis);
            let read = read_duration(&format!("{wait:?}")).unwrap();
            assert!(read.abs_diff(wait) < Duration::from_micros(1), "{wait:?} {read:?}");
        }
        assert_eq!(read_duration("soon"), None);
    }
}
