//! An export: ordered, looked after until it is done, and then a file.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};

use bytes::Bytes;

use super::{Endpoint, Failure, Flow, FlowError, Step, Then};
use crate::{Api, ApiErrorKind, Call, Moment, Reply, clock::Clock};

/// An [`Endpoint`] that orders an export, and the call that asks how far that export is; an [`ExportJob`] drives both, and its
/// docs say how it fails.
pub trait ExportOrder: Endpoint<Output = ExportOrdered> {
    /// The call that asks how far the export with this id is; its answer is read as an [`Export`]. A call that cannot be built
    /// is an error of the client that sends it.
    fn status_call(api: &Api, id: &ExportId) -> Call;
}

/// The id of an export: 1 to 128 ASCII letters, digits, `-` and `_`; from [`ExportJob::export_id`], or read from a text.
/// [`FromStr`] fails with [`InvalidExportId`] for any other text. Stored as text (`Display`), it lets another process go on
/// with [`ExportJob::resume`](crate::ExportJob::resume).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExportId(Box<str>);

/// A text that is not an [`ExportId`]: 1 to 128 ASCII letters, digits, `-` and `_` are expected; from `FromStr` of
/// [`ExportId`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no export id: expected 1 to 128 letters, digits, - and _")]
pub struct InvalidExportId(());

debug_as_display!(InvalidExportId);

impl FromStr for ExportId {
    type Err = InvalidExportId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=128).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidExportId(()))
        }
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportId({})", self.0)
    }
}

/// How far an export is: one of four known statuses, `queued`, `processing`, `completed` and `failed`, or another text that the API
/// may come to use, which keeps an [`ExportJob`] waiting. So it is a struct and no enum: a new status breaks nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ExportStatus(Cow<'static, str>);

impl ExportStatus {
    /// The export waits for its turn: `queued`.
    pub const QUEUED: Self = Self(Cow::Borrowed("queued"));
    /// The file is being written: `processing`.
    pub const PROCESSING: Self = Self(Cow::Borrowed("processing"));
    /// The file is ready, and `download_url` names it: `completed`.
    pub const COMPLETED: Self = Self(Cow::Borrowed("completed"));
    /// The export failed, and there will be no file: `failed`.
    pub const FAILED: Self = Self(Cow::Borrowed("failed"));

    const KNOWN: [Self; 4] = [Self::QUEUED, Self::PROCESSING, Self::COMPLETED, Self::FAILED];

    /// The status as the API writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportStatus({:?})", self.0)
    }
}

/// The URL of an export's file, which Cometly keeps valid for 15 minutes, until [`Export::expires_at`]; from
/// [`Export::download_url`]. Asking for the status again gives a fresh one. It opens the file without a key, so `Debug` does
/// not show it. It is not checked here; [`Download::of`](crate::Download::of) does that.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadUrl(Box<str>);

impl DownloadUrl {
    /// The URL as text, as it came; whether it may be fetched is checked by [`Download::of`](crate::Download::of), not here.
    /// Handle it like a secret: it opens the file without a key for 15 minutes, until [`Export::expires_at`].
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DownloadUrl {
    fn from(url: &str) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DownloadUrl([redacted])")
    }
}

/// The API's answer to the order of an export, with its [`ExportId`] and status; the output of an [`ExportOrder`]. An answer
/// that lacks one of them is an error of the kind [`Decode`](crate::CallErrorKind::Decode).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOrdered {
    /// The id of the new export, by which its status is asked for.
    pub export_id: ExportId,
    /// How far the export is: mostly [`ExportStatus::QUEUED`].
    pub status: ExportStatus,
}

/// An export as the API reports it, from an [`ExportJob`]: its id, its [status](ExportStatus) (queued, processing, completed or
/// failed) and, once it is completed, the URL of its file. The URL is valid for 15 minutes, until `expires_at`; asking for the
/// status again gives a fresh one. JSON without an [`ExportId`] or a status is no export, and a
/// [`DecodeError`](crate::DecodeError).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// The id of the export, by which its status is asked for.
    pub export_id: ExportId,
    /// How far the export is.
    pub status: ExportStatus,
    /// When the export was ordered, as the API wrote it, which it documents as ISO 8601; `None` if it did not say.
    pub created_at: Option<String>,
    /// The API's message about the export; `None` if it sent none.
    pub message: Option<String>,
    /// Where the file is; `None` before the export is completed.
    pub download_url: Option<DownloadUrl>,
    /// When the export was completed, as the API wrote it; `None` if it did not say.
    pub completed_at: Option<String>,
    /// Until when the download URL is valid, as the API wrote it; `None` if it did not say.
    pub expires_at: Option<String>,
}

impl Export {
    fn ordered(export_id: ExportId, status: ExportStatus) -> Self {
        let (created_at, message, download_url, completed_at, expires_at) = (None, None, None, None, None);
        Self { export_id, status, created_at, message, download_url, completed_at, expires_at }
    }
}

impl<'de> Deserialize<'de> for ExportOrdered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Export { export_id, status, .. } = Export::deserialize(deserializer)?;
        Ok(Self { export_id, status })
    }
}

