//! `cometly events|contacts|companies export`: ordered once, awaited, downloaded without the key, and written as rows. What
//! was ordered is noted beside the file, so that another run goes on with it.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    ops::ControlFlow,
    path::Path,
};

use cometly::{
    Download, Export, ExportId, ExportJob, ExportLines, ExportOrder, FlowError, companies::ExportCompanies,
    contacts::ExportContacts, events::ExportEvents,
};
use serde_json::value::RawValue;

use crate::{
    arguments::{ContactExportInclude, ContactExportIncludes, EventFilter, ExportArguments, Global, NoFilter},
    auth::session::Session,
    dry_run,
    exit::Exit,
    failure::Failure,
    job::Job,
    lists::{
        Span,
        filter::{self, Filter, columns, filtered, included, invalid},
    },
    rows::{Output, Place},
    terminal::console::Console,
    transport::{FetchError, Patience, Transport},
};

/// A year of days, of which each is an export.
const MAX_DAYS: usize = 366;
/// How much of a file is unpacked at once.
const PIECE: usize = 64 << 10;

pub(crate) fn events(
    arguments: &ExportArguments<EventFilter>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let columns = Filter::of(&arguments.filter)?.columns();
    let mut orders = Vec::new();
    for day in days(arguments)? {
        let builder = filtered!(ExportEvents::on(day), Filter::of(&arguments.filter)?);
        orders.push(builder.build().map_err(invalid)?);
    }
    export(orders, columns, arguments, global, console)
}

pub(crate) fn contacts(
    arguments: &ExportArguments<ContactExportIncludes>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let include = &arguments.filter.include;
    let mut orders = Vec::new();
    if let Some(span) = span(arguments)? {
        let builder = included!(ExportContacts::created_between(span.from, span.to), include, ContactExportInclude {
            CometTokens => include_comet_tokens,
            AllEmails => include_all_emails,
        });
        orders.push(builder.build().map_err(invalid)?);
    }
    let further = [(ContactExportInclude::CometTokens, "comet_tokens"), (ContactExportInclude::AllEmails, "emails")];
    let further = further.iter().filter(|(what, _)| include.contains(what)).map(|(_, name)| *name);
    export(orders, columns(filter::CONTACT, further), arguments, global, console)
}

pub(crate) fn companies(
    arguments: &ExportArguments<NoFilter>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let mut orders = Vec::new();
    if let Some(span) = span(arguments)? {
        orders.push(ExportCompanies::created_between(span.from, span.to).map_err(invalid)?);
    }
    export(orders, columns(filter::COMPANY, None), arguments, global, console)
}

/// The time to export, unless an export is named.
fn span<F: clap::Args>(arguments: &ExportArguments<F>) -> Result<Option<Span>, Failure> {
    match &arguments.export_id {
        Some(_) => Ok(None),
        None => Span::required(&arguments.period.period).map(Some),
    }
}

fn days(arguments: &ExportArguments<EventFilter>) -> Result<Vec<cometly::SpaceDate>, Failure> {
    span(arguments)?.map_or(Ok(Vec::new()), |span| span.days(MAX_DAYS))
}

/// Runs the orders one after the other, or waits for the export that is named; whatever its rows are.
fn export<E: ExportOrder, F: clap::Args>(
    orders: Vec<E>,
    columns: Vec<String>,
    arguments: &ExportArguments<F>,
    global: &Global,
    console: &Console,
) -> Result<Exit, Failure> {
    let named: Option<ExportId> = arguments
        .export_id
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error| Failure::usage(format!("--export-id: {error}")))?;
    let calls = |api: &cometly::Api| match &named {
        Some(id) => vec![E::status_call(api, id)],
        None => orders.iter().map(|order| order.call(api)).collect(),
    };
    if arguments.output.dry_run {
        let session = Session::for_show(global, console)?;
        calls(&session.api).iter().try_for_each(|call| dry_run::show(call, console).map(drop))?;
        return Ok(Exit::Ok);
    }
    // Kept to the end, since it watches the key.
    let session = Session::open(global, console)?;
    let mut output = Output::open(&arguments.output, columns, &calls(&session.api), console)?;
    let job = Job::begin(Transport::new(global, Patience::Job, console)?, session.api.clone())?;
    let mut jobs: Vec<(Option<E>, Option<ExportId>)> = orders.into_iter().map(|order| (Some(order), None)).collect();
    jobs.extend(named.map(|id| (None, Some(id))));
    let run = Run { job: &job, order_again: arguments.order_again, console };
    match run.all(jobs, &mut output) {
        Ok(()) => output.finish(console).map(|()| Exit::Ok),
        Err(failure) => {
            let failure = if arguments.export_id.is_some() {
                failure.advise_instead("--order-again", "order another one: name the time instead of --export-id")
            } else if output.part().is_some() {
                failure.advise_instead(
                    "--order-again",
                    "if a second export does no harm, run the same command with --resume --order-again",
                )
            } else {
                failure
            };
            Err(output.keep(failure))
        }
    }
}

