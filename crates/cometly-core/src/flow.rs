//! Jobs of more than one call as values: all pages of a list, an export from order to file.
//!
//! An [`Endpoint`] is one call with the type of its answer. A [`Flow`] is a job of many calls. Both are values without
//! IO; a client, or a loop of your own, sends what they give.

use std::{marker::PhantomData, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::{Api, ApiErrorKind, AuthOutcome, Call, CallError, DecodeError, Delivery, FlowError, Moment, Reply};

mod async_run;
mod blocking;
mod download;
mod export_job;
mod lines;
mod pages;
mod running;

pub use async_run::{AsyncClient, AsyncRun};
pub use blocking::{BlockingClient, BlockingRun};
pub use download::{Download, Fetch};
pub use export_job::{
    DownloadUrl, Export, ExportId, ExportJob, ExportOrder, ExportOrdered, ExportStatus, InvalidExportId,
};
pub use lines::{LineTooLong, Lines, RowError};
pub use pages::{Cursor, InvalidCursor, Lossy, Page, Pages, PagesEnd, Rows};
pub use running::Running;

/// One call with the type of its answer, as an SDK offers it.
///
/// An SDK gives endpoints, and the application's client runs them: it sends the [call](Self::call) and gives what
/// [`read`](Self::read) makes of the success, or a [`CallError`]. Mostly [`endpoint`] makes one in a line; a type of its own
/// can also read an answer in its own way:
///
/// ```
/// use cometly_core::{Api, Call, DecodeError, Endpoint, Reply, bytes::Bytes};
///
/// /// `GET companies/{id}`: whether there is such a company in Berlin.
/// struct IsInBerlin(u64);
///
/// impl Endpoint for IsInBerlin {
///     type Output = bool;
///
///     fn call(&self, api: &Api) -> Call {
///         api.get("companies/{id}").segment(self.0)
///     }
///
///     fn read(&self, reply: &Reply<Bytes>) -> Result<bool, DecodeError> {
///         let company: std::collections::HashMap<String, String> = reply.json()?;
///         Ok(company.get("city").is_some_and(|city| city == "Berlin"))
///     }
/// }
/// ```
#[must_use = "an endpoint does nothing until a client sends its call"]
pub trait Endpoint {
    /// The type that the answer is read as.
    type Output;

    /// The call to send, made anew each time it is asked for. It cannot fail: a call that cannot be built is an error of the
    /// client that sends it, of the kind [`Request`](crate::CallErrorKind::Request).
    fn call(&self, api: &Api) -> Call;

    /// Reads the answer, which is a success; other answers are errors of the client and never come here.
    ///
    /// # Errors
    /// [`DecodeError`] if the JSON is not what was expected: the client gives it as a [`CallError`] of the kind
    /// [`Decode`](crate::CallErrorKind::Decode).
    fn read(&self, reply: &Reply<Bytes>) -> Result<Self::Output, DecodeError>;
}

/// A reference to an endpoint is an endpoint too.
impl<E: Endpoint + ?Sized> Endpoint for &E {
    type Output = E::Output;

    fn call(&self, api: &Api) -> Call {
        (**self).call(api)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Self::Output, DecodeError> {
        (**self).read(reply)
    }
}

/// An [`Endpoint`] for a call whose answer is JSON: `call` makes the call, and the body of a success is read as a `T`. Making
/// it sends nothing and cannot fail. A client gives an error of the kind [`Api`](crate::CallErrorKind::Api) for an answer
/// that is no success, [`Decode`](crate::CallErrorKind::Decode) for a success that is no `T`.
///
/// ```
/// use cometly_core::{Endpoint, Page, endpoint};
///
/// #[derive(serde::Deserialize)]
/// struct Note {
///     text: String,
/// }
///
/// /// `GET contacts/{id}/notes`, in pages.
/// fn list_notes(contact: u64) -> impl Endpoint<Output = Page<Note>> {
///     endpoint(move |api| api.get("contacts/{id}/notes").segment(contact))
/// }
/// ```
pub fn endpoint<T, F>(call: F) -> impl Endpoint<Output = T>
where
    T: DeserializeOwned,
    F: Fn(&Api) -> Call,
{
    Json { call, output: PhantomData }
}

struct Json<T, F> {
    call: F,
    output: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned, F: Fn(&Api) -> Call> Endpoint for Json<T, F> {
    type Output = T;

    fn call(&self, api: &Api) -> Call {
        (self.call)(api)
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<T, DecodeError> {
        reply.json()
    }
}

/// A job of many calls, as a value that a client drives step by step. All steps take `&mut self`, so a future that is dropped
/// in the middle loses nothing: the next step asks for the same call again (but for the order of an [export](ExportJob), which
/// may have arrived).
///
/// ```text
///            ┌────────────── on_reply ◄── a success
///            ▼
///  next() ─► Send(call) ──► on_failure ◄─ anything else: the flow stays where it is
///     │
///     ├────► Sleep(pause)   then next() again
///     ├────► Yield(item)    then next() again
///     └────► End(output)    and again the same, if asked again
/// ```
///
/// Give the result of each call to [`settle`](Flow::settle), or a success to `on_reply` and everything else to `on_failure`: an
/// export whose order is left without either fails with [`FlowError::OrderLost`], since it may have arrived. `next` and
/// `on_reply` fail with [`FlowError`] if the job cannot go on, for the reasons that the docs of each flow name; the flow keeps
/// its place, and a later `next` tries again or fails in the same way.
///
/// A loop of your own, on any stack:
///
/// ```
/// # use cometly_core::{Api, AuthOutcome, Call, CallError, Flow, Moment, Step, bytes::Bytes};
/// # type Error = CallError<std::io::Error>;
/// # fn send(call: Call) -> Result<AuthOutcome<Bytes>, Error> {
/// #     Ok(call.api().read(cometly_core::http::Response::new(Bytes::from_static(b"{}"))))
/// # }
/// fn run<F: Flow>(flow: &mut F, api: &Api) -> Result<Option<F::Item>, Error> {
///     loop {
///         match flow.next(api, Moment::now())? {
///             Step::Send(call) => flow.settle(send(call), Moment::now())?,
///             Step::Sleep(pause) => std::thread::sleep(pause),
///             Step::Yield(item) => return Ok(Some(item)),
///             Step::End(_) => return Ok(None),
///         }
///     }
/// }
/// ```
pub trait Flow {
    /// What the flow gives on its way, one at a time: a page, a row, the state of an export.
    type Item;
    /// What the flow gives once, at its end.
    type Output;

    /// The next step for the driver: to send a call, to sleep, to hand on an item, or to end.
    ///
    /// # Errors
    /// [`FlowError`] if the job cannot go on. The flow keeps its place, and a later `next` tries again or fails in the same
    /// way.
    fn next(&mut self, api: &Api, now: Moment) -> Result<Step<Self::Item, Self::Output>, FlowError>;

    /// Takes the success that answers the call of the latest [`Step::Send`].
    ///
    /// # Errors
    /// [`FlowError`] if the answer is not what was expected, mostly [`Decode`](FlowError::Decode). The flow stays where it was,
    /// and a later [`next`](Flow::next) sends the same call again; but the order of an export counts as lost then.
    fn on_reply(&mut self, reply: Reply<Bytes>, now: Moment) -> Result<(), FlowError>;

    /// Takes the failure of the call of the latest [`Step::Send`], and says what becomes of it. By default [`Then::Halt`]: the
    /// caller gets the error, and a later [`next`](Flow::next) sends the same call again.
    fn on_failure(&mut self, failure: Failure<'_>, now: Moment) -> Then {
        let _ = (failure, now);
        Then::Halt
    }

    /// Takes the result of the call of the latest [`Step::Send`] and hands it to [`on_reply`](Flow::on_reply) or
    /// [`on_failure`](Flow::on_failure): the one line between an [`Operation`](crate::Operation) and a flow.
    ///
    /// # Errors
    /// [`CallError`] if the job halts: that of the call that failed; of the kind [`Flow`](crate::CallErrorKind::Flow) if the
    /// flow has a reason of its own, such as [`FlowError::UnknownExport`]; of the kind [`Decode`](crate::CallErrorKind::Decode)
    /// for an answer that cannot be read. A later [`next`](Flow::next) goes on where the flow was.
    fn settle<E>(&mut self, answer: Result<AuthOutcome<Bytes>, CallError<E>>, now: Moment) -> Result<(), CallError<E>>
    where
        Self: Sized,
    {
        let error = match answer {
            Ok(outcome) => match outcome.into_result() {
                Ok(reply) => {
                    let (call, attempts) = (reply.call().cloned(), reply.attempts());
                    return self.on_reply(reply, now).map_err(|error| CallError::flow(error, call, attempts));
                }
                Err(error) => CallError::from(error),
            },
            Err(error) => error,
        };
        match self.on_failure(Failure::of(&error), now) {
            Then::Halt => Err(error),
            Then::GoOn => Ok(()),
            Then::Fail(flow) => Err(error.seen_by_flow(flow)),
        }
    }
}

/// A mutable reference to a flow is a flow too.
impl<F: Flow> Flow for &mut F {
    type Item = F::Item;
    type Output = F::Output;

    fn next(&mut self, api: &Api, now: Moment) -> Result<Step<F::Item, F::Output>, FlowError> {
        (**self).next(api, now)
    }

    fn on_reply(&mut self, reply: Reply<Bytes>, now: Moment) -> Result<(), FlowError> {
        (**self).on_reply(reply, now)
    }

    fn on_failure(&mut self, failure: Failure<'_>, now: Moment) -> Then {
        (**self).on_failure(failure, now)
    }
}

/// What a [`Flow`] wants its driver to do next; from [`Flow::next`].
#[derive(Debug)]
#[must_use = "a flow goes on only if its step is done"]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is given")]
pub enum Step<I, O> {
    /// Send this call, and give its result to [`Flow::settle`].
    Send(Call),
    /// Let this much time pass, then call [`Flow::next`] again.
    Sleep(Duration),
    /// Hand on this item, then call [`Flow::next`] again.
    Yield(I),
    /// The job is done, with this output.
    End(O),
}

/// What a [`Flow`] learns, in [`on_failure`](Flow::on_failure), of a call that was no success: the kind, status and message of
/// its answer, or, if no answer came, whether the call may have arrived.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// The kind of the answer; `None` if none came.
    pub answer: Option<ApiErrorKind>,
    /// The HTTP status of the answer; `None` if none came.
    pub status: Option<StatusCode>,
    /// Whether the call may have arrived; `None` if an answer came.
    pub delivery: Option<Delivery>,
    /// The API's message, as [`ApiError::message`](crate::ApiError::message) gives it; `None` without an answer or a message.
    pub message: Option<&'a str>,
}

impl<'a> Failure<'a> {
    /// What a flow learns of a [`CallError`]. One without an answer and without a [delivery](CallError::delivery) counts as
    /// [`Delivery::Unknown`].
    #[must_use]
    pub fn of<E>(error: &'a CallError<E>) -> Self {
        match error.api_error() {
            Some(answer) => Self::answered(answer.kind(), answer.status(), answer.message()),
            None => Self::unanswered(error.delivery().unwrap_or(Delivery::Unknown)),
        }
    }

    /// A failure with an answer of this kind and status, and with its message if it has one; `delivery` is `None`.
    #[must_use]
    pub fn answered(answer: ApiErrorKind, status: StatusCode, message: Option<&'a str>) -> Self {
        Self { answer: Some(answer), status: Some(status), delivery: None, message }
    }

    /// A failure without an answer; `delivery` says whether the call may have arrived, and all else is `None`.
    #[must_use]
    pub fn unanswered(delivery: Delivery) -> Self {
        Self { answer: None, status: None, delivery: Some(delivery), message: None }
    }

    /// Whether the API may have carried the call out: it got no answer and may have arrived, or its answer is a 5xx, or an
    /// unexpected one other than a redirect, a challenge or a proxy's 407. False after any other answer, and if nothing was
    /// sent.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        match self.answer {
            Some(answer) => answer.may_be_done(),
            None => !matches!(self.delivery, Some(Delivery::NotSent | Delivery::Untrusted)),
        }
    }
}

/// What becomes of a flow's call that failed: its error goes to the caller, the flow goes on without one, or the flow's own
/// error goes to the caller; from [`Flow::on_failure`].
#[derive(Debug)]
pub enum Then {
    /// The caller gets the call's error. The flow stays where it is.
    Halt,
    /// The flow has dealt with the failure, and its next step comes without an error.
    GoOn,
    /// The caller gets a [`CallError`] of the kind [`Flow`](crate::CallErrorKind::Flow) with this error, and with what is known
    /// of the call: its method, path, attempts and status.
    Fail(FlowError),
}

#[cfg(test)]
mod tests {
    mod runs;

    use std::{error::Error as _, io};

    use super::*;
    use crate::UrlProblem;
    use crate::{
        ApiKey, CallErrorKind, ExportJob, Next, RetryPolicy, TransportError, TransportLimits, call_name::CallName,
        flow::export_job::tests::Orders,
    };

    type Answer = Result<http::Response<Bytes>, TransportError<io::Error>>;

    fn at(seconds: u64) -> Moment {
        Moment::since_origin(Duration::from_secs(seconds))
    }

    /// Sends the flow's next call as a client would, once.
    fn step(flow: &mut impl Flow, answer: Answer) -> Result<(), CallError<io::Error>> {
        let api = Api::new(ApiKey::new("12|canary").unwrap());
        let call = match flow.next(&api, at(1000)) {
            Ok(Step::Send(call)) => call,
            Ok(_) => panic!("expected a call"),
            Err(error) => return Err(error.into()),
        };
        let operation = call.start::<Bytes, _>(&RetryPolicy::none(), &TransportLimits::default(), 1, at(1000))?;
        let Next::Send(attempt) = operation.next(at(1000)) else { panic!("nothing to wait for") };
        match attempt.finish(answer, at(1000)).next(at(1000)) {
            Next::Done(outcome) => flow.settle(outcome, at(1000)),
            _ => panic!("one attempt is enough"),
        }
    }

    fn answer(status: u16, body: &'static str) -> Answer {
        let response = http::Response::builder().status(status).body(Bytes::from_static(body.as_bytes()));
        response.map_err(|error| TransportError::unknown(io::Error::other(error)))
    }

    #[test]
    fn what_becomes_of_a_call_is_settled_with_the_flow_and_names_the_call() {
        let mut job = ExportJob::<Orders>::resume("x-1".parse().unwrap());
        let error = step(&mut job, answer(200, "{\"export_id\":\"x-1\",\"status\":7}")).unwrap_err();
        assert_eq!((error.kind(), error.path_template()), (CallErrorKind::Decode, Some("things/exports/{id}")));

        let mut job = ExportJob::<Orders>::resume("x-1".parse().unwrap());
        let error = step(&mut job, answer(404, "{\"message\":\"Not found.\"}")).unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (CallErrorKind::Flow, 404));
        assert!(matches!(error.flow_error(), Some(FlowError::UnknownExport)));
        assert_eq!(error.error_type(), "flow");
        assert!(
            error.to_string().starts_with("GET things/exports/{id}: the API has no export with this id"),
            "{error}"
        );
        assert!(error.source().is_some());

        // The flow has nothing to say of this one, and goes on.
        let error = step(&mut job, answer(503, "")).unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Api);
        step(&mut job, answer(200, "{\"export_id\":\"x-1\",\"status\":\"queued\"}")).unwrap();
    }

    #[test]
    fn a_reference_to_a_flow_is_that_flow() {
        let mut job = ExportJob::new(Orders);
        let ordered = answer(200, r#"{"export_id":"x-1","status":"queued"}"#);
        step(&mut &mut job, ordered).unwrap();
        assert_eq!(job.export_id().map(ToString::to_string).as_deref(), Some("x-1"));
        let mut job = ExportJob::new(Orders);
        let lost = step(&mut &mut job, Err(TransportError::unknown(io::Error::other("broken")))).unwrap_err();
        assert_eq!(lost.kind(), CallErrorKind::Flow, "{lost}");
    }

    #[test]
    fn an_order_whose_answer_was_lost_keeps_the_stacks_own_error() {
        let mut job = ExportJob::new(Orders);
        let error = step(&mut job, Err(TransportError::unknown(io::Error::other("SOURCE")))).unwrap_err();
        assert!(matches!(error.flow_error(), Some(FlowError::OrderLost)));
        assert!(!error.is_safe_to_resend());
        assert_eq!(error.source().unwrap().to_string(), "SOURCE");
        let again = step(&mut job, answer(200, "{}")).unwrap_err();
        assert!(matches!(again.flow_error(), Some(FlowError::OrderLost)), "{again}");
        // What was never sent can be sent.
        let mut job = ExportJob::new(Orders);
        let error = step(&mut job, Err(TransportError::not_sent(io::Error::other("SOURCE")))).unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Transport);
        step(&mut job, answer(202, "{\"export_id\":\"x-1\",\"status\":\"queued\"}")).unwrap();
    }

    #[test]
    fn every_error_of_a_flow_says_what_was_expected_or_what_to_do() {
        let status = StatusCode::FOUND;
        for error in [
            FlowError::RepeatedCursor,
            FlowError::BackAtFirstPage,
            FlowError::MissingCursor,
            FlowError::CursorTooLong { found: 1 },
            FlowError::TooManyPages,
            FlowError::OrderLost,
            FlowError::UnknownExport,
            FlowError::OtherExport,
            FlowError::ExportFailed,
            FlowError::NoDownloadUrl,
            FlowError::ExportTooSlow,
            FlowError::OutOfTime,
            FlowError::Url(UrlProblem::Malformed),
            FlowError::Url(UrlProblem::Insecure),
            FlowError::Url(UrlProblem::Api),
            FlowError::Url(UrlProblem::OtherHost),
            FlowError::FileRefused { status },
            FlowError::FileChanged,
            FlowError::FileTooLong,
            FlowError::FileBroken,
        ] {
            let call = CallName { method: http::Method::GET, template: Some("x".into()), is_idempotent: true };
            let error = CallError::<io::Error>::flow(error, Some(call), 1);
            let (shown, debug) = (error.to_string(), format!("{error:?}"));
            assert!(shown.starts_with("GET x: the ") && shown.len() > 30, "{shown}");
            assert_eq!(shown, debug);
        }
    }
}
