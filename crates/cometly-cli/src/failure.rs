//! Why a command did not do what it was asked: for people, and as JSON for scripts.

use std::{fmt, io, path::Path, time::Duration};

use cometly_core::{
    ApiError, ApiErrorKind, CallError, CallErrorKind, Delivery, FlowError, ReachedLimit, http::StatusCode,
};
use serde_json::{Value, json};

use crate::exit::Exit;

/// Where keys are made and deleted.
pub(crate) const INTEGRATIONS: &str = "https://app.cometly.com/integrations";

/// The client's own error is printed, not branched on.
pub(crate) type SendError = CallError<Cause>;

/// An error of an HTTP client.
#[derive(Debug)]
pub(crate) struct Cause(pub(crate) Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// What the API found wrong with one field.
#[derive(Debug)]
pub(crate) struct WrongField {
    pub(crate) field: String,
    pub(crate) message: String,
}

/// What happened, and what to do next. Holds no key, no body and no URL with a query.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: String,
    /// What to do next, if `what` does not say it.
    todo: Option<String>,
    status: Option<StatusCode>,
    retry_after: Option<Duration>,
    fields: Vec<WrongField>,
    cursor: Option<String>,
    /// The reader of our output closed the pipe; nothing is printed.
    is_closed_pipe: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            todo: None,
            status: None,
            retry_after: None,
            fields: Vec::new(),
            cursor: None,
            is_closed_pipe: false,
        }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn local(what: impl Into<String>) -> Self {
        Self::new(Exit::Local, what)
    }

    /// `doing` is what could not be done to the file: `read`, `write`.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::local(format!("cannot {doing} {}: {error}", path.display()))
    }

    /// A failure to write to stdout.
    pub(crate) fn stdout(error: &io::Error) -> Self {
        let is_closed_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        let exit = if is_closed_pipe { Exit::Ok } else { Exit::Local };
        Self { is_closed_pipe, ..Self::new(exit, format!("cannot write to stdout: {error}")) }
    }

    pub(crate) fn advise(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }

    /// Puts other advice in place of one that names this option.
    pub(crate) fn advise_instead(self, option: &str, todo: &str) -> Self {
        if self.todo.as_ref().is_some_and(|given| given.contains(option)) { self.advise(todo) } else { self }
    }

    /// Adds words about what happened.
    pub(crate) fn remark(mut self, words: &str) -> Self {
        self.what.extend(["; ", words]);
        self
    }

    pub(crate) fn at_line(mut self, number: u64) -> Self {
        self.what = format!("line {number}: {}", self.what);
        self
    }

    pub(crate) fn with_cursor(mut self, cursor: &str) -> Self {
        self.cursor = Some(cursor.to_owned());
        self
    }

    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// Whether the server answered with something else than a success.
    pub(crate) fn has_status(&self) -> bool {
        self.status.is_some()
    }

    pub(crate) fn has_advice(&self) -> bool {
        self.todo.is_some()
    }

    pub(crate) fn to_json(&self) -> Value {
        let fields: Vec<_> =
            self.fields.iter().map(|error| json!({"field": error.field, "message": error.message})).collect();
        let mut error = json!({
            "exit_code": self.exit.code(),
            "kind": self.exit.name(),
            "message": self.what,
        });
        if let Some(object) = error.as_object_mut() {
            let optional = [
                ("next", self.todo.as_ref().map(|todo| json!(todo))),
                ("status", self.status.map(|status| json!(status.as_u16()))),
                ("retry_after", self.retry_after.map(|wait| json!(wait.as_secs()))),
                ("fields", (!fields.is_empty()).then(|| json!(fields))),
                ("cursor", self.cursor.as_ref().map(|cursor| json!(cursor))),
            ];
            object.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        json!({ "error": error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.todo.iter().try_for_each(|todo| write!(f, "; {todo}"))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::from(&error)
    }
}

impl From<&ApiError> for Failure {
    fn from(error: &ApiError) -> Self {
        let owned = |error: cometly_core::FieldError<'_>| WrongField {
            field: error.field.to_string(),
            message: error.message.to_string(),
        };
        Self {
            status: Some(error.status()),
            retry_after: error.retry_after(),
            fields: error.field_errors().into_iter().map(owned).collect(),
            ..Self::new(error.kind().into(), error.to_string())
        }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        if let Some(flow) = error.flow_error() {
            return Self::of_flow(&error, flow);
        }
        if let Some(error) = error.api_error() {
            return error.into();
        }
        let source = std::error::Error::source(&error).filter(|_| error.request_error().is_none());
        let what = match source {
            Some(source) => format!("{error} ({})", innermost(source)),
            None => error.to_string(),
        };
        Self { status: error.status(), retry_after: error.retry_after(), ..Self::new((&error).into(), what) }
    }
}

impl Failure {
    /// What the core says of a job, in the words of the command line where the core's name its functions.
    fn of_flow(error: &SendError, flow: &FlowError) -> Self {
        let (what, todo) = match flow {
            FlowError::RepeatedCursor => (
                "the server gave a cursor for the second time, so the list would never end",
                "a page may have been written twice; tell Cometly",
            ),
            FlowError::BackAtFirstPage => (
                "the server answered with the first page of the list and not with the one at the cursor, so nothing of it was \
                 written: it does not know the cursor, or leads in a circle",
                "give a --cursor that a failure or a next_cursor told, or none; if none was given, tell Cometly",
            ),
            FlowError::MissingCursor => (
                "the page does not say where the next one begins, nor that it is the last: expected next_cursor, a text or null",
                "what was written goes up to this page; tell Cometly",
            ),
            FlowError::OrderLost => (
                "the answer to the order of the export was lost: it may have been ordered, and is not ordered again by itself",
                "if a second export does no harm, run the command again with --order-again",
            ),
            FlowError::ExportFailed => ("the export failed", "order it again: run the command with --order-again"),
            FlowError::ExportTooSlow => (
                "the export was not completed in the time that it was given",
                "go on with it later; --timeout gives it more",
            ),
            FlowError::FileBroken => ("the download broke off several times in a row without a byte of progress", ""),
            _ => return Self::new(flow.into(), error.to_string()),
        };
        let what = match std::error::Error::source(error) {
            Some(source) => format!("{what} ({})", innermost(source)),
            None => what.to_owned(),
        };
        let failure = Self { status: error.status(), ..Self::new(flow.into(), what) };
        if todo.is_empty() { failure } else { failure.advise(todo) }
    }
}

impl From<&FlowError> for Exit {
    fn from(error: &FlowError) -> Self {
        match error {
            FlowError::RepeatedCursor => Exit::RepeatedCursor,
            FlowError::BackAtFirstPage => Exit::FirstPage,
            FlowError::MissingCursor => Exit::MissingCursor,
            FlowError::CursorTooLong { .. } => Exit::LongCursor,
            FlowError::TooManyPages => Exit::MorePages,
            FlowError::UnknownExport => Exit::Rejected,
            FlowError::OrderLost | FlowError::ExportFailed | FlowError::ExportTooSlow => Exit::Export,
            FlowError::OutOfTime | FlowError::FileBroken => Exit::Network,
            _ => Exit::Unexpected,
        }
    }
}

/// What the system said: the source of all others.
pub(crate) fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error)
}

