//! The file of an export, fetched in pieces and resumed where it broke off.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::{Export, ExportId, ExportOrder, ExportStatus};
use crate::{
    Api, BaseUrl, Call, CallError, FlowError, InvalidBaseUrl, Moment, Reply, TransportError, UrlProblem,
    answer::{Wait, http_date},
    clock::Clock,
    retry::DOCUMENTED_WINDOW,
};

/// A download of an export's file, as a value: it says what to fetch, and takes how many bytes the client read; from
/// [`Download::of`]. The bytes are those of the file as its host sends it, gzipped NDJSON: nothing is decompressed.
///
/// The file is on another host, by a URL that is valid for 15 minutes, until [`Export::expires_at`]. So its requests carry **no
/// key**, go to `https` only (or to this machine, or to the host of a base URL from [`BaseUrl::insecure_http`]), and must follow no
/// redirect. A download that broke off is resumed by `Range`, and only if the file is the same (`If-Range`); once the URL has
/// expired, the API is asked for a fresh one. It waits 1 s to 30 s after a break, longer if the host asks, an hour at most, and
/// fails with [`FlowError::FileBroken`] after six breaks in a row without a byte, with [`FlowError::FileRefused`] if two fresh URLs
/// in a row are refused or for a status that [`on_head`](Self::on_head) does not name, and with [`FlowError::FileChanged`] for
/// another file, until [`restart`](Self::restart); with [`FlowError::FileTooLong`] for more bytes than the host said. No size is
/// refused as such.
///
/// ```text
///          ┌─── Renew ◄── the URL has expired
///          ▼                     ▲
///  next() ─► Open ──► on_head ───┴─► Read ──► on_read ─┬─► End: the length is what was said
///          ▲                                   ▲       │
///          │                                   └───────┤ another piece
///          └─── Wait ◄── on_break ◄────────────────────┘ or it broke off
/// ```
///
/// ```
/// # use cometly_core::{Api, Download, Fetch, Moment, http};
/// # fn open(_: http::Request<()>) -> std::io::Result<http::Response<std::fs::File>> { Err(std::io::Error::other("no stack")) }
/// # fn renew(_: cometly_core::Call) -> Result<cometly_core::Reply<cometly_core::bytes::Bytes>, std::io::Error> { Err(std::io::Error::other("no stack")) }
/// use std::io::{Read, Write};
///
/// fn save(api: &Api, mut download: Download, mut file: impl Write) -> Result<(), Box<dyn std::error::Error>> {
///     let (mut body, mut buffer) = (None, [0; 8192]);
///     loop {
///         match download.next(api, Moment::now())? {
///             Fetch::Open(request) => match open(request) {
///                 Ok(response) => {
///                     let (head, reader) = response.into_parts();
///                     body = Some(reader);
///                     download.on_head(head.status, &head.headers, Moment::now())?;
///                 }
///                 Err(_) => download.on_break(Moment::now()),
///             },
///             Fetch::Read => match body.as_mut().map(|body| body.read(&mut buffer)) {
///                 Some(Ok(len)) => {
///                     file.write_all(&buffer[..len])?;
///                     download.on_read(len, Moment::now())?;
///                 }
///                 _ => download.on_break(Moment::now()),
///             },
///             Fetch::Renew(call) => download.on_renewed(&renew(call)?)?,
///             Fetch::Wait(pause) => std::thread::sleep(pause),
///             Fetch::End => return Ok(()),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Download {
    id: ExportId,
    renewal: fn(&Api, &ExportId) -> Call,
    url: Uri,
    /// Where the file is: no fresh URL may name another host.
    origin: BaseUrl,
    /// Where the API is, which has no files.
    api: BaseUrl,
    state: State,
    /// Its pause is the wait before the file is opened again.
    clock: Clock,
    position: u64,
    /// The whole length, once it is known.
    len: Option<u64>,
    validator: Option<HeaderValue>,
    /// Breaks and renewals in a row without a byte of progress.
    vain: u32,
    /// Where the part that is read ends, if the server said so: it may send less than was asked for.
    part_end: Option<u64>,
    /// Fresh URLs asked for without a byte of progress.
    renewals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be opened at `position`.
    Closed,
    /// The URL has expired.
    Expired,
    Reading,
    Done,
    Changed,
}

