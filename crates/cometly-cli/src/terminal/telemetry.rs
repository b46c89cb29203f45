//! What the clients tell of their attempts and waits, as values: for the progress bar, for `--verbose` and for `--trace`. Only
//! the events of our own clients are heard: other crates of the program may log what must not be shown.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tracing::{
    Event, Id, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
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
    /// A try has ended, with a status, or with a word for why there is none.
    Tried { number: u64, result: Result<u16, String>, time: Duration },
    /// A wait begins, before the try of this number.
    Waits { number: u64, wait: Duration, reason: String },
}

/// Hands each step to `on_step`.
pub(crate) struct Listener<F>(pub(crate) F);

/// Kept with the span of an operation, and with that of each attempt.
struct Span {
    fields: Fields,
    started: Instant,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, F: Fn(&CallName, &Step) + 'static> Layer<S> for Listener<F> {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("cometly_")
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Span { fields, started: Instant::now() });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(span) = span.extensions_mut().get_mut::<Span>()
        {
            values.record(&mut span.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Some(wait) = fields.pause else { return };
        let Some(call) =
            context.event_span(event).and_then(|span| Some(span.extensions().get::<Span>()?.fields.name()))
        else {
            return;
        };
        (self.0)(&call, &Step::Waits { number: fields.attempts.saturating_add(1), wait, reason: fields.reason });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id).filter(|span| span.name() == "cometly.attempt") else { return };
        let Some(Span { fields, started }) = span.extensions_mut().remove::<Span>() else { return };
        let result = fields.status.ok_or_else(|| fields.error_type.clone().unwrap_or_else(|| "given up".to_owned()));
        let step = Step::Tried { number: fields.resend_count.saturating_add(1), result, time: started.elapsed() };
        (self.0)(&fields.name(), &step);
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tried { number, result: Ok(status), time } => {
                write!(f, "HTTP {status} in {:.3} s (attempt {number})", time.as_secs_f64())
            }
            Self::Tried { number, result: Err(word), time } => {
                write!(f, "no answer in {:.3} s (attempt {number}): {word}", time.as_secs_f64())
            }
            Self::Waits { number, wait, reason } => {
                write!(f, "waits {:.3} s before attempt {number}: {reason}", wait.as_secs_f64())
            }
        }
    }
}

/// The fields of a span or an event, under OpenTelemetry's names.
#[derive(Default)]
struct Fields {
    method: String,
    template: String,
    error_type: Option<String>,
    reason: String,
    status: Option<u16>,
    resend_count: u64,
    attempts: u64,
    pause: Option<Duration>,
}

impl Fields {
    fn name(&self) -> CallName {
        CallName { method: self.method.clone(), template: self.template.clone() }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "pause" {
            self.pause = Duration::try_from_secs_f64(value).ok();
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "http.response.status_code" => self.status = value.try_into().ok(),
            "http.request.resend_count" => self.resend_count = value,
            "attempts" => self.attempts = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "url.template" => value.clone_into(&mut self.template),
            "error.type" => self.error_type = Some(value.to_owned()),
            "reason" => value.clone_into(&mut self.reason),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "http.request.method" {
            self.method = format!("{value:?}");
        }
    }
}
