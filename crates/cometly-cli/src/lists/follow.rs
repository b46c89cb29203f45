//! A list followed to its end, page by page: `list` of each resource, and `request --paginate`.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use cometly_core::{Api, Call, Cursor, Page, Pages, PagesEnd, endpoint};
use serde_json::value::RawValue;

use crate::{
    exit::Exit,
    failure::Failure,
    job::Job,
    rows::{Output, Place},
    terminal::{console::Console, progress::Progress},
};

/// Which list, and which part of it.
pub(crate) struct Listed {
    call: Call,
    cursor: Option<Cursor>,
    max_pages: Option<u32>,
}

impl Listed {
    pub(crate) fn new(call: Call, cursor: Option<&str>, max_pages: Option<u32>) -> Result<Self, Failure> {
        let cursor = cursor.map(str::parse).transpose();
        let cursor = cursor.map_err(|error| Failure::usage(format!("--cursor: {error}")))?;
        Ok(Self { call, cursor, max_pages })
    }
}

pub(crate) fn follow(job: &Job, list: Listed, mut output: Output, console: &Console) -> Result<Exit, Failure> {
    let progress = console.progress.begin(None, "rows");
    let shown = Console { progress: progress.clone(), ..console.clone() };
    let followed = pages(job, list, &mut output, &shown, &progress);
    progress.end();
    match followed {
        Ok(()) => output.finish(console).map(|()| Exit::Ok),
        Err(failure) => Err(output.keep(failure)),
    }
}

fn pages(job: &Job, list: Listed, output: &mut Output, console: &Console, progress: &Progress) -> Result<(), Failure> {
    let Listed { call, cursor, max_pages } = list;
    let endpoint = endpoint::<Page<Box<RawValue>>, _>(move |_: &Api| call.clone());
    let mut pages = match cursor {
        Some(cursor) => Pages::resume(endpoint, cursor),
        None => Pages::of(endpoint),
    };
    if let Some(most) = max_pages {
        pages = pages.at_most(most);
    }
    let (is_file, begun) = (output.part().is_some(), Instant::now());
    let go_on = |failure: Failure, cursor: Option<&Cursor>| match (is_file, cursor) {
        (true, _) => failure,
        (false, cursor) => resumable(failure, cursor),
    };
    loop {
        let rows = match job.step(&mut pages) {
            Ok(ControlFlow::Continue(rows)) => rows,
            Ok(ControlFlow::Break(PagesEnd::LastPage)) => return Ok(()),
            Ok(ControlFlow::Break(_)) => {
                let failure = Failure::new(Exit::MorePages, "the list has more pages than --max-pages allows");
                return Err(go_on(failure, pages.cursor()));
            }
            Err(failure) => return Err(go_on(failure, pages.cursor())),
        };
        let rows: Vec<&RawValue> = rows.iter().map(|row| &**row).collect();
        output.write(&rows, console)?;
        progress.step(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        progress.say(how_far(pages.pages(), max_pages, begun.elapsed()));
        if !pages.is_at_end() {
            output.note(Place { cursor: pages.cursor().map(ToString::to_string), ..Place::default() })?;
        }
    }
}

/// Says how to go on.
/// How many pages are there and, where their number is bounded, how long the rest may take: the API tells no total.
fn how_far(pages: u32, most: Option<u32>, elapsed: Duration) -> String {
    let Some(most) = most else { return format!("{pages} pages") };
    let each = elapsed.checked_div(pages).unwrap_or_default();
    let rest = each.saturating_mul(most.saturating_sub(pages)).as_secs();
    format!("{pages} of at most {most} pages, about {rest} s to go")
}

fn resumable(failure: Failure, cursor: Option<&Cursor>) -> Failure {
    if failure.has_advice() {
        return failure;
    }
    match cursor.map(Cursor::as_str) {
        None if failure.exit == Exit::Unexpected && !failure.has_status() => {
            failure.advise("no page was written: expected a list, an object with data and next_cursor")
        }
        None => failure.advise("no page was written; run it again"),
        Some(cursor) if is_plain(cursor) => {
            failure.advise(format!("all pages before are written; to go on, add --cursor {cursor}")).with_cursor(cursor)
        }
        Some(cursor) => failure
            .advise("all pages before are written; the cursor to go on with is not plain: --json tells it")
            .with_cursor(cursor),
    }
}

/// Whether a shell takes the cursor for one word, and an option parser for no option.
fn is_plain(cursor: &str) -> bool {
    !cursor.starts_with('-')
        && cursor.len() <= 1024
        && cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_=+/.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_a_cap_says_how_long_it_may_take() {
        let seconds = Duration::from_secs;
        assert_eq!(how_far(3, None, seconds(9)), "3 pages");
        assert_eq!(how_far(3, Some(10), seconds(9)), "3 of at most 10 pages, about 21 s to go");
        assert_eq!(how_far(10, Some(10), seconds(9)), "10 of at most 10 pages, about 0 s to go");
        assert_eq!(how_far(0, Some(10), seconds(9)), "0 of at most 10 pages, about 0 s to go");
    }

    #[test]
    fn a_cursor_is_quoted_only_where_a_shell_reads_it_as_it_is() {
        assert!(is_plain("eyJpZCI6MiwiX3BvaW50c1RvTmV4dEl0ZW1zIjp0cnVlfQ") && is_plain("a_b=+/.-"));
        for cursor in ["x';touch pwn;'", "-x", "a b", "a\u{1b}", "$x", "ü", &"x".repeat(1025)] {
            assert!(!is_plain(cursor), "{cursor}");
        }
    }
}
