//! The file of an export, fetched in pieces and resumed where it broke off.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::{Export, ExportId, ExportOrder, ExportStatus};
use crate::{
    Api, BaseUrl, Call, CallError, FlowError, InvalidBaseUrl, Moment, Reply, TransportError, UrlProblem,
    answer::{Wait, http_date},
    clock::Clock,
};

/// A download of an export's file, as a value: it says what to fetch, and takes how many bytes the client read.
///
/// The file is on another host, by a URL that is valid for 15 minutes. So its requests carry **no key**, go to `https` only (or
/// to this machine, or to the host of a base URL from [`BaseUrl::insecure_http`]), and must follow no redirect. A download that
/// broke off is resumed by `Range`, and only if the file is the same (`If-Range`); once the URL has expired, the API is asked
/// for a fresh one.
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

/// What a [`Download`] wants its driver to do next.
#[derive(Debug)]
#[must_use = "a download goes on only if its step is done"]
pub enum Fetch {
    /// Send this request, which has no key, follow no redirect and decompress nothing. Then call [`Download::on_head`], or
    /// [`on_break`](Download::on_break) if no answer came.
    Open(Request<()>),
    /// Read a piece of the body. Then call [`Download::on_read`] with its length, 0 at the end of the body, or
    /// [`on_break`](Download::on_break) if it cannot be read.
    Read,
    /// Send this call to the API, for a fresh URL. Then call [`Download::on_renewed`].
    Renew(Call),
    /// Let this much time pass, then call [`Download::next`] again.
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
    /// [`FlowError::NoDownloadUrl`] if the export is not completed, [`FlowError::Url`] if the URL may not be fetched.
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

    /// Skips the first `position` bytes of the file, which are there already, mostly from another process. `validator` is the
    /// text that [`validator`](Download::validator) gave for them: if the file is another one now, the download fails with
    /// [`FlowError::FileChanged`]. Without it, a changed file is noticed only if it is shorter than `position`.
    #[must_use]
    pub fn resume(mut self, position: u64, validator: Option<&str>) -> Self {
        self.position = position;
        self.validator = validator.and_then(|validator| HeaderValue::from_str(validator).ok()).filter(is_strong);
        self.reopen();
        self
    }

    /// Begins again at the first byte, after [`FlowError::FileChanged`]. Drop what was written.
    pub fn restart(&mut self) {
        (self.position, self.len, self.validator) = (0, None, None);
        (self.vain, self.renewals) = (0, 0);
        self.reopen();
    }

    fn reopen(&mut self) {
        self.clock.resume();
        self.state = State::Closed;
    }

    /// How many bytes of the file are there: those that [`resume`](Download::resume) skipped, and all that were given to
    /// [`on_read`](Download::on_read).
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The length of the whole file in bytes; `None` until the server has said it.
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
    /// [`FlowError::FileChanged`] until [`restart`](Download::restart); [`FlowError::FileBroken`] after six breaks in a row
    /// without a byte of progress, and a later `next` tries again.
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

    /// Takes the status and headers of the answer to [`Fetch::Open`]. A status by which an expired URL is refused (400, 401,
    /// 403, 404, 410) makes the download ask for a fresh URL; 408, 429 and 5xx make it wait and open the file again.
    ///
    /// # Errors
    /// [`FlowError::FileRefused`] for any other status, and if two fresh URLs in a row were refused too;
    /// [`FlowError::FileChanged`] if the download cannot be resumed at its position.
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
                self.break_off(now, Wait::read(headers).known().unwrap_or_default().min(MAX_RETRY_AFTER));
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

    /// Takes how many bytes of the body were read, and written where they belong; 0 at the end of the body. If the body ended
    /// before its length, this is a [break](Download::on_break).
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

    /// Says that the request failed or that the body broke off. The download is resumed at its [position](Download::position),
    /// after 1 s, 2 s, 4 s and so on up to 30 s for each break in a row without a byte of progress.
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

