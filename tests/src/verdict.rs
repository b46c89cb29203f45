//! Runs one case, and reports in words why it failed: for the author of a stack who has not read the suite.

use std::{
    any::Any,
    cell::RefCell,
    fmt::Write as _,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::Once,
};

use crate::{
    BoxError, Case, ClientUnderTest,
    canary::masked,
    demands::Demand,
    scenario::{NotSupported, Scenario},
};

/// The longest text of one assertion that is shown.
const TEXT: usize = 8_000;

/// How a case ended.
pub(crate) enum Verdict {
    Passed,
    /// The client has no such choice.
    NotSupported(NotSupported),
    /// What was wrong, what was asked, what was sent, and what arrived.
    Failed(String),
}

/// Runs a case on a client.
pub(crate) fn of(subject: &dyn ClientUnderTest, case: &Case) -> Verdict {
    let scenario = Scenario::new(subject);
    let failure = match caught(|| (case.run)(&scenario)) {
        Ok(Ok(arrivals)) => match scenario.close(&arrivals) {
            Ok(()) => return Verdict::Passed,
            Err(error) => error.to_string(),
        },
        // Told apart from a case that was passed.
        Ok(Err(error)) => match error.downcast::<NotSupported>() {
            Ok(error) => return Verdict::NotSupported(*error),
            Err(error) => shown(&error),
        },
        Err(panicked) => panicked,
    };
    Verdict::Failed(report(case, &scenario, &failure))
}

/// `Display`, and `Debug` where it says more: that of our errors has the transport's own behind it.
fn shown(error: &BoxError) -> String {
    let (text, debug) = (error.to_string(), format!("{error:?}"));
    if debug == format!("{text:?}") { text } else { format!("{text}\n{debug}") }
}

fn report(case: &Case, scenario: &Scenario<'_>, failure: &str) -> String {
    let mut text = cut(failure.trim_end());
    // Writing to a `String` cannot fail.
    let _ = write!(text, "\n\nthe case: {}, on the client {}\n", case.name, scenario.client_name());
    if let Some(Demand { words, rows, .. }) = case.demand() {
        let _ = write!(text, "what it asks: a transport has to {words}\nwhy: docs/faults.md, rows {rows}\n");
    }
    let _ = write!(text, "{}", scenario.record());
    let text = masked(&text);
    match scenario.check_absent("the report", &text) {
        Ok(()) => text,
        Err(leak) => format!("{leak}, and is not shown; the case: {}", case.name),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

thread_local! {
    /// The text of a panic, while this thread runs a case.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `case`; if it panics, the place and the text of its assertion. They are not written to stderr, since they may hold the
/// key of the case.
fn caught<T>(case: impl FnOnce() -> T) -> Result<T, String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_noted = PANIC.with_borrow_mut(|noted| noted.as_mut().map(|noted| *noted = panicked(info)).is_some());
            if !is_noted {
                earlier(info);
            }
        }));
    });
    PANIC.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(case));
    let noted = PANIC.take().unwrap_or_default();
    // Without a text if another hook was set in between.
    result.map_err(|payload| if noted.is_empty() { message(payload.as_ref()).to_owned() } else { noted })
}

fn panicked(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(|place| format!("{}:{}: ", place.file(), place.line())).unwrap_or_default();
    format!("{place}{}", message(info.payload()))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests;