/// What a [`Download`] wants its driver to do next; from [`Download::next`].
#[derive(Debug)]
#[must_use = "a download goes on only if its step is done"]
pub enum Fetch {
    /// Send this request, which has no key, follow no redirect and decompress nothing. Then call [`Download::on_head`], or
    /// [`on_break`](Download::on_break) if no answer came.
    Open(Request<()>),
    /// Read a piece of the body. Then call [`Download::on_read`] with its length, 0 at the end of the body, or
    /// [`on_break`](Download::on_break) if it cannot be read.
    Read,
    /// Send this call to the API, for a fresh URL. Then call [`Download::on_renewed`] with the reply of a success.
    Renew(Call),
    /// Let this much time pass, an hour at most, then call [`Download::next`] again.
    Wait(Duration),
    /// The whole file was read.
    End,
}

/// How often in a row it may break off without a byte of progress.
const MAX_VAIN: u32 = 5;

/// How often a fresh URL is asked for without a byte of progress.
const MAX_RENEWALS: u32 = 2;
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The longest wait that the file's server is granted.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

impl Download {
    /// A download of the file of a completed export; `E` is the type of its order, which knows how to ask for a fresh URL.
    ///
    /// # Errors
    /// [`FlowError::NoDownloadUrl`] if the export is not completed or has no URL, [`FlowError::Url`] if the URL may not be
    /// fetched.
    pub fn of<E: ExportOrder>(export: &Export, api: &Api) -> Result<Self, FlowError> {
        let (url, origin) = read_url(export, api.base_url())?;
        Ok(Self {
            api: api.base_url().clone(),
            id: export.export_id.clone(),
            renewal: E::status_call,
            url,
            origin,
            state: State::Closed,
            clock: Clock::default(),
            position: 0,
            len: None,
            validator: None,
            part_end: None,
            vain: 0,
            renewals: 0,
        })
    }

    /// Skips the first `position` bytes of the file, which are there already, mostly from another process; by default none. A
    /// second call replaces both. `validator` is the text that [`validator`](Download::validator) gave for them: if the file
    /// is another one now, the download fails with [`FlowError::FileChanged`]. Without it, or if it is neither a strong
    /// `ETag` nor a date, a changed file is noticed only if it is shorter than `position`.
    #[must_use]
    pub fn resume(mut self, position: u64, validator: Option<&str>) -> Self {
        self.position = position;
        self.validator = validator.and_then(|validator| HeaderValue::from_str(validator).ok()).filter(is_strong);
        self.reopen();
        self
    }

    /// Begins again at the first byte, after [`FlowError::FileChanged`] or [`FlowError::FileTooLong`]. Drop what was written:
    /// position, length and validator are those of a new download.
    pub fn restart(&mut self) {
        (self.position, self.len, self.validator) = (0, None, None);
        (self.vain, self.renewals) = (0, 0);
        self.reopen();
    }

    fn reopen(&mut self) {
        self.clock.resume();
        self.state = State::Closed;
    }