const FIELDS: &[&str] = &["export_id", "status", "created_at", "message", "download_url", "completed_at", "expires_at"];

impl<'de> Deserialize<'de> for Export {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Export;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an export")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Export, A::Error> {
                let (mut export_id, mut status): (Option<String>, Option<String>) = (None, None);
                let (mut created_at, mut message, mut completed_at, mut expires_at) = (None, None, None, None);
                let mut url: Option<String> = None;
                while let Some(name) = map.next_key::<String>()? {
                    match &*name {
                        "export_id" => export_id = Some(map.next_value()?),
                        "status" => status = Some(map.next_value()?),
                        "created_at" => created_at = map.next_value()?,
                        "message" => message = map.next_value()?,
                        "download_url" => url = map.next_value()?,
                        "completed_at" => completed_at = map.next_value()?,
                        "expires_at" => expires_at = map.next_value()?,
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let export_id = export_id.ok_or_else(|| de::Error::missing_field("export_id"))?;
                let status = status.ok_or_else(|| de::Error::missing_field("status"))?;
                let known = ExportStatus::KNOWN.into_iter().find(|known| known.0 == status);
                Ok(Export {
                    export_id: export_id.parse().map_err(de::Error::custom)?,
                    status: known.unwrap_or(ExportStatus(Cow::Owned(status))),
                    created_at,
                    message,
                    download_url: url.map(|url| DownloadUrl(url.into())),
                    completed_at,
                    expires_at,
                })
            }
        }
        deserializer.deserialize_struct("Export", FIELDS, Fields)
    }
}

/// An export from its order to its URL: a [`Flow`] that orders it, asks for its status until it is completed, and gives each
/// status as an [`Export`]: first the one of the order, and the completed one both as the last item and at the end.
///
/// ```text
///            order sent          answer                 completed
///  Ordered ─────────────► Sent ─────────► Waiting ─┬──────────────► Done
///   (new)                  │              ▲  every │ failed
///                          │ no answer    └─ poll ─┼──────────────► Failed
///                          ▼                       │ too slow
///                         Lost                     └──────────────► still Waiting
/// ```
///
/// The wait before each status call is what the server asks for by `Retry-After` (at least 2 s), or 60 s when the rate limit is
/// used up, or else 2 s, 4 s and so on up to 30 s.
///
/// An order is sent once: if its answer is lost, or the future that waited for it was dropped, the export may have been
/// ordered, and the job fails with [`FlowError::OrderLost`] until [`order_again`](ExportJob::order_again).
///
/// It waits a day at most, unless [`within`](ExportJob::within) says otherwise, and fails with [`FlowError::ExportTooSlow`]
/// then, with [`FlowError::ExportFailed`] if the export fails, and with [`FlowError::UnknownExport`] if the API does not have
/// it. It also fails for the status of another export ([`FlowError::OtherExport`]), a completed one without a URL
/// ([`FlowError::NoDownloadUrl`]) or one that cannot be read ([`FlowError::Decode`]); a later step asks again.
///
/// With its [id](ExportJob::export_id) stored, another process can go on with the export: [`resume`](ExportJob::resume).
pub struct ExportJob<E> {
    order: Option<E>,
    state: State,
    delay: Duration,
    /// How long it may take.
    patience: Duration,
    /// When it was asked for first.
    began: Option<Moment>,
    /// Its pause is the wait before the export is asked after.
    clock: Clock,
    /// Not given yet.
    news: Option<Export>,
}

enum State {
    Ordered,
    Sent,
    Lost,
    Waiting(ExportId),
    Done(Export),
    Failed(ExportId),
}

const FIRST_DELAY: Duration = Duration::from_secs(2);
const MAX_DELAY: Duration = Duration::from_secs(30);
/// A window of the rate limit.
const WINDOW: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

impl<E: ExportOrder> ExportJob<E> {
    /// A job that orders an export and waits until it is completed; nothing is sent before it is run. It fails with
    /// [`FlowError::ExportTooSlow`] after a day, unless [`within`](ExportJob::within) says otherwise, with
    /// [`FlowError::ExportFailed`] if the export fails, and with [`FlowError::OrderLost`] if the answer to the order is lost.
    #[must_use]
    pub fn new(order: E) -> Self {
        Self::begin(Some(order), State::Ordered)
    }

    /// Waits for an export that was ordered before, mostly by another process; orders nothing. The job fails with
    /// [`FlowError::UnknownExport`] if the API has no export with this id, with [`FlowError::ExportTooSlow`] after a day,
    /// unless [`within`](ExportJob::within) says otherwise, and with [`FlowError::ExportFailed`] if the export fails.
    #[must_use]
    pub fn resume(id: ExportId) -> Self {
        Self::begin(None, State::Waiting(id))
    }

    fn begin(order: Option<E>, state: State) -> Self {
        Self { order, state, delay: FIRST_DELAY, patience: PATIENCE, began: None, clock: Clock::default(), news: None }
    }

