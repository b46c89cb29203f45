//! Jobs of many calls: pages, exports, downloads.

use std::{io, time::Duration};

use cometly_core::{
    Api, AuthOutcome, BlockingClient, BlockingRun, Call, CallError, Cursor, DecodeError, Download, DownloadUrl,
    Endpoint, Export, ExportId, ExportJob, ExportOrder, ExportOrdered, ExportStatus, Failure, Fetch, Flow, FlowError,
    InvalidCursor, InvalidExportId, LineTooLong, Lines, Lossy, Page, Pages, PagesEnd, Reply, RowError, Rows, Running,
    Step, Then, UrlProblem, bytes::Bytes, endpoint,
};

use crate::{keep, keep_traits};

/// A list, and an order of its export.
#[derive(Clone, Copy)]
pub(crate) struct List;

impl Endpoint for List {
    type Output = Page<u64>;

    fn call(&self, api: &Api) -> Call {
        api.get("events")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<Page<u64>, DecodeError> {
        reply.json()
    }
}

struct Order;

impl Endpoint for Order {
    type Output = ExportOrdered;

    fn call(&self, api: &Api) -> Call {
        api.post("events/export")
    }

    fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
        reply.json()
    }
}

impl ExportOrder for Order {
    fn status_call(api: &Api, id: &ExportId) -> Call {
        api.get("exports/{id}").segment(id)
    }
}

struct Client;

impl BlockingClient for Client {
    type Source = io::Error;

    fn send(&self, call: Call) -> Result<AuthOutcome<Bytes>, CallError<io::Error>> {
        Ok(call.api().read(cometly_core::http::Response::new(Bytes::new())))
    }