    /// How many bytes of the file were read so far: those that [`resume`](Download::resume) skipped, and all that were given to
    /// [`on_read`](Download::on_read).
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The length of the whole file in bytes; `None` until the server has said it, and again after
    /// [`restart`](Download::restart).
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.len
    }

    /// The text by which [`resume`](Download::resume) notices that the file has changed: its strong `ETag`; or, without any
    /// `ETag`, its `Last-Modified`, if that is older than the answer. `None` before the first answer, and if the server sent
    /// neither.
    #[must_use]
    pub fn validator(&self) -> Option<&str> {
        self.validator.as_ref().and_then(|validator| validator.to_str().ok())
    }

    /// The next step for the driver.
    ///
    /// # Errors
    /// [`FlowError::FileChanged`] once a step has failed with it or with [`FlowError::FileTooLong`], until
    /// [`restart`](Download::restart); [`FlowError::FileBroken`] after six breaks in a row without a byte of progress, and a
    /// later `next` tries again.
    pub fn next(&mut self, api: &Api, now: Moment) -> Result<Fetch, FlowError> {
        self.clock.advance(now);
        match self.state {
            State::Changed => Err(FlowError::FileChanged),
            State::Done => Ok(Fetch::End),
            State::Reading => Ok(Fetch::Read),
            _ if self.vain > MAX_VAIN => {
                self.vain = 0;
                Err(FlowError::FileBroken)
            }
            State::Expired => Ok(Fetch::Renew((self.renewal)(api, &self.id))),
            State::Closed => match self.clock.pause() {
                Some(pause) => Ok(Fetch::Wait(pause)),
                None => Ok(Fetch::Open(self.request())),
            },
        }
    }

    /// The request of the file from `position` on: none of our headers, and no key.
    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.position > 0 {
            if let Ok(range) = HeaderValue::try_from(format!("bytes={}-", self.position)) {
                headers.insert(header::RANGE, range);
            }
            if let Some(validator) = &self.validator {
                headers.insert(header::IF_RANGE, validator.clone());
            }
        }
        request
    }

    /// Takes the status and headers of the answer to [`Fetch::Open`]. A 200 for the whole file and a 206 from its position
    /// open the body; a 416 ends the download if all bytes are there. 400, 401, 403, 404 and 410, by which an expired URL is
    /// refused, make it ask for a fresh URL; 408, 429 and 5xx are an [`on_break`](Self::on_break), after the `Retry-After` if
    /// that is longer (an hour at most).
    ///
    /// # Errors
    /// [`FlowError::FileRefused`] for a status that is not named here, and if two fresh URLs in a row were refused too;
    /// [`FlowError::FileChanged`] if a 200, 206 or 416 does not fit the position, the length or the validator.
    pub fn on_head(&mut self, status: StatusCode, headers: &HeaderMap, now: Moment) -> Result<(), FlowError> {
        match status.as_u16() {
            200 if self.position == 0 => self.open(content_len(headers), None, headers),
            206 => match content_range(headers) {
                Some((start, end, len)) if start == self.position => self.open(len, Some(end), headers),
                _ => self.changed(),
            },
            // Nothing is behind what is there.
            416 if self.is_whole(headers) => {
                self.len = Some(self.position);
                self.state = State::Done;
                Ok(())
            }
            // Sent from its beginning, or shorter than what is there: no ranges are known, or the file is another.
            200 | 416 => self.changed(),
            // What the stores that sign URLs answer once they have expired.
            400 | 401 | 403 | 404 | 410 => {
                self.renewals = self.renewals.saturating_add(1);
                if self.renewals > MAX_RENEWALS {
                    self.renewals = 0;
                    self.state = State::Expired;
                    return Err(FlowError::FileRefused { status });
                }
                self.state = State::Expired;
                Ok(())
            }
            408 | 429 | 500..=599 => {
                let wait = Wait::read(headers).or_window(DOCUMENTED_WINDOW).unwrap_or_default();
                self.break_off(now, wait.min(MAX_RETRY_AFTER));
                Ok(())
            }
            _ => {
                self.reopen();
                Err(FlowError::FileRefused { status })
            }
        }
    }

    fn is_whole(&self, headers: &HeaderMap) -> bool {
        match self.len.or_else(|| unsatisfied(headers)) {
            Some(len) => len == self.position,
            // A part was read to its end, and it was the last one.
            None => self.part_end == Some(self.position),
        }
    }

    fn open(&mut self, len: Option<u64>, part_end: Option<u64>, headers: &HeaderMap) -> Result<(), FlowError> {
        let validator = validator(headers);
        let is_other = |old: Option<&HeaderValue>| old.is_some() && validator.is_some() && old != validator.as_ref();
        if self.position > 0 && is_other(self.validator.as_ref()) {
            return self.changed();
        }
        match (self.len, len) {
            (Some(old), Some(new)) if old != new && self.position > 0 => return self.changed(),
            (_, None) if self.position > 0 => {}
            _ => self.len = len,
        }
        if validator.is_some() {
            self.validator = validator;
        }
        self.part_end = part_end;
        self.state = State::Reading;
        Ok(())
    }

    fn changed(&mut self) -> Result<(), FlowError> {
        self.state = State::Changed;
        Err(FlowError::FileChanged)
    }

    /// Takes how many bytes of the body the latest read gave, once they are written where they belong; 0 at the end of the body. If
    /// the body ended before its length, this is a [break](Download::on_break).
    ///
    /// # Errors
    /// [`FlowError::FileTooLong`] if the server sent more bytes than it said. Later steps fail with [`FlowError::FileChanged`]
    /// until [`restart`](Download::restart).
    pub fn on_read(&mut self, len: usize, now: Moment) -> Result<(), FlowError> {
        if self.state != State::Reading {
            return Ok(());
        }
        if len == 0 {
            match (self.part_end.or(self.len), self.len) {
                // It ended early.
                (Some(end), _) if self.position < end => self.on_break(now),
                // A part is read, and whether it was the last one shows what comes next.
                (Some(_), whole) if whole != Some(self.position) => self.state = State::Closed,
                _ => self.state = State::Done,
            }
            return Ok(());
        }
        (self.vain, self.renewals) = (0, 0);
        self.position = self.position.saturating_add(len.try_into().unwrap_or(u64::MAX));
        if self.part_end.or(self.len).is_some_and(|end| self.position > end) {
            self.state = State::Changed;
            return Err(FlowError::FileTooLong);
        }
        Ok(())
    }

    /// Says that the request failed or that the body broke off. The download is resumed at its [position](Download::position)
    /// after 1, 2, 4, 8 and 16 s, for each break in a row without a byte of progress. After the sixth one
    /// [`next`](Download::next) fails with [`FlowError::FileBroken`]; called again, it goes on 30 s after that break.
    pub fn on_break(&mut self, now: Moment) {
        self.break_off(now, Duration::ZERO);
    }

    fn break_off(&mut self, now: Moment, at_least: Duration) {
        let wait = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(self.vain)).min(MAX_WAIT);
        self.vain = self.vain.saturating_add(1);
        self.clock.advance(now);
        self.clock.pause_for(wait.max(at_least));
        self.state = State::Closed;
    }

    /// Takes the failure of a client to do [`Fetch::Open`] or [`Fetch::Read`]. As after [`on_break`](Download::on_break), the
    /// download is resumed after a pause, unless the failure would come again.
    ///
    /// # Errors
    /// A [`CallError`], whose source is the HTTP stack's error of this failure, if it has one:
    /// - if the client cannot be used as it is set up, the certificate is not trusted, the headers are too large, or a proxy
    ///   refused; a later [`next`](Download::next) tries again at once;
    /// - after six breaks in a row without a byte of progress, with [`FlowError::FileBroken`] as its
    ///   [`flow_error`](CallError::flow_error); a later `next` tries again after 30 s.
    pub fn on_failure<E>(&mut self, error: TransportError<E>, now: Moment) -> Result<(), CallError<E>> {
        self.on_break(now);
        let attempts = self.vain;
        if !error.is_final() && attempts <= MAX_VAIN {
            return Ok(());
        }
        self.vain = 0;
        let is_final = error.is_final();
        if is_final {
            self.reopen();
        }
        let error = CallError::file(error, attempts);
        Err(if is_final { error } else { error.seen_by_flow(FlowError::FileBroken) })
    }

    /// Takes the answer to [`Fetch::Renew`], and goes on at the [position](Download::position) with its fresh URL.
    ///
    /// # Errors
    /// [`FlowError::Decode`] if the answer cannot be read, [`FlowError::OtherExport`], [`FlowError::NoDownloadUrl`], and
    /// [`FlowError::Url`] if the fresh URL may not be fetched, as when it names another host than before. A later step asks
    /// again.
    pub fn on_renewed(&mut self, reply: &Reply<Bytes>) -> Result<(), FlowError> {
        let export: Export = reply.json()?;
        if export.export_id != self.id {
            return Err(FlowError::OtherExport);
        }
        let (url, _) = read_url(&export, &self.api)?;
        if !self.origin.is_origin_of(&url) {
            return Err(FlowError::Url(UrlProblem::OtherHost));
        }
        self.url = url;
        self.reopen();
        Ok(())
    }
}

