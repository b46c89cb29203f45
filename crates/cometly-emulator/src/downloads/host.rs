//! The host itself: one request in, one answer out.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::backend::{Backend, Outcome};
use crate::downloads::file::{self, File, Files};
use crate::downloads::response;
use crate::faults::delivery::Sending;
use crate::faults::fault::{Fault, Kind};
use crate::faults::responses::no_answer;
use crate::laravel::answer::Answer;
use crate::live::News;
use crate::record::End;
use crate::store::exports::Export;

pub(crate) struct Downloads {
    backend: Arc<Backend>,
    files: Arc<Mutex<Files>>,
}

impl Downloads {
    pub(crate) fn new(backend: Arc<Backend>) -> Self {
        Self { backend, files: Arc::new(Mutex::new(Files::new())) }
    }

    /// Answers a request and remembers both.
    pub(crate) async fn answer(&self, parts: Parts, body: Option<Bytes>, began: Instant) -> Outcome {
        let backend = &*self.backend;
        let (leaks, found, fault) = {
            let mut state = backend.state();
            let leaks = response::leaks(&parts, &state.keys);
            let now = backend.clock().seconds();
            let found = response::export(&parts, leaks, &state.records.exports, now);
            let fault = found.as_ref().ok().and_then(|_| state.faults.strike_download(&parts.method, parts.uri.path()));
            (leaks, found, fault)
        };
        let answer = match found {
            Err(refused) => *refused,
            Ok(_) if is(fault.as_ref(), &Kind::ExpiredDownload) => response::expired(),
            Ok(export) => self.file(&parts, &export, fault.as_ref()).await,
        };
        let answer = backend.dated(answer);
        let carried_out = fault.as_ref().is_none_or(|fault| fault.carried_out);
        let (name, at) = (fault.as_ref().map(Fault::name), backend.clock().seconds());
        let end = End { answer: &answer, fault: name, carried_out, began, at };
        let number = {
            let mut state = backend.state();
            let request = state.downloads.note(&parts, &body.unwrap_or_default(), &end);
            if leaks {
                state.leaks.count_and_keep(request.clone());
            }
            let number = request.number;
            state.downloads.keep(request);
            number
        };
        if leaks || fault.is_some() {
            backend.live().tell(News::state);
        }
        let sending = fault.map_or(Sending::Whole, |fault| Sending::under(&fault.kind));
        Outcome { answer, sending, number }
    }

    async fn file(&self, parts: &Parts, export: &Export, fault: Option<&Fault>) -> Answer {
        // One file is made at a time, and other requests for the same one wait for it. It is made and kept even if the client
        // that asked first has left, or a slow machine would begin anew with each.
        let mut files = Arc::clone(&self.files).lock_owned().await;
        let mut file = if let Some(file) = files.get(&export.path()) {
            drop(files);
            file
        } else {
            let (backend, ordered) = (Arc::downgrade(&self.backend), export.clone());
            let made = spawn_blocking(move || {
                let file = file::make(&backend, &ordered)?;
                files.keep(&ordered.path(), &file);
                Some(file)
            });
            let Ok(Some(file)) = made.await else { return no_answer() };
            file
        };
        if is(fault, &Kind::ChangedDownload) {
            file = File { tag: format!("{}-changed", file.tag), ..file };
        }
        let modified = export.completed.unwrap_or(export.created);
        response::file(parts, &file, modified, is(fault, &Kind::IgnoredRange))
    }
}

fn is(fault: Option<&Fault>, kind: &Kind) -> bool {
    fault.is_some_and(|fault| fault.kind == *kind)
}