    /// Takes the failure of a client to do [`Fetch::Open`] or [`Fetch::Read`]. It is an [`on_break`](Download::on_break),
    /// unless the failure would come again.
    ///
    /// # Errors
    /// [`CallError`] if the client cannot be used as it is set up, the certificate is not trusted, the headers are too large,
    /// or a proxy refused; or of [`FlowError::FileBroken`] after six breaks in a row without a byte of progress, with the last
    /// one as its source. A later step tries again.
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
mod tests {
    use super::*;
    use crate::{ApiKey, DecodeError, Delivery, Endpoint, ExportOrdered};

    struct Orders;

    impl Endpoint for Orders {
        type Output = ExportOrdered;

        fn call(&self, api: &Api) -> Call {
            api.post("things/exports")
        }

        fn read(&self, reply: &Reply<Bytes>) -> Result<ExportOrdered, DecodeError> {
            reply.json()
        }
    }

    impl ExportOrder for Orders {
        fn status_call(api: &Api, id: &ExportId) -> Call {
            api.get("things/exports/{id}").segment(id)
        }
    }

    fn api() -> Api {
        Api::new(ApiKey::new("12|canary").unwrap())
    }

    fn body(url: &str) -> String {
        format!(r#"{{"export_id":"x-1","status":"completed","download_url":"{url}"}}"#)
    }

    fn download(url: &str) -> Result<Download, FlowError> {
        Download::of::<Orders>(&serde_json::from_str(&body(url)).unwrap(), &api())
    }

    fn renewed(url: &str) -> Reply<Bytes> {
        api().read(http::Response::new(Bytes::from(body(url)))).into_result().unwrap()
    }

    fn at(seconds: u64) -> Moment {
        Moment::since_origin(Duration::from_secs(seconds))
    }

    fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn open(download: &mut Download, now: u64) -> Request<()> {
        match download.next(&api(), at(now)).unwrap() {
            Fetch::Open(request) => request,
            Fetch::Wait(pause) => open(download, now.saturating_add(pause.as_secs().max(1))),
            other => panic!("{other:?}"),
        }
    }

    /// Errors are compared by their words.
    fn words<T>(result: Result<T, FlowError>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    fn told(error: FlowError) -> String {
        error.to_string()
    }

    fn read(download: &mut Download, lens: &[usize]) -> Result<(), FlowError> {
        for len in lens {
            assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Read)));
            download.on_read(*len, at(0))?;
        }
        Ok(())
    }

    const FILE: &str = "https://files.example/x.gz?Signature=canary";