/// The URL of a completed export, and where it leads.
fn read_url(export: &Export, api: &BaseUrl) -> Result<(Uri, BaseUrl), FlowError> {
    let url = export.download_url.as_ref().filter(|_| export.status == ExportStatus::COMPLETED);
    let text = url.ok_or(FlowError::NoDownloadUrl)?.expose_secret();
    let malformed = || FlowError::Url(UrlProblem::Malformed);
    if text.len() > Call::MAX_TARGET_LEN {
        return Err(malformed());
    }
    let url: Uri = text.parse().map_err(|_| malformed())?;
    let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else { return Err(malformed()) };
    // As strict as with the base URL: a plain host that all clients read the same.
    let text = format!("{scheme}://{authority}");
    let origin = match BaseUrl::new(&text) {
        // The program has said that this host may be called over plain http.
        Err(InvalidBaseUrl::InsecureHttp) => {
            BaseUrl::insecure_http(&text).ok().filter(|origin| api.is_insecure() && origin.has_host_of(api))
        }
        other => Some(other.map_err(|_| malformed())?),
    };
    let origin = origin.ok_or(FlowError::Url(UrlProblem::Insecure))?;
    // Else a server could make this program ask services of its own machine.
    if origin.is_loopback() && !api.is_loopback() {
        return Err(FlowError::Url(UrlProblem::Insecure));
    }
    if api.is_origin_of(&url) {
        return Err(FlowError::Url(UrlProblem::Api));
    }
    Ok((url, origin))
}