/// Whether a call failed before any of it was sent, as without a way to the server.
pub(crate) fn is_unreachable(error: &SendError) -> bool {
    // When the whole time is over, an answer may have come before.
    let is_about_the_way = !matches!(error.limit(), Some(ReachedLimit::Timeout(_)));
    matches!(error.kind(), CallErrorKind::Transport | CallErrorKind::Timeout)
        && error.delivery() == Some(Delivery::NotSent)
        && is_about_the_way
}

impl From<ApiErrorKind> for Exit {
    fn from(kind: ApiErrorKind) -> Self {
        match kind {
            ApiErrorKind::Unauthenticated => Exit::Unauthenticated,
            ApiErrorKind::Forbidden(_) => Exit::Forbidden,
            ApiErrorKind::RateLimited => Exit::RateLimited,
            ApiErrorKind::Rejected => Exit::Rejected,
            ApiErrorKind::ServerError => Exit::Server,
            _ => Exit::Unexpected,
        }
    }
}

impl<T> From<&CallError<T>> for Exit {
    fn from(error: &CallError<T>) -> Self {
        if let Some(flow) = error.flow_error() {
            return flow.into();
        }
        if let Some(error) = error.api_error() {
            return error.kind().into();
        }
        match error.kind() {
            CallErrorKind::Request => Exit::Usage,
            CallErrorKind::Setup => Exit::Setup,
            CallErrorKind::Transport | CallErrorKind::Timeout | CallErrorKind::Proxy(_) => Exit::Network,
            CallErrorKind::Paced => Exit::RateLimited,
            _ => Exit::Unexpected,
        }
    }
}