    fn now(&self) -> cometly_core::Moment {
        cometly_core::Moment::now()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

type Blocking = BlockingRun<'static, Client, Pages<List>>;
type Job = Running<Pages<List>>;
type LossyList = Lossy<List>;
type PageOfNumbers = Page<u64>;
type StepOfNumbers = Step<u64, PagesEnd>;

/// The type that `endpoint` gives has no name.
fn json_list() -> impl Endpoint<Output = Page<u64>> {
    endpoint(|api| api.get("events"))
}

fn keep_flow<F: Flow>() {
    keep!(3 <F as Flow>::next);
    keep!(3 <F as Flow>::on_reply);
    keep!(3 <F as Flow>::on_failure);
    keep!(3 <F as Flow>::settle::<io::Error>);
    keep!(3 <&mut F as Flow>::next);
}

fn keep_endpoint_of<E: Endpoint>(_: fn() -> E) {
    keep_endpoint::<E>();
}

fn keep_endpoint<E: Endpoint>() {
    keep!(2 <E as Endpoint>::call);
    keep!(2 <E as Endpoint>::read);
    keep!(2 <&E as Endpoint>::read);
}

pub(crate) fn probes() {
    keep_endpoint::<List>();
    keep_endpoint::<LossyList>();
    keep_endpoint_of(json_list);

    keep_flow::<Pages<List>>();
    keep_flow::<Rows<List>>();
    keep_flow::<Pages<LossyList>>();
    keep_flow::<Rows<LossyList>>();
    keep_flow::<ExportJob<Order>>();
    keep_flow::<Job>();
    keep_traits!(StepOfNumbers: Debug, Drop);
    keep_traits!(Then: Debug, Drop);

    keep!(1 Failure::of::<io::Error>);
    keep!(3 Failure::answered);
    keep!(1 Failure::unanswered);
    keep!(1 Failure::may_be_done);
    keep_traits!(Failure<'static>: Debug, Clone);
    keep_traits!(FlowError: Debug, Display, Error, Drop);
    keep!(1 <FlowError as From<DecodeError>>::from);
    keep_traits!(UrlProblem: Debug, Display, PartialEq);

    keep!(1 Cursor::as_str);
    keep_traits!(Cursor: Debug, Display, Clone, FromStr, Drop);
    keep_traits!(InvalidCursor: Debug, Display, Error);
    keep!(2 Page::<u64>::new);
    keep!(1 Page::<u64>::rows);
    keep!(1 Page::<u64>::into_rows);
    keep!(1 Page::<u64>::next_cursor);
    keep!(1 Page::<u64>::is_first);
    keep_traits!(PageOfNumbers: Debug, Drop);
    keep!(1 Pages::<List>::of);
    keep!(2 Pages::<List>::resume);
    keep!(2 Pages::<List>::at_most);
    keep!(1 Pages::<List>::rows);
    keep!(1 Pages::<List>::lossy);
    keep!(1 Pages::<List>::rows_lossy);
    keep!(1 Pages::<List>::cursor);
    keep!(1 Pages::<List>::is_at_end);
    keep!(1 Pages::<List>::pages);
    keep_traits!(Pages<List>: Debug, Drop);
    keep_traits!(PagesEnd: Debug, PartialEq, Drop);
    keep!(2 Rows::<List>::skip);
    keep!(1 Rows::<List>::page_cursor);
    keep!(1 Rows::<List>::taken);
    keep!(1 Rows::<List>::pages);
    keep_traits!(Rows<List>: Debug, Drop);

    keep!(3 BlockingRun::<'static, Client, Pages<List>>::new);
    keep!(2 BlockingRun::<'static, Client, Pages<List>>::within);
    keep!(1 BlockingRun::<'static, Client, Pages<List>>::try_next);
    keep!(1 BlockingRun::<'static, Client, Pages<List>>::end);
    keep!(1 BlockingRun::<'static, Client, Pages<List>>::flow);
    keep!(1 BlockingRun::<'static, Client, Pages<List>>::into_flow);
    keep!(1 <Blocking as Iterator>::next);
    keep_traits!(Blocking: Debug, Drop);

    keep!(1 Running::<Pages<List>>::new);
    keep!(2 Running::<Pages<List>>::within);
    keep!(1 Running::<Pages<List>>::flow);
    keep!(1 Running::<Pages<List>>::into_flow);
    keep!(1 Running::<Pages<List>>::into_output);
    keep_traits!(Job: Drop);

    keep_traits!(ExportId: Debug, Display, Clone, FromStr, Drop);
    keep_traits!(InvalidExportId: Debug, Display, Error);
    keep!(1 ExportStatus::as_str);
    keep_traits!(ExportStatus: Debug, Display, Clone, PartialEq, Drop);
    keep!(1 DownloadUrl::expose_secret);
    keep!(1 <DownloadUrl as From<&'static str>>::from);
    keep_traits!(DownloadUrl: Debug, Clone, Drop);
    keep_traits!(ExportOrdered: Debug, Clone, Drop);
    keep_traits!(Export: Debug, Clone, Drop);
    keep!(1 ExportJob::<Order>::new);
    keep!(1 ExportJob::<Order>::resume);
    keep!(2 ExportJob::<Order>::within);
    keep!(1 ExportJob::<Order>::order_again);
    keep!(1 ExportJob::<Order>::export_id);
    keep_traits!(ExportJob<Order>: Debug, Drop);

    keep!(2 Download::of::<Order>);
    keep!(3 Download::resume);
    keep!(1 Download::restart);
    keep!(1 Download::position);
    keep!(1 Download::total);
    keep!(1 Download::validator);
    keep!(3 Download::next);
    keep!(4 Download::on_head);
    keep!(3 Download::on_read);
    keep!(2 Download::on_break);
    keep!(3 Download::on_failure::<io::Error>);
    keep!(2 Download::on_renewed);
    keep_traits!(Download: Debug, Drop);
    keep_traits!(Fetch: Debug, Drop);

    keep!(0 Lines::new);
    keep!(1 Lines::with_max_len);
    keep!(2 Lines::push);
    keep!(1 Lines::finish);
    keep!(1 Lines::has_line);
    keep!(1 Lines::next_line);
    keep!(1 Lines::next_row::<u64>);
    keep!(1 Lines::next_row::<Export>);
    keep!(1 Lines::lines);
    keep!(1 Lines::position);
    keep_traits!(Lines: Debug, Default, Drop);
    keep!(1 LineTooLong::line);
    keep_traits!(LineTooLong: Debug, Display, Error);
    keep!(1 RowError::line);
    keep!(1 RowError::path);
    keep_traits!(RowError: Debug, Display, Error, Drop);
}