fn number(text: &str) -> Option<u64> {
    // `str::parse` takes a sign as well.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn content_len(headers: &HeaderMap) -> Option<u64> {
    number(text(headers, header::CONTENT_LENGTH)?)
}

/// `bytes 5-9/10`: where it starts, what it ends before, and the whole length unless it is `*`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64, Option<u64>)> {
    let (unit, range) = text(headers, header::CONTENT_RANGE)?.split_once(' ')?;
    let (range, whole) = range.split_once('/').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (number(start)?, number(end)?.checked_add(1)?);
    let whole = if whole == "*" { None } else { Some(number(whole)?) };
    (start < end && whole.is_none_or(|whole| end <= whole)).then_some((start, end, whole))
}

/// `bytes */10`: the whole length, with a 416.
fn unsatisfied(headers: &HeaderMap) -> Option<u64> {
    let (unit, whole) = text(headers, header::CONTENT_RANGE)?.split_once(' ')?;
    if unit.eq_ignore_ascii_case("bytes") { number(whole.strip_prefix("*/")?) } else { None }
}

/// What `If-Range` takes ([RFC 9110 §13.1.5](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5)): a strong `ETag`; where
/// there is none, weak or strong, a `Last-Modified` that is older than the answer, so that the file cannot have changed twice
/// in that second.
fn validator(headers: &HeaderMap) -> Option<HeaderValue> {
    if let Some(tag) = headers.get(header::ETAG) {
        return Some(tag).filter(|tag| is_strong(tag)).cloned();
    }
    let date = |name| headers.get(name).and_then(|value| http_date(value.as_bytes()));
    let (modified, sent) = (date(header::LAST_MODIFIED)?, date(header::DATE)?);
    headers.get(header::LAST_MODIFIED).filter(|_| modified < sent).cloned()
}

fn is_strong(validator: &HeaderValue) -> bool {
    validator.as_bytes().starts_with(b"\"") || http_date(validator.as_bytes()).is_some()
}

/// Shows how far the download is, and no URL.
impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("export_id", &self.id)
            .field("state", &self.state)
            .field("position", &self.position)
            .field("total", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