    #[test]
    fn a_file_is_read_to_the_length_that_was_said() {
        let mut download = download(FILE).unwrap();
        let request = open(&mut download, 0);
        assert_eq!((request.uri().to_string().as_str(), request.headers().len()), (FILE, 1));
        download.on_head(StatusCode::OK, &head(&[("content-length", "10"), ("etag", "\"v1\"")]), at(0)).unwrap();
        read(&mut download, &[4, 6, 0]).unwrap();
        assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::End)));
        assert_eq!((download.position(), download.total(), download.validator()), (10, Some(10), Some("\"v1\"")));
    }

    #[test]
    fn what_broke_off_is_gone_on_with_if_the_file_is_the_same() {
        let mut download = download(FILE).unwrap();
        open(&mut download, 0);
        download.on_head(StatusCode::OK, &head(&[("content-length", "10"), ("etag", "\"v1\"")]), at(0)).unwrap();
        // The body ends early.
        read(&mut download, &[4, 0]).unwrap();
        assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Wait(pause)) if pause == Duration::from_secs(1)));
        let request = open(&mut download, 1);
        assert_eq!(request.headers()["range"], "bytes=4-");
        assert_eq!(request.headers()["if-range"], "\"v1\"");
        download.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", "bytes 4-9/10")]), at(1)).unwrap();
        read(&mut download, &[6, 0]).unwrap();
        assert!(matches!(download.next(&api(), at(1)), Ok(Fetch::End)));
    }

    #[test]
    fn a_file_that_is_another_is_never_begun_anew_without_saying_so() {
        for (status, headers) in [
            (200, head(&[("content-length", "10")])),
            (206, head(&[("content-range", "bytes 0-9/10")])),
            (206, head(&[("content-range", "bytes 4-9/11")])),
            (206, head(&[("content-range", "bytes 4-8/9")])),
            (206, head(&[("content-range", "bytes 4-9/10"), ("etag", "\"v2\"")])),
            (206, head(&[])),
            (416, head(&[("content-range", "bytes */3")])),
        ] {
            let mut download = download(FILE).unwrap();
            open(&mut download, 0);
            download.on_head(StatusCode::OK, &head(&[("content-length", "10"), ("etag", "\"v1\"")]), at(0)).unwrap();
            read(&mut download, &[4, 0]).unwrap();
            open(&mut download, 9);
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                words(download.on_head(status, &headers, at(9))),
                told(FlowError::FileChanged),
                "{status} {headers:?}"
            );
            assert_eq!(words(download.next(&api(), at(9))), told(FlowError::FileChanged));
            download.restart();
            assert_eq!((open(&mut download, 9).headers().get("range"), download.position()), (None, 0));
        }
    }

    #[test]
    fn a_download_goes_on_in_another_process() {
        let mut resumed = download(FILE).unwrap().resume(4, Some("\"v1\""));
        let request = open(&mut resumed, 0);
        assert_eq!(
            (&request.headers()["range"], &request.headers()["if-range"]),
            (&"bytes=4-".parse().unwrap(), &"\"v1\"".parse().unwrap())
        );
        resumed.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", "bytes 4-9/10")]), at(0)).unwrap();
        assert_eq!((resumed.position(), resumed.total()), (4, Some(10)));
        // All of it was there.
        let mut whole = download(FILE).unwrap().resume(10, None);
        open(&mut whole, 0);
        whole.on_head(StatusCode::RANGE_NOT_SATISFIABLE, &head(&[("content-range", "bytes */10")]), at(0)).unwrap();
        assert_eq!(whole.total(), Some(10));
        assert!(matches!(whole.next(&api(), at(0)), Ok(Fetch::End)));
    }

    #[test]
    fn a_url_that_has_expired_is_renewed_at_the_same_host() {
        let mut download = download(FILE).unwrap();
        open(&mut download, 0);
        download.on_head(StatusCode::FORBIDDEN, &head(&[]), at(0)).unwrap();
        match download.next(&api(), at(0)).unwrap() {
            Fetch::Renew(call) => assert_eq!(call.path_template(), "things/exports/{id}"),
            other => panic!("{other:?}"),
        }
        for (url, problem) in [
            ("https://other.example/x", UrlProblem::OtherHost),
            ("https://files.example:444/x", UrlProblem::OtherHost),
            ("http://files.example/x", UrlProblem::Insecure),
        ] {
            assert_eq!(words(download.on_renewed(&renewed(url))), told(FlowError::Url(problem)), "{url}");
        }
        download.on_renewed(&renewed("https://files.example/fresh")).unwrap();
        assert_eq!(open(&mut download, 0).uri().path(), "/fresh");
        // A fresh URL that is refused again and again is no URL that has expired.
        download.on_head(StatusCode::FORBIDDEN, &head(&[]), at(0)).unwrap();
        download.on_renewed(&renewed(FILE)).unwrap();
        open(&mut download, 0);
        let refused = told(FlowError::FileRefused { status: StatusCode::FORBIDDEN });
        assert_eq!(words(download.on_head(StatusCode::FORBIDDEN, &head(&[]), at(0))), refused);
    }

    #[test]
    fn a_url_that_may_not_be_fetched_is_refused_with_its_reason() {
        for (url, problem) in [
            ("http://files.example/x", UrlProblem::Insecure),
            ("https://app.cometly.com/x", UrlProblem::Api),
            ("https://app.cometly.com:443/public-api/v1/events", UrlProblem::Api),
            ("https://app.cometly.com@evil.example/x", UrlProblem::Malformed),
            ("ftp://files.example/x", UrlProblem::Malformed),
            ("/x", UrlProblem::Malformed),
            ("", UrlProblem::Malformed),
        ] {
            assert_eq!(words(download(url)), told(FlowError::Url(problem)), "{url}");
        }
        // An export of a server on this machine may be there as well.
        for url in ["http://127.0.0.1:8080/x", "http://localhost/x", "https://[::1]/x"] {
            let export = serde_json::from_str(&body(url)).unwrap();
            assert_eq!(words(download(url)), told(FlowError::Url(UrlProblem::Insecure)), "{url}");
            let here =
                Api::builder(ApiKey::new("12|canary").unwrap()).base_url("http://127.0.0.1:4010".parse().unwrap());
            assert!(Download::of::<Orders>(&export, &here.build()).is_ok(), "{url}");
        }
        let none: Export = serde_json::from_str(r#"{"export_id":"x","status":"processing"}"#).unwrap();
        assert_eq!(words(Download::of::<Orders>(&none, &api())), told(FlowError::NoDownloadUrl));
    }

    #[test]
    fn a_failure_that_would_come_again_ends_it_at_once_and_another_after_several() {
        let failed = |delivery| TransportError::failed(delivery, std::fmt::Error);
        let mut download = download(FILE).unwrap();
        for delivery in [Delivery::NotSent, Delivery::Unknown] {
            for _ in 0..MAX_VAIN {
                download.on_failure(failed(delivery), at(0)).unwrap();
            }
            let error = download.on_failure(failed(delivery), at(0)).unwrap_err();
            assert!(matches!(error.flow_error(), Some(FlowError::FileBroken)), "{error}");
            assert!(std::error::Error::source(&error).is_some(), "the last break");
        }
        for error in [failed(Delivery::Untrusted), TransportError::setup(std::fmt::Error)] {
            let error = download.on_failure(error, at(0)).unwrap_err();
            assert!(error.flow_error().is_none() && error.to_string().starts_with("GET export file: "), "{error}");
            assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Open(_))), "asked again, it goes on");
        }
    }

    #[test]
    fn breaks_without_progress_end_and_with_progress_do_not() {
        let mut download = download(FILE).unwrap();
        let mut waits = Vec::new();
        let error = loop {
            match download.next(&api(), at(0)) {
                Ok(Fetch::Open(_)) => download.on_break(at(0)),
                Ok(Fetch::Wait(pause)) => {
                    waits.push(pause.as_secs());
                    download.reopen();
                }
                Err(error) => break error,
                Ok(other) => panic!("{other:?}"),
            }
        };
        assert_eq!((words(Err::<(), _>(error)), waits), (told(FlowError::FileBroken), vec![1, 2, 4, 8, 16]));
        download.reopen();
        for _ in 0..100 {
            open(&mut download, 1000);
            let range = format!("bytes {}-999/1000", download.position());
            let (status, headers) = match download.position() {
                0 => (StatusCode::OK, head(&[("content-length", "1000")])),
                _ => (StatusCode::PARTIAL_CONTENT, head(&[("content-range", &range)])),
            };
            download.on_head(status, &headers, at(0)).unwrap();
            read(&mut download, &[1]).unwrap();
            download.on_break(at(0));
        }
        assert_eq!(download.position(), 100);
        // A server in trouble is a break as well.
        download.reopen();
        open(&mut download, 1000);
        download.on_head(StatusCode::SERVICE_UNAVAILABLE, &head(&[]), at(0)).unwrap();
        assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Wait(_))));
    }

    #[test]
    fn more_than_was_said_is_not_the_file_and_no_request_or_debug_shows_a_secret() {
        let mut download = download(FILE).unwrap();
        let request = open(&mut download, 0);
        assert!(request.headers().values().all(|value| !value.as_bytes().windows(6).any(|part| part == b"canary")));
        download.on_head(StatusCode::OK, &head(&[("content-length", "10")]), at(0)).unwrap();
        assert!(!format!("{download:?}").contains("canary"));
        assert_eq!(words(read(&mut download, &[4, 7])), told(FlowError::FileTooLong));
        assert_eq!(words(download.next(&api(), at(0))), told(FlowError::FileChanged));
        for status in [301, 302, 304, 204] {
            let mut download = super::tests::download(FILE).unwrap();
            open(&mut download, 0);
            let status = StatusCode::from_u16(status).unwrap();
            let refused = told(FlowError::FileRefused { status });
            assert_eq!(words(download.on_head(status, &head(&[]), at(0))), refused);
        }
    }

    #[test]
    fn a_part_that_is_shorter_than_asked_for_is_taken_and_the_rest_is_asked_for() {
        let part = |download: &mut Download, range: &str| {
            download.on_head(StatusCode::PARTIAL_CONTENT, &head(&[("content-range", range)]), at(0)).unwrap();
        };
        // The server says the length, or not.
        for whole in ["10", "*"] {
            let mut download = download(FILE).unwrap().resume(4, None);
            open(&mut download, 0);
            part(&mut download, &format!("bytes 4-6/{whole}"));
            read(&mut download, &[2, 1, 0]).unwrap();
            assert_eq!(open(&mut download, 0).headers()["range"], "bytes=7-");
            part(&mut download, &format!("bytes 7-9/{whole}"));
            // It breaks off within the part.
            read(&mut download, &[2, 0]).unwrap();
            assert!(matches!(download.next(&api(), at(0)), Ok(Fetch::Wait(_))));
            assert_eq!(open(&mut download, 1).headers()["range"], "bytes=9-");
            part(&mut download, &format!("bytes 9-9/{whole}"));
            read(&mut download, &[1, 0]).unwrap();
            if whole == "*" {
                assert_eq!(open(&mut download, 1).headers()["range"], "bytes=10-");
                download.on_head(StatusCode::RANGE_NOT_SATISFIABLE, &HeaderMap::new(), at(1)).unwrap();
            }
            assert!(matches!(download.next(&api(), at(1)), Ok(Fetch::End)), "{whole}");
        }
        let mut long = download(FILE).unwrap().resume(4, None);
        open(&mut long, 0);
        part(&mut long, "bytes 4-6/10");
        assert!(matches!(read(&mut long, &[4]), Err(FlowError::FileTooLong)));
    }

    #[test]
    fn if_range_has_only_what_tells_two_files_apart() {
        const BEFORE: &str = "Tue, 24 Nov 2026 03:28:58 GMT";
        const NOW: &str = "Tue, 24 Nov 2026 03:28:59 GMT";
        for (pairs, expected) in [
            (&[("etag", "\"v1\""), ("last-modified", BEFORE), ("date", NOW)][..], Some("\"v1\"")),
            (&[("last-modified", BEFORE), ("date", NOW)], Some(BEFORE)),
            (&[("etag", "W/\"v1\""), ("last-modified", BEFORE), ("date", NOW)], None),
            (&[("last-modified", NOW), ("date", NOW)], None),
            (&[("last-modified", BEFORE)], None),
            (&[], None),
        ] {
            let mut download = download(FILE).unwrap();
            open(&mut download, 0);
            download.on_head(StatusCode::OK, &head(pairs), at(0)).unwrap();
            assert_eq!(download.validator(), expected, "{pairs:?}");
        }
        for (kept, expected) in [("\"v1\"", true), (BEFORE, true), ("W/\"v1\"", false), ("v1", false), ("", false)] {
            let mut download = download(FILE).unwrap().resume(4, Some(kept));
            assert_eq!(open(&mut download, 0).headers().contains_key("if-range"), expected, "{kept}");
        }
    }

    #[test]
    fn a_server_of_files_that_asks_for_a_wait_gets_it() {
        for (asked, pause) in [("120", 120), ("0", 1), ("86400", 3_600), ("soon", 1)] {
            let mut download = download(FILE).unwrap();
            open(&mut download, 0);
            download.on_head(StatusCode::SERVICE_UNAVAILABLE, &head(&[("retry-after", asked)]), at(0)).unwrap();
            let next = download.next(&api(), at(0));
            assert!(matches!(next, Ok(Fetch::Wait(wait)) if wait == Duration::from_secs(pause)), "{asked}: {next:?}");
        }
    }

    #[test]
    fn a_file_goes_over_plain_http_only_to_the_host_that_the_program_allowed() {
        let read = |base_url: BaseUrl, url: &str| {
            let api = Api::builder(crate::ApiKey::new("12|abcdef").unwrap()).base_url(base_url).build();
            words(Download::of::<Orders>(&serde_json::from_str(&body(url)).unwrap(), &api))
        };
        let insecure = || BaseUrl::insecure_http("http://cometly:8080/public-api/v1").unwrap();
        let refused = told(FlowError::Url(UrlProblem::Insecure));
        assert_eq!(read(insecure(), "http://cometly:8081/x"), "");
        assert_eq!(read(insecure(), "https://files.example/x"), "");
        assert_eq!(read(insecure(), "http://files.example/x"), refused);
        assert_eq!(read(insecure(), "http://127.0.0.1:8081/x"), refused);
        assert_eq!(read(insecure(), "http://cometly:8080/x"), told(FlowError::Url(UrlProblem::Api)));
        let secure = BaseUrl::insecure_http("https://cometly:8080").unwrap();
        assert_eq!(read(secure, "http://cometly:8081/x"), refused, "it is https that was asked for");
        assert_eq!(read(BaseUrl::new("http://localhost:1").unwrap(), "http://cometly:8081/x"), refused);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_longer_wait() {
        let mut download = download(FILE).unwrap();
        open(&mut download, 9000);
        download.on_break(at(9000));
        assert!(matches!(download.next(&api(), at(5000)), Ok(Fetch::Wait(_))));
        assert!(matches!(download.next(&api(), at(5001)), Ok(Fetch::Open(_))));
    }

    #[test]
    fn breaks_do_not_use_up_the_fresh_urls() {
        let mut download = download(FILE).unwrap();
        for _ in 0..2 {
            open(&mut download, 100);
            download.on_break(at(0));
        }
        for _ in 0..2 {
            open(&mut download, 100);
            download.on_head(StatusCode::FORBIDDEN, &HeaderMap::new(), at(100)).unwrap();
            assert!(matches!(download.next(&api(), at(100)), Ok(Fetch::Renew(_))));
            download.on_renewed(&renewed("https://files.example:443/x.gz?Signature=2")).unwrap();
        }
        open(&mut download, 100);
        let refused = download.on_head(StatusCode::FORBIDDEN, &HeaderMap::new(), at(100));
        assert_eq!(words(refused), told(FlowError::FileRefused { status: StatusCode::FORBIDDEN }));
    }

    #[test]
    fn a_range_unit_is_read_in_any_case() {
        let range = |value: &str| content_range(&head(&[("content-range", value)]));
        assert_eq!(range("Bytes 5-9/10"), Some((5, 10, Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((5, 10, None)));
        assert_eq!(range("bytes 5-7/10"), Some((5, 8, Some(10))));
        for broken in ["lines 5-9/10", "bytes 5-4/10", "bytes 5-10/10", "bytes 5-9", "bytes5-9/10", "bytes -9/10"] {
            assert_eq!(range(broken), None, "{broken}");
        }
        assert_eq!(unsatisfied(&head(&[("content-range", "BYTES */10")])), Some(10));
    }
}
