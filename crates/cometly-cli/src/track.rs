//! `cometly events track`: each line of a file as an event, each once. All lines are checked and given a key before the
//! first is sent; each final answer is appended to the journal, so that another run goes on from there.

mod csv;
mod event;
mod event_key;
mod journal;
mod lines;
mod plan;
mod refused;
mod sending;
mod skipped;
mod source;
mod summary;
mod temporary;
mod verdict;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    arguments::{Global, TrackArguments},
    auth::session::Session,
    exit::Exit,
    failure::Failure,
    fleet,
    terminal::console::Console,
    track::{
        journal::{Fate, Journal, Target},
        plan::{Plan, Planned},
        refused::RefusedFile,
        sending::Run,
        skipped::Skipped,
        source::Source,
        summary::Summary,
    },
    transport::{Patience, Transport},
};

pub(crate) fn run(arguments: &TrackArguments, global: &Global, console: &Console) -> Result<Exit, Failure> {
    let input = &arguments.input;
    if input.as_os_str() == "-" && arguments.journal.is_none() && !arguments.dry_run {
        return Err(no_place("stdin"));
    }
    let source = Source::open(input, arguments.input_format)?;
    if arguments.dry_run {
        let plan = source.plan(&arguments.batch, None)?;
        tell_invalid(&plan, arguments.skip_invalid, console)?;
        return look(&plan, console);
    }
    let journal_path = match &arguments.journal {
        Some(path) => path.clone(),
        None if source.is_file => beside(input, ".cometly-journal"),
        None => return Err(no_place(&input.display().to_string())),
    };
    let is_beside_input = source.is_file && arguments.journal.is_none();
    let stem = if is_beside_input { input } else { &journal_path };
    let (default_refused, default_skipped) = (beside(stem, ".cometly-refused"), beside(stem, ".cometly-skipped"));
    let refused_path = arguments.refused.as_ref().unwrap_or(&default_refused);
    let skipped_path = arguments.skipped.as_ref().unwrap_or(&default_skipped);
    let files = [input, &journal_path, refused_path, skipped_path];
    for (index, one) in files.iter().enumerate() {
        if files.iter().take(index).any(|other| is_same_file(one, other)) {
            return Err(Failure::usage(format!("{} cannot be two things at once", one.display()))
                .advise("name different files as --input, --journal, --refused and --skipped"));
        }
    }
    let mut skipped = arguments.skip_invalid.then(|| Skipped::begin(skipped_path)).transpose()?;
    let mut plan = source.plan(&arguments.batch, skipped.as_mut())?;
    tell_invalid(&plan, arguments.skip_invalid, console)?;

    let session = Session::open(global, console)?;
    let target = Target {
        base_url: session.api.base_url().clone(),
        space: fleet::space(global)?,
        profile: session.source.profile().map(str::to_owned),
    };
    let (mut journal, noted) = Journal::open(&journal_path, &target)?;
    let conflicts = plan.split_conflicts(&noted, |planned| source.text(planned), skipped.as_mut())?;
    let refused_file = RefusedFile::new(refused_path, &noted, &plan);
    if arguments.refused.is_some() {
        refused_file.check()?;
    }
    tell_invalid(&conflicts, arguments.skip_invalid, console)?;
    let skipped_file = skipped.map(Skipped::finish).transpose()?.flatten();
    let is_open = |planned: &&Planned| match noted.get(&planned.key) {
        None => true,
        Some(noted) => match noted.fate {
            Fate::Accepted => false,
            Fate::Refused => arguments.retry_refused || !noted.is_about(planned.content),
            Fate::Sending => true,
        },
    };
    let open: Vec<_> = plan.events.iter().filter(is_open).collect();
    let transport = Transport::new(global, Patience::Job, console)?;
    let progress = console.progress.begin(Some(u64::try_from(open.len()).unwrap_or(u64::MAX)), "events");
    let run = Run::new(&source, &session.api, &mut journal, &transport, progress.clone())?;
    let sent = run.send(open);
    progress.end();
    let mut sent = sent?;

    journal.sync()?;
    let failure = sent.failure.take();
    let summary =
        Summary::build(&plan, conflicts.invalid_lines, &sent, &mut journal, &source, &refused_file, refused_path)?
            .with_skipped(skipped_file);
    if console.json {
        console.json_line(&summary.to_json())?;
    } else {
        console.note(&summary);
    }
    match failure {
        Some(failure) => Err(failure.advise(format!("{} left; run the same command again to go on", summary.left))),
        None if summary.refused > 0 => Ok(Exit::Rejected),
        None => Ok(Exit::Ok),
    }
}

fn no_place(input: &str) -> Failure {
    Failure::usage(format!("there is no place for the journal of {input}, without which a broken run could not go on"))
        .advise("name one with --journal PATH")
}

/// By its place, so that a file that is not there yet is known as well; and where it can be told, by what it is.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        path.canonicalize().ok().or_else(|| Some(folder.canonicalize().ok()?.join(path.file_name()?)))
    };
    if place(one).is_some_and(|one| place(other) == Some(one)) {
        return true;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let inode = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
        inode(one).is_some_and(|one| inode(other) == Some(one))
    }
    #[cfg(not(unix))]
    false
}

fn beside(input: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(input);
    path.push(suffix);
    path.into()
}

fn tell_invalid(plan: &Plan, skip: bool, console: &Console) -> Result<(), Failure> {
    if plan.invalid_lines == 0 {
        return Ok(());
    }
    if console.json && !skip {
        console.json_line(&invalid_json(plan))?;
    }
    for invalid in plan.invalid.iter().filter(|_| !console.json) {
        console.warn(invalid);
    }
    if skip {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Rejected,
        format!("not a valid event, in {} of the lines: nothing was sent", plan.invalid_lines),
    )
    .advise("correct them, or send the others with --skip-invalid"))
}

fn invalid_json(plan: &Plan) -> Value {
    let problems: Vec<_> = plan.invalid.iter().map(crate::track::plan::Invalid::to_json).collect();
    json!({"invalid_lines": plan.invalid_lines, "problems": problems})
}

/// What a run would send, had none been before.
fn look(plan: &Plan, console: &Console) -> Result<Exit, Failure> {
    if console.json {
        let mut shown = invalid_json(plan);
        if let Some(object) = shown.as_object_mut() {
            object.insert("events".to_owned(), json!(plan.events.len()));
            object.insert("repeated_lines".to_owned(), json!(plan.repeated_lines));
        }
        console.json_line(&shown)?;
    } else {
        console.note(format_args!("to be sent: {}; nothing was sent", plan.events.len()));
    }
    Ok(Exit::Ok)
}