struct Run<'a> {
    job: &'a Job,
    order_again: bool,
    console: &'a Console,
}

impl Run<'_> {
    fn all<E: ExportOrder>(
        &self,
        jobs: Vec<(Option<E>, Option<ExportId>)>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let count = jobs.len();
        for (done, (order, named)) in jobs.into_iter().enumerate().skip(output.place().done) {
            let prefix =
                if count > 1 { format!("export {} of {count}: ", done.saturating_add(1)) } else { String::new() };
            let export = self.completed(order, named, done, &prefix, output)?;
            let is_noted = output.part().is_some();
            let written = self.rows::<E>(&export, &prefix, output);
            written.map_err(|failure| with_id(failure, &export.export_id, is_noted))?;
            output.note(Place { done: done.saturating_add(1), ..Place::default() })?;
            if let Some(part) = output.part() {
                part.remove_download();
            }
        }
        Ok(())
    }

    /// Orders the export, unless that was done, and waits for it.
    fn completed<E: ExportOrder>(
        &self,
        order: Option<E>,
        named: Option<ExportId>,
        done: usize,
        prefix: &str,
        output: &mut Output,
    ) -> Result<Export, Failure> {
        let noted = output.place();
        let is_new = self.order_again && order.is_some();
        let id = match (named, noted.export_id.filter(|_| !is_new)) {
            (Some(id), _) => Some(id),
            (None, Some(id)) => id.parse().ok(),
            (None, None) => None,
        };
        let mut flow = match (id, order) {
            (Some(id), _) => ExportJob::<E>::resume(id),
            (None, Some(_)) if noted.may_be_ordered && !self.order_again => {
                return Err(Failure::from(crate::failure::SendError::from(FlowError::OrderLost)));
            }
            (None, Some(order)) => ExportJob::new(order),
            (None, None) => return Err(Failure::usage("there is nothing to export")),
        };
        let is_resumed = flow.export_id().is_some();
        if !is_resumed {
            output.note(Place { done, may_be_ordered: true, ..Place::default() })?;
        }
        let progress = self.console.progress.begin(None, "");
        let mut is_noted = is_resumed;
        let ended = loop {
            match self.job.step(&mut flow) {
                Ok(ControlFlow::Break(export)) => break Ok(export),
                Ok(ControlFlow::Continue(export)) => {
                    progress.say(format_args!("{prefix}{} is {}", export.export_id, export.status));
                    if !is_noted {
                        is_noted = true;
                        let export_id = Some(export.export_id.to_string());
                        output.note(Place { done, export_id, ..Place::default() })?;
                    }
                }
                Err(failure) => break Err(failure),
            }
        };
        progress.end();
        ended.map_err(|failure| {
            if let Some(id) = flow.export_id() {
                return with_id(failure, id, output.part().is_some());
            }
            // Nothing was ordered, but where that is not known.
            let is_interrupted = failure.exit == Exit::Interrupted;
            let may_be_ordered = is_interrupted || failure.exit == Exit::Export;
            let noted = output.note(Place { done, may_be_ordered, ..Place::default() });
            match noted {
                Ok(()) if is_interrupted => failure.remark("the export may have been ordered"),
                Ok(()) => failure,
                Err(other) => other,
            }
        })
    }

    /// Downloads the file of the export, and writes its rows once it is whole.
    fn rows<E: ExportOrder>(&self, export: &Export, prefix: &str, output: &mut Output) -> Result<(), Failure> {
        let (mut file, path) = match output.part() {
            Some(part) => part.download()?,
            None => (
                tempfile::tempfile().map_err(|error| Failure::file("write", &std::env::temp_dir(), &error))?,
                std::env::temp_dir(),
            ),
        };
        let place = Place { may_be_ordered: false, export_id: Some(export.export_id.to_string()), ..output.place() };
        self.download::<E>(export, &mut file, &path, prefix, place, output)?;
        let unpacked = self.unpack(&mut file, &path, prefix, output);
        if unpacked.as_ref().is_err_and(|failure| failure.exit == Exit::Unexpected) {
            // The next run begins it anew.
            let _ = file.set_len(0);
        }
        unpacked
    }

    fn download<E: ExportOrder>(
        &self,
        export: &Export,
        file: &mut File,
        path: &Path,
        prefix: &str,
        place: Place,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let unwritable = |error: std::io::Error| Failure::file("write", path, &error);
        // The file of another export, or one that nothing is known of, is begun anew.
        if place.validator.is_none() {
            file.set_len(0).map_err(unwritable)?;
        }
        loop {
            let position = file.seek(SeekFrom::End(0)).map_err(unwritable)?;
            let download = Download::of::<E>(export, &self.job.api);
            let download = download.map_err(|error| self.job.failure(error.into()))?;
            let download = download.resume(position, place.validator.as_deref());
            let progress = self.console.progress.begin_bytes();
            let mut is_noted = position > 0;
            let fetched = self.job.fetch(download, file.try_clone().map_err(unwritable)?, |fetched| {
                progress.at(fetched.position, fetched.total);
                progress.say(format_args!("{prefix}download"));
                if is_noted {
                    return Ok(());
                }
                is_noted = true;
                output.note(Place { validator: fetched.validator, ..place.clone() })
            });
            progress.end();
            match fetched? {
                Ok(()) => return Ok(()),
                Err(FetchError::File(error)) => return Err(unwritable(error)),
                Err(FetchError::Call(error))
                    if matches!(error.flow_error(), Some(FlowError::FileChanged)) && position > 0 =>
                {
                    self.console.note("the file of the export has changed since: it is downloaded anew");
                    file.set_len(0).map_err(unwritable)?;
                }
                Err(FetchError::Call(error)) => return Err(self.job.failure(error)),
            }
        }
    }

    fn unpack(&self, file: &mut File, path: &Path, prefix: &str, output: &mut Output) -> Result<(), Failure> {
        let unreadable = |error: std::io::Error| Failure::file("read", path, &error);
        let progress = self.console.progress.begin(None, "rows");
        let console = Console { progress: progress.clone(), ..self.console.clone() };
        progress.say(format_args!("{prefix}unpacked"));
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let (mut lines, mut piece, mut is_last) = (ExportLines::new(), vec![0; PIECE], false);
        let result = loop {
            if self.job.is_stopped() {
                break Err(Failure::new(Exit::Interrupted, "stopped"));
            }
            match file.read(&mut piece).map_err(unreadable) {
                Err(failure) => break Err(failure),
                Ok(0) => {
                    lines.finish();
                    is_last = true;
                }
                Ok(len) => lines.push(piece.get(..len).unwrap_or_default().to_vec()),
            }
            if let Err(failure) = drain(&mut lines, output, &console) {
                break Err(failure);
            }
            if is_last {
                break Ok(());
            }
        };
        progress.end();
        result
    }
}

/// Writes the lines that are there.
fn drain(lines: &mut ExportLines, output: &mut Output, console: &Console) -> Result<(), Failure> {
    loop {
        let mut rows: Vec<Box<RawValue>> = Vec::new();
        while rows.len() < 1000 {
            let number = lines.lines().saturating_add(1);
            let line = lines.next_line().map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
            let Some(line) = line else { break };
            let row = serde_json::from_slice(line)
                .map_err(|_| Failure::new(Exit::Unexpected, "this line of the export is not JSON").at_line(number))?;
            rows.push(row);
        }
        if rows.is_empty() {
            return Ok(());
        }
        output.write(&rows.iter().map(|row| &**row).collect::<Vec<_>>(), console)?;
        console.progress.step(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    }
}

/// Says which export to go on with, where no file notes it.
fn with_id(failure: Failure, id: &ExportId, is_noted: bool) -> Failure {
    if is_noted || failure.is_closed_pipe() || failure.has_advice() || failure.exit == Exit::Rejected {
        return failure;
    }
    failure.advise(format!("the export is ordered: go on with it by --export-id {id}"))
}