    /// How long the job waits for the export, counted from its first step; a day by default. Then it fails with
    /// [`FlowError::ExportTooSlow`], and the export's id stays valid. A second call replaces the time.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Lets the job send its order once more after [`FlowError::OrderLost`]. Two exports may come of it. If the order was not
    /// sent or was answered, this does nothing.
    pub fn order_again(&mut self) {
        if matches!(self.state, State::Lost | State::Sent) {
            self.state = State::Ordered;
        }
    }
}

impl<E> ExportJob<E> {
    /// The id of the export; `None` until its order was answered. After [`resume`](ExportJob::resume) it is there from the
    /// beginning.
    #[must_use]
    pub fn export_id(&self) -> Option<&ExportId> {
        match &self.state {
            State::Ordered | State::Sent | State::Lost => None,
            State::Waiting(id) | State::Failed(id) => Some(id),
            State::Done(export) => Some(&export.export_id),
        }
    }

    /// How long until it is asked after: as the server says, and else a little longer each time.
    fn pause(&mut self, reply: &Reply<Bytes>) -> Duration {
        let own = self.delay;
        self.delay = own.saturating_mul(2).min(MAX_DELAY);
        let used_up = (reply.rate_limit().remaining() == Some(0)).then_some(WINDOW);
        reply.retry_after().or(used_up).map_or(own, |asked| asked.max(FIRST_DELAY))
    }
}

impl<E: ExportOrder> Flow for ExportJob<E> {
    type Item = Export;
    type Output = Export;

    fn next(&mut self, api: &Api, now: Moment) -> Result<Step<Export, Export>, FlowError> {
        if let Some(news) = self.news.take() {
            return Ok(Step::Yield(news));
        }
        self.clock.advance(now);
        let waited = self.clock.now().duration_since(*self.began.get_or_insert(now));
        match &self.state {
            State::Ordered => match &self.order {
                Some(order) => {
                    self.state = State::Sent;
                    Ok(Step::Send(order.call(api)))
                }
                // A resumed job has an id and never comes here.
                None => Err(FlowError::OrderLost),
            },
            // The order's answer never came: the program gave up waiting.
            State::Sent | State::Lost => {
                self.state = State::Lost;
                Err(FlowError::OrderLost)
            }
            State::Waiting(_) if waited > self.patience => Err(FlowError::ExportTooSlow),
            State::Waiting(id) => match self.clock.pause() {
                // No longer than the export may take.
                Some(pause) => {
                    let left = self.patience.saturating_sub(waited);
                    Ok(Step::Sleep(pause.min(left.saturating_add(Duration::from_millis(1)))))
                }
                None => Ok(Step::Send(E::status_call(api, id))),
            },
            State::Done(export) => Ok(Step::End(export.clone())),
            State::Failed(_) => Err(FlowError::ExportFailed),
        }
    }

    fn on_reply(&mut self, reply: Reply<Bytes>, now: Moment) -> Result<(), FlowError> {
        self.clock.advance(now);
        let pause = self.pause(&reply);
        self.clock.pause_for(pause);
        match &self.state {
            State::Sent => {
                // If the answer cannot be read the order counts as lost: the next step finds it sent and unanswered.
                let order = self.order.as_ref().ok_or(FlowError::OrderLost)?;
                let ExportOrdered { export_id, status } = order.read(&reply)?;
                self.state = State::Waiting(export_id.clone());
                self.news = Some(Export::ordered(export_id, status));
                Ok(())
            }
            State::Waiting(id) => {
                let export: Export = reply.json()?;
                if export.export_id != *id {
                    return Err(FlowError::OtherExport);
                }
                if export.status == ExportStatus::FAILED {
                    self.state = State::Failed(export.export_id.clone());
                } else if export.status == ExportStatus::COMPLETED {
                    if export.download_url.is_none() {
                        return Err(FlowError::NoDownloadUrl);
                    }
                    self.state = State::Done(export.clone());
                }
                self.news = Some(export);
                Ok(())
            }
            State::Ordered | State::Lost | State::Done(_) | State::Failed(_) => Ok(()),
        }
    }

    fn on_failure(&mut self, failure: Failure<'_>, _: Moment) -> Then {
        match &self.state {
            State::Sent if failure.may_be_done() => {
                self.state = State::Lost;
                Then::Fail(FlowError::OrderLost)
            }
            State::Sent => {
                self.state = State::Ordered;
                Then::Halt
            }
            // Of the API itself: a proxy's page says nothing of the export.
            State::Waiting(_)
                if failure.answer == Some(ApiErrorKind::Rejected)
                    && failure.status == Some(http::StatusCode::NOT_FOUND) =>
            {
                Then::Fail(FlowError::UnknownExport)
            }
            _ => Then::Halt,
        }
    }
}

impl<E> fmt::Debug for ExportJob<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Ordered => "not ordered",
            State::Sent => "order sent",
            State::Lost => "order lost",
            State::Waiting(_) => "waiting",
            State::Done(_) => "completed",
            State::Failed(_) => "failed",
        };
        f.debug_struct("ExportJob").field("state", &state).field("export_id", &self.export_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests;
